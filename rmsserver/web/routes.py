"""The URL table of [MS-RMPR] 3.1.4.2. Letter case of paths does not matter; nothing else about them is forgiven."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

BASE = "/_wmcs"

_PATHS = {
    "ActivationProxyWebService": ("/certification/Activation.asmx",),
    "CertificationWebService": (
        "/certification/certification.asmx",
        "/certification/ServerCertification.asmx",
        "/certification/MobileCertification.asmx",
        "/certificationexternal/certification.asmx",
    ),
    "DecommissionService": ("/decommission/decommission.asmx",),
    "EnrollService": ("/enrollment/enrollservice.asmx",),
    "GroupExpansionWebService": ("/GroupExpansion/GroupExpansion.asmx",),
    "License": ("/licensing/license.asmx", "/licensingexternal/license.asmx"),
    "PrecertificationWebService": ("/certification/Precertification.asmx",),
    "Publish": ("/licensing/publish.asmx", "/licensingexternal/publish.asmx"),
    "Republish": ("/licensing/editissuancelicense.asmx",),
    "Server": tuple(
        f"/{directory}/{file}.asmx"
        for directory in ("certification", "licensing", "certificationexternal", "licensingexternal")
        for file in ("server", "ServiceLocator")
    ),
    "SubEnrollService": ("/certification/SubEnrollService.asmx",),
    "TemplateDistributionWebService": ("/licensing/TemplateDistribution.asmx",),
}


@dataclass(frozen=True)
class Route:
    """An endpoint: `path` below the base path in the specification's spelling, `service` by its name in the WSDL."""

    path: str
    service: str


EXTERNAL_DIRECTORIES = ("/certificationexternal/", "/licensingexternal/")
"""Below the base path: the paths of federation, and of federation alone ([MS-RMPR] 3.1.4.2)."""


def is_external(route: Route) -> bool:
    return route.path.lower().startswith(EXTERNAL_DIRECTORIES)


ROUTES: Mapping[str, Route] = MappingProxyType(
    {(BASE + path).lower(): Route(path, service) for service, paths in _PATHS.items() for path in paths}
)
"""By the whole path in small letters."""
