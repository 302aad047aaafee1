"""Publishing: what the licences say, offline and online, and what a hostile server may not change."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import pytest

from rmsserver.client.ciphers import ContentCipher
from rmsserver.client.errors import OutputError, PFileError, ServerAnswerError, TrustError
from rmsserver.client.pfile import PFileVersion, read_pfile
from rmsserver.client.publish import (
    Grant,
    GrantError,
    UsagePolicy,
    Wrapping,
    new_content_key,
    policy_of_grants,
    policy_of_template,
    protect_file,
    protected_name,
    publish_offline,
    publish_online,
)
from rmsserver.xrml.chain import find_licensor
from rmsserver.xrml.enabling_bits import open_enabling_bits
from rmsserver.xrml.files import split_documents
from rmsserver.xrml.license import PublishingLicense
from rmsserver.xrml.rights import ANYONE, Grantee, RightsData
from rmsserver.xrml.use_license import UseLicense
from tests.client.peer import CLUSTER, TRUST, MemoryServices, account, licensor
from tests.cluster import DAY, NOW

AUTHOR = account("author@example.com")
LICENSOR = licensor(AUTHOR)
READER = Grant(Grantee("Unspecified", "", "reader@example.com"), ("VIEW", "PRINT"))


def _policy() -> UsagePolicy:
    return policy_of_grants(AUTHOR.email, [READER], NOW, None)


# --- grants ---------------------------------------------------------------------------------------


def test_grants_are_read() -> None:
    """Addresses and `anyone`, rights in any case, repeated ones once."""
    assert Grant.parse("reader@example.com=view,PRINT,view") == READER
    assert Grant.parse("Anyone=VIEW") == Grant(ANYONE, ("VIEW",))
    assert Grant.parse("a@b.example = X-Custom_1").rights == ("X-CUSTOM_1",)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a@b.example",
        "a@b.example=",
        "=VIEW",
        "ab=VIEW",
        "a@b@c=VIEW",
        "a@b=VIEW,",
        "a<@b=VIEW",
        "a@b=<x>",
    ],
)
def test_what_is_no_grant_is_refused(text: str) -> None:
    """Missing parts, and names a licence could not hold, get a line with an example."""
    with pytest.raises(GrantError, match="for example"):
        Grant.parse(text)


def test_rights_that_are_over_are_refused() -> None:
    """An end in the past."""
    with pytest.raises(GrantError, match="expired"):
        policy_of_grants(AUTHOR.email, [READER], NOW, NOW)


# --- offline --------------------------------------------------------------------------------------


def test_offline_documents_stand_in_the_order_of_genuine_files() -> None:
    """PL, CLC, then the owner's licence with its whole chain (wire facts 5)."""
    texts = publish_offline(_policy(), new_content_key(ContentCipher.CBC4K), AUTHOR, LICENSOR, NOW)
    assert texts[1] == LICENSOR.chain[0]
    assert texts[3:] == LICENSOR.chain
    assert split_documents("".join(texts)) == list(texts)
    PublishingLicense.read(texts[0])
    UseLicense.read(texts[2])


def test_the_licence_is_what_a_server_accepts() -> None:
    """Signed by the CLC's key, sealed to the server, closed with the CLC that is sent along."""
    content = new_content_key(ContentCipher.CBC512_NO_PADDING, 128)
    texts = publish_offline(_policy(), content, AUTHOR, LICENSOR, NOW)
    license_ = PublishingLicense.read(texts[0])
    license_.verify()
    clc = find_licensor(license_, texts)
    assert clc is not None
    assert clc.text == LICENSOR.clc.text
    assert license_.addressed_to(CLUSTER.servers.licensor.certificate.principal)
    opened = open_enabling_bits(license_.enabling_bits, CLUSTER.servers.licensor.key, license_.hashed_texts, bytes(16))
    assert opened.payload == content.payload
    assert (opened.hash_reading, opened.header_in_bits) == (0, False)
    assert license_.acquisition_urls()["License-Acquisition-URL"] == "http://rms.example.com/_wmcs/licensing"


def test_the_rights_are_what_the_author_said() -> None:
    """The owner keeps everything, the reader gets what was granted, until when it was granted."""
    content = new_content_key(ContentCipher.ECB)
    policy = policy_of_grants(AUTHOR.email, [READER], NOW, NOW + 7 * DAY)
    license_ = PublishingLicense.read(publish_offline(policy, content, AUTHOR, LICENSOR, NOW)[0])
    data = RightsData.read(content.decrypt_text(license_.encrypted_rights))
    assert [(r.name, r.grantee.email, r.as_element) for r in data.rights] == [
        ("OWNER", "", False),
        ("VIEW", "reader@example.com", True),
        ("PRINT", "reader@example.com", True),
    ]
    assert data.rights[0].grantee.is_owner
    assert not data.rights[0].conditions
    span = data.rights[1].conditions.span
    assert span is not None
    assert tuple(span) == (NOW, NOW + 7 * DAY)
    assert license_.owner is not None
    assert license_.owner.email == "author@example.com"


def test_the_owners_licence_holds_the_same_key() -> None:
    """Sealed to the author's account, with the payload of the publishing licence octet for octet."""
    content = new_content_key(ContentCipher.CBC4K)
    texts = publish_offline(_policy(), content, AUTHOR, LICENSOR, NOW)
    license_ = UseLicense.read(texts[2])
    assert license_.open_content_key(AUTHOR.key, bytes(16)).payload == content.payload
    assert [right.name for right in license_.rights] == ["OWNER"]


def test_a_template_goes_in_verbatim() -> None:
    """The signed template is the rights data, its DESCRIPTOR the licence's (2.2.9.8, 3.8.4.3)."""
    template, content = CLUSTER.template(), new_content_key(ContentCipher.CBC4K)
    texts = publish_offline(policy_of_template(template), content, AUTHOR, LICENSOR, NOW)
    license_ = PublishingLicense.read(texts[0])
    assert content.decrypt_text(license_.encrypted_rights) == template.text
    assert template.descriptor is not None
    assert license_.descriptor is not None
    assert license_.descriptor.surface == template.descriptor.surface


def test_keys_and_documents_are_fresh() -> None:
    """Two publications share neither content key, nor identifier, nor sealed bits."""
    one, two = new_content_key(ContentCipher.CBC4K), new_content_key(ContentCipher.CBC4K)
    assert one.key != two.key
    assert len(one.key) == 32
    assert len(new_content_key(ContentCipher.CBC4K, 128).key) == 16
    policy = _policy()
    first, second = (publish_offline(policy, one, AUTHOR, LICENSOR, NOW) for _ in range(2))
    assert PublishingLicense.read(first[0]).enabling_bits.data != PublishingLicense.read(second[0]).enabling_bits.data
    assert _policy().work_id != policy.work_id


def test_an_expired_licensor_certificate_says_what_to_do() -> None:
    """Publishing outside the CLC's range would make licences no server serves."""
    with pytest.raises(TrustError, match="bootstrap"):
        publish_offline(_policy(), new_content_key(ContentCipher.ECB), AUTHOR, LICENSOR, NOW + 800 * DAY)


# --- online ---------------------------------------------------------------------------------------


def _online(services: MemoryServices, now: dt.datetime = NOW) -> tuple[str, ...]:
    content = new_content_key(ContentCipher.CBC4K)
    return publish_online(_policy(), content, AUTHOR.email, services, TRUST, "http://x/licensing", now)


def test_online_the_server_signs() -> None:
    """PL and the server's chain; the licence says what was sent."""
    texts = _online(MemoryServices())
    license_ = PublishingLicense.read(texts[0])
    assert license_.issuer.public_key == TRUST.server
    assert texts[1:] == CLUSTER.servers.licensor.chain


def test_a_server_that_signs_something_else_is_found_out() -> None:
    """Another policy than the one sent, another server's licence, or no licence at all."""
    other = _online(MemoryServices())

    class Swapping(MemoryServices):
        def acquire_issuance_license(self, unsigned: str) -> tuple[str, ...]:
            return other

    class Silent(MemoryServices):
        def acquire_issuance_license(self, unsigned: str) -> tuple[str, ...]:
            return CLUSTER.servers.licensor.chain

    class Altering(MemoryServices):
        def acquire_issuance_license(self, unsigned: str) -> tuple[str, ...]:
            text, *chain = super().acquire_issuance_license(unsigned)
            return (text.replace("author@example.com", "mallory@example.com"), *chain)

    with pytest.raises(TrustError, match="another policy"):
        _online(Swapping())
    with pytest.raises(ServerAnswerError):
        _online(Silent())
    with pytest.raises(TrustError):
        _online(Altering())


def test_a_new_server_certificate_is_not_sealed_to() -> None:
    """Content keys are never sealed to a key that was not pinned."""

    class Renewed(MemoryServices):
        def get_licensor_certificate(self) -> Sequence[str]:  # type: ignore[override]
            return CLUSTER.servers.licensor.chain[1:]

    with pytest.raises(TrustError, match="new certificate"):
        _online(Renewed())


@pytest.mark.parametrize(
    ("source", "target"),
    [("a.txt", "a.ptxt"), ("a.PDF", "a.pPDF"), ("a.docx", "a.docx.pfile"), ("a", "a.pfile")],
)
def test_protected_copies_are_named_as_usual(source: str, target: str) -> None:
    """Types that other clients know by an extension of their own, and the rest."""
    assert protected_name(Path("/x") / source) == Path("/x") / target


# --- files ----------------------------------------------------------------------------------------


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    """A failing publication leaves nothing, an existing file stays, and the original is untouched."""
    source, target = tmp_path / "a.txt", tmp_path / "a.txt.pfile"
    source.write_bytes(b"abc")

    def failing(_content: object) -> tuple[str, ...]:
        raise TrustError("no")

    with pytest.raises(TrustError):
        protect_file(source, target, Wrapping(), failing)
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    target.write_bytes(b"old")
    with pytest.raises(OutputError):
        protect_file(source, target, Wrapping(), lambda _c: ("<a/>",))
    wrapping = Wrapping(PFileVersion.V3_0, ContentCipher.ECB, 128)
    assert protect_file(source, target, wrapping, lambda _c: ("<a/>",), overwrite=True) == 3
    with target.open("rb") as stream:
        pfile = read_pfile(stream)
    assert (pfile.extension, pfile.license_text, pfile.original_bytes) == (".txt", "<a/>", 3)
    assert source.read_bytes() == b"abc"


def test_a_protected_file_is_not_protected_again(tmp_path: Path) -> None:
    """Twice wrapped would be twice as hard to open, and is never meant."""
    source = tmp_path / "a.ptxt"
    source.write_bytes(b".pfile rest")
    with pytest.raises(PFileError, match="already"):
        protect_file(source, tmp_path / "b.pfile", Wrapping(), lambda _c: ("<a/>",))
    assert not (tmp_path / "b.pfile").exists()
