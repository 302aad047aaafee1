"""What SOAP libraries of others may do to a request on its way (docs/decisions.md 55), as bytes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rmsserver.xrml.keys import CryptoMode
from rmsserver.xrml.use_license import UseLicense
from tests.cluster import make_cluster
from tests.operations.licensing import READER
from tests.wire import calls
from tests.wire.real_server import RealServer
from tests.wire.serving_process import certificates


@pytest.fixture(scope="module")
def server() -> Iterator[RealServer]:
    running = RealServer(make_cluster(CryptoMode.MODE_2))
    yield running
    running.http.stop()


def test_XW10_a_respelled_certificate_is_refused(server: RealServer) -> None:
    """XW10: `<A/>` in the place of `<A />`, as libxml2 writes: same XML, other text, no signature."""
    rac, *above = server.cluster.account(READER).chain
    license_ = server.cluster.publish(server.cluster.author()).chain
    respelled = rac.replace(" />", "/>")
    assert respelled != rac
    answer = server.ask("AcquireLicense", calls.acquire_license(((respelled, *above), license_)), person="reader")
    assert answer.status == 500
    assert b"InvalidPersonaCertSignatureException" in answer.body


def test_X11_a_reference_to_another_item_is_an_empty_item(server: RealServer) -> None:
    """X11: PHP's SoapClient says `href` where an array stands twice: the second item is empty, the first is served."""
    rac = server.cluster.account(READER).chain
    license_ = server.cluster.publish(server.cluster.author()).chain
    twice = calls.acquire_license((rac, license_), (rac, license_))
    first, _, second = twice.partition("</AcquireLicenseParams>")
    licensees = f"<LicenseeCerts>{calls.certificates(rac)}</LicenseeCerts>"
    parameters = (
        first.replace("<LicenseeCerts>", '<LicenseeCerts id="ref1">')
        + "</AcquireLicenseParams>"
        + second.replace(licensees, '<LicenseeCerts href="#ref1"/>')
    )
    assert parameters.count("#ref1") == 1
    answer = server.ask("AcquireLicense", parameters, version="1.1.0.0", person="reader")
    assert UseLicense.read(certificates(answer)[0]).rights
    assert b"ArgumentNullException" in answer.body
    assert b"<batchindex>1</batchindex>" in answer.body
