"""Revocation points and lists."""

from __future__ import annotations

import base64
import datetime as dt

import pytest

from rmsserver.xrml import surface
from rmsserver.xrml.errors import SignatureError, WrongKindError, XrmlError, XrmlSyntaxError
from rmsserver.xrml.keys import CryptoMode, PrivateKey
from rmsserver.xrml.revocation import (
    Revocation,
    RevocationList,
    RevocationPoint,
    RevokedBy,
    write_revocation_list,
)
from rmsserver.xrml.values import Guid

KEY = PrivateKey.generate(2048)
NOW = dt.datetime(2026, 6, 1, 12, 0, tzinfo=dt.UTC)
LIST_ID = Guid.parse("11111111-2222-3333-4444-555555555555")
PKCS1 = base64.b64encode(KEY.public.pkcs1_der).decode()
EVERY_KIND = (
    Revocation(RevokedBy.LICENSE_ID, LIST_ID.braced),
    Revocation(RevokedBy.LICENSE_HASH, base64.b64encode(bytes(20)).decode(), ""),
    Revocation(RevokedBy.LICENSE_HASH, base64.b64encode(bytes(32)).decode(), ""),
    Revocation(RevokedBy.ISSUER_KEY, PKCS1, ""),
    Revocation(RevokedBy.ISSUER_ID, "Contoso & Sons", "ascii-tag"),
    Revocation(RevokedBy.CONTENT_ID, LIST_ID.braced),
    Revocation(RevokedBy.PRINCIPAL_ID, "S-1-5-21-1-2-3-1104", "Windows"),
    Revocation(RevokedBy.PRINCIPAL_KEY, PKCS1, ""),
)


def point(**interval: int) -> RevocationPoint:
    url = "https://rms.example.com/list?a=1&b=2"
    return RevocationPoint("ascii-tag", "authority", url, KEY.public, dt.timedelta(**interval), "Example")


def written(*revocations: Revocation) -> str:
    return write_revocation_list(
        list_id=LIST_ID,
        point=point(),
        revocations=revocations,
        issued=NOW,
        signing_key=KEY,
        mode=CryptoMode.MODE_2,
    )


@pytest.mark.parametrize(
    ("interval", "attributes"),
    [
        ({"days": 7}, {"days": "7"}),
        ({"hours": 25}, {"days": "1", "hours": "1"}),
        ({"minutes": 61, "seconds": 5}, {"hours": "1", "minutes": "1", "seconds": "5"}),
        ({}, {}),
    ],
)
def test_a_point_reads_as_it_was_written(interval: dict[str, int], attributes: dict[str, str]) -> None:
    """Parts of the interval that are zero are left out (2.2.9.7.9)."""
    element = surface.parse(point(**interval).xml())
    assert RevocationPoint.read(element) == point(**interval)
    assert dict(element.one("REFRESH").one("INTERVALTIME").attributes) == attributes


@pytest.mark.parametrize(("old", "new"), [('"Revocation"', '"Other"'), ('"URL"', '"UNC"'), ('days="7"', 'days="-7"')])
def test_a_point_that_says_something_else(old: str, new: str) -> None:
    text = point(days=7).xml()
    assert old in text
    with pytest.raises(XrmlSyntaxError):
        RevocationPoint.read(surface.parse(text.replace(old, new)))


def test_a_list_reads_as_it_was_written() -> None:
    """Every kind of REVOKE; signed, with what points say of the authority in ISSUER."""
    found = RevocationList.read(written(*EVERY_KIND))
    found.verify(KEY.public)
    assert found.revocations == EVERY_KIND
    assert (found.issuer.object.id_type, found.issuer.object.id) == ("ascii-tag", "authority")
    assert found.issuer.object.address("URL") == point().url
    assert found.issued_time == NOW
    assert RevocationList.read(written()).revocations == ()


def test_a_list_that_was_altered() -> None:
    text = written(*EVERY_KIND)
    with pytest.raises(SignatureError):
        RevocationList.read(text.replace("Windows", "Wind0ws")).verify(KEY.public)


@pytest.mark.parametrize(
    "bad", [Revocation(RevokedBy.LICENSE_HASH, "AAAA", ""), Revocation(RevokedBy.PRINCIPAL_KEY, "AAAA", "")]
)
def test_what_cannot_be_revoked(bad: Revocation) -> None:
    """Neither a digest nor a key."""
    with pytest.raises(XrmlError):
        written(bad)


def test_other_documents_are_no_lists() -> None:
    with pytest.raises(WrongKindError):
        RevocationList.read(written().replace("Revocation-List", "Content-License"))
    with pytest.raises(XrmlSyntaxError):
        RevocationList.read(written(EVERY_KIND[0]).replace('category="license"', 'category="entity"'))
