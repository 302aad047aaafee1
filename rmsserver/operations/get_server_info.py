"""GetServerInfo ([MS-RMPR] 3.7.4.3): version, features, SLC chain and service locations.

The result is written as text in the form of the example in section 4.6, because the certificates inside are signed text.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from rmsserver.errors import ArgumentNull, InvalidOperation, UnspecifiedError
from rmsserver.operations.find_service_locations import ServiceType, service_url
from rmsserver.operations.preconditions import check_in_service
from rmsserver.ports import Ports
from rmsserver.state import RequestContext, ServerState
from rmsserver.xrml.errors import XrmlError
from rmsserver.xrml.values import escape_attribute

_MAX_ADDITIONAL_INFO = 1_000


@dataclass(frozen=True)
class ServerInfoItem:
    type: str
    """The text of the Type element as it stands, not yet checked."""
    additional_info: str


@dataclass(frozen=True)
class GetServerInfoRequest:
    items: tuple[ServerInfoItem, ...] | None


def get_server_info(
    request: GetServerInfoRequest,
    caller: RequestContext,  # noqa: ARG001 - every operation has these arguments
    state: ServerState,
    ports: Ports,  # noqa: ARG001
    now: dt.datetime,  # noqa: ARG001
) -> str:
    """The `<Results xmlns="">` element of section 4.6 as surface text, certificates unchanged inside it.

    Raises ClusterDecommissioned, ArgumentNull (nothing is asked for), InvalidOperation (no ServerInfoType, or unwritable
    AdditionalInfo), UnspecifiedError (too much is asked for).
    """
    check_in_service(state)
    if not request.items:
        raise ArgumentNull("the request asks for nothing")
    if len(request.items) > state.batch_limit:
        raise UnspecifiedError(f"more than {state.batch_limit} questions in one request")
    return f'<Results xmlns="">{"".join(_answer(item, state) for item in request.items)}</Results>'


def _answer(item: ServerInfoItem, state: ServerState) -> str:
    content = _CONTENT.get(item.type)
    if content is None or len(item.additional_info) > _MAX_ADDITIONAL_INFO:
        raise InvalidOperation("the request asks for something that there is not")
    try:
        additional_info = escape_attribute(item.additional_info)
    except XrmlError:
        raise InvalidOperation("AdditionalInfo has control characters") from None
    opening = f'<ServerInfoRequest Type="{item.type}" AdditionalInfo="{additional_info}">'
    return f"{opening}{content(state)}</ServerInfoRequest>"


def _version(state: ServerState) -> str:
    return f'<VersionInfo Version="{escape_attribute(state.server_version)}" />'


def _features(state: ServerState) -> str:
    features = {
        "GroupExpansionWebService": _flag(state.group_expansion_enabled),
        "ActiveDirectoryServicesRemoting": _flag(state.binary_group_expansion_enabled),
        "FederatedServicesEnabled": "1" if state.federation_enabled else "0",
    }
    inner = "".join(f'<Feature Name="{name}" Value="{value}" />' for name, value in features.items())
    return f"<ServerFeatureInfo>{inner}</ServerFeatureInfo>"


def _flag(on: bool) -> str:
    return "true" if on else "false"


def _certificates(state: ServerState) -> str:
    return f"<ServerLicensorCertificateChain>{''.join(state.licensor.chain)}</ServerLicensorCertificateChain>"


_LISTED = (
    ServiceType.LICENSING,
    ServiceType.PUBLISHING,
    ServiceType.CERTIFICATION,
    ServiceType.PRECERTIFICATION,
    ServiceType.SERVER,
    ServiceType.GROUP_EXPANSION,
)
"""The services of the example, in its order."""


def _locations(state: ServerState) -> str:
    inner = "".join(
        f'<ServiceLocation Type="{service_type.value}" Url="{escape_attribute(service_url(service_type, state) or "")}" />'
        for service_type in _LISTED
    )
    return f"<ServiceLocations>{inner}</ServiceLocations>"


_CONTENT: dict[str, Callable[[ServerState], str]] = {
    "VersionInfo": _version,
    "ServerFeatureInfo": _features,
    "ServerLicensorCertificate": _certificates,
    "ServiceLocations": _locations,
}
"""ServerInfoType (3.7.4.3.4.1)."""
