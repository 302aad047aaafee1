"""A module for each service: `HANDLERS` maps the names of its operations to functions that unwrap, call and wrap."""

from __future__ import annotations

from collections.abc import Mapping

from rmsserver.soap.call import Handler
from rmsserver.soap.handlers import (
    certification,
    decommission,
    group_expansion,
    precertification,
    publish,
    republish,
    server,
    template_distribution,
)
from rmsserver.soap.handlers import license as licensing

HANDLERS: Mapping[str, Mapping[str, Handler]] = {
    "CertificationWebService": certification.HANDLERS,
    "GroupExpansionWebService": group_expansion.HANDLERS,
    "DecommissionService": decommission.HANDLERS,
    "License": licensing.HANDLERS,
    "PrecertificationWebService": precertification.HANDLERS,
    "Publish": publish.HANDLERS,
    "Republish": republish.HANDLERS,
    "Server": server.HANDLERS,
    "TemplateDistributionWebService": template_distribution.HANDLERS,
}
"""By the name of the service in its WSDL."""
