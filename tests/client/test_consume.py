"""Opening: which licences are believed, and what they allow when."""

from __future__ import annotations

import datetime as dt
import io
import platform
import secrets
from collections.abc import Sequence
from typing import Any

import pytest

from rmsserver.client.ciphers import ContentCipher
from rmsserver.client.consume import Licenses, OpenedLicense, Use, open_licenses
from rmsserver.client.errors import PFileError, RefusedError, ServiceFaultError, TrustError
from rmsserver.client.machine import CLIENT_VERSION
from rmsserver.client.pfile import PFileDraft, PFileVersion, read_pfile, write_pfile
from rmsserver.client.publish import Grant, new_content_key, policy_of_grants, publish_offline
from rmsserver.client.services import Services
from rmsserver.xrml.errors import SignatureError
from rmsserver.xrml.keys import CryptoMode
from rmsserver.xrml.rights import Policy, TimeConditions
from rmsserver.xrml.use_license import UseLicense, UseRight, write_use_license
from rmsserver.xrml.values import Guid, TimeRange, VersionSpan
from tests.client.peer import CLUSTER, TRUST, MemoryServices, account, licensor
from tests.cluster import DAY, NOW, make_cluster

AUTHOR, READER = account("author@example.com"), account("reader@example.com")
CONTENT = new_content_key(ContentCipher.CBC4K)
DOCUMENTS = publish_offline(
    policy_of_grants(
        AUTHOR.email,
        [Grant.parse("reader@example.com=VIEW,PRINT"), Grant.parse("exporter@example.com=EXPORT")],
        NOW,
        None,
    ),
    CONTENT,
    AUTHOR,
    licensor(AUTHOR),
    NOW,
)
LICENSES = Licenses.read("".join(DOCUMENTS))


def _nobody() -> Services:
    pytest.fail("the server must not be asked")


def _open(services: MemoryServices, email: str = "reader@example.com") -> OpenedLicense:
    return open_licenses(LICENSES, account(email), TRUST, lambda: services)


def _use_license(rights: Sequence[UseRight], **changes: Any) -> OpenedLicense:
    """A use licence for the reader with these rights, as the server would issue it."""
    server = CLUSTER.servers.licensor
    settings: dict[str, Any] = {
        "license_id": Guid("11111111-2222-4333-8444-555555555555"),
        "issuer_inner": server.certificate.issuer_inner_surface,
        "licensee": READER.rac.principal,
        "referral": None,
        "work_object": '<OBJECT><ID type="" /></OBJECT>',
        "metadata": "",
        "revocation": "",
        "payload": CONTENT.payload,
        "session_key": secrets.token_bytes(16),
        "issued": NOW,
        "signing_key": server.key,
        "mode": server.mode,
    }
    text = write_use_license(rights=rights, **{**settings, **changes})
    return OpenedLicense(UseLicense.read(text), CONTENT, False)


def _view(span: TimeRange | None = None, days: int | None = None) -> list[UseRight]:
    return [UseRight("VIEW", True, TimeConditions(span, days))]


# --- which licence --------------------------------------------------------------------------------


def test_the_owner_opens_her_file_without_the_server() -> None:
    """The licence she made stands in the file; nobody is asked for a password."""
    opened = open_licenses(LICENSES, AUTHOR, TRUST, _nobody)
    assert opened.offline
    assert opened.content_key.payload == CONTENT.payload
    opened.require(Use.SAVE_UNPROTECTED, NOW)


def test_a_reader_asks_the_server() -> None:
    """The publishing licence and its CLC go out, without the owner's licence; the answer opens."""
    sent: list[Sequence[str]] = []

    class Watching(MemoryServices):
        def acquire_license(self, rac_chain: Sequence[str], license_chain: Sequence[str]) -> tuple[str, ...]:
            sent.append(license_chain)
            return super().acquire_license(rac_chain, license_chain)

    opened = _open(Watching("reader@example.com"))
    assert sent == [DOCUMENTS[:2]]
    assert not opened.offline
    assert opened.content_key.payload == CONTENT.payload
    assert opened.cipher is ContentCipher.CBC4K


def test_an_outsider_is_told_so() -> None:
    """The server's refusal reaches the person by its name."""
    with pytest.raises(ServiceFaultError) as caught:
        _open(MemoryServices("outsider@example.com"), "outsider@example.com")
    assert caught.value.name == "NoRightsForRequestedPrincipalException"


def test_an_owner_licence_is_for_the_owner_alone() -> None:
    """Somebody else's licence in the file is passed over."""
    services = MemoryServices("reader@example.com")
    open_licenses(LICENSES, READER, TRUST, lambda: services)
    assert services.calls == ["AcquireLicense"]


def test_a_reader_cannot_promote_herself() -> None:
    """An owner's licence that the reader signed with her own CLC does not count: she did not publish the
    file."""
    own = licensor(READER)
    forged = publish_offline(
        policy_of_grants(READER.email, [Grant.parse("a@b.example=VIEW")], NOW, None),
        CONTENT,
        READER,
        own,
        NOW,
    )
    licenses = Licenses.read("".join((*DOCUMENTS[:2], *forged[2:])))
    services = MemoryServices("reader@example.com")
    opened = open_licenses(licenses, READER, TRUST, lambda: services)
    assert not opened.offline
    with pytest.raises(RefusedError):
        opened.require(Use.SAVE_UNPROTECTED, NOW)


def test_an_altered_owner_licence_is_as_good_as_none() -> None:
    """A licence in the file that does not verify: the server is asked instead."""
    altered = DOCUMENTS[2].replace(">author@example.com<", ">Author@example.com<")
    licenses = Licenses.read("".join((*DOCUMENTS[:2], altered, *DOCUMENTS[3:])))
    services = MemoryServices("author@example.com")
    assert not open_licenses(licenses, AUTHOR, TRUST, lambda: services).offline


def test_an_altered_publishing_licence_voids_the_owners() -> None:
    """Her licence counts only beside the publishing licence she signed; the server judges the altered one."""
    altered = DOCUMENTS[0].replace("mailto:author@", "mailto:mallory@")
    assert altered != DOCUMENTS[0]
    licenses = Licenses.read("".join((altered, *DOCUMENTS[1:])))
    with pytest.raises(SignatureError):
        open_licenses(licenses, AUTHOR, TRUST, lambda: MemoryServices("author@example.com"))


def test_L9_a_licence_of_another_server_is_not_believed() -> None:
    """A server that answers with a chain of its own root."""
    other = make_cluster(CryptoMode.MODE_2, "other")

    class Foreign(MemoryServices):
        def acquire_license(self, rac_chain: Sequence[str], license_chain: Sequence[str]) -> tuple[str, ...]:
            text = _use_license(
                _view(),
                issuer_inner=other.servers.licensor.certificate.issuer_inner_surface,
                signing_key=other.servers.licensor.key,
            ).license.text
            return (text, *other.servers.licensor.chain)

    with pytest.raises(TrustError, match="another server"):
        _open(Foreign())


def test_a_licence_for_another_account_is_not_believed() -> None:
    """An answer meant for somebody else."""

    class Mistaken(MemoryServices):
        def acquire_license(self, rac_chain: Sequence[str], license_chain: Sequence[str]) -> tuple[str, ...]:
            return super().acquire_license(AUTHOR.chain, license_chain)

    with pytest.raises(TrustError, match="another account"):
        _open(Mistaken())


@pytest.mark.parametrize("answer", [("<a/>",), CLUSTER.servers.licensor.chain, DOCUMENTS])
def test_other_answers_are_not_believed(answer: tuple[str, ...]) -> None:
    """Documents of other kinds in a licence's place."""

    class Odd(MemoryServices):
        def acquire_license(self, rac_chain: Sequence[str], license_chain: Sequence[str]) -> tuple[str, ...]:
            return answer

    with pytest.raises(TrustError):
        _open(Odd())


@pytest.mark.parametrize("text", ["", "hello", "".join(DOCUMENTS[1:]), DOCUMENTS[0] + DOCUMENTS[0][:-1]])
def test_files_without_a_licence_are_one_line(text: str) -> None:
    """No publishing licence, or something else in its place."""
    with pytest.raises(PFileError, match="licence"):
        Licenses.read(text)


# --- what it allows -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rights", "see", "save"),
    [
        (["VIEW"], True, False),
        (["view"], True, False),
        (["EDIT"], True, False),
        (["PRINT"], False, False),
        (["VIEWRIGHTSDATA"], False, False),
        (["EXPORT"], True, True),
        (["OWNER"], True, True),
        (["VIEW", "EXPORT"], True, True),
    ],
)
def test_rights_and_what_they_allow(rights: list[str], see: bool, save: bool) -> None:
    """Seeing needs VIEW or more, saving needs EXPORT or OWNER."""
    opened = _use_license([UseRight(name, False, TimeConditions()) for name in rights])
    for use, allowed in ((Use.SEE, see), (Use.SAVE_UNPROTECTED, save)):
        if allowed:
            opened.require(use, NOW)
        else:
            with pytest.raises(RefusedError, match="you have"):
                opened.require(use, NOW)


@pytest.mark.parametrize(
    ("rights", "now", "holds"),
    [
        (_view(TimeRange(NOW, NOW + DAY)), NOW, True),
        (_view(TimeRange(NOW, NOW + DAY)), NOW + DAY, False),
        (_view(TimeRange(NOW + DAY, NOW + 2 * DAY)), NOW, False),
        (_view(days=2), NOW + DAY, True),
        (_view(days=2), NOW + 2 * DAY, False),
        (_view(days=0), NOW, True),
        (_view(days=0), NOW + DAY, False),
        (_view(TimeRange(NOW, NOW + DAY), 5), NOW + 2 * DAY, False),
    ],
)
def test_conditions_in_time(rights: list[UseRight], now: dt.datetime, holds: bool) -> None:
    """Ranges are half-open against now; intervals count from the licence's issue; both must hold."""
    opened = _use_license(rights)
    if holds:
        opened.require(Use.SEE, now)
    else:
        with pytest.raises(RefusedError, match="expired or do not hold yet"):
            opened.require(Use.SEE, now)


@pytest.mark.parametrize(
    ("policies", "allowed"),
    [
        ([Policy("exclusion", "rmsclient", "0.0.0.0", "9999.0.0.0")], False),
        ([Policy("exclusion", "RMSClient.exe", CLIENT_VERSION, CLIENT_VERSION)], False),
        ([Policy("exclusion", "rmsclient", "9998.0.0.0", "9999.0.0.0")], True),
        ([Policy("exclusion", "winword.exe", "1.0.0.0", "99.0.0.0")], True),
        ([Policy("exclusion", "rmsclient", "x", "y")], False),
        ([Policy("inclusion", "winword.exe", "1.0.0.0", "99.0.0.0")], False),
        (
            [
                Policy("inclusion", "winword.exe", "1.0.0.0", "99.0.0.0"),
                Policy("inclusion", "rmsclient.exe", "0.0.0.0", "9999.0.0.0"),
            ],
            True,
        ),
    ],
)
def test_applications_that_may(policies: list[Policy], allowed: bool) -> None:
    """Lists of those excluded and of those included; a span that cannot be read covers everything."""
    opened = _use_license(_view(), policies=policies)
    if allowed:
        opened.require(Use.SEE, NOW)
    else:
        with pytest.raises(RefusedError, match="program"):
            opened.require(Use.SEE, NOW)


def test_an_excluded_operating_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """OS-Exclusion counts versions of Windows: it holds there, and says nothing elsewhere."""
    opened = _use_license(_view(), os_exclusion=VersionSpan("6.0.0.0", "10.0.99999.0"))
    monkeypatch.setattr(platform, "version", lambda: "10.0.22631")
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    opened.require(Use.SEE, NOW)
    monkeypatch.setattr(platform, "system", lambda: "Windows")
    with pytest.raises(RefusedError, match="operating system"):
        opened.require(Use.SEE, NOW)


def test_a_revocation_list_is_not_skipped() -> None:
    """Before somebody looked at it the licence is good for nothing."""
    revocation = '<CONDITIONLIST><REFRESH><INTERVALTIME days="7" /></REFRESH></CONDITIONLIST>'
    with pytest.raises(RefusedError, match="revocation"):
        _use_license(_view(), revocation=revocation).require(Use.SEE, NOW)


def test_the_content_key_names_the_cipher() -> None:
    """In 2.x ECB means CBC over 4 KiB, end to end."""
    content = new_content_key(ContentCipher.ECB, 128)
    opened = OpenedLicense(_use_license(_view()).license, content, False)
    stream = io.BytesIO()
    write_pfile(stream, PFileDraft(PFileVersion.V2_1, ".txt", "<a/>"), opened.cipher, content.key, [b"hello"])
    assert read_pfile(stream).open_content(stream, opened.cipher, content.key).read() == b"hello"
