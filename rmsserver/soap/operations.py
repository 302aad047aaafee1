"""The operations that the handlers call, as one table: tests put functions of their own into it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Protocol, TypeVar

from rmsserver.operations.acquire_content_key import (
    AcquireContentKeyRequest,
    AcquireContentKeyResult,
    acquire_content_key,
)
from rmsserver.operations.acquire_issuance_license import (
    AcquireIssuanceLicenseRequest,
    AcquireIssuanceLicenseResult,
    acquire_issuance_license,
)
from rmsserver.operations.acquire_license import AcquireLicenseRequest, AcquireLicenseResult, acquire_license
from rmsserver.operations.acquire_pre_license import (
    AcquirePreLicenseRequest,
    AcquirePreLicenseResult,
    acquire_pre_license,
)
from rmsserver.operations.activate import ActivateRequest, activate
from rmsserver.operations.certify import CertifyRequest, CertifyResult, certify
from rmsserver.operations.edit_issuance_license import (
    EditIssuanceLicenseRequest,
    EditIssuanceLicenseResult,
    edit_issuance_license,
)
from rmsserver.operations.enroll import EnrollRequest, enroll
from rmsserver.operations.find_service_locations import (
    FindServiceLocationsRequest,
    ServiceLocation,
    find_service_locations,
    find_service_locations_for_user,
)
from rmsserver.operations.get_client_licensor_cert import (
    GetClientLicensorCertRequest,
    GetClientLicensorCertResult,
    get_client_licensor_cert,
)
from rmsserver.operations.get_licensor_certificate import get_licensor_certificate
from rmsserver.operations.get_server_info import GetServerInfoRequest, get_server_info
from rmsserver.operations.is_principal_member_of import (
    IsPrincipalMemberOfRequest,
    IsPrincipalMemberOfResult,
    is_principal_member_of,
)
from rmsserver.operations.precertify import PrecertifyRequest, PrecertifyResult, precertify
from rmsserver.operations.sub_enroll import SubEnrollRequest, sub_enroll
from rmsserver.operations.templates import (
    TemplateEntry,
    TemplateInformation,
    acquire_template_information,
    acquire_templates,
)
from rmsserver.ports import Ports, SoapMessage
from rmsserver.state import RequestContext, ServerState

_Request = TypeVar("_Request", contravariant=True)
_Result = TypeVar("_Result", covariant=True)


class Operation(Protocol[_Request, _Result]):
    """An operation that has a request."""

    def __call__(
        self, request: _Request, caller: RequestContext, state: ServerState, ports: Ports, now: dt.datetime, /
    ) -> _Result: ...


class Query(Protocol[_Result]):
    """An operation without parameters."""

    def __call__(self, caller: RequestContext, state: ServerState, ports: Ports, now: dt.datetime, /) -> _Result: ...


@dataclass(frozen=True)
class Operations:
    """The product's, unless told otherwise."""

    certify: Operation[CertifyRequest, CertifyResult] = certify
    acquire_issuance_license: Operation[AcquireIssuanceLicenseRequest, AcquireIssuanceLicenseResult] = (
        acquire_issuance_license
    )
    get_client_licensor_cert: Operation[GetClientLicensorCertRequest, GetClientLicensorCertResult] = (
        get_client_licensor_cert
    )
    acquire_license: Operation[AcquireLicenseRequest, AcquireLicenseResult] = acquire_license
    acquire_pre_license: Operation[AcquirePreLicenseRequest, AcquirePreLicenseResult] = acquire_pre_license
    get_licensor_certificate: Query[tuple[str, ...]] = get_licensor_certificate
    find_service_locations_for_user: Operation[FindServiceLocationsRequest, tuple[ServiceLocation, ...]] = (
        find_service_locations_for_user
    )
    find_service_locations: Operation[FindServiceLocationsRequest, tuple[ServiceLocation, ...]] = find_service_locations
    get_server_info: Operation[GetServerInfoRequest, str] = get_server_info
    is_principal_member_of: Operation[IsPrincipalMemberOfRequest, IsPrincipalMemberOfResult] = is_principal_member_of
    activate: Operation[ActivateRequest, SoapMessage] = activate
    enroll: Operation[EnrollRequest, tuple[str, ...]] = enroll
    sub_enroll: Operation[SubEnrollRequest, tuple[str, ...]] = sub_enroll
    acquire_template_information: Query[TemplateInformation] = acquire_template_information
    edit_issuance_license: Operation[EditIssuanceLicenseRequest, EditIssuanceLicenseResult] = edit_issuance_license
    acquire_content_key: Operation[AcquireContentKeyRequest, AcquireContentKeyResult] = acquire_content_key
    precertify: Operation[PrecertifyRequest, PrecertifyResult] = precertify
    acquire_templates: Operation[tuple[str | None, ...] | None, tuple[TemplateEntry, ...]] = acquire_templates
