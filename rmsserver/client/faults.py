"""The faults of the protocol in words for a person: what is wrong and what to do. Pure."""

from __future__ import annotations

import re

_WORDS = {
    "NoRightsForRequestedPrincipalException": "You were granted no rights to this file; ask its author.",
    "InvalidRightsLabelSignatureException": "The file's licence was altered or signed by somebody unknown.",
    "IssuanceLicenseIsNotWithinValidTimeRangeException": "The file's licence has expired.",
    "RightsLabelNoMatchingIssuedPrincipalException": "The file was protected for another server than yours.",
    "InvalidPersonaCertSignatureException": "Your account certificate is damaged; run rmsclient bootstrap.",
    "InvalidPersonaCertTimeException": "Your account certificate has expired; run rmsclient bootstrap.",
    "UnexpectedPersonaCertException": "Your account certificate was not accepted; run rmsclient bootstrap.",
    "UntrustedPersonaCertException": "Your account certificate comes from a server this one does not trust.",
    "DrmacIsExcludedException": "Your account certificate was excluded; ask your administrator.",
    "BlackBoxIsInvalidException": "This client's version was excluded by your administrator; update it.",
    "CredentialCreationTimeException": "Your account is younger than the file; ask its author for a new one.",
    "VerifyMachineCertificateChainFailedException": (
        "The server does not accept this machine's certificate; run rmsclient bootstrap."
    ),
    "VerifyEmailAddressFailedException": "Your account has no e-mail address; ask your administrator.",
    "ADEntrySearchFailedException": "The server could not find your account; ask your administrator.",
    "OnlinePublishingDisabledException": "The server does not publish online; leave --online out.",
    "UnsignedIssuanceLicenseNoMatchingIssuedPrincipalException": "The licence was made for another server.",
    "InvalidOfficialRightsTemplateException": "The template is not one of the server's; run rmsclient templates.",
    "EnablingBitsHashDoesNotMatchException": "The server could not open the licence's key.",
    "ClusterDecommissionedException": "The server was decommissioned; ask your administrator.",
    "UnsupportedCryptographicSetException": (
        "Keys or hashes are not of the server's mode; run rmsclient bootstrap again."
    ),
    "UnsupportedDataVersionException": "The server does not support this client's version of the protocol.",
    "UnauthorizedAccessException": "Your account may not do this; ask your administrator.",
}
_NAME = re.compile(r"(?:[A-Za-z_][A-Za-z0-9_]*\.)*([A-Za-z_][A-Za-z0-9_]*Exception)")


def explain_fault(faultstring: str) -> tuple[str, str]:
    """(short exception name, sentence) for a `faultstring` ([MS-RMPR] 3.1.4.5).

    A name that has words here wins wherever it stands; else the first name there is. Nothing else of what
    the server sent is repeated.
    """
    names = _NAME.findall(faultstring[:4096])
    known = next((name for name in names if name in _WORDS), None)
    if known is not None:
        return known, f"{_WORDS[known]} ({known})"
    name = names[0][:100] if names else "UnspecifiedErrorException"
    return name, f"The server could not process the request ({name}); see its log."
