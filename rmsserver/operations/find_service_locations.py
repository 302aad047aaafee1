"""FindServiceLocationsForUser ([MS-RMPR] 3.7.4.2) and FindServiceLocations ([MS-RMPRS] 3.2.4.1).

Every type that was asked for is answered, in the order of the request (rulings 8); one that is no ServiceType fails the
whole request (rulings 29).
"""

from __future__ import annotations

import datetime as dt
import enum
from dataclasses import dataclass

from rmsserver.errors import ArgumentNull, InvalidOperation, UnspecifiedError
from rmsserver.operations.preconditions import check_in_service
from rmsserver.ports import Ports
from rmsserver.state import RequestContext, ServerState


class ServiceType(enum.Enum):
    """The ServiceType enumeration of both specifications."""

    ENROLLMENT = "EnrollmentService"
    LICENSING = "LicensingService"
    PUBLISHING = "PublishingService"
    CERTIFICATION = "CertificationService"
    ACTIVATION = "ActivationService"
    PRECERTIFICATION = "PrecertificationService"
    SERVER = "ServerService"
    REMOTE_DIRECTORY = "DrmRemoteDirectoryServices"
    GROUP_EXPANSION = "GroupExpansionService"
    LICENSING_INTERNAL = "LicensingInternalService"
    CERTIFICATION_INTERNAL = "CertificationInternalService"


GROUP_EXPANSION_PATH = "/GroupExpansion/GroupExpansion.asmx"
REMOTE_DIRECTORY_PATH = "/DrmRemote/DirectoryServices/DirectoryServices.rem"


@dataclass(frozen=True)
class FindServiceLocationsRequest:
    service_types: tuple[str, ...] | None
    """The texts of the Type elements as they stand, not yet checked."""


@dataclass(frozen=True)
class ServiceLocation:
    service_type: str
    url: str | None
    """None: no URL element. The empty string: an empty one."""


def find_service_locations_for_user(
    request: FindServiceLocationsRequest,
    caller: RequestContext,
    state: ServerState,
    ports: Ports,
    now: dt.datetime,  # noqa: ARG001 - every operation has these arguments
) -> tuple[ServiceLocation, ...]:
    """Where the services for the caller's account are; no URL for a service that does not exist.

    Raises ClusterDecommissioned, UnspecifiedError (not authenticated; account in no known directory; too many types),
    ArgumentNull, InvalidOperation.
    """
    check_in_service(state)
    if not caller.is_authenticated:
        raise UnspecifiedError("the caller is not authenticated")
    types = _service_types(request, state)
    directory = _directory(caller, ports)
    if directory.casefold() == ports.directory.own_name.casefold():
        return tuple(ServiceLocation(t.value, service_url(t, state)) for t in types)
    caller.trail.note("directory", directory)
    return tuple(ServiceLocation(t.value, ports.directory.service_location(directory, t.value)) for t in types)


def find_service_locations(
    request: FindServiceLocationsRequest,
    caller: RequestContext,  # noqa: ARG001 - every operation has these arguments
    state: ServerState,
    ports: Ports,  # noqa: ARG001
    now: dt.datetime,  # noqa: ARG001
) -> tuple[ServiceLocation, ...]:
    """Where this server's services are, for another server; an empty URL for a service that does not exist.

    Raises ClusterDecommissioned, UnspecifiedError (too many types), ArgumentNull, InvalidOperation.
    """
    check_in_service(state)
    return tuple(ServiceLocation(t.value, service_url(t, state) or "") for t in _service_types(request, state))


def service_url(service_type: ServiceType, state: ServerState) -> str | None:
    """What configuration says about a service (rulings 8 and 9: directories, not files); None where it does not exist."""
    internal_certification, internal_licensing = state.certification_url, state.internal_licensing_url
    falls_back = state.external_falls_back_to_internal
    match service_type:
        case ServiceType.CERTIFICATION_INTERNAL | ServiceType.ACTIVATION:
            return internal_certification
        case ServiceType.LICENSING_INTERNAL:
            return internal_licensing
        case ServiceType.CERTIFICATION:
            return state.external_certification_url or (internal_certification if falls_back else None)
        case ServiceType.LICENSING:
            return state.external_licensing_url or (internal_licensing if falls_back else None)
        case ServiceType.GROUP_EXPANSION if state.group_expansion_enabled:
            return state.base_url + GROUP_EXPANSION_PATH
        case ServiceType.REMOTE_DIRECTORY if state.binary_group_expansion_enabled:
            return state.base_url + REMOTE_DIRECTORY_PATH
        case _:
            return None


def _service_types(request: FindServiceLocationsRequest, state: ServerState) -> list[ServiceType]:
    if not request.service_types:
        raise ArgumentNull("the request asks for no service")
    if len(request.service_types) > state.batch_limit:
        raise UnspecifiedError(f"more than {state.batch_limit} types of service in one request")
    try:
        return [ServiceType(text) for text in request.service_types]
    except ValueError:
        raise InvalidOperation("the request asks for a service that there is not") from None


def _directory(caller: RequestContext, ports: Ports) -> str:
    """The directory of the caller's account; federated accounts are served from the own one."""
    if caller.domain_account is None:
        return ports.directory.own_name
    found = ports.directory.directory_of(caller.domain_account)
    if found is None:
        raise UnspecifiedError("no directory is known for the account")
    return found
