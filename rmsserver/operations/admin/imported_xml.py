"""Reading XML files that came from elsewhere: no DTD, no entities, bounded in size, depth and number of elements.

expat looks first and stops at the first declaration of a document type; only what passed becomes an lxml tree, with a
parser that resolves nothing and opens no connection (threats X1 to X6, N1). Not for XrML, whose text counts: that stands as
escaped text inside these files and goes through `xrml/surface.py`.
"""

from __future__ import annotations

from xml.parsers import expat

from lxml import etree

from rmsserver.errors import OperatorError

MAX_FILE_BYTES = 32 * 2**20
MAX_DEPTH = 24
MAX_ELEMENTS = 20_000


def read_xml(data: bytes, what: str) -> etree._Element:
    """The root of a file's tree; `what` names the file in errors. Raises OperatorError."""
    if len(data) > MAX_FILE_BYTES:
        raise OperatorError(f"{what} is larger than {MAX_FILE_BYTES // 2**20} MiB: it is not of this kind")
    try:
        _scan(data)
        parser = etree.XMLParser(
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            dtd_validation=False,
            remove_pis=True,
            huge_tree=True,
        )
        return etree.fromstring(data, parser)
    except (expat.ExpatError, etree.XMLSyntaxError, ValueError, LookupError):
        raise OperatorError(
            f"{what} is not an XML document of the expected kind: check that it is the right file"
        ) from None


def _scan(data: bytes) -> None:
    """Raises ValueError or ExpatError."""
    parser = expat.ParserCreate()
    depth = count = 0

    def start(_name: str, attributes: dict[str, str]) -> None:
        nonlocal depth, count
        depth, count = depth + 1, count + 1
        if depth > MAX_DEPTH or count > MAX_ELEMENTS or len(attributes) > 32:
            raise ValueError("too deep, or too many elements or attributes")

    def end(_name: str) -> None:
        nonlocal depth
        depth -= 1

    def refuse(*_arguments: object) -> None:
        raise ValueError("a document type declaration")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.Parse(data, True)


def local_name(element: etree._Element) -> str:
    """The name without namespace; "" for what is not an element (comments)."""
    return etree.QName(element).localname if isinstance(element.tag, str) else ""


def children(element: etree._Element, name: str) -> list[etree._Element]:
    """The direct children of that name, whatever their namespace."""
    return [child for child in element if local_name(child) == name]


def child_text(element: etree._Element, name: str, what: str) -> str:
    """The text of the one child of that name; "" where it is missing. Raises OperatorError where there are several."""
    found = children(element, name)
    if len(found) > 1 or any(len(child) for child in found):
        raise OperatorError(f"{what} has an unexpected structure at {name}: check that it is the right file")
    return (found[0].text or "") if found else ""
