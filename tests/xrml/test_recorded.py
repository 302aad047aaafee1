"""The recorded documents in `fixtures/xrml` verify and open for ever."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from rmsserver.xrml.clc import ClientLicensorCertificate
from rmsserver.xrml.enabling_bits import ContentKey, open_enabling_bits
from rmsserver.xrml.issuing import IssuingCertificate
from rmsserver.xrml.keys import PrivateKey
from rmsserver.xrml.license import PublishingLicense
from rmsserver.xrml.rac import RightsAccountCertificate
from rmsserver.xrml.surface import parse, render
from rmsserver.xrml.use_license import UseLicense
from tests.xrml.hierarchy import READERS, SIGNED_KINDS, STAND_IN

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
RECORDED = json.loads((FIXTURES / "xrml" / "recorded.json").read_text())
MODES = ("mode1", "mode2")
PARENTS = {"slc": "ca", "spc_issuer": "ca", "spc": "spc_issuer", "rac": "slc", "clc": "slc", "ul": "slc"}


def recorded(mode: str, kind: str) -> str:
    return (FIXTURES / "xrml" / f"{mode}-{kind.replace('_', '-')}.xml").read_bytes().decode()


def key(mode: str, role: str) -> PrivateKey:
    return PrivateKey.from_der((FIXTURES / "keys" / f"{mode}-{role}.der").read_bytes())


@pytest.mark.parametrize("name", sorted(RECORDED["sha256"]))
def test_the_files_are_the_recorded_ones(name: str) -> None:
    """No tool, editor or line end conversion has touched a recorded document."""
    assert hashlib.sha256((FIXTURES / "xrml" / name).read_bytes()).hexdigest() == RECORDED["sha256"][name]


@pytest.mark.parametrize("kind", SIGNED_KINDS)
@pytest.mark.parametrize("mode", MODES)
def test_a_recorded_document_verifies(mode: str, kind: str) -> None:
    """Each is read by the reader of its kind, verifies, and is a fixed point of the .NET spelling."""
    text = recorded(mode, kind)
    document = READERS[kind](text)
    document.verify()
    assert document.text == text
    assert render(parse(text)) == text


@pytest.mark.parametrize("kind", sorted(PARENTS))
@pytest.mark.parametrize("mode", MODES)
def test_a_recorded_link_closes(mode: str, kind: str) -> None:
    """Each was issued by its recorded parent."""
    IssuingCertificate.read(recorded(mode, PARENTS[kind])).issued(READERS[kind](recorded(mode, kind)))


@pytest.mark.parametrize("mode", MODES)
def test_the_sealed_keys_open_from_the_machine_to_the_document(mode: str) -> None:
    """Machine key, account key, licensor key, content key, rights data: each opens the next."""
    account = RightsAccountCertificate.read(recorded(mode, "rac")).open_private_key(key(mode, "machine"), STAND_IN)
    assert account.public == key(mode, "account").public
    licensor = ClientLicensorCertificate.read(recorded(mode, "clc")).open_private_key(account, STAND_IN)
    assert licensor.public == key(mode, "licensor").public
    pl = PublishingLicense.read(recorded(mode, "pl"))
    opened = open_enabling_bits(pl.enabling_bits, key(mode, "slc"), pl.hashed_texts, STAND_IN)
    content_key = UseLicense.read(recorded(mode, "ul")).open_content_key(account, STAND_IN)
    assert opened.payload == content_key.payload == bytes.fromhex(RECORDED["content_key_payload"])
    assert ContentKey.of_payload(opened.payload).decrypt_text(pl.encrypted_rights) == recorded(mode, "rights_data")
