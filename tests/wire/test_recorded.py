"""The recorded exchanges: whoever changes a byte of an answer sees it here."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rmsserver.soap.handlers import HANDLERS
from rmsserver.xrml.clc import ClientLicensorCertificate
from rmsserver.xrml.keys import CryptoMode
from rmsserver.xrml.license import PublishingLicense
from rmsserver.xrml.rac import RightsAccountCertificate
from rmsserver.xrml.use_license import UseLicense
from tests.wire import calls
from tests.wire.exchanges import EXCHANGES, FOLDER, Exchange, key, serving, spoken

STAND_IN = bytes(16)


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


def test_every_operation_is_recorded_in_both_modes() -> None:
    """Of those that have requests in `calls.py`; and no file is left over."""
    names = {exchange.name for exchange in EXCHANGES}
    assert {f"mode{mode.value}-{operation}" for mode in CryptoMode for operation in calls.SERVICES} <= names
    files = {path.name for path in Path(FOLDER).iterdir()} - {"README.md"}
    assert files == {f"{name}.{ending}" for name in names for ending in ("request", "answer")}


def test_the_requests_here_are_of_operations_that_are_served() -> None:
    """`calls.py` names nothing that no handler has."""
    assert set(calls.SERVICES) <= {operation for table in HANDLERS.values() for operation in table}
