"""Genuine licences of other makers, in containers as those write them."""

from __future__ import annotations

import io

import pytest

from rmsserver.client.inspect import inspect_file
from rmsserver.client.pfile import PFileDraft, PFileVersion, read_pfile
from tests.shared import genuine

DECLARATION = '\ufeff<?xml version="1.0"?>'


@pytest.mark.parametrize("declaration", ["", DECLARATION])
def test_a_genuine_licence_is_told_of(declaration: str) -> None:
    """The mode 1 publishing licence and CLC of [MS-RMPR] 4.5: issuer, owner, addresses, both signatures."""
    text = declaration + genuine("mode1-pl") + genuine("mode1-clc")
    stream = io.BytesIO(PFileDraft(PFileVersion.V2_1, ".docx", text).pack(None) + bytes(32))
    report = inspect_file(read_pfile(stream))
    assert (report.issuer, report.owner) == ("owner@contoso.com", "owner@contoso.com")
    assert report.licensing_urls == {
        "intranet": "http://rms/_wmcs/licensing",
        "extranet": "http://rms.contoso.com/_wmcs/licensing",
    }
    assert (report.original_bytes, report.encrypted_bytes) == (None, 32)
    assert [(v.kind, v.signature) for v in report.chain] == [
        ("publishing licence", "ok"),
        ("client licensor certificate", "ok"),
    ]
    assert report.chain[0].link == "ok"
