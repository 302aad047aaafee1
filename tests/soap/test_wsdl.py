"""The WSDL files: what is read from them, and that they are the contract's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rmsserver.soap.handlers import HANDLERS
from rmsserver.soap.wsdl import ANY_XML, Field, folder, load_all, read
from tests.shared import shared_file
from tests.soap_messages import CERTIFICATION

SERVICES = load_all()


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_a_service_is_that_of_the_contract(service: str) -> None:
    """The checker of the shared contract finds no difference."""
    checker = shared_file("contract/check_wsdl.py")
    done = subprocess.run([sys.executable, checker, folder(), service], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_every_service_has_handlers_for_its_operations() -> None:
    """By name, none more and none less."""
    described = {name: {operation.name for operation in service.operations} for name, service in SERVICES.items()}
    assert described == {name: set(table) for name, table in HANDLERS.items()}


def test_types_messages_and_actions_are_read() -> None:
    """Enough of WSDL and XML Schema for our files."""
    service = SERVICES["CertificationWebService"]
    (operation,) = service.operations
    assert (operation.action, operation.has_version_header) == (f"{CERTIFICATION}/Certify", True)
    assert service.types["ArrayOfXmlNode"] == (Field("Certificate", ANY_XML, many=True, required=False),)
    assert service.elements["Certify"] == (Field("requestParams", "CertifyParams", many=False, required=False),)


def test_get_server_info_has_no_version_header() -> None:
    """Alone of all operations (wire facts 9)."""
    without = [o.name for service in SERVICES.values() for o in service.operations if not o.has_version_header]
    assert without == ["GetServerInfo"]


def test_what_is_cut_follows_from_the_schema() -> None:
    """Elements of any XML in requests; GetServerInfoResult is one only in an answer."""
    cuts = {name: service.cut_names() for name, service in SERVICES.items()}
    assert cuts["License"] == {"Certificate", "ApplicationData"}
    assert cuts["Publish"] == {"Certificate", "UnsignedIssuanceLicense"}
    assert cuts["Server"] == frozenset()


def test_the_address_is_rewritten_in_every_port() -> None:
    """For SOAP 1.1 and 1.2."""
    written = SERVICES["License"].located_at("https://rms.example.com/_wmcs/licensing/license.asmx?a&b")
    assert written.count(b'location="https://rms.example.com/_wmcs/licensing/license.asmx?a&amp;b"') == 2
    assert b"localhost" not in written


def test_an_empty_folder_is_said_at_start(tmp_path: Path) -> None:
    """A broken installation does not start and serve nothing."""
    with pytest.raises(FileNotFoundError):
        load_all(tmp_path)


def test_a_type_without_use_is_said_at_start() -> None:
    """A file that goes beyond what is read here is not read half."""
    source = SERVICES["License"].source.replace(b'type="xs:string"', b'type="xs:dateTime"')
    with pytest.raises(ValueError, match="dateTime"):
        read(source)
