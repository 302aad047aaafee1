"""Every fault name that an operation of this server has, over HTTP: with real documents, real sign-on, real operations."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Iterator, Mapping

import pytest
from lxml import etree

from rmsserver import errors
from rmsserver.errors import RmsError
from rmsserver.xrml.keys import CryptoMode
from rmsserver.xrml.rights import Right
from rmsserver.xrml.values import Version
from tests.cluster import DAY, NOW, Cluster, Published, grantee, make_cluster
from tests.conformance import conforms
from tests.http_server import Response
from tests.operations.licensing import OUTSIDER, READER, altered, resigned
from tests.operations.malformed_bits import Sealer, bits_xml, des_session
from tests.operations.test_acquire_issuance_license import as_read, bits_of
from tests.operations.test_acquire_license import created, validity
from tests.soap_messages import ENVELOPE_11, ENVELOPE_12
from tests.wire import calls
from tests.wire.real_server import RealServer

CANARY = "CANARY-7f3a"
"""Stands in every request and must stand in no fault."""
VIEW = (Right.of("VIEW", grantee(READER)),)


@dataclasses.dataclass(frozen=True)
class Ask:
    """One request that is refused, after `configure` was told to the server."""

    operation: str
    parameters: str
    version: str = "1.0.0.0"
    person: str | None = "author"
    configure: Mapping[str, object] = dataclasses.field(default_factory=dict)
    now: dt.datetime = NOW
    prepare: Callable[[RealServer], None] = lambda _: None


def mode_2() -> Cluster:
    return make_cluster(CryptoMode.MODE_2)


def mode_1() -> Cluster:
    return make_cluster(CryptoMode.MODE_1)


def stranger() -> Cluster:
    return make_cluster(CryptoMode.MODE_2, "stranger")


# --- what is asked, by operation ---------------------------------------------------------------------------------------


def certify(chain: tuple[str, ...] | None = None, **how: object) -> Ask:
    return Ask("Certify", calls.certify(chain or mode_2().machine(CANARY).chain), **how)  # type: ignore[arg-type]


def client_licensor(chain: tuple[str, ...] | None = None, **how: object) -> Ask:
    parameters = calls.get_client_licensor_cert(chain or mode_2().account(READER).chain)
    return Ask("GetClientLicensorCert", parameters, **how)  # type: ignore[arg-type]


def licence(published: Published | None = None, racs: tuple[str, ...] | None = None, **how: object) -> Ask:
    found = published or mode_2().publish(mode_2().author(), VIEW)
    parameters = calls.acquire_license((racs or mode_2().account(READER).chain, found.chain))
    return Ask("AcquireLicense", parameters, **how)  # type: ignore[arg-type]


def sign(unsigned: Published | None = None, **how: object) -> Ask:
    text = (unsigned or mode_2().publish(None, VIEW)).text
    return Ask("AcquireIssuanceLicense", calls.acquire_issuance_license(text), **how)  # type: ignore[arg-type]


def tampered(chain: tuple[str, ...]) -> tuple[str, ...]:
    """A chain whose leaf says something else than was signed."""
    leaf = chain[0].replace("<ISSUEDTIME>2026", "<ISSUEDTIME>2025", 1)
    assert leaf != chain[0]
    return leaf, *chain[1:]


def with_bits(data: bytes) -> Published:
    """An unsigned licence with these enabling bits."""
    unsigned = mode_2().publish(None, VIEW)
    return altered(unsigned, (bits_of(unsigned), bits_xml(data, CryptoMode.MODE_2)))


def des_licence() -> Published:
    """Enabling bits under a DES session key, hash and all."""
    unsigned = mode_2().publish(None, VIEW)
    sealer = Sealer(as_read(unsigned, mode_2()), mode_2().state.licensor)
    return altered(unsigned, (bits_of(unsigned), bits_xml(des_session(sealer), CryptoMode.MODE_2)))


def forged_template() -> str:
    text = mode_2().template("Secret", VIEW).text
    return text.replace("<VIEW>", "<EDIT>").replace("</VIEW>", "</EDIT>")


def reused_account() -> Ask:
    """A licence older than the account by more than the tolerance."""
    return licence(racs=created(mode_2(), NOW + 30 * DAY).chain)


def stop_mail(server: RealServer) -> None:
    """The directory's address is none that may stand in a certificate."""
    server.directory.change_user(server.cluster.sid("author@example.com"), emails=(f"{CANARY} at example",))


def forget(server: RealServer) -> None:
    """The account is gone between sign-on and the look into the directory."""
    server.directory.remove_user(server.cluster.sid("author@example.com"))


TRUST_BOTH = {
    "trusted_rac_issuers": {
        key.id: key for key in (mode_1().state.licensor.key.public, mode_2().state.licensor.key.public)
    }
}
DECOMMISSIONED = {"decommissioned": True}
TOO_NEW = {"minimum_security_processor": Version(9, 0, 0, 0)}
EXCLUDED = {"excluded_racs": frozenset([mode_2().account(READER).rac.principal.public_key.id])}
LATER = NOW + 400 * DAY
WRONG_SERVICE = calls.find_service_locations(CANARY)
SERVICES = calls.find_service_locations(*["LicensingService"] * 101)
WITHOUT_TYPE = calls.certify(mode_2().machine(CANARY).chain).replace("<Persistent>true</Persistent>", "")
NOT_A_RAC = (mode_2().machine(CANARY).chain[0],)

CASES: dict[type[RmsError], list[Callable[[], Ask]]] = {
    errors.UnspecifiedError: [
        lambda: certify((f"<XrML>{CANARY * 4000}</XrML>",)),
        lambda: client_licensor((f"<XrML>{CANARY * 4000}</XrML>",)),
        lambda: licence(racs=(f"<XrML>{CANARY * 4000}</XrML>",)),
        lambda: licence(altered_bits()),
        lambda: sign(altered(mode_2().publish(None, VIEW), ("<WORK>", f"<WORK><OBJECT>{CANARY}</OBJECT>"))),
        lambda: sign(altered(mode_2().publish(None, VIEW), ("</PRINCIPAL>", f"<X>{CANARY}</X></PRINCIPAL>"))),
        lambda: Ask("FindServiceLocations", SERVICES),
        lambda: Ask("FindServiceLocationsForUser", SERVICES),
        lambda: Ask("GetServerInfo", calls.get_server_info(*["VersionInfo"] * 101)),
        lambda: certify(now=dt.datetime(2025, 1, 1, tzinfo=dt.UTC)),
    ],
    errors.UnsupportedDataVersion: [
        *(lambda name=name: Ask(name, "", version="1.3.0.0") for name in calls.SERVICES if name != "GetServerInfo")
    ],
    errors.MalformedDataVersion: [
        *(lambda name=name: Ask(name, "", version=CANARY) for name in calls.SERVICES if name != "GetServerInfo")
    ],
    errors.ArgumentNull: [
        *(
            lambda name=name: Ask(name, "")
            for name in calls.SERVICES
            if name not in ("GetLicensorCertificate", "AcquireTemplateInformation")
        ),
        lambda: Ask("Certify", WITHOUT_TYPE),
    ],
    errors.InvalidOperation: [
        lambda: Ask("FindServiceLocations", WRONG_SERVICE),
        lambda: Ask("FindServiceLocationsForUser", WRONG_SERVICE),
        lambda: Ask("GetServerInfo", calls.get_server_info(CANARY)),
        lambda: Ask("AcquireTemplates", calls.acquire_templates(CANARY)),
        lambda: Ask("AcquireLicense", calls.acquire_license(((CANARY,), (CANARY,)), ((CANARY,), (CANARY,)))),
    ],
    errors.ClusterDecommissioned: [
        *(lambda name=name: Ask(name, "", configure=DECOMMISSIONED) for name in calls.SERVICES)
    ],
    errors.UnauthorizedAccess: [
        lambda: certify(person=None),
        lambda: licence(person="outsider", configure={"require_own_rac": True}),
        lambda: client_licensor(person="outsider", configure={"require_own_rac": True}),
    ],
    errors.UnsupportedCryptographicSet: [
        lambda: certify(mode_1().machine().chain),
        lambda: client_licensor(mode_1().account(READER).chain, configure=TRUST_BOTH),
        lambda: licence(racs=mode_1().account(READER).chain, configure=TRUST_BOTH),
    ],
    errors.VerifyEmailAddressFailed: [lambda: certify(prepare=stop_mail)],
    errors.ADEntrySearchFailed: [lambda: certify(prepare=forget)],
    errors.VerifyMachineCertificateChainFailed: [
        lambda: certify(tampered(mode_2().machine().chain)),
        lambda: certify(stranger().machine().chain),
        lambda: certify((f"<XrML><BODY>{CANARY}</BODY></XrML>",)),
    ],
    errors.BlackBoxIsInvalid: [
        lambda: certify(configure=TOO_NEW),
        lambda: client_licensor(configure=TOO_NEW),
        lambda: licence(configure=TOO_NEW),
    ],
    errors.InvalidPersonaCertSignature: [
        lambda: client_licensor(tampered(mode_2().account(READER).chain)),
        lambda: licence(racs=tampered(mode_2().account(READER).chain)),
    ],
    errors.InvalidPersonaCertTime: [lambda: client_licensor(now=LATER), lambda: licence(now=LATER)],
    errors.UnexpectedPersonaCert: [lambda: client_licensor(NOT_A_RAC), lambda: licence(racs=NOT_A_RAC)],
    errors.UntrustedPersonaCert: [
        lambda: client_licensor(stranger().account(READER).chain),
        lambda: licence(racs=stranger().account(READER).chain),
        lambda: licence(racs=mode_2().account(READER, id_type="Federation").chain),
    ],
    errors.DrmacIsExcluded: [lambda: client_licensor(configure=EXCLUDED), lambda: licence(configure=EXCLUDED)],
    errors.CredentialCreationTime: [reused_account],
    errors.NoRightsForRequestedPrincipal: [lambda: licence(racs=mode_2().account(OUTSIDER).chain)],
    errors.InvalidRightsLabelSignature: [
        lambda: licence(altered(mode_2().publish(mode_2().author(), VIEW), ("<ISSUEDTIME>2026", "<ISSUEDTIME>2025")))
    ],
    errors.IssuanceLicenseIsNotWithinValidTimeRange: [
        lambda: licence(resigned(mode_2().publish(mode_2().author(), VIEW), mode_2().author(), validity(-2, -1)))
    ],
    errors.RightsLabelNoMatchingIssuedPrincipal: [
        lambda: licence(mode_2().publish(mode_2().author(), VIEW, sealed_to=stranger().state.licensor))
    ],
    errors.OnlinePublishingDisabled: [lambda: sign(configure={"online_publishing_enabled": False})],
    errors.UnsignedIssuanceLicenseNoMatchingIssuedPrincipal: [
        lambda: sign(mode_2().publish(None, VIEW, sealed_to=stranger().state.licensor))
    ],
    errors.InvalidOfficialRightsTemplate: [lambda: sign(mode_2().publish(None, rights_data=forged_template()))],
    errors.CryptoUnsupportedSymKey: [lambda: sign(des_licence())],
    errors.EnablingBitsHashDoesNotMatch: [lambda: sign(with_bits(bytes(400)))],
}


def altered_bits() -> Published:
    """A well signed licence whose enabling bits do not open."""
    author, published = mode_2().author(), mode_2().publish(mode_2().author(), VIEW)
    bits = published.license.enabling_bits.surface
    return resigned(published, author, (bits, bits_xml(bytes(400), CryptoMode.MODE_2)))


ALL = [(error, n) for error, cases in CASES.items() for n in range(len(cases))]

SECTIONS = {
    "Certify": "MS-RMPR 3.3.4.1",
    "AcquireLicense": "MS-RMPR 3.4.4.1",
    "AcquireTemplateInformation": "MS-RMPR 3.4.4.2",
    "AcquireTemplates": "MS-RMPR 3.4.4.3",
    "AcquireIssuanceLicense": "MS-RMPR 3.5.4.1",
    "GetClientLicensorCert": "MS-RMPR 3.5.4.2",
}
_LICENCE, _SIGN, _CLC = "AcquireLicense", "AcquireIssuanceLicense", "GetClientLicensorCert"
_IN_SERVICE = "A decommissioned cluster answers ClusterDecommissioned."
_RAC_SENTENCES = {
    errors.InvalidPersonaCertSignature: "A RAC chain with a bad signature gets InvalidPersonaCertSignature.",
    errors.UntrustedPersonaCert: "A RAC of an issuer that is not trusted gets UntrustedPersonaCert.",
    errors.DrmacIsExcluded: "An excluded RAC gets DrmacIsExcluded.",
    errors.UnexpectedPersonaCert: "Whatever else is wrong with a RAC chain gets UnexpectedPersonaCert.",
    errors.UnsupportedCryptographicSet: "A RAC of the other cryptographic mode gets UnsupportedCryptographicSet.",
}
PROVES: dict[tuple[type[RmsError], str], str] = {
    **{(error, operation): text for error, text in _RAC_SENTENCES.items() for operation in (_LICENCE, _CLC)},
    **{(errors.ClusterDecommissioned, operation): _IN_SERVICE for operation in SECTIONS},
    (errors.ArgumentNull, "Certify"): (
        "A request without a signed SPC chain, or without the kind of RAC it wants, is refused."
    ),
    (errors.UnauthorizedAccess, "Certify"): (
        "Who is not authenticated, or by federation while that is off, gets UnauthorizedAccess."
    ),
    (errors.VerifyMachineCertificateChainFailed, "Certify"): (
        "An SPC chain that does not hold gets VerifyMachineCertificateChainFailed."
    ),
    (errors.BlackBoxIsInvalid, "Certify"): "A security processor below the minimum gets BlackBoxIsInvalid.",
    (errors.UnsupportedCryptographicSet, "Certify"): (
        "An SPC chain with keys or hashes of the other mode gets UnsupportedCryptographicSet."
    ),
    (errors.VerifyEmailAddressFailed, "Certify"): (
        "An address that has not the form of RFC 822 gets VerifyEmailAddressFailed."
    ),
    (errors.ADEntrySearchFailed, "Certify"): "An account without an address gets ADEntrySearchFailed.",
    (errors.BlackBoxIsInvalid, _LICENCE): ("A RAC for a security processor below the minimum gets BlackBoxIsInvalid."),
    (errors.CredentialCreationTime, _LICENCE): (
        "An account made later than the licence, beyond the tolerance, gets CredentialCreationTime."
    ),
    (errors.InvalidRightsLabelSignature, _LICENCE): (
        "A publishing licence with a bad signature gets InvalidRightsLabelSignature."
    ),
    (errors.IssuanceLicenseIsNotWithinValidTimeRange, _LICENCE): (
        "A publishing licence outside its VALIDITYTIME gets IssuanceLicenseIsNotWithinValidTimeRange."
    ),
    (errors.RightsLabelNoMatchingIssuedPrincipal, _LICENCE): (
        "A publishing licence for another server gets RightsLabelNoMatchingIssuedPrincipal."
    ),
    (errors.InvalidOperation, _LICENCE): "A request of version 1.0.0.0 with several items is refused.",
    (errors.ArgumentNull, "AcquireTemplates"): "A request without a list of GUIDs is refused.",
    (errors.OnlinePublishingDisabled, _SIGN): "Where online publishing is off the answer is OnlinePublishingDisabled.",
    (errors.UnsignedIssuanceLicenseNoMatchingIssuedPrincipal, _SIGN): (
        "A licence for another server gets UnsignedIssuanceLicenseNoMatchingIssuedPrincipal."
    ),
    (errors.InvalidOfficialRightsTemplate, _SIGN): (
        "Rights data that is a badly signed official template gets InvalidOfficialRightsTemplate."
    ),
    (errors.CryptoUnsupportedSymKey, _SIGN): "A DES session key gets CryptoUnsupportedSymKey.",
    (errors.ArgumentNull, _SIGN): "A request without an unsigned publishing licence is refused.",
    (errors.ArgumentNull, _CLC): "A request without a RAC chain is refused.",
}
"""The requirement that the fault of an operation proves, in the words of the catalogue."""
OF_ALL_OPERATIONS: dict[type[RmsError], str] = {
    errors.MalformedDataVersion: "What is no version gets MalformedDataVersionException.",
    errors.UnsupportedDataVersion: "A MaximumVersion above ours gets UnsupportedDataVersionException.",
    errors.ArgumentNull: "A required element that is null or missing gets ArgumentNullException.",
}
"""The same of what any operation answers ([MS-RMPR] 3.1.4.6)."""


def marks_of(error: type[RmsError], number: int) -> list[pytest.MarkDecorator]:
    """What one of `ALL` proves."""
    operation = CASES[error][number]().operation
    sentence, common = PROVES.get((error, operation)), OF_ALL_OPERATIONS.get(error)
    marks = [conforms(SECTIONS[operation], sentence)] if sentence else []
    return [*marks, conforms("MS-RMPR 3.1.4.6", common)] if common else marks


@pytest.fixture
def fresh() -> Iterator[RealServer]:
    """A server that nobody has asked anything. Certify is open, so that it tells unknown callers itself."""
    running = RealServer(mode_2(), anonymous=("/certification/certification.asmx",))
    yield running
    running.http.stop()


def refused(server: RealServer, ask: Ask, *, soap12: bool, version: str | None = None) -> Response:
    """The answer to `ask`, after the server was told what it needs to refuse it."""
    server.configure(**ask.configure)
    server.now = ask.now
    ask.prepare(server)
    asked = version or ask.version
    return server.ask(ask.operation, ask.parameters, soap12=soap12, version=asked, person=ask.person)


def fault(answer: Response, soap12: bool) -> tuple[str, str]:
    """faultcode and faultstring; the envelope has nothing but one fault, and no header."""
    soap = f"{{{ENVELOPE_12 if soap12 else ENVELOPE_11}}}"
    envelope = etree.fromstring(answer.body)
    assert [child.tag for child in envelope] == [soap + "Body"]
    [[found]] = envelope
    assert found.tag == soap + "Fault"
    code, text = ("Code/{0}Value", "Reason/{0}Text") if soap12 else ("faultcode", "faultstring")
    prefix = soap if soap12 else ""
    return found.findtext(prefix + code.format(soap)) or "", found.findtext(prefix + text.format(soap)) or ""


def check_fault(server: RealServer, ask: Ask, error: type[RmsError], soap12: bool) -> None:
    """`ask` gets the fault of `error`, which says nothing of the input, and is in the audit under that name."""
    answer = refused(server, ask, soap12=soap12)
    assert answer.status == 500
    assert fault(answer, soap12) == (f"soap:{'Receiver' if soap12 else 'Server'}", f"{error.wire_name}: {error.text}")
    assert CANARY not in answer.body.decode()
    assert b"VersionData" not in answer.body
    [record] = server.audit
    assert (record.operation, record.outcome) == (ask.operation, error.wire_name.rpartition(".")[2])


@pytest.mark.parametrize("soap12", [False, True], ids=["soap11", "soap12"])
@conforms("MS-RMPR 3.1.4.5", "The faultstring of every fault has the name of its exception.")
@conforms("MS-RMPR 3.1.4.6", "Requests that are not valid are answered with a fault.")
@conforms("MS-RMPR 3.3.4.1", "A request that fails is answered with a SOAP fault.")
@conforms("MS-RMPR 3.3.4.1", "A request that fails gets a fault of the table or a generic one.")
@conforms("MS-RMPR 3.4.4.1", "A request that fails is answered with a SOAP fault.")
@conforms("MS-RMPR 3.4.4.1", "A request that fails gets a fault of the table or a generic one.")
@conforms("MS-RMPR 3.4.4.2", "A request that fails is answered with a SOAP fault.")
@conforms("MS-RMPR 3.4.4.2", "A request that fails gets a fault.")
@conforms("MS-RMPR 3.4.4.3", "A request that fails is answered with a SOAP fault.")
@conforms("MS-RMPR 3.4.4.3", "A request that fails gets a fault.")
@conforms("MS-RMPR 3.4.4.3.2.1", "A request without guids is refused.")
@conforms("MS-RMPR 3.5.4.1", "A request that fails is answered with a SOAP fault.")
@conforms("MS-RMPR 3.5.4.1", "A request that fails gets a fault of the table or a generic one.")
@conforms("MS-RMPR 3.5.4.2", "A request that fails is answered with a SOAP fault.")
@pytest.mark.parametrize(
    ("error", "number"),
    [pytest.param(error, n, id=f"{error.__name__}-{n}", marks=marks_of(error, n)) for error, n in ALL],
)
def test_a_fault_on_the_wire(fresh: RealServer, error: type[RmsError], number: int, soap12: bool) -> None:
    """HTTP 500, Server (1.2: Receiver), the full name first, its fixed text, no header, nothing of the input."""
    check_fault(fresh, CASES[error][number](), error, soap12)


OF_THE_REQUEST = (
    errors.UnsupportedDataVersion,
    errors.MalformedDataVersion,
    errors.ClusterDecommissioned,
    errors.ArgumentNull,
    errors.InvalidOperation,
)
"""Faults of a whole request also where it is a batch."""
PER_ITEM = [
    (error, number)
    for error, number in ALL
    if error not in OF_THE_REQUEST and CASES[error][number]().operation == "AcquireLicense"
]


@pytest.mark.parametrize(("error", "number"), PER_ITEM, ids=[f"{error.__name__}-{n}" for error, n in PER_ITEM])
def test_an_error_in_the_place_of_its_item(fresh: RealServer, error: type[RmsError], number: int) -> None:
    """At 1.1.0.0 the same names stand in the batch, `Name-text`, in no namespace (wire facts 9)."""
    answer = refused(fresh, CASES[error][number](), soap12=False, version="1.1.0.0")
    assert answer.status == 200
    expected = (
        '<Certificate><AcquireLicenseException xmlns=""><ExceptionString>'
        f"{error.wire_name}-{error.text}</ExceptionString><batchindex>0</batchindex></AcquireLicenseException>"
        "</Certificate></CertificateChain><ReferenceCertificates/>"
    )
    assert expected in answer.body.decode()
    assert CANARY not in answer.body.decode()


def test_a_good_item_beside_a_refused_one(fresh: RealServer) -> None:
    """Each has its own answer, in order; the use licence is there."""
    cluster = mode_2()
    published = cluster.publish(cluster.author(), VIEW)
    parameters = calls.acquire_license(
        (cluster.account(OUTSIDER).chain, published.chain), (cluster.account(READER).chain, published.chain)
    )
    body = fresh.ask("AcquireLicense", parameters, version="1.1.0.0").body.decode()
    first = body.index("NoRightsForRequestedPrincipalException-")
    assert first < body.index("<batchindex>0</batchindex>") < body.index('purpose="Content-License"')
    assert body.count("</ReferenceCertificates>") + body.count("<ReferenceCertificates/>") == 2


def test_the_server_serves_after_every_refusal(fresh: RealServer) -> None:
    """A clean fault leaves nothing behind: the next request is served."""
    for ask in (cases[0]() for cases in CASES.values()):
        fresh.ask(ask.operation, ask.parameters, version=ask.version, person=ask.person)
    assert fresh.ask("Certify", calls.certify(mode_2().machine().chain)).status == 200


def test_every_operation_has_a_fault() -> None:
    """All ten operations are among the cases."""
    assert {case().operation for cases in CASES.values() for case in cases} == set(calls.SERVICES)
