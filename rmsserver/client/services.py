"""The operations a client calls ([MS-RMPR] 3.3 to 3.7), and where ([MS-RMPR] 3.1.4.2, 3.8.3.2). Touches the
network.

Everything goes in and comes out as surface text, checked by nobody here: what an answer is worth is decided
in `trust` and by whoever asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit, urlunsplit

from rmsserver.client.errors import ServerAnswerError, ServerUnreachableError, ServiceFaultError
from rmsserver.client.sign_on import is_confidential
from rmsserver.client.soap import SoapService, Surface, fault_of
from rmsserver.client.transport import HttpConnection
from rmsserver.xrml.errors import XrmlSyntaxError
from rmsserver.xrml.surface import parse

PIPELINE = "/_wmcs"
_LOCATED = (
    "CertificationInternalService",
    "CertificationService",
    "LicensingInternalService",
    "LicensingService",
)
_BATCH_TEMPLATES = 25

T = TypeVar("T")


@dataclass(frozen=True)
class TemplateHash:
    """An entry of AcquireTemplateInformation. `hash` is the text of the DIGEST VALUE."""

    guid: str
    hash: str


@dataclass(frozen=True)
class ServiceLocations:
    """Where a cluster is: base addresses to try one after the other, without final slash or file name."""

    certification: tuple[str, ...]
    licensing: tuple[str, ...]

    @classmethod
    def below(cls, base_url: str) -> ServiceLocations:
        """The places under `https://host/_wmcs` that 3.1.4.2 fixes."""
        return cls((base_url + "/certification",), (base_url + "/licensing",))


class Services(Protocol):
    """What the workflows need of a cluster."""

    def get_licensor_certificate(self) -> tuple[str, ...]:
        """GetLicensorCertificate (3.7.4.1): the server's chain, leaf first."""

    def get_licensing_certificate(self) -> tuple[str, ...]:
        """The same of the server that licenses: another one where that is a licensing-only cluster."""

    def certify(self, machine_chain: Sequence[str]) -> tuple[str, ...]:
        """Certify (3.3.4.1) for the caller: the RAC chain."""

    def get_client_licensor_certificate(self, rac_chain: Sequence[str]) -> tuple[str, ...]:
        """GetClientLicensorCert (3.5.4.2): the CLC chain."""

    def acquire_issuance_license(self, unsigned: str) -> tuple[str, ...]:
        """AcquireIssuanceLicense (3.5.4.1): the signed publishing licence and the server's chain."""

    def acquire_license(self, rac_chain: Sequence[str], license_chain: Sequence[str]) -> tuple[str, ...]:
        """AcquireLicense (3.4.4.1): the use licence chain."""

    def acquire_template_information(self) -> tuple[TemplateHash, ...]:
        """AcquireTemplateInformation (3.4.4.2)."""

    def acquire_templates(self, guids: Sequence[str]) -> tuple[str, ...]:
        """AcquireTemplates (3.4.4.3): the texts of those templates that the server has."""


def base_url_of(url: str) -> str:
    """`https://host/_wmcs` of what a person types: with or without scheme, `/_wmcs` or one of its folders."""
    text = url.strip()
    parts = urlsplit(text if "://" in text else f"https://{text}")
    try:
        port = parts.port
    except ValueError:
        port = -1
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname or parts.username or port == -1:
        raise ServerUnreachableError("The address is not of the form https://host or https://host/_wmcs.")
    path = parts.path.rstrip("/")
    at = path.lower().find(PIPELINE)
    path = path[: at + len(PIPELINE)] if at >= 0 else path + PIPELINE
    return urlunsplit((parts.scheme.lower(), parts.netloc, path, "", ""))


class ClusterServices:
    """`Services` over SOAP. Addresses that cannot be reached make way for the next one."""

    def __init__(self, connection: HttpConnection, locations: ServiceLocations) -> None:
        self._connection = connection
        self.locations = locations
        self._open: dict[tuple[str, str], SoapService] = {}

    @classmethod
    def find(cls, connection: HttpConnection, base_url: str) -> ClusterServices:
        """Ask the cluster where its services are for this person (3.8.3.2.3).

        Internal addresses come first, then external ones, then the one the person gave. An address without
        TLS is left out where the person's has TLS.
        """
        services = cls(connection, ServiceLocations.below(base_url))
        found = services.find_service_locations_for_user(_LOCATED)
        candidates = []
        for kind, fallback in (("Certification", "/certification"), ("Licensing", "/licensing")):
            urls = [found.get(f"{kind}InternalService"), found.get(f"{kind}Service"), base_url + fallback]
            usable = [_folder(url) for url in urls if url and (is_confidential(url) or not is_confidential(base_url))]
            candidates.append(tuple(dict.fromkeys(usable)))
        return cls(connection, ServiceLocations(*candidates))

    def find_service_locations_for_user(self, types: Sequence[str]) -> dict[str, str]:
        """FindServiceLocationsForUser (3.7.4.2): type -> URL, without those that have none."""
        requests = [{"Type": type_} for type_ in types]
        arguments = {"ServiceNames": {"ServiceLocationRequest": requests}}

        def ask(service: SoapService) -> dict[str, str]:
            body = service.call("FindServiceLocationsForUser", arguments)
            found = _items(body.FindServiceLocationsForUserResult, "ServiceLocationResponse")
            return {str(item.Type): str(item.URL) for item in found if item.URL}

        return self._try(self.locations.certification, "server", "ServiceLocator.asmx", ask)

    def get_licensor_certificate(self) -> tuple[str, ...]:
        return self._server_certificate(self.locations.certification)

    def get_licensing_certificate(self) -> tuple[str, ...]:
        return self._server_certificate(self.locations.licensing)

    def _server_certificate(self, places: Sequence[str]) -> tuple[str, ...]:
        def ask(service: SoapService) -> tuple[str, ...]:
            result = service.call("GetLicensorCertificate", {}).GetLicensorCertificateResult
            return _chain(service, result)

        return self._try(places, "server", "server.asmx", ask)

    def certify(self, machine_chain: Sequence[str]) -> tuple[str, ...]:
        arguments = {"requestParams": {"MachineCertificateChain": _nodes(machine_chain), "Persistent": True}}

        def ask(service: SoapService) -> tuple[str, ...]:
            return _chain(service, service.call("Certify", arguments).CertifyResult)

        return self._try(self.locations.certification, "certification", "certification.asmx", ask)

    def get_client_licensor_certificate(self, rac_chain: Sequence[str]) -> tuple[str, ...]:
        item = {"PersonaCerts": _nodes(rac_chain)}
        arguments = {"RequestParams": {"GetClientLicensorCertParams": [item]}}

        def ask(service: SoapService) -> tuple[str, ...]:
            result = service.call("GetClientLicensorCert", arguments).GetClientLicensorCertResult
            return _chain(service, _only(result, "GetClientLicensorCertResponse"))

        return self._try(self.locations.licensing, "publish", "publish.asmx", ask)

    def acquire_issuance_license(self, unsigned: str) -> tuple[str, ...]:
        item = {"UnsignedIssuanceLicense": Surface(unsigned)}
        arguments = {"RequestParams": {"AcquireIssuanceLicenseParams": [item]}}

        def ask(service: SoapService) -> tuple[str, ...]:
            result = service.call("AcquireIssuanceLicense", arguments).AcquireIssuanceLicenseResult
            return _chain(service, _only(result, "AcquireIssuanceLicenseResponse"))

        return self._try(self.locations.licensing, "publish", "publish.asmx", ask)

    def acquire_license(self, rac_chain: Sequence[str], license_chain: Sequence[str]) -> tuple[str, ...]:
        item = {
            "LicenseeCerts": _nodes(rac_chain),
            "IssuanceLicense": _nodes(license_chain),
            "ApplicationData": Surface(""),
        }
        arguments = {"RequestParams": {"AcquireLicenseParams": [item]}}

        def ask(service: SoapService) -> tuple[str, ...]:
            result = service.call("AcquireLicense", arguments).AcquireLicenseResult
            return _chain(service, _only(result, "AcquireLicenseResponse"))

        return self._try(self.locations.licensing, "license", "license.asmx", ask)

    def acquire_template_information(self) -> tuple[TemplateHash, ...]:
        def ask(service: SoapService) -> tuple[TemplateHash, ...]:
            result = service.call("AcquireTemplateInformation", {}).AcquireTemplateInformationResult
            found = _items(result, "GuidHash")
            return tuple(TemplateHash(str(item.Guid), str(item.Hash or "")) for item in found if item.Guid)

        return self._try(self.locations.licensing, "template_distribution", "templatedistribution.asmx", ask)

    def acquire_templates(self, guids: Sequence[str]) -> tuple[str, ...]:
        texts: list[str] = []
        for at in range(0, len(guids), _BATCH_TEMPLATES):
            texts += self._acquire_templates(list(guids[at : at + _BATCH_TEMPLATES]))
        return tuple(texts)

    def _acquire_templates(self, guids: list[str]) -> list[str]:
        def ask(service: SoapService) -> list[str]:
            result = service.call("AcquireTemplates", {"guids": {"string": guids}}).AcquireTemplatesResult
            return [str(item.Template) for item in _items(result, "GuidTemplate") if item.Template]

        return self._try(self.locations.licensing, "template_distribution", "templatedistribution.asmx", ask)

    def _try(self, places: Sequence[str], wsdl: str, file: str, ask: Callable[[SoapService], T]) -> T:
        """Ask at the first place that can be reached (3.8.3.2.3)."""
        failure = ServerUnreachableError("The server has no address for this service.")
        for place in places:
            try:
                return ask(self._service(wsdl, f"{place}/{file}"))
            except ServerUnreachableError as error:
                failure = error
        raise failure

    def _service(self, wsdl: str, address: str) -> SoapService:
        service = self._open.get((wsdl, address))
        if service is None:
            service = self._open[wsdl, address] = SoapService(self._connection, wsdl, address)
        return service


def _folder(url: str) -> str:
    """A service's folder: answers name it with or without the file (rulings 9)."""
    text = url.rstrip("/")
    return text.rpartition("/")[0] if text.lower().endswith(".asmx") else text


def _nodes(texts: Sequence[str]) -> dict[str, list[Surface]]:
    return {"Certificate": [Surface(text) for text in texts]}


def _items(result: Any, name: str) -> list[Any]:
    return [item for item in getattr(result, name, None) or [] if item is not None]


def _only(result: Any, name: str) -> Any:
    found = _items(result, name)
    if len(found) != 1:
        raise ServerAnswerError("The server answered with another number of items than it was asked for.")
    return found[0]


def _chain(service: SoapService, result: Any) -> tuple[str, ...]:
    """The CertificateChain of an answer; a per-item error in its place is raised as a fault (3.4.4.1.3.5)."""
    texts = service.texts_of(getattr(result, "CertificateChain", None))
    if not texts:
        raise ServerAnswerError("The server answered without a certificate.")
    if texts[0].startswith("<AcquireLicenseException"):
        raise _item_fault(texts[0])
    return texts


def _item_fault(text: str) -> ServiceFaultError:
    try:
        elements = parse(text).walk()
        return fault_of(next((e.text for e in elements if e.tag == "ExceptionString"), ""))
    except XrmlSyntaxError:
        return fault_of("")
