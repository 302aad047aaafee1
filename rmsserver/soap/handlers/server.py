"""Server ([MS-RMPR] 3.7, [MS-RMPRS] 3.2)."""

from __future__ import annotations

from rmsserver.operations.find_service_locations import FindServiceLocationsRequest, ServiceLocation
from rmsserver.operations.get_server_info import GetServerInfoRequest, ServerInfoItem
from rmsserver.soap.call import Call, Handler, Message
from rmsserver.soap.operations import Operation


def get_licensor_certificate(call: Call) -> Message:
    """3.7.4.1."""
    chain = call.query(call.operations.get_licensor_certificate)
    return call.new("LicensorCertChain", CertificateChain=call.chain_answer(chain))


def find_service_locations_for_user(call: Call, array: Message | None) -> Message:
    """3.7.4.2."""
    return _find(call, call.operations.find_service_locations_for_user, array)


def find_service_locations(call: Call, array: Message | None) -> Message:
    """[MS-RMPRS] 3.2.4.1."""
    return _find(call, call.operations.find_service_locations, array)


def _find(
    call: Call,
    operation: Operation[FindServiceLocationsRequest, tuple[ServiceLocation, ...]],
    array: Message | None,
) -> Message:
    types = None
    if array is not None:
        types = tuple((item and item.Type) or "" for item in array.ServiceLocationRequest or ())
    locations = call.ask(operation, FindServiceLocationsRequest(types))
    return call.new(
        "ArrayOfServiceLocationResponse",
        ServiceLocationResponse=[
            call.new("ServiceLocationResponse", URL=location.url, Type=location.service_type) for location in locations
        ],
    )


def get_server_info(call: Call, array: Message | None) -> str:
    """3.7.4.3. The answer is XML of its own (4.6)."""
    items = None
    if array is not None:
        items = tuple(
            ServerInfoItem((item and item.Type) or "", (item and item.AdditionalInfo) or "")
            for item in array.ServerInfoRequest or ()
        )
    return call.surfaces.add(call.ask(call.operations.get_server_info, GetServerInfoRequest(items)))


HANDLERS: dict[str, Handler] = {
    "GetLicensorCertificate": get_licensor_certificate,
    "FindServiceLocationsForUser": find_service_locations_for_user,
    "FindServiceLocations": find_service_locations,
    "GetServerInfo": get_server_info,
}
