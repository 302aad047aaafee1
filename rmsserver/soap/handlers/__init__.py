"""A module for each service: `HANDLERS` maps the names of its operations to functions that unwrap, call and wrap."""

from __future__ import annotations

from collections.abc import Mapping

from rmsserver.soap.call import Handler
from rmsserver.soap.handlers import (
    activation,
    certification,
    decommission,
    enrollment,
    group_expansion,
    precertification,
    publish,
    republish,
    server,
    template_distribution,
)
from rmsserver.soap.handlers import license as licensing

HANDLERS: Mapping[str, Mapping[str, Handler]] = {
    "ActivationProxyWebService": activation.HANDLERS,
    "CertificationWebService": certification.HANDLERS,
    "DecommissionService": decommission.HANDLERS,
    "EnrollService": enrollment.ENROLL,
    "GroupExpansionWebService": group_expansion.HANDLERS,
    "License": licensing.HANDLERS,
    "PrecertificationWebService": precertification.HANDLERS,
    "Publish": publish.HANDLERS,
    "Republish": republish.HANDLERS,
    "Server": server.HANDLERS,
    "SubEnrollService": enrollment.SUB_ENROLL,
    "TemplateDistributionWebService": template_distribution.HANDLERS,
}
"""By the name of the service in its WSDL."""
