"""Every fault of the four services of [MS-RMSI] over HTTP, as test_faults.py has those of [MS-RMPR]."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from rmsserver import errors
from rmsserver.auth.policy import Demand, Rule
from rmsserver.errors import RmsError
from rmsserver.xrml.keys import CryptoMode
from tests.cluster import Published
from tests.conformance import conforms
from tests.operations.licensing import OUTSIDER, READER, altered, resigned
from tests.operations.malformed_bits import Sealer, bits_xml, des_session
from tests.operations.test_edit_issuance_license import block, protected
from tests.wire import calls
from tests.wire.real_server import RealServer
from tests.wire.test_faults import (
    CANARY,
    DECOMMISSIONED,
    VIEW,
    Ask,
    altered_bits,
    check_fault,
    forged_template,
    mode_2,
    stranger,
    tampered,
)

ENDPOINTS = (
    "/licensing/license.asmx#AcquirePreLicense",
    "/certification/Precertification.asmx",
    "/licensing/EditIssuanceLicense.asmx",
    "/decommission/decommission.asmx",
)


def signed() -> Published:
    """A licence that the server may edit."""
    return protected(mode_2(), mode_2().author(), READER)


def unsigned() -> Published:
    return protected(mode_2(), None, OUTSIDER)


def pre(published: Published | None = None, *identities: str, **how: object) -> Ask:
    found = published or mode_2().publish(mode_2().author(), VIEW)
    return Ask("AcquirePreLicense", calls.acquire_pre_license(identities or (READER,), found.chain), **how)  # type: ignore[arg-type]


def certify(*names: str, sid: str | None = None, **how: object) -> Ask:
    return Ask("Precertify", calls.precertify(*names, sid=sid), **how)  # type: ignore[arg-type]


def edit(one: Published | str | None = None, other: Published | str | None = None, **how: object) -> Ask:
    texts = (found if isinstance(found, str) else found.text for found in (one or signed(), other or unsigned()))
    return Ask("EditIssuanceLicense", calls.edit_issuance_license(*texts), **how)  # type: ignore[arg-type]


def key(*chains: tuple[str, ...]) -> Ask:
    found = chains or (mode_2().publish(mode_2().author(), VIEW).chain,)
    return Ask("AcquireContentKey", calls.acquire_content_key(*found), configure=DECOMMISSIONED)


def disable(server: RealServer) -> None:
    server.directory.change_user(server.cluster.sid(READER), enabled=False)


def sealed_to_stranger(author: bool) -> Published:
    cluster = mode_2()
    return protected(cluster, cluster.author() if author else None, READER, sealed_to=stranger().state.licensor)


def with_block(published: Published, data: bytes) -> tuple[tuple[str, str], ...]:
    return ((block(published), bits_xml(data, CryptoMode.MODE_2)),)


def badly_sealed() -> Published:
    found = unsigned()
    return altered(found, *with_block(found, bytes(400)))


def des_sealed() -> Published:
    found = unsigned()
    return altered(found, *with_block(found, des_session(Sealer(signed(), mode_2().state.licensor))))


def badly_sealed_signed() -> Published:
    found = signed()
    return resigned(found, mode_2().author(), *with_block(found, bytes(400)))


OPERATIONS = tuple(calls.FOR_APPLICATIONS)

CASES: dict[type[RmsError], list[Callable[[], Ask]]] = {
    errors.UnspecifiedError: [
        lambda: pre(altered_bits()),
        lambda: pre(None, *[f"{CANARY}@example.com"] * 101),
        lambda: edit(other=CANARY),
        lambda: edit(other=signed()),
        lambda: key((CANARY,)),
        lambda: key(tampered(signed().chain)),
        lambda: key(altered_bits().chain),
    ],
    errors.UnsupportedDataVersion: [*(lambda name=name: Ask(name, "", version="1.3.0.0") for name in OPERATIONS)],
    errors.MalformedDataVersion: [*(lambda name=name: Ask(name, "", version=CANARY) for name in OPERATIONS)],
    errors.ArgumentNull: [
        lambda: Ask("AcquirePreLicense", ""),
        lambda: Ask("AcquirePreLicense", calls.acquire_pre_license((CANARY,), ())),
        lambda: Ask("AcquirePreLicense", calls.acquire_pre_license((), (CANARY,))),
        lambda: Ask("Precertify", ""),
        lambda: certify(""),
        lambda: Ask("EditIssuanceLicense", ""),
        lambda: Ask("EditIssuanceLicense", calls.edit_issuance_license(CANARY, "")),
        lambda: Ask("AcquireContentKey", "", configure=DECOMMISSIONED),
        lambda: key(()),
    ],
    errors.InvalidOperation: [
        lambda: Ask("AcquirePreLicense", doubled(calls.acquire_pre_license((CANARY,), (CANARY,)))),
        lambda: Ask("EditIssuanceLicense", doubled(calls.edit_issuance_license(CANARY, CANARY))),
    ],
    errors.ClusterDecommissioned: [
        *(
            lambda name=name: Ask(name, "", configure=DECOMMISSIONED)
            for name in OPERATIONS
            if name != "AcquireContentKey"
        )
    ],
    errors.ClusterNotDecommissioned: [
        lambda: Ask("AcquireContentKey", ""),
        lambda: Ask("AcquireContentKey", calls.acquire_content_key(signed().chain)),
    ],
    errors.UnauthorizedAccess: [
        lambda: pre(person="author"),
        lambda: certify(READER, prepare=disable),
        lambda: certify(READER, sid=mode_2().sid(OUTSIDER)),
    ],
    errors.DrmsArgument: [
        lambda: Ask("Precertify", "<requestParams/>"),
        lambda: certify(READER, READER),
        lambda: certify(f"{CANARY}@example.com"),
        lambda: certify("", sid=CANARY),
    ],
    errors.InvalidRightsLabelSignature: [lambda: pre(altered(signed(), ("<ISSUEDTIME>2026", "<ISSUEDTIME>2025")))],
    errors.RightsLabelNoMatchingIssuedPrincipal: [lambda: pre(sealed_to_stranger(True))],
    errors.OnlinePublishingDisabled: [lambda: edit(configure={"online_publishing_enabled": False})],
    errors.InvalidSignedIssuanceLicense: [
        lambda: edit(tampered(signed().chain)[0]),
        lambda: edit(sealed_to_stranger(True)),
        lambda: edit(CANARY),
    ],
    errors.UnsignedIssuanceLicenseNoMatchingIssuedPrincipal: [
        lambda: edit(other=sealed_to_stranger(False)),
        lambda: key(sealed_to_stranger(True).chain),
    ],
    errors.ServerRepublishIllegal: [lambda: edit(mode_2().publish(mode_2().author(), VIEW))],
    errors.EnablingBitsHashDoesNotMatch: [lambda: edit(badly_sealed_signed()), lambda: edit(other=badly_sealed())],
    errors.CryptoUnsupportedSymKey: [lambda: edit(other=des_sealed())],
    errors.InvalidOfficialRightsTemplate: [
        lambda: edit(mode_2().publish(mode_2().author(), rights_data=forged_template())),
        lambda: edit(other=mode_2().publish(None, rights_data=forged_template())),
    ],
}


def doubled(parameters: str) -> str:
    """The array with its one element twice."""
    start, end = parameters.index(">") + 1, parameters.rindex("</")
    return parameters[:end] + parameters[start:end] + parameters[end:]


ALL = [(error, n) for error, cases in CASES.items() for n in range(len(cases))]


@pytest.fixture
def fresh() -> Iterator[RealServer]:
    """A server on which `boss` may call all four."""
    rule = Rule(Demand.LISTED, frozenset({mode_2().sid("boss@example.com")}))
    running = RealServer(mode_2(), rules=dict.fromkeys(ENDPOINTS, rule))
    yield running
    running.http.stop()


@conforms("MS-RMSI 3.1.4.2", "A missing or null element that an operation needs is refused with ArgumentNullException.")
@conforms(
    "MS-RMSI 3.2.4.1",
    "A licence for another server is refused with UnsignedIssuanceLicenseNoMatchingIssuedPrincipalException.",
)
@conforms("MS-RMSI 3.2.4.1", "A server in service answers ClusterNotDecommissionedException.")
@conforms("MS-RMSI 3.2.4.1", "Refusals are the common faults or those of the operation's table.")
@conforms("MS-RMSI 3.3.4.1", "A request that fails gets a fault.")
@conforms("MS-RMSI 3.3.4.1", "Refusals have the names of the common faults and of the operation's table.")
@conforms("MS-RMSI 3.4.4.1", "A request that fails gets a fault.")
@conforms("MS-RMSI 3.4.4.1", "Refusals are the common faults or those of the operation's table.")
@conforms("MS-RMSI 3.4.4.1", "A decommissioned server answers ClusterDecommissionedException.")
@conforms("MS-RMSI 3.5.4.1", "What is wrong with the whole request is a fault.")
@conforms("MS-RMSI 3.5.4.1", "Refusals are the common faults or those of the operation's table.")
@pytest.mark.parametrize("soap12", [False, True], ids=["soap11", "soap12"])
@pytest.mark.parametrize(("error", "number"), ALL, ids=[f"{error.__name__}-{n}" for error, n in ALL])
def test_a_fault_on_the_wire(fresh: RealServer, error: type[RmsError], number: int, soap12: bool) -> None:
    """HTTP 500, Server (1.2: Receiver), the full name first, its fixed text, no header, nothing of the input."""
    ask = CASES[error][number]()
    if ask.operation != "AcquirePreLicense" or error is not errors.UnauthorizedAccess:
        ask = Ask(**{**vars(ask), "person": "boss"})
    check_fault(fresh, ask, error, soap12)


PER_IDENTITY: dict[type[RmsError], Callable[[RealServer], str]] = {
    errors.NoRightsForRequestedPrincipal: lambda _: OUTSIDER,
    errors.AcquirePreLicenseInvalidLicensee: lambda _: f"{CANARY}@example.com",
    errors.DrmacIsExcluded: lambda server: excluded(server),
}


def excluded(server: RealServer) -> str:
    """The reader, whose stored key is excluded."""
    key_ = server.ports.key_pool.take(2048)
    server.ports.user_keys.put_if_absent(server.cluster.sid(READER), key_)
    server.configure(excluded_racs=frozenset({key_.public.id}))
    return READER


@conforms(
    "MS-RMSI 3.5.4.1", "Who is not known gets AcquirePreLicenseInvalidLicenseeException in the place of a licence."
)
@conforms("MS-RMSI 3.5.4.1", "The errors of single licences have the names of AcquireLicense.")
@conforms("MS-RMSI 3.5.4.1", "An error is an AcquirePreLicenseException element in the place of its identity.")
@conforms("MS-RMSI 3.5.4.1.3.4", "The error of an identity stands between the licences of the others.")
@pytest.mark.parametrize("error", PER_IDENTITY)
def test_an_error_in_the_place_of_its_identity(fresh: RealServer, error: type[RmsError]) -> None:
    """`Name-text` in no namespace, between two licences or errors, counted from 0 ([MS-RMSI] 3.5.4.1.3.5)."""
    identity = PER_IDENTITY[error](fresh)
    published = mode_2().publish(mode_2().author(), VIEW)
    parameters = calls.acquire_pre_license(("author@example.com", identity), (published.text,))
    answer = fresh.ask("AcquirePreLicense", parameters, person="boss")
    assert answer.status == 200
    expected = (
        '</Certificate><Certificate><AcquirePreLicenseException xmlns=""><ExceptionString>'
        f"{error.wire_name}-{error.text}</ExceptionString><batchindex>1</batchindex></AcquirePreLicenseException>"
        "</Certificate></Licenses><CertificateChain>"
    )
    assert expected in answer.body.decode()
    assert CANARY not in answer.body.decode()


def test_the_server_serves_after_every_refusal(fresh: RealServer) -> None:
    """A clean fault leaves nothing behind."""
    for ask in (cases[0]() for cases in CASES.values()):
        fresh.ask(ask.operation, ask.parameters, version=ask.version, person="boss")
    assert fresh.ask("Precertify", calls.precertify(READER), person="boss").status == 200
