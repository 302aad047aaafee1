"""A blocked user is refused in every pipeline, whatever certificate it has."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rmsserver.errors import DrmacIsExcluded, RmsError, UnauthorizedAccess
from rmsserver.operations.acquire_content_key import AcquireContentKeyRequest, acquire_content_key
from rmsserver.operations.acquire_pre_license import (
    AcquirePreLicenseItem,
    AcquirePreLicenseRequest,
    acquire_pre_license,
)
from rmsserver.operations.certify import CertifyRequest, certify
from rmsserver.operations.edit_issuance_license import EditIssuanceLicenseRequest, edit_issuance_license
from rmsserver.operations.enroll import EnrollRequest, enroll
from rmsserver.operations.get_client_licensor_cert import GetClientLicensorCertRequest, get_client_licensor_cert
from rmsserver.operations.is_principal_member_of import IsPrincipalMemberOfRequest, is_principal_member_of
from rmsserver.operations.machine_certificate import MachineCertificateRequest, issue_machine_certificate
from rmsserver.operations.precertify import PrecertifyItem, PrecertifyRequest, precertify
from rmsserver.operations.sub_enroll import SubEnrollRequest, sub_enroll
from rmsserver.operations.templates import acquire_template_information, acquire_templates
from rmsserver.state import AuthenticationType, FederatedAccount
from rmsserver.xrml.values import fold
from tests.cluster import NOW, Cluster
from tests.operations.licensing import AUTHOR, READER, Desk


def certified(desk: Desk) -> None:
    request = CertifyRequest(desk.cluster.machine().chain, True)
    certify(request, desk.cluster.caller(READER), desk.cluster.state, desk.ports, NOW)


def precertified(desk: Desk) -> None:
    request = PrecertifyRequest((PrecertifyItem(READER, None),))
    precertify(request, desk.cluster.caller("boss@example.com"), desk.cluster.state, desk.ports, NOW)


def licensed(desk: Desk) -> None:
    published = desk.cluster.publish(desk.cluster.author())
    desk.ask(published, caller=desk.cluster.caller("boss@example.com"))


def licensor_certificate(desk: Desk) -> None:
    request = GetClientLicensorCertRequest((desk.cluster.account(READER).chain,))
    get_client_licensor_cert(request, desk.cluster.caller("boss@example.com"), desk.cluster.state, desk.ports, NOW)


def pre_licensed(desk: Desk) -> None:
    published = desk.cluster.publish(desk.cluster.author())
    item = AcquirePreLicenseItem((AUTHOR, READER), (published.text,), None)
    state = desk.cluster.state
    result = acquire_pre_license(
        AcquirePreLicenseRequest((item,)), desk.cluster.caller("boss@example.com"), state, desk.ports, NOW
    )
    author, reader = result.answers
    assert isinstance(author, str)
    if isinstance(reader, RmsError):
        raise reader


def with_the_certificate_of_another(desk: Desk) -> None:
    published = desk.cluster.publish(desk.cluster.author())
    desk.ask(published, AUTHOR, caller=desk.cluster.caller(READER))


def signed_online(desk: Desk) -> None:
    desk.sign(desk.cluster.publish(), caller=READER)


PIPELINES: list[tuple[Callable[[Desk], None], type[RmsError]]] = [
    (certified, UnauthorizedAccess),
    (precertified, UnauthorizedAccess),
    (licensed, DrmacIsExcluded),
    (licensor_certificate, DrmacIsExcluded),
    (pre_licensed, DrmacIsExcluded),
    (with_the_certificate_of_another, UnauthorizedAccess),
    (signed_online, UnauthorizedAccess),
]


@pytest.mark.parametrize(("pipeline", "error"), PIPELINES, ids=[pipeline.__name__ for pipeline, _ in PIPELINES])
@pytest.mark.parametrize("name", ["address", "SID"])
def test_every_pipeline_refuses(
    mode_2: Cluster, pipeline: Callable[[Desk], None], error: type[RmsError], name: str
) -> None:
    """By address or SID alike; the same request is served before, and with somebody else blocked."""
    desk = Desk(mode_2)
    desk.configure(blocked_users=frozenset({AUTHOR + ".example.net"}))
    pipeline(desk)
    desk.configure(blocked_users=frozenset({READER if name == "address" else fold(mode_2.sid(READER))}))
    with pytest.raises(RmsError) as caught:
        pipeline(desk)
    assert type(caught.value) is error


ASKED: dict[str, tuple[Callable[..., object], tuple[object, ...]]] = {
    "republishing": (edit_issuance_license, (EditIssuanceLicenseRequest(None),)),
    "pre-certification of others": (precertify, (PrecertifyRequest(None),)),
    "sub-enrollment": (sub_enroll, (SubEnrollRequest(None, None),)),
    "enrollment": (enroll, (EnrollRequest(None, None, None),)),
    "groups": (is_principal_member_of, (IsPrincipalMemberOfRequest(None, None, None, None),)),
    "a machine": (issue_machine_certificate, (MachineCertificateRequest(b"", b"", ""),)),
    "templates": (acquire_templates, ((),)),
    "what templates there are": (acquire_template_information, ()),
    "content keys": (acquire_content_key, (AcquireContentKeyRequest(None),)),
}


@pytest.mark.parametrize("name", ASKED)
def test_a_blocked_caller(mode_2: Cluster, name: str) -> None:
    """Refused before anything of the request is looked at, listed for the endpoint or not."""
    operation, request = ASKED[name]
    desk = Desk(mode_2)
    desk.configure(
        sub_enrollment_enabled=True,
        enrollment_enabled=True,
        group_expansion_enabled=True,
        enrollment_service=desk.cluster.state.licensor,
        decommissioned=name == "content keys",
    )

    def refused_as_blocked() -> bool:
        try:
            operation(*request, mode_2.caller(READER), desk.cluster.state, desk.ports, NOW)
        except RmsError as error:
            return isinstance(error, UnauthorizedAccess) and error.detail == "the caller is blocked"
        return False

    assert not refused_as_blocked()
    desk.configure(blocked_users=frozenset({READER}))
    assert refused_as_blocked()


def test_an_address_of_before_or_after_is_no_way_round(mode_2: Cluster) -> None:
    """What the certificate says counts, and what the directory says of its SID."""
    desk = Desk(mode_2)
    desk.directory.change_user(mode_2.sid(READER), emails=("married@example.com", "nick@example.com"))
    for blocked in ("nick@example.com", READER):
        desk.configure(blocked_users=frozenset({blocked}))
        with pytest.raises(DrmacIsExcluded):
            licensed(desk)


def test_a_federated_account_by_its_address(mode_2: Cluster) -> None:
    desk = Desk(mode_2)
    desk.configure(blocked_users=frozenset({"f@partner.example"}), federation_enabled=True)
    account = FederatedAccount("F@partner.example")
    caller = mode_2.caller(READER, authentication=AuthenticationType.FEDERATION, account=account)
    with pytest.raises(UnauthorizedAccess):
        certify(CertifyRequest(mode_2.machine().chain, True), caller, desk.cluster.state, desk.ports, NOW)
    desk.configure(blocked_users=frozenset())
    assert certify(CertifyRequest(mode_2.machine().chain, True), caller, desk.cluster.state, desk.ports, NOW).chain
