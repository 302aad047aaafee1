"""What an endpoint answers to GET: a page that lists its operations, or its WSDL, as ASMX does."""

from __future__ import annotations

from html import escape

from rmsserver.soap.wsdl import ServiceDescription
from rmsserver.web.exchange import HttpAnswer

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{name} Web Service</title>
</head>
<body>
<h1>{name}</h1>
<p>{documentation}</p>
<p>The following operations are supported. For a formal definition, please review the
<a href="?wsdl">Service Description</a>.</p>
<ul>
{operations}
</ul>
</body>
</html>
"""


def page(service: ServiceDescription) -> HttpAnswer:
    """The list of operations. Holds nothing of the request."""
    operations = "\n".join(
        f"<li><b>{escape(operation.name)}</b><br>{escape(operation.documentation)}</li>"
        for operation in service.operations
    )
    body = _PAGE.format(name=escape(service.name), documentation=escape(service.documentation), operations=operations)
    return HttpAnswer(200, "text/html; charset=utf-8", body.encode())


def description(service: ServiceDescription, url: str) -> HttpAnswer:
    """The WSDL, with `url` as the address of the service."""
    return HttpAnswer(200, "text/xml; charset=utf-8", service.located_at(url))


def asks_for_wsdl(query: str) -> bool:
    """`?wsdl` in any letter case, with or without a value."""
    return query.partition("=")[0].lower() == "wsdl"
