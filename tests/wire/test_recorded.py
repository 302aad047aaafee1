"""The recorded exchanges: whoever changes a byte of an answer sees it here."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from lxml import etree

from rmsserver.soap.handlers import HANDLERS
from rmsserver.xrml import surface
from rmsserver.xrml.clc import ClientLicensorCertificate
from rmsserver.xrml.keys import CryptoMode
from rmsserver.xrml.license import PublishingLicense
from rmsserver.xrml.rac import RightsAccountCertificate
from rmsserver.xrml.use_license import UseLicense
from tests.conformance import conforms
from tests.wire import calls
from tests.wire.exchanges import EXCHANGES, FOLDER, Exchange, key, serving, spoken

STAND_IN = bytes(16)


@conforms("MS-RMPR 3.1.4", "Every answer has the VersionData header.")
@conforms(
    "MS-RMPR 3.1.4.7",
    "Keys, hashes and enabling bits of what a cluster issues are those of its mode, in either mode.",
)
@pytest.mark.parametrize("exchange", EXCHANGES, ids=lambda exchange: exchange.name)
def test_the_recorded_request_has_the_recorded_answer(exchange: Exchange) -> None:
    """Byte for byte: status, headers but Date, envelope, documents, signatures."""
    with serving(exchange) as server:
        assert spoken(server.http.send(exchange.request)) == exchange.answer


def documents(exchange: Exchange) -> list[str]:
    return re.findall(r"<Certificate>(<XrML.*?</XrML>)</Certificate>", exchange.answer.decode(), re.DOTALL)


@pytest.mark.parametrize("mode", list(CryptoMode))
def test_what_was_recorded_opens(mode: CryptoMode) -> None:
    """The fixed padding is genuine padding: each recorded answer verifies, and opens with the key it is for."""
    name = f"mode{mode.value}"
    rac = RightsAccountCertificate.read(documents(Exchange(f"{name}-Certify", mode))[0])
    account = rac.open_private_key(key(mode, "machine"), STAND_IN)
    assert account.public == key(mode, "account").public
    clc = ClientLicensorCertificate.read(documents(Exchange(f"{name}-GetClientLicensorCert", mode))[0])
    assert clc.open_private_key(account, STAND_IN).public == key(mode, "licensor").public
    use = UseLicense.read(documents(Exchange(f"{name}-AcquireLicense", mode))[0])
    assert use.open_content_key(account, STAND_IN).key == bytes(range(32))
    signed = PublishingLicense.read(documents(Exchange(f"{name}-AcquireIssuanceLicense", mode))[0])
    for document in (rac, clc, use, signed):
        document.verify()


@conforms(
    "MS-RMPR 3.1.4.7",
    "Keys, hashes and enabling bits of what a cluster issues are those of its mode, in either mode.",
)
@pytest.mark.parametrize("mode", list(CryptoMode))
def test_what_was_recorded_is_of_its_mode(mode: CryptoMode) -> None:
    """The table of 3.1.4.7 for what a cluster issues: SLC, RAC, CLC, publishing licence and use licence."""
    expected = {
        CryptoMode.MODE_1: ("SHA1", "1024", {"sealed-key"}),
        CryptoMode.MODE_2: ("SHA256", "2048", {"sealed-key-v2"}),
    }
    hash_name, bits, types = expected[mode]
    with_key = ("GetLicensorCertificate", "Certify", "GetClientLicensorCert")
    for operation in (*with_key, "AcquireIssuanceLicense", "AcquireLicense"):
        issued = surface.parse(documents(Exchange(f"mode{mode.value}-{operation}", mode))[0])
        assert issued.one("SIGNATURE").one("DIGEST").one("ALGORITHM").text == hash_name
        principal = issued.one("BODY").one("ISSUEDPRINCIPALS").one("PRINCIPAL")
        if operation in with_key:
            numbers = [e for e in principal.one("PUBLICKEY").walk() if e.tag == "VALUE" and "size" in e.attributes]
            assert [number.attribute("size") for number in numbers] == [bits]
        sealed = [element.attribute("type") for element in issued.walk() if element.tag == "ENABLINGBITS"]
        assert set(sealed) == (set() if operation == "GetLicensorCertificate" else types)


@conforms("MS-RMPR 3.1.4", "Every answer has the VersionData header.")
@pytest.mark.parametrize("exchange", EXCHANGES, ids=lambda exchange: exchange.name)
def test_the_version_header_of_answers(exchange: Exchange) -> None:
    """In the service's own namespace, with our range; faults and GetServerInfo have none (rulings 12)."""
    envelope = etree.fromstring(exchange.answer.partition(b"\r\n\r\n")[2])
    *head, body = envelope
    if "fault" in exchange.name or exchange.name.endswith("GetServerInfo"):
        assert head == []
        return
    [[version]] = head
    namespace = etree.QName(body[0]).namespace
    assert version.tag == f"{{{namespace}}}VersionData"
    assert [(etree.QName(item).localname, item.text) for item in version] == [
        ("MinimumVersion", "1.0.0.0"),
        ("MaximumVersion", "1.2.0.0"),
    ]


def test_every_operation_is_recorded_in_both_modes() -> None:
    """Of those that have requests in `calls.py`; and no file is left over."""
    names = {exchange.name for exchange in EXCHANGES}
    assert {f"mode{mode.value}-{operation}" for mode in CryptoMode for operation in calls.SERVICES} <= names
    files = {path.name for path in Path(FOLDER).iterdir()} - {"README.md"}
    assert files == {f"{name}.{ending}" for name in names for ending in ("request", "answer")}


def test_the_requests_here_are_of_operations_that_are_served() -> None:
    """`calls.py` names nothing that no handler has."""
    assert set(calls.SERVICES) <= {operation for table in HANDLERS.values() for operation in table}
