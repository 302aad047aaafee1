"""A request from bytes to bytes, with operations of the test's own."""

from __future__ import annotations

import io
import logging
from typing import Any

import pytest
import structlog

from rmsserver.errors import InvalidOperation, UnspecifiedError
from rmsserver.operations.certify import CertifyRequest, CertifyResult
from rmsserver.state import AuthenticationType, DomainAccount, RequestContext
from tests.conformance import conforms
from tests.soap_messages import (
    CERTIFICATION,
    ENVELOPE_12,
    SERVER,
    TYPE_12,
    XRML,
    Served,
    certify_body,
    envelope,
    version_data,
)

SERVICE = "CertificationWebService"
ACTION = f"{CERTIFICATION}/Certify"
SECRET = "CANARY-7f3a"


class Recorder:
    """An operation that remembers what it was asked and answers the chain it was given."""

    def __init__(self) -> None:
        self.requests: list[CertifyRequest] = []
        self.callers: list[RequestContext] = []

    def __call__(self, request: CertifyRequest, caller: RequestContext, *_: Any) -> CertifyResult:
        self.requests.append(request)
        self.callers.append(caller)
        return CertifyResult(request.machine_chain or ())


@pytest.fixture
def operation() -> Recorder:
    return Recorder()


@pytest.fixture
def served(operation: Recorder) -> Served:
    return Served(certify=operation)


def test_surface_text_goes_in_and_out_unchanged(served: Served, operation: Recorder) -> None:
    """The operation sees each certificate character for character, and so does the client in the answer."""
    status, body = served.ask(SERVICE, envelope(certify_body(XRML, XRML.replace("LICENSE", "OTHER"))))
    assert status == 200
    assert operation.requests == [CertifyRequest((XRML, XRML.replace("LICENSE", "OTHER")), persistent=True)]
    assert f"<Certificate>{XRML}</Certificate>" in body


@pytest.mark.parametrize("form", ["<![CDATA[{}]]>", "{}"])
def test_escaped_text_and_cdata_stand_for_the_element(served: Served, operation: Recorder, form: str) -> None:
    """A certificate may come as text: escaped, or in a CDATA section (wire facts 1)."""
    text = XRML if "CDATA" in form else XRML.replace("&", "&amp;").replace("<", "&lt;")
    served.ask(SERVICE, envelope(certify_body(form.format(text))))
    assert operation.requests[0].machine_chain == (XRML,)


def test_soap_12_is_answered_in_soap_12(served: Served) -> None:
    """The content type decides; the answer is of the same version."""
    message = envelope(certify_body(XRML), soap=ENVELOPE_12)
    status, body = served.ask(SERVICE, message, content_type=f'{TYPE_12}; action="{ACTION}"')
    assert (status, ENVELOPE_12 in body) == (200, True)


def test_an_envelope_of_the_other_version_is_a_version_mismatch(served: Served) -> None:
    """A SOAP 1.2 envelope under text/xml is refused by its name."""
    status, body = served.ask(SERVICE, envelope(certify_body(XRML), soap=ENVELOPE_12))
    assert (status, "soap:VersionMismatch" in body) == (500, True)


@pytest.mark.parametrize(
    "missing",
    [
        f'<Certify xmlns="{CERTIFICATION}"/>',
        f'<Certify xmlns="{CERTIFICATION}"><requestParams/></Certify>',
        f'<Certify xmlns="{CERTIFICATION}"><requestParams xmlns:i="http://www.w3.org/2001/XMLSchema-instance">'
        '<MachineCertificateChain i:nil="true"/></requestParams></Certify>',
    ],
)
@conforms("MS-RMPR 3.1.4.6", "A required element that is null or missing gets ArgumentNullException.")
def test_missing_and_null_elements_reach_the_operation_as_none(
    served: Served, operation: Recorder, missing: str
) -> None:
    """What is required is the operation's to say, with its own fault."""
    served.ask(SERVICE, envelope(missing))
    assert operation.requests == [CertifyRequest(None, persistent=None)]


def test_nil_that_is_false_is_not_null(served: Served, operation: Recorder) -> None:
    """Spyne takes any `xsi:nil` for true; here its value counts."""
    body = certify_body(XRML).replace(
        "<MachineCertificateChain>",
        '<MachineCertificateChain xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="false">',
    )
    served.ask(SERVICE, envelope(body))
    assert operation.requests[0].machine_chain == (XRML,)


def test_an_empty_certificate_is_an_empty_text(served: Served, operation: Recorder) -> None:
    """It is not dropped: positions in a chain mean something."""
    served.ask(SERVICE, envelope(certify_body(XRML, "", "  ")))
    assert operation.requests[0].machine_chain == (XRML, "", "")


def test_an_element_that_may_stand_once_is_refused_twice(served: Served, operation: Recorder) -> None:
    """Nobody has to guess which of two values counts."""
    twice = certify_body(XRML, persistent="<Persistent>true</Persistent><Persistent>false</Persistent>")
    status, body = served.ask(SERVICE, envelope(twice))
    assert (status, "soap:Client" in body, operation.requests) == (500, True, [])


@pytest.mark.parametrize("inner", ["true<x/>", "<x>true</x>", "<Persistent>true</Persistent>", "tr<x/>ue"])
def test_text_that_holds_elements_is_refused(served: Served, operation: Recorder, inner: str) -> None:
    """Not read in part. A comment is no element."""
    status, body = served.ask(SERVICE, envelope(certify_body(XRML, persistent=f"<Persistent>{inner}</Persistent>")))
    assert (status, "soap:Client" in body, operation.requests) == (500, True, [])
    served.ask(SERVICE, envelope(certify_body(XRML, persistent="<Persistent>tr<!-- x -->ue</Persistent>")))
    assert operation.requests == [CertifyRequest((XRML,), persistent=True)]


def test_elements_of_foreign_namespaces_and_attributes_mean_nothing(served: Served, operation: Recorder) -> None:
    """An element or attribute that only shares a field's name is not that field."""
    foreign = certify_body(XRML, persistent='<x:Persistent xmlns:x="urn:x">true</x:Persistent>')
    served.ask(SERVICE, envelope(foreign.replace("<requestParams>", '<requestParams Persistent="true">')))
    assert operation.requests == [CertifyRequest((XRML,), persistent=None)]


def test_a_bad_boolean_is_a_client_fault_without_input(served: Served) -> None:
    """Spyne's own message would quote the value."""
    body = certify_body(XRML, persistent=f"<Persistent>{SECRET}</Persistent>")
    status, answer = served.ask(SERVICE, envelope(body))
    assert (status, "soap:Client" in answer, SECRET in answer) == (500, True, False)


def test_an_operation_of_another_service_is_a_client_fault(served: Served) -> None:
    """Each path serves its own operations alone."""
    status, answer = served.ask("License", envelope(certify_body(XRML)))
    assert (status, "soap:Client" in answer) == (500, True)


# --- faults ------------------------------------------------------------------------------------------------------------


def failing(error: Exception) -> Served:
    def fail(*_: Any) -> CertifyResult:
        raise error

    return Served(certify=fail)


def test_an_error_of_the_protocol_is_named_first_in_faultstring() -> None:
    """Clients search faultstring for the name; the detail stays here."""
    status, body = failing(InvalidOperation(SECRET)).ask(SERVICE, envelope(certify_body(XRML)))
    assert status == 500
    assert "<faultcode>soap:Server</faultcode><faultstring>System.InvalidOperationException: " in body
    assert SECRET not in body


def test_soap_12_calls_the_server_receiver() -> None:
    """The fault has the shape of SOAP 1.2."""
    message = envelope(certify_body(XRML), soap=ENVELOPE_12)
    status, body = failing(UnspecifiedError()).ask(SERVICE, message, content_type=TYPE_12)
    assert (status, "<soap:Value>soap:Receiver</soap:Value>" in body) == (500, True)
    assert "Microsoft.DigitalRightsManagement.Utilities.UnspecifiedErrorException: " in body


def test_faults_carry_no_version_data() -> None:
    """The product leaves the header out of faults (section 7, note 3)."""
    message = envelope(certify_body(XRML), header=version_data(CERTIFICATION))
    assert "VersionData" not in failing(UnspecifiedError()).ask(SERVICE, message)[1]


def test_X16_an_unexpected_error_is_unspecified_and_logged_without_its_message() -> None:
    """X16: the log names types and places, at most 4 kB of them, and quotes nothing."""
    served = failing(ValueError(f"{SECRET}" * 10_000))
    with structlog.testing.capture_logs() as logged:
        status, body = served.ask(SERVICE, envelope(certify_body(XRML)))
    assert (status, "UnspecifiedErrorException" in body, SECRET in body) == (500, True, False)
    assert [entry["log_level"] for entry in logged] == ["error"]
    assert "ValueError" in str(logged)
    assert SECRET not in str(logged)
    assert len(str(logged)) < 4096


def test_X16_spyne_logs_nothing_of_a_request_it_cannot_read(served: Served) -> None:
    """X16: its logger of invalid requests would print whole bodies."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logging.getLogger().addHandler(handler)
    try:
        body = certify_body(XRML, persistent=f"<Persistent>{SECRET}</Persistent>")
        served.ask(SERVICE, envelope(body))
        served.ask(SERVICE, envelope(body)[:-20])
    finally:
        logging.getLogger().removeHandler(handler)
    assert stream.getvalue() == ""


# --- SOAPAction --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", [f'"{ACTION}"', ACTION, '""', "", None])
def test_soap_action_quoted_unquoted_empty_or_missing(served: Served, action: str | None) -> None:
    """Every spelling that clients use is taken."""
    assert served.ask(SERVICE, envelope(certify_body(XRML)), action=action)[0] == 200


@pytest.mark.parametrize("action", [f'"{ACTION}X"', f"{SERVER}/GetServerInfo", SECRET])
def test_X9_a_contradicting_soap_action_is_refused(served: Served, operation: Recorder, action: str) -> None:
    """X9: the action may not name another operation than the body; the fault does not repeat it."""
    status, body = served.ask(SERVICE, envelope(certify_body(XRML)), action=action)
    assert (status, "soap:Client" in body, SECRET in body, operation.requests) == (500, True, False, [])


def test_X9_a_contradicting_action_parameter_is_refused(served: Served, operation: Recorder) -> None:
    """X9: the same for the `action` of a SOAP 1.2 content type."""
    message = envelope(certify_body(XRML), soap=ENVELOPE_12)
    status, _ = served.ask(SERVICE, message, content_type=f'{TYPE_12}; action="{SERVER}/X"')
    assert (status, operation.requests) == (500, [])


# --- VersionData -------------------------------------------------------------------------------------------------------


@conforms("MS-RMSI 3.1.4.1", "A request counts as one of its highest version.")
@pytest.mark.parametrize(
    ("minimum", "maximum", "seen"),
    [
        ("1.0.0.0", "1.0.0.0", "1.0.0.0"),
        ("1.1.0.0", "1.1.0.0", "1.1.0.0"),
        ("1.0.0.0", "1.2.0.0", "1.2.0.0"),
        ("0.9.0.0", "1.1.0.0", "1.1.0.0"),
        (None, "1.1.0.0", "1.1.0.0"),
        (None, None, "1.0.0.0"),
    ],
)
def test_the_operation_learns_the_maximum_version(
    served: Served, operation: Recorder, minimum: str | None, maximum: str | None, seen: str
) -> None:
    """The header's MaximumVersion reaches the operation; the answer says what this server speaks."""
    header = version_data(CERTIFICATION, minimum, maximum)
    status, body = served.ask(SERVICE, envelope(certify_body(XRML), header=header))
    assert (status, str(operation.callers[0].maximum_version)) == (200, seen)
    assert "<MinimumVersion>1.0.0.0</MinimumVersion><MaximumVersion>1.2.0.0</MaximumVersion>" in body


@pytest.mark.parametrize(
    ("minimum", "maximum", "name"),
    [
        ("1.0.0.0", "1.2.0.1", "UnsupportedDataVersionException"),
        ("2.0.0.0", "2.0.0.0", "UnsupportedDataVersionException"),
        ("0.1.0.0", "0.9.0.0", "UnsupportedDataVersionException"),
        ("1.1.0.0", "1.0.0.0", "MalformedDataVersionException"),
        ("1.0.0", "1.0.0.0", "MalformedDataVersionException"),
        ("1.0.0.0", "1.0.0.0.0", "MalformedDataVersionException"),
        ("", "1.0.0.0", "MalformedDataVersionException"),
        ("1.0.0.0", "x", "MalformedDataVersionException"),
        ("1.0.0.0", "1.0.0.\u0661", "MalformedDataVersionException"),
        ("1.0.0.0", "1.0.0.-1", "MalformedDataVersionException"),
    ],
)
@conforms("MS-RMPR 3.1.4.6", "The versions of the VersionData header are checked before the operation begins.")
@conforms("MS-RMPR 3.1.4.6", "What is no version gets MalformedDataVersionException.")
@conforms("MS-RMPR 3.1.4.6", "A MaximumVersion above ours gets UnsupportedDataVersionException.")
def test_versions_outside_the_range_are_refused_before_the_operation(
    served: Served, operation: Recorder, minimum: str, maximum: str, name: str
) -> None:
    """3.1.4.6, rulings 12."""
    header = version_data(CERTIFICATION, minimum, maximum)
    status, body = served.ask(SERVICE, envelope(certify_body(XRML), header=header))
    assert (status, name in body, operation.requests) == (500, True, [])


def test_a_request_without_the_header_counts_as_version_1(served: Served, operation: Recorder) -> None:
    """Missing is 1.0.0.0 (rulings 12)."""
    served.ask(SERVICE, envelope(certify_body(XRML)))
    assert str(operation.callers[0].maximum_version) == "1.0.0.0"


def test_the_header_of_another_service_is_not_ours(served: Served, operation: Recorder) -> None:
    """VersionData counts in the service's own namespace."""
    header = version_data(SERVER, "9.0.0.0", "9.0.0.0")
    assert served.ask(SERVICE, envelope(certify_body(XRML), header=header))[0] == 200


def test_two_version_headers_are_refused(served: Served, operation: Recorder) -> None:
    """X13: a header that counts stands once."""
    header = version_data(CERTIFICATION) * 2
    status, body = served.ask(SERVICE, envelope(certify_body(XRML), header=header))
    assert (status, "soap:Client" in body, operation.requests) == (500, True, [])


# --- audit -------------------------------------------------------------------------------------------------------------


def test_one_audit_record_per_request(served: Served) -> None:
    """Who asked for what from where, and what came of it."""
    account = DomainAccount("EXAMPLE\\reader", "S-1-5-21-1")
    served.ask(
        SERVICE,
        envelope(certify_body(XRML)),
        authentication=AuthenticationType.NTLM,
        account=account,
        client_address="192.0.2.7",
        application="MSIPC;" + "x" * 500,
    )
    (record,) = served.audit.records
    assert (record.operation, record.outcome, record.account) == ("Certify", "ok", "EXAMPLE\\reader")
    assert (record.client_address, len(record.application)) == ("192.0.2.7", 200)


def test_the_audit_knows_the_name_and_the_detail_of_a_fault() -> None:
    """The detail that no client sees is for the administrator."""
    served = failing(InvalidOperation("what was wrong"))
    served.ask(SERVICE, envelope(certify_body(XRML)))
    (record,) = served.audit.records
    assert (record.outcome, record.trail.facts) == (
        "InvalidOperationException",
        {"refused": ["what was wrong"]},
    )


def test_an_audit_that_fails_does_not_take_the_answer_along(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer is worth more than its record; the loss is logged."""
    served = Served(certify=Recorder())
    monkeypatch.setattr(served.audit, "record", lambda _record: 1 / 0)
    with structlog.testing.capture_logs() as logged:
        assert served.ask(SERVICE, envelope(certify_body(XRML)))[0] == 200
    assert logged[0]["event"] == "audit record lost"
