"""Exports under an enveloped XML signature: made, verified, altered, wrapped."""

from __future__ import annotations

import re

import pytest
from lxml import etree

from rmsserver.errors import OperatorError
from rmsserver.operations.admin.imported_xml import child_text
from rmsserver.operations.admin.signed_exports import (
    NAMESPACE,
    ManagementIdentity,
    add_text,
    check_fingerprint,
    is_signed_export,
    make_management_identity,
    new_root,
    read_signed_export,
    sign_export,
)
from tests.cluster import DAY, NOW

TEXT = 'a <b c="d"/> & \r\n é'


@pytest.fixture(scope="module")
def identity() -> ManagementIdentity:
    import datetime as dt

    return make_management_identity("cluster {x}", dt.datetime.now(dt.UTC))


@pytest.fixture(scope="module")
def exported(identity: ManagementIdentity) -> bytes:
    root = new_root("Thing", name="one")
    add_text(root, "Text", TEXT)
    return sign_export(root, identity)


def read(data: bytes, name: str = "Thing") -> etree._Element:
    return read_signed_export(data, name, "the file").root


def refused(data: bytes) -> None:
    with pytest.raises(OperatorError):
        read(data)


def test_round_trip(exported: bytes, identity: ManagementIdentity) -> None:
    """Text comes back character for character, carriage returns too, under the fingerprint of who signed."""
    assert is_signed_export(exported)
    assert child_text(read(exported), "Text", "the file") == TEXT
    assert read_signed_export(exported, "Thing", "the file").fingerprint == identity.fingerprint


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'name="one"', b'name="two"'),
        (b" &amp; ", b" &lt; "),
        (b"</Text>", b"</Text><Text>more</Text>"),
        (b"<ds:SignatureValue>", b"<ds:SignatureValue>AA"),
        (b"xmldsig-more#rsa-sha256", b"xmldsig-more#hmac-sha256"),
        (b"http://www.w3.org/2001/04/xmlenc#sha256", b"http://www.w3.org/2000/09/xmldsig#sha1"),
        (b"#enveloped-signature", b"#base64"),
        (b"<Thing ", b"<!DOCTYPE Thing><Thing "),
    ],
)
def test_altered(exported: bytes, old: bytes, new: bytes) -> None:
    """Content, signature, algorithms and transforms."""
    assert old in exported
    refused(exported.replace(old, new, 1))


def test_XW_wrapping(exported: bytes) -> None:
    """The genuine document inside another one, two signatures, none: nothing that was not signed is ever read."""
    body = exported.partition(b"?>\n")[2] or exported.partition(b"?>")[2]
    signature = re.search(rb"<ds:Signature .*</ds:Signature>", exported, re.DOTALL)
    assert signature is not None
    refused(exported.replace(signature.group(0), b""))
    refused(exported.replace(signature.group(0), signature.group(0) * 2))
    forged = b'<Thing xmlns="%b" name="forged"><Text>mine</Text>' % NAMESPACE.encode()
    refused(forged + body + b"</Thing>")
    refused(forged + signature.group(0) + b"<o>" + body.replace(signature.group(0), b"") + b"</o></Thing>")


def test_another_kind(exported: bytes) -> None:
    """A signed file of one kind is not taken for another."""
    with pytest.raises(OperatorError, match="not a Other"):
        read(exported, "Other")


def test_another_certificate(exported: bytes, identity: ManagementIdentity) -> None:
    """Signed by somebody else: it verifies, and its fingerprint is another."""
    other = make_management_identity("cluster {x}", NOW)
    assert other.fingerprint != identity.fingerprint
    with pytest.raises(OperatorError, match="fingerprint"):
        check_fingerprint(other.fingerprint, identity.fingerprint)


def test_fingerprints_as_people_write_them() -> None:
    """Letter case, colons and blanks do not matter; a part of it is not enough."""
    check_fingerprint("ab12" * 16, ":".join(["AB", "12"] * 16))
    for wrong in ("", "ab12" * 15, "ab13" * 16):
        with pytest.raises(OperatorError):
            check_fingerprint("ab12" * 16, wrong)


def test_a_certificate_that_is_over() -> None:
    """The signature of a certificate outside its time does not count."""
    refused(sign_export(new_root("Thing"), make_management_identity("old", NOW - 60 * 365 * DAY)))


def test_control_characters() -> None:
    """What XML cannot carry is not written."""
    with pytest.raises(OperatorError):
        add_text(new_root("Thing"), "Text", "\x00")
