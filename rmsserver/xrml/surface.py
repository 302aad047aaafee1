"""Reading XML as text: a tree whose every element knows where it stands in the characters it was read from.

Two readers share one strict scanner over expat: `parse` for XrML documents (no namespaces beyond `xmlns=""`, no DOCTYPE,
comment, processing instruction or CDATA) and `scan_envelope` for a SOAP body, from which the XML inside certain elements
is cut out unchanged ([MS-RMPR] 2.2.3.1). Offsets are into the UTF-8 form of the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NoReturn
from xml.parsers import expat

from rmsserver.xrml.errors import XrmlSyntaxError

MAX_DEPTH = 64
MAX_ELEMENTS = 200_000
MAX_ATTRIBUTES = 16
MAX_NAME_LENGTH = 128

_TAG_END = re.compile(rb"""<[^"'>]*(?:"[^"]*"[^"'>]*|'[^']*'[^"'>]*)*>""")


@dataclass(eq=False, slots=True)
class Element:
    """One element: name, attributes, children, character data, and its place in the text.

    `text` is the character data directly inside, with references resolved; None-free. `source` is shared by all elements
    of a document.
    """

    tag: str
    attributes: dict[str, str]
    source: bytes = field(repr=False)
    start: int
    inner_start: int
    end: int = 0
    inner_end: int = 0
    children: list[Element] = field(default_factory=list, repr=False)
    text: str = ""

    @property
    def surface(self) -> str:
        """The element's own characters, from `<` to the last `>`."""
        return self.source[self.start : self.end].decode()

    @property
    def inner_surface(self) -> str:
        """The characters between start tag and end tag."""
        return self.source[self.inner_start : self.inner_end].decode()

    def all(self, tag: str) -> list[Element]:
        """The children of that name."""
        return [child for child in self.children if child.tag == tag]

    def find(self, tag: str) -> Element | None:
        """The one child of that name, None where there is none. Two are refused (XrmlSyntaxError)."""
        found = None
        for child in self.children:
            if child.tag == tag:
                if found is not None:
                    raise XrmlSyntaxError(f"more than one {tag}")
                found = child
        return found

    def one(self, tag: str) -> Element:
        """The one child of that name. Raises XrmlSyntaxError where it is missing or there are two."""
        found = self.find(tag)
        if found is None:
            raise XrmlSyntaxError(f"{tag} is missing")
        return found

    def attribute(self, name: str) -> str:
        """An attribute that must be there. Raises XrmlSyntaxError."""
        value = self.attributes.get(name)
        if value is None:
            raise XrmlSyntaxError(f"{self.tag} has no attribute {name}")
        return value

    def leaf_text(self) -> str:
        """The text of an element that must not have children. Raises XrmlSyntaxError."""
        if self.children:
            raise XrmlSyntaxError(f"{self.tag} has elements where text is expected")
        return self.text

    def walk(self) -> Iterator[Element]:
        """This element and all below it, in document order."""
        stack = [self]
        while stack:
            element = stack.pop()
            yield element
            stack.extend(reversed(element.children))


def parse(text: str, *, limit: int = 8 * 1024 * 1024) -> Element:
    """Read one XrML document (or one element of one) strictly. `limit` bounds its UTF-8 length in bytes.

    Raises XrmlSyntaxError.
    """
    if len(text) > limit:
        raise XrmlSyntaxError("the document is too large")
    try:
        source = text.encode()
    except UnicodeEncodeError:
        raise XrmlSyntaxError("the text has unpaired surrogates") from None
    if len(source) > limit:
        raise XrmlSyntaxError("the document is too large")
    if not source.startswith(b"<") or source.startswith(b"<?"):
        # expat would accept blanks and a declaration here; neither belongs to the surface of a document.
        raise XrmlSyntaxError("the document does not start with an element")
    root: list[Element] = []
    stack: list[Element] = []
    count = 0

    def start(name: str, attributes: list[str]) -> None:
        nonlocal count
        count += 1
        if len(stack) >= MAX_DEPTH or count > MAX_ELEMENTS:
            raise XrmlSyntaxError("the document is too deep or has too many elements")
        if len(attributes) > 2 * MAX_ATTRIBUTES or len(name) > MAX_NAME_LENGTH:
            raise XrmlSyntaxError("an element has too many attributes or too long a name")
        pairs = dict(zip(attributes[::2], attributes[1::2], strict=True))
        if ":" in name or any(":" in key for key in pairs) or pairs.get("xmlns"):
            raise XrmlSyntaxError("namespaces have no place in a document")
        at = parser.CurrentByteIndex
        match = _TAG_END.match(source, at)
        if match is None:
            raise XrmlSyntaxError("not well-formed")
        element = Element(name, pairs, source, at, match.end())
        if stack:
            stack[-1].children.append(element)
        else:
            root.append(element)
        stack.append(element)

    def end(_name: str) -> None:
        element = stack.pop()
        if source[element.inner_start - 2 : element.inner_start] == b"/>":
            element.inner_end = element.end = element.inner_start
        else:
            element.inner_end = parser.CurrentByteIndex
            element.end = source.index(b">", element.inner_end) + 1

    def data(characters: str) -> None:
        stack[-1].text += characters

    parser = _strict_parser(start, end, data)
    parser.StartCdataSectionHandler = lambda: _refuse("CDATA")
    parser.CommentHandler = lambda _data: _refuse("a comment")
    _feed(parser, source)
    if root[0].end != len(source):
        raise XrmlSyntaxError("there is something after the document")
    return root[0]


@dataclass(frozen=True)
class Envelope:
    """A request body with the XML inside its cut elements taken out.

    `skeleton` is the UTF-8 body in which each cut element's content is its index in `cuts`, as decimal text.
    """

    skeleton: bytes
    cuts: tuple[str, ...]


def scan_envelope(body: bytes, cut: frozenset[str], *, max_depth: int = 128) -> Envelope:
    """Cut the content of every element whose local name is in `cut` out of a SOAP body.

    `body` is UTF-8 (or a declared encoding already decoded to it) without a byte-order mark. A cut is the surface of the
    one element inside (line ends as XML 1.0 2.11), or, where there is none, the character data: so escaped text and CDATA
    give the same as an element in place (wire facts 1). An empty element (also `xsi:nil`) stays as it is and gives no
    cut. Raises XrmlSyntaxError, with nothing of the input in it.
    """
    source = body.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    pieces: list[bytes] = []
    cuts: list[str] = []
    done = depth = count = 0
    cut_depth = inner_start = child_start = 0
    child: tuple[int, int] | None = None
    children = 0
    text: list[str] = []

    def start(name: str, attributes: list[str]) -> None:
        nonlocal depth, count, cut_depth, inner_start, child_start, child, children
        depth += 1
        count += 1
        if depth > max_depth or count > MAX_ELEMENTS:
            raise XrmlSyntaxError("the request is too deep or has too many elements")
        if len(attributes) > 2 * MAX_ATTRIBUTES * 2 or len(name) > MAX_NAME_LENGTH:
            raise XrmlSyntaxError("an element has too many attributes or too long a name")
        if cut_depth == 0:
            if name.rpartition(":")[2] in cut:
                cut_depth, child, children = depth, None, 0
                text.clear()
                inner_start = _tag_end(source, parser.CurrentByteIndex)
        elif depth == cut_depth + 1:
            children += 1
            child_start = parser.CurrentByteIndex

    def end(_name: str) -> None:
        nonlocal depth, cut_depth, child, done
        at = parser.CurrentByteIndex
        if cut_depth and depth == cut_depth + 1:
            if children > 1:
                raise XrmlSyntaxError("more than one element where one is expected")
            opened = _tag_end(source, child_start)
            empty = source[opened - 2 : opened] == b"/>"
            child = (child_start, opened if empty else source.index(b">", at) + 1)
        elif cut_depth and depth == cut_depth:
            if source[inner_start - 2 : inner_start] != b"/>":
                characters = "".join(text)
                content = None
                if child is not None:
                    if characters.strip():
                        raise XrmlSyntaxError("text beside an element where one is expected")
                    content = source[child[0] : child[1]].decode()
                elif characters.strip():
                    content = characters.strip()
                if content is not None:
                    pieces.append(source[done:inner_start])
                    pieces.append(b"%d" % len(cuts))
                    cuts.append(content)
                    done = at
            cut_depth = 0
        depth -= 1

    def data(characters: str) -> None:
        if cut_depth and depth == cut_depth:
            text.append(characters)

    parser = _strict_parser(start, end, data)
    _feed(parser, source)
    pieces.append(source[done:])
    return Envelope(b"".join(pieces), tuple(cuts))


def _tag_end(source: bytes, at: int) -> int:
    match = _TAG_END.match(source, at)
    if match is None:
        raise XrmlSyntaxError("not well-formed")
    return match.end()


def _refuse(what: str) -> NoReturn:
    raise XrmlSyntaxError(f"{what} has no place here")


def _strict_parser(
    start: Callable[[str, list[str]], None], end: Callable[[str], None], data: Callable[[str], None]
) -> expat.XMLParserType:
    parser = expat.ParserCreate("utf-8")
    parser.ordered_attributes = True
    parser.buffer_text = True
    parser.buffer_size = 65_536
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = data
    parser.StartDoctypeDeclHandler = lambda *_: _refuse("a DOCTYPE")
    parser.EntityDeclHandler = lambda *_: _refuse("an entity declaration")
    parser.ProcessingInstructionHandler = lambda *_: _refuse("a processing instruction")
    return parser


def _feed(parser: expat.XMLParserType, source: bytes) -> None:
    try:
        parser.Parse(source, True)
    except expat.ExpatError as error:
        raise XrmlSyntaxError(f"not well-formed ({expat.ErrorString(error.code)})") from None
