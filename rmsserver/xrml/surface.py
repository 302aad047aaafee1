"""Reading XML as text: a tree whose every element knows where it stands in the characters it was read from.

Two readers share one strict scanner over expat: `parse` for XrML documents (no namespaces beyond `xmlns=""`, no DOCTYPE,
comment, processing instruction or CDATA) and `scan_envelope` for a SOAP body, from which the XML inside certain elements
is cut out unchanged ([MS-RMPR] 2.2.3.1). Offsets are into the UTF-8 form of the text.
"""

from __future__ import annotations

import functools
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
MAX_TAG_BYTES = 16_384
"""Of a start tag in an envelope that has many attributes."""

_BLANKS = " \t\r\n"
"""White space as XML knows it; `str.isspace` knows more."""
_SLASH = ord("/")
_TAG_END = re.compile(rb"""<[^"'>]*(?:"[^"]*"[^"'>]*|'[^']*'[^"'>]*)*>""")


@dataclass(eq=False, slots=True)
class Element:
    """One element: name, attributes, children, character data, and its place in the text.

    `text` is the character data directly inside, with references resolved; "" where there are elements inside. `source` is
    shared by all elements of a document.
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
    if _has(source, b"!") or _has(source, b"?"):
        # In well-formed text `<` stands nowhere else, so these are all there is of them; expat never sees an entity.
        raise XrmlSyntaxError("a DOCTYPE, comment, CDATA or processing instruction has no place in a document")
    root: list[Element] = []
    stack: list[Element] = []
    pending: list[str] = []
    names: set[str] = set()
    """Names that were found acceptable: there are few, and each stands many times."""
    attribute_sets: dict[tuple[str, ...], dict[str, str]] = {}
    """The same for attributes with their values; elements share them, and nobody changes them."""
    count = 0

    def refuse_text_beside_elements() -> None:
        if "".join(pending).strip(_BLANKS):
            raise XrmlSyntaxError("text between elements")
        pending.clear()

    def start(name: str, attributes: list[str]) -> None:
        nonlocal count
        count += 1
        if len(stack) >= MAX_DEPTH or count > MAX_ELEMENTS:
            raise XrmlSyntaxError("the document is too deep or has too many elements")
        if name not in names:
            if ":" in name or len(name) > MAX_NAME_LENGTH:
                raise XrmlSyntaxError("an element has a prefix or too long a name")
            names.add(name)
        at = parser.CurrentByteIndex
        if attributes:
            listed = tuple(attributes)
            pairs = attribute_sets.get(listed)
            if pairs is None:
                pairs = attribute_sets[listed] = _attributes(attributes)
            element = Element(name, pairs, source, at, _tag_end(source, at))
        else:
            element = Element(name, {}, source, at, source.index(b">", at) + 1)
        if stack:
            if pending:
                refuse_text_beside_elements()
            stack[-1].children.append(element)
        else:
            root.append(element)
        stack.append(element)

    def end(_name: str) -> None:
        element = stack.pop()
        if pending:
            if element.children:
                refuse_text_beside_elements()
            else:
                element.text = "".join(pending)
                pending.clear()
        if source[element.inner_start - 2] == _SLASH:
            element.inner_end = element.end = element.inner_start
        else:
            element.inner_end = parser.CurrentByteIndex
            element.end = source.index(b">", element.inner_end) + 1

    parser = _strict_parser(start, end, pending.append)
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


def scan_envelope(
    body: bytes, cut: frozenset[str], *, whole: frozenset[str] = frozenset(), max_depth: int = 128
) -> Envelope:
    """Cut the content of every element whose local name is in `cut` or `whole` out of a SOAP body.

    `body` is UTF-8 (or a declared encoding already decoded to it) without a byte-order mark. For a name in `cut` the cut
    is the surface of the one element inside (line ends as XML 1.0 2.11), or, where there is none, the character data: so
    escaped text and CDATA give the same as an element in place (wire facts 1). For a name in `whole` it is everything
    inside but the white space around it (character data alone again comes without its escapes). An empty element (also
    `xsi:nil`) stays as it is and gives no cut. Raises XrmlSyntaxError, with nothing of the input in it.
    """
    source = body.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in body else body
    marked = _has(source, b"!")
    if marked and b"<!DOCTYPE" in source:
        # Not even inside CDATA or a comment: then expat never meets an entity of the sender's.
        raise XrmlSyntaxError("a DOCTYPE has no place here")
    _refuse_endless_tags(source)
    if not marked:
        envelope = _cut_by_text(source, cut | whole)
        if envelope is not None and envelope.cuts:
            _feed(_strict_parser(None, None, None), source)
            # `parse` holds what was cut against its own limits; here the rest is held against ours.
            _EnvelopeScanner(envelope.skeleton, frozenset(), frozenset(), max_depth).scan()
            return envelope
    return _EnvelopeScanner(source, cut, whole, max_depth).scan()


def _has(source: bytes, mark: bytes) -> bool:
    """Whether `<` and then `mark` stands somewhere. A single byte is looked for twenty times faster than two are."""
    return mark in source and b"<" + mark in source


def _refuse_endless_tags(source: bytes) -> None:
    """Refuse 100,000 attributes in one tag before expat pays for them (threats X4, X5): it makes each name an object.

    Tags are looked at one by one only in a large body with far more `=` than elements.
    """
    if len(source) < 128 * 1024 or source.count(b"=") <= 4 * source.count(b"<") + 64:
        return
    at = source.find(b"<")
    while at >= 0:
        end = at + 2 if source[at + 1 : at + 2] == b"!" else _tag_end(source, at)
        if end - at > MAX_TAG_BYTES:
            raise XrmlSyntaxError("an element has too many attributes")
        at = source.find(b"<", end)


@functools.cache
def _start_of(names: frozenset[str]) -> re.Pattern[bytes]:
    return re.compile(rf"<((?:[^\s<>/:]+:)?(?:{'|'.join(sorted(names))}))(?=[\s/>])".encode())


def _cut_by_text(source: bytes, names: frozenset[str]) -> Envelope | None:
    """The same cuts found in the text alone, three times faster; None where that is not certain.

    In a well-formed text without comments and CDATA every `<` begins a tag, so an element ends at the next end tag of its
    name, unless one of the same name is inside. The caller has expat confirm that the text is well-formed. Whether a cut
    is one document alone, `parse` finds out.
    """
    start_of = _start_of(names)
    pieces: list[bytes] = []
    cuts: list[str] = []
    done = at = 0
    while found := start_of.search(source, at):
        opened = _tag_end(source, found.start())
        at = opened
        if source[opened - 2 : opened] == b"/>":
            continue
        name = found.group(1)
        end = source.find(b"</" + name, opened)
        inner = source[opened:end].strip()
        closed = end + 2 + len(name)
        if end < 0 or source[closed : closed + 1].strip(b" \t\n>") or b"<" + name in inner:
            return None
        at = end
        if inner:
            if not (inner.startswith(b"<") and inner.endswith(b">")):
                return None
            pieces += (source[done:opened], b"%d" % len(cuts))
            cuts.append(_decoded(inner))
            done = end
    pieces.append(source[done:])
    return Envelope(b"".join(pieces), tuple(cuts))


def _decoded(surface: bytes) -> str:
    try:
        return surface.decode()
    except UnicodeDecodeError:
        raise XrmlSyntaxError("not UTF-8") from None


class _EnvelopeScanner:
    """The handlers of one scan. Inside a cut element cheaper handlers take over: that is where nearly all tags are."""

    def __init__(self, source: bytes, cut: frozenset[str], whole: frozenset[str], max_depth: int) -> None:
        self._source = source
        self._cut, self._whole, self._max_depth = cut, whole, max_depth
        self._pieces: list[bytes] = []
        self._cuts: list[str] = []
        self._done = self._depth = 0
        self._cut_depth = self._inner_start = self._child_start = self._children = 0
        self._child = (0, 0)
        self._takes_all = False
        self._text: list[str] = []
        self._parser = _strict_parser(self._start, self._end, None)

    def scan(self) -> Envelope:
        if self._source.count(b"<") > 2 * MAX_ELEMENTS:
            raise XrmlSyntaxError("the request has too many elements")
        _feed(self._parser, self._source)
        self._pieces.append(self._source[self._done :])
        return Envelope(b"".join(self._pieces), tuple(self._cuts))

    def _start(self, name: str, attributes: list[str]) -> None:
        self._depth += 1
        if self._depth > self._max_depth:
            raise XrmlSyntaxError("the request is too deep")
        names = (name, *attributes[::2]) if len(attributes) <= 4 * MAX_ATTRIBUTES else ()
        if not names or max(map(len, names)) > MAX_NAME_LENGTH:
            raise XrmlSyntaxError("an element has too many attributes or too long a name")
        local = name.rpartition(":")[2]
        if local in self._cut or local in self._whole:
            self._takes_all = local in self._whole
            self._cut_depth, self._children = self._depth, 0
            self._inner_start = _tag_end(self._source, self._parser.CurrentByteIndex)
            self._text.clear()
            self._listen(self._start_inside, self._end_inside, self._text.append)

    def _end(self, _name: str) -> None:
        self._depth -= 1

    def _start_inside(self, _name: str, _attributes: list[str]) -> None:
        # Depth alone is watched here: `parse` holds what is cut against the other limits.
        self._depth += 1
        if self._depth == self._cut_depth + 1:
            self._children += 1
            self._child_start = self._parser.CurrentByteIndex
            self._parser.CharacterDataHandler = None
        elif self._depth > self._max_depth:
            raise XrmlSyntaxError("the request is too deep")

    def _end_inside(self, _name: str) -> None:
        self._depth -= 1
        if self._depth > self._cut_depth:
            return
        if self._depth == self._cut_depth:
            self._end_child()
        else:
            self._end_cut()
            self._listen(self._start, self._end, None)

    def _end_child(self) -> None:
        if self._children > 1 and not self._takes_all:
            raise XrmlSyntaxError("more than one element where one is expected")
        opened = _tag_end(self._source, self._child_start)
        empty = self._source[opened - 2 : opened] == b"/>"
        end = opened if empty else self._source.index(b">", self._parser.CurrentByteIndex) + 1
        self._child = (self._child_start, end)
        self._parser.CharacterDataHandler = self._text.append

    def _end_cut(self) -> None:
        if self._source[self._inner_start - 2 : self._inner_start] == b"/>":
            return
        at = self._parser.CurrentByteIndex
        content = self._content(at)
        if content:
            self._pieces += (self._source[self._done : self._inner_start], b"%d" % len(self._cuts))
            self._cuts.append(content)
            self._done = at

    def _content(self, end: int) -> str:
        characters = "".join(self._text).strip()
        if not self._children:
            return characters
        if self._takes_all:
            return _decoded(self._source[self._inner_start : end]).strip()
        if characters:
            raise XrmlSyntaxError("text beside an element where one is expected")
        return _decoded(self._source[slice(*self._child)])

    def _listen(
        self,
        start: Callable[[str, list[str]], None],
        end: Callable[[str], None],
        data: Callable[[str], None] | None,
    ) -> None:
        self._parser.StartElementHandler = start
        self._parser.EndElementHandler = end
        self._parser.CharacterDataHandler = data


def _attributes(listed: list[str]) -> dict[str, str]:
    """Names and values in turn, as expat lists them. Raises XrmlSyntaxError where they are too many or have prefixes."""
    names = listed[::2]
    if len(names) > MAX_ATTRIBUTES or max(map(len, names)) > MAX_NAME_LENGTH:
        raise XrmlSyntaxError("an element has too many attributes or too long a name")
    pairs = dict(zip(names, listed[1::2], strict=True))
    if ":" in "".join(names) or pairs.get("xmlns"):
        raise XrmlSyntaxError("namespaces have no place in a document")
    return pairs


def _tag_end(source: bytes, at: int) -> int:
    match = _TAG_END.match(source, at)
    if match is None:
        raise XrmlSyntaxError("not well-formed")
    return match.end()


def _refuse(what: str) -> NoReturn:
    raise XrmlSyntaxError(f"{what} has no place here")


def _strict_parser(
    start: Callable[[str, list[str]], None] | None,
    end: Callable[[str], None] | None,
    data: Callable[[str], None] | None,
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
    finally:
        # The handlers hold the parser and the text: without this a cycle would keep both until the collector comes.
        parser.StartElementHandler = parser.EndElementHandler = parser.CharacterDataHandler = None


def render(element: Element) -> str:
    """The element in the spelling that survives a .NET DOM round trip (wire facts 1): what answers copy from a request.

    Double quotes, ` />` for empty tags (an empty element with an end tag keeps it), `&gt;` in text, no blanks round `=`,
    no white space between elements. For what genuine servers and clients write it changes nothing.
    """
    attributes = "".join(f' {name}="{_escape_attribute(value)}"' for name, value in element.attributes.items())
    if element.source[element.inner_start - 2 : element.inner_start] == b"/>":
        return f"<{element.tag}{attributes} />"
    inner = "".join(map(render, element.children)) if element.children else _escape_text(element.text)
    return f"<{element.tag}{attributes}>{inner}</{element.tag}>"


def _escape_text(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#xD;")


def _escape_attribute(text: str) -> str:
    escaped = _escape_text(text).replace('"', "&quot;")
    return escaped.replace("\n", "&#xA;").replace("\t", "&#x9;")
