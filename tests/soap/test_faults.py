"""The form of faults."""

from __future__ import annotations

import re
import unicodedata

import pytest
from lxml import etree

from rmsserver import errors
from rmsserver.errors import RmsError, UnspecifiedError
from rmsserver.soap.envelope import SOAP_11, SOAP_12, SoapVersion
from rmsserver.soap.errors import SoapClientError
from rmsserver.soap.faults import batch_error, fault_for, fault_string, trace_of
from tests.conformance import conforms

NAMED = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, RmsError)]


@pytest.mark.parametrize("kind", NAMED)
@conforms("MS-RMPR 3.1.4.5", "A faultstring follows the grammar: dotted name, delimiter, text.")
def test_every_error_has_a_fault_string_of_the_grammar(kind: type[RmsError]) -> None:
    """3.1.4.5: a dotted name first, then a delimiter and text."""
    assert re.match(r"(?:[A-Za-z]+\.)+[A-Za-z]+Exception: \S", fault_string(kind("detail")))


@pytest.mark.parametrize("kind", NAMED)
@conforms("MS-RMPR 3.1.4.5", "Each part of an exception's name is an identifier.")
@conforms("MS-RMPR 3.1.4.5", "Names of exceptions are in normalisation form C.")
def test_names_are_identifiers(kind: type[RmsError]) -> None:
    """What stands before the delimiter of the fault: the identifiers of Unicode's Annex 31, normalised."""
    envelope = etree.fromstring(fault_for(kind("detail"), SOAP_11))
    name = (envelope.findtext(".//faultstring") or "").partition(":")[0]
    assert name.count(".") >= 1
    assert all(part.isidentifier() for part in name.split("."))
    assert unicodedata.is_normalized("NFC", name)


@pytest.mark.parametrize("kind", NAMED)
def test_no_fault_has_the_short_name_of_another(kind: type[RmsError]) -> None:
    """Clients look for a short name anywhere in the string (wire facts 9)."""
    own = kind("").short_name
    # DRMSArgumentException has ArgumentException in it, by the specifications.
    others = {other("").short_name for other in NAMED} - {own}
    assert not [name for name in others if name in fault_string(kind("")).replace(own, "")]


@pytest.mark.parametrize(
    ("version", "code", "path"),
    [
        (SOAP_11, "soap:Server", "faultcode"),
        (SOAP_12, "soap:Receiver", f"{{{SOAP_12.namespace}}}Code/{{{SOAP_12.namespace}}}Value"),
    ],
)
def test_the_code_is_server_or_receiver(version: SoapVersion, code: str, path: str) -> None:
    """Rulings 13."""
    envelope = etree.fromstring(fault_for(UnspecifiedError(), version))
    assert envelope[0][0].findtext(path) == code


def test_a_foreign_exception_is_unspecified() -> None:
    """Its message stays here."""
    assert fault_for(ValueError("secret"), SOAP_11) == fault_for(UnspecifiedError("other"), SOAP_11)


def test_a_client_error_is_the_sender_in_soap_12() -> None:
    """What the client did wrong is named so."""
    assert b"soap:Sender" in fault_for(SoapClientError("text <&>"), SOAP_12)
    assert b"text &lt;&amp;&gt;" in fault_for(SoapClientError("text <&>"), SOAP_12)


def test_an_error_in_a_batch_is_found_without_namespace() -> None:
    """Clients look for `descendant::ExceptionString` (wire facts 9)."""
    element = etree.fromstring(batch_error(UnspecifiedError(), 7))
    name, _, text = (element.findtext("ExceptionString") or "").partition("-")
    assert (name.rpartition(".")[2], bool(text)) == ("UnspecifiedErrorException", True)
    assert element.findtext("batchindex") == "7"


def test_X16_a_trace_is_bounded_and_follows_causes() -> None:
    """X16: at most 3,000 characters, without any message."""

    def deep(n: int) -> None:
        if n:
            deep(n - 1)
        raise KeyError("secret" * 1000)

    try:
        try:
            deep(200)
        except KeyError as cause:
            raise RuntimeError("secret") from cause
    except RuntimeError as error:
        trace = trace_of(error)
    assert trace.startswith("RuntimeError\n")
    assert "KeyError" in trace
    assert "secret" not in trace
    assert len(trace) <= 3000
