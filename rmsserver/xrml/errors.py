"""What can be wrong with a document. Wire names are chosen by the operations, never here.

Messages name the element and the rule, never quote the document.
"""

from __future__ import annotations


class XrmlError(Exception):
    """Base of everything the engine raises about its input."""


class XrmlSyntaxError(XrmlError):
    """Not well-formed, not the expected structure, a limit exceeded, or sizes that do not agree."""


class WrongKindError(XrmlError):
    """A well-formed document of another kind than the one asked for."""


class UnsupportedCryptographyError(XrmlError):
    """A key length or hash algorithm outside the cryptographic mode ([MS-RMPR] 3.1.4.7), or a weak key."""


class SignatureError(XrmlError):
    """The digest does not match the body, or the signature does not match the key."""


class ChainError(XrmlError):
    """A link does not close, or the chain ends at nothing that is trusted."""


class ValidityError(XrmlError):
    """Outside the time range that applies."""


class SealError(XrmlError):
    """Enabling bits could not be opened. The one outcome for every cause (rulings 15)."""
