"""What `rmsclient info` can tell."""

from __future__ import annotations

import io
import json

import pytest

from rmsserver.client.ciphers import ContentCipher
from rmsserver.client.errors import PFileError
from rmsserver.client.inspect import FileReport, GrantReport, inspect_file
from rmsserver.client.pfile import PFile, PFileDraft, PFileVersion, read_pfile, write_pfile
from rmsserver.client.publish import (
    Grant,
    new_content_key,
    policy_of_grants,
    policy_of_template,
    publish_offline,
    publish_online,
)
from tests.client.peer import CLUSTER, TRUST, MemoryServices, account, licensor
from tests.cluster import DAY, NOW

AUTHOR, READER = account("author@example.com"), account("reader@example.com")
LICENSING = ("https://rms.example.com/_wmcs/licensing",)


def _file(texts: tuple[str, ...]) -> PFile:
    stream = io.BytesIO()
    draft = PFileDraft(PFileVersion.V2_1, ".txt", "".join(texts))
    write_pfile(stream, draft, ContentCipher.CBC4K, bytes(16), [b"hello"])
    return read_pfile(stream)


def _published() -> PFile:
    grants = [Grant.parse("reader@example.com=VIEW,PRINT"), Grant.parse("anyone=VIEW")]
    policy = policy_of_grants(AUTHOR.email, grants, NOW, NOW + DAY)
    return _file(publish_offline(policy, new_content_key(ContentCipher.CBC4K), AUTHOR, licensor(AUTHOR), NOW))


def test_a_stranger_sees_the_outside() -> None:
    """Without a setup: issuer, owner, addresses, signatures; no rights, no trust."""
    report = inspect_file(_published())
    assert (report.format, report.extension, report.original_bytes) == ("PFile 2.1", ".txt", 5)
    assert (report.published, report.issuer, report.owner) == (
        "offline",
        "author@example.com",
        "author@example.com",
    )
    assert report.licensing_urls == {"intranet": "http://rms.example.com/_wmcs/licensing"}
    assert report.rights is None
    assert {v.signature for v in report.chain} == {"ok"}
    assert {v.trust for v in report.chain} == {"unknown"}
    assert "once this client is set up" in report.requests[0]


def test_a_reader_sees_who_would_be_asked() -> None:
    """Trust by the pinned root; AcquireLicense at her own cluster, whatever address the file names."""
    report = inspect_file(_published(), TRUST, READER, LICENSING)
    assert {v.trust for v in report.chain} == {"ok"}
    assert report.requests == (
        "AcquireLicense at https://rms.example.com/_wmcs/licensing/license.asmx for reader@example.com",
    )
    assert report.rights is None


def test_the_owner_sees_the_rights() -> None:
    """Her own licence opens the rights data; nobody would be asked."""
    report = inspect_file(_published(), TRUST, AUTHOR, LICENSING)
    assert report.owner_license
    until = "2026-06-02T12:00"
    assert report.rights == (
        GrantReport("the owner", ("OWNER",), None),
        GrantReport("reader@example.com", ("VIEW", "PRINT"), until),
        GrantReport("anyone", ("VIEW",), until),
    )
    assert report.requests == ("none: the owner's licence in the file opens it",)


def test_online_and_template_show() -> None:
    """A licence the server signed, with the name of its template."""
    texts = publish_online(
        policy_of_template(CLUSTER.template("Secret")),
        new_content_key(ContentCipher.CBC4K),
        AUTHOR.email,
        MemoryServices(),
        TRUST,
        LICENSING[0],
        NOW,
    )
    report = inspect_file(_file(texts), TRUST, AUTHOR, LICENSING)
    assert (report.published, report.policy_names, report.issuer) == ("online", ("Secret",), "EXAMPLE")


def test_an_altered_licence_shows() -> None:
    """A wrong signature is told, not hidden."""
    texts = publish_offline(
        policy_of_grants(AUTHOR.email, [Grant.parse("a@b.example=VIEW")], NOW, None),
        new_content_key(ContentCipher.CBC4K),
        AUTHOR,
        licensor(AUTHOR),
        NOW,
    )
    altered = texts[0].replace("<NAME>author@example.com</NAME></OBJECT></OWNER>", "<NAME>x@y</NAME></OBJECT></OWNER>")
    report = inspect_file(_file((altered, *texts[1:])), TRUST, READER, LICENSING)
    assert report.owner == "x@y"
    assert report.chain[0].wrong
    assert report.chain[0].trust == "unknown"


def test_the_report_is_json() -> None:
    """Everything in it survives json."""
    report: FileReport = inspect_file(_published(), TRUST, AUTHOR, LICENSING)
    assert json.loads(json.dumps(report.to_json()))["rights"][1]["who"] == "reader@example.com"


@pytest.mark.parametrize("text", ["", "x", "<XrML/>"])
def test_no_licence_is_one_line(text: str) -> None:
    """A container without a licence in it."""
    with pytest.raises(PFileError):
        inspect_file(_file((text,)))
