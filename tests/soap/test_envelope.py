"""Which bodies are one SOAP envelope, and which are refused."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable

import pytest

from rmsserver.soap.envelope import SOAP_11, SOAP_12, Envelope, read_envelope, read_media_type
from rmsserver.soap.errors import SoapClientError, UnsupportedMediaType
from tests.conformance import conforms
from tests.soap_messages import CERTIFICATION, ENVELOPE_11, XRML, Served, certify_body, envelope

CUT = frozenset({"Certificate"})
WHOLE = frozenset({"ApplicationData"})
SECRET = "CANARY-7f3a"


def read(body: bytes, content_type: str = "text/xml; charset=utf-8") -> Envelope:
    return read_envelope(body, read_media_type(content_type), CUT, WHOLE)


def refused(body: str | bytes, content_type: str = "text/xml") -> str:
    """The fault as a client sees it, of a request whose operation must not run."""

    def never(*_: object) -> None:
        raise AssertionError("the operation ran")

    status, answer = Served(certify=never).ask("CertificationWebService", body, content_type=content_type)
    assert status == 500
    assert SECRET not in answer
    return answer


# --- content type --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "version", "charset", "action"),
    [
        ("text/xml", SOAP_11, None, None),
        ('TEXT/XML; Charset="UTF-8"', SOAP_11, "utf-8", None),
        ("text/xml; charset=utf-16; action=ignored", SOAP_11, "utf-16", None),
        ('application/soap+xml; charset=utf-8; action="urn:x"', SOAP_12, "utf-8", "urn:x"),
    ],
)
def test_the_content_type_says_version_charset_and_action(
    header: str, version: object, charset: str | None, action: str | None
) -> None:
    """Only SOAP 1.2 has an action parameter."""
    media = read_media_type(header)
    assert (media.version, media.charset, media.action) == (version, charset, action)


@pytest.mark.parametrize(
    "header", ["", "text/plain", "multipart/related; boundary=x", "text/xml; charset=iso-8859-1", "text/xmlx"]
)
def test_X12_anything_else_is_unsupported(header: str) -> None:
    """X12: multipart is not read as SOAP, nor is anything in a character set that would have to be guessed."""
    with pytest.raises(UnsupportedMediaType):
        read_media_type(header)


# --- character sets ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("codec", "charset"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("utf-8", None),
        ("utf-16", "utf-16"),
        ("utf-16", None),
        ("utf-16-le", "utf-16"),
        ("utf-16-be", "utf-16"),
        ("utf-16-be", "utf-16be"),
    ],
)
def test_utf_8_and_utf_16_with_and_without_a_mark(codec: str, charset: str | None) -> None:
    """The text comes out the same whichever way it was sent."""
    declared = "utf-16" if codec.startswith("utf-16") else "utf-8"
    text = envelope(certify_body(XRML)).replace("utf-8", declared)
    content_type = "text/xml" + (f"; charset={charset}" if charset else "")
    assert read(text.encode(codec), content_type).cuts == (XRML,)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (envelope(certify_body(XRML)).encode("utf-16"), "text/xml; charset=utf-8"),
        (envelope(certify_body(XRML)).encode("utf-16-le")[:-1], "text/xml; charset=utf-16"),
        (envelope(certify_body(XRML)).encode("latin-1", "replace").replace(b"?XML", b"\xe9"), "text/xml"),
        (envelope(certify_body("<A>\u00e9</A>")).encode("latin-1"), "text/xml"),
        (envelope("<a/>").replace("utf-8", "iso-8859-1").encode(), "text/xml"),
    ],
)
def test_a_body_that_is_not_what_it_names_is_refused(body: bytes, content_type: str) -> None:
    """No guessing: one reading or none."""
    with pytest.raises(SoapClientError):
        read(body, content_type)


# --- XML -------------------------------------------------------------------------------------------------------------------

BOMB = "".join(f'<!ENTITY e{n} "' + f"&e{n - 1};" * 10 + '">' for n in range(1, 12))


@pytest.mark.parametrize(
    "prolog",
    [
        "<!DOCTYPE x>",
        f'<!DOCTYPE x [<!ENTITY e0 "{SECRET}">{BOMB}]>',
        '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">',
        "<?php x?>",
    ],
)
def test_X2_X3_no_doctype_entity_or_processing_instruction(prolog: str) -> None:
    """X2, X3: refused before anything is expanded or fetched."""
    text = envelope(certify_body(XRML)).removeprefix('<?xml version="1.0" encoding="utf-8"?>')
    assert "soap:Client" in refused(prolog + text)


def attributes(names: Iterable[str]) -> str:
    return "<x " + " ".join(name + "='v'" for name in names) + "/>"


HOSTILE = {
    "X1 nested elements": certify_body("<x>" * 15_000 + "</x>" * 15_000),
    "X1 nested in the skeleton": "<x>" * 15_000 + "</x>" * 15_000,
    "X4 attributes": attributes(f"a{n}" for n in range(160_000)),
    "X4 namespaces": attributes(f"xmlns:a{n}" for n in range(100_000)),
    "X5 colliding names": attributes(f"{chr(97 + n % 26)}{n // 26}" for n in range(100_000)),
    "X6 long names": f"<y><{'n' * 200_000}/><m {'a' * 200_000}='x'/></y>",
    "X6 unclosed cuts": "<Certificate>" * 50_000,
    "X6 many start tags": "<Certificate><" * 50_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_X1_to_X6_hostile_xml_costs_no_more_than_three_benign_bodies(name: str) -> None:
    """X1 to X6: refused, or cut out for the operation to refuse; at most three times as dear as a benign body."""
    hostile = envelope(HOSTILE[name]).encode()
    element = "<A b='c'>text</A>"
    size = len(hostile) // len(element)
    benign = envelope(certify_body(f"<XrML>{element * size}</XrML>")).encode()

    def cost(body: bytes) -> float:
        times = []
        for _ in range(5):
            begun = time.process_time()
            with contextlib.suppress(SoapClientError):
                read(body)
            times.append(time.process_time() - begun)
        return min(times)

    assert cost(hostile) < 3 * cost(benign) + 0.002


def test_X6_a_skeleton_beyond_its_limit_is_refused() -> None:
    """What is left after cutting is small in every genuine request."""
    assert "too large" in refused(envelope(f"<x>{'y' * 600_000}</x>"))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\0",
        b"not xml " + SECRET.encode(),
        f"<a>{SECRET}".encode(),
        envelope(certify_body(f"<b>{SECRET}</c>")).encode(),
        envelope("&x;").encode(),
        (envelope("<a/>") + SECRET).encode(),
        f"<{SECRET}/>".encode(),
        envelope(certify_body("text <b/>")).encode(),
    ],
)
def test_what_is_not_well_formed_is_a_client_fault_without_input(body: bytes) -> None:
    """The parser's words stay here: they quote the request."""
    assert "soap:Client" in refused(body)


# --- SOAP ------------------------------------------------------------------------------------------------------------------


def soap(inside: str) -> str:
    return f'<soap:Envelope xmlns:soap="{ENVELOPE_11}">{inside}</soap:Envelope>'


CALL = certify_body(XRML)


@conforms("MS-RMPR 2.1", "A message is an envelope of SOAP 1.1 or 1.2, and the answer is of the same version.")
@pytest.mark.parametrize(
    "message",
    [
        soap(""),
        soap("<soap:Header/>"),
        soap("<soap:Body/>"),
        soap(f"<soap:Body>{CALL}{CALL}</soap:Body>"),
        soap(f"<soap:Body>{CALL}</soap:Body><soap:Body>{CALL}</soap:Body>"),
        soap(f"<soap:Header/><soap:Header/><soap:Body>{CALL}</soap:Body>"),
        soap(f"<soap:Body>{CALL}</soap:Body><soap:Header/>"),
        soap(f"<soap:Body>{CALL}</soap:Body><x/>"),
        soap(soap(f"<soap:Body>{CALL}</soap:Body>")),
        soap(f"<soap:Body>{CALL}</soap:Body>") * 2,
        f"<Body>{CALL}</Body>",
    ],
)
def test_X13_one_envelope_one_header_one_body_one_child(message: str) -> None:
    """X13: two of anything, or anything elsewhere, is refused."""
    assert "soap:Client" in refused(message)


def test_X11_href_and_id_are_inert() -> None:
    """X11: a reference moves nothing; the element that holds it is as empty as it stands."""
    body = (
        f'<Certify xmlns="{CERTIFICATION}"><requestParams><MachineCertificateChain href="#c"/></requestParams>'
        f'<x id="c"><Certificate>{XRML}</Certificate></x></Certify>'
    )
    chain = read(envelope(body).encode()).request[0][0]
    assert (len(chain), dict(chain.attrib)) == (0, {})


@pytest.mark.parametrize("actor", ["", 'soap:actor=""', 'soap:actor="http://schemas.xmlsoap.org/soap/actor/next"'])
def test_a_header_that_must_be_understood_is_refused(actor: str) -> None:
    """Unknown and mandatory, addressed to this server: a MustUnderstand fault."""
    header = f'<h:Secret xmlns:h="urn:h" soap:mustUnderstand="1" {actor}>{SECRET}</h:Secret>'
    assert "<faultcode>soap:MustUnderstand</faultcode>" in refused(envelope(CALL, header=header))


@pytest.mark.parametrize(
    "attributes", ['soap:mustUnderstand="0"', 'soap:mustUnderstand="1" soap:actor="urn:somebody-else"', ""]
)
def test_X10_other_headers_are_ignored(attributes: str) -> None:
    """X10: WS-Addressing's reply address is one of them."""
    header = (
        f'<a:ReplyTo xmlns:a="http://www.w3.org/2005/08/addressing" {attributes}>'
        "<a:Address>http://127.0.0.1:9/</a:Address></a:ReplyTo>"
    )
    served = Served(certify=lambda request, *_: type("Result", (), {"chain": request.machine_chain})())
    assert served.ask("CertificationWebService", envelope(CALL, header=header))[0] == 200
