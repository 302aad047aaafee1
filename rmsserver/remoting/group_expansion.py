"""The messages of binary group expansion ([MS-RMPRS] 2.3.1): call, return, and exception.

Each `pack` writes what the product writes, octet for octet as in the example of 4.3; each `unpack` reads within bounds and
raises RemotingFormatError.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from rmsserver.remoting.graph_reader import GraphReader, ReadArray, ReadInstance, ReadStrings, ReadValue
from rmsserver.remoting.graph_writer import (
    ClassShape,
    GraphWriter,
    Instance,
    Member,
    ObjectArray,
    StringArray,
    Value,
)
from rmsserver.remoting.octets import (
    BinaryType,
    Octets,
    PrimitiveType,
    RecordType,
    RemotingFormatError,
    pack_int32,
    pack_string,
)

METHOD = "IsPrincipalMemberOf"
_ROOT_ID = 1
_CALL_FLAGS = 0x14
"""ArgsIsArray, NoContext (2.3.1.2)."""
_RETURN_FLAGS = 0x848
"""ArgsInArray, ContextInArray, ReturnValueInline (2.3.1.3)."""
_EXCEPTION_FLAGS = 0x2241
"""NoArgs, ContextInArray, NoReturnValue, ExceptionInArray."""
_ARGUMENTS = 5
_SYSTEM = "System, Version=1.0.5000.0, Culture=neutral, PublicKeyToken=b77a5c561934e089"
_SMALLEST_LIST = 16


class ProductVersion(enum.Enum):
    """The versions of the product that speak this. Each discards answers of another's library (section 7, note 4)."""

    V1 = "1.0.3246.0"
    V1_SP1 = "5.2.3790.134"
    V1_SP2 = "5.2.3790.300"

    @property
    def library(self) -> str:
        return f"Plugin.DirectoryServices, Version={self.value}, Culture=neutral, PublicKeyToken=31bf3856ad364e35"

    @property
    def server_type(self) -> str:
        """TypeName of a call (2.3.1.2)."""
        escaped = self.library.replace(", ", "%2C%20").replace("=", "%3D")
        namespace = "Microsoft.DigitalRightsManagement.DirectoryServices"
        return f"soap:RemoteActiveDirectoryServices, http://schemas.microsoft.com/clr/nsassem/{namespace}/{escaped}"

    @classmethod
    def of_server_type(cls, name: str) -> ProductVersion:
        """Raises RemotingFormatError."""
        for version in cls:
            if version.server_type == name:
                return version
        raise RemotingFormatError("a call to a type that is not served")


@dataclass(frozen=True)
class MembershipCall:
    """IsPrincipalMemberOfRequest (2.3.1.2). Names as they stand, for example `mail=user1@contoso.com`."""

    principal: str
    principal_cross_forest: str
    groups: tuple[str, ...]
    calls: int
    version: ProductVersion = ProductVersion.V1_SP2

    def pack(self) -> bytes:
        arguments = ObjectArray(
            [self.principal, self.principal_cross_forest, StringArray(self.groups), self.calls, None]
        )
        names = pack_string(METHOD), pack_string(self.version.server_type)
        call = bytes([RecordType.CALL]) + pack_int32(_CALL_FLAGS)
        call += b"".join(bytes([PrimitiveType.STRING]) + name for name in names)
        return _header() + call + GraphWriter().write(arguments) + bytes([RecordType.END])

    @classmethod
    def unpack(cls, data: bytes) -> MembershipCall:
        graph, root = _open(data, RecordType.CALL)
        if graph.octets.int32() != _CALL_FLAGS:
            raise RemotingFormatError("the call has arguments of another form")
        method, server_type = _named(graph.octets), _named(graph.octets)
        if method != METHOD:
            raise RemotingFormatError("a call to a method that is not served")
        version = ProductVersion.of_server_type(server_type)
        graph.read()
        arguments = _array(graph.object(root), _ARGUMENTS)
        principal, cross_forest, groups, calls, rest = (graph.resolve(value) for value in arguments)
        if (
            not isinstance(groups, ReadStrings)
            or isinstance(calls, bool)
            or not isinstance(calls, int)
            or rest is not None
        ):
            raise RemotingFormatError("the arguments are not those of the method")
        names = tuple(_text(graph.resolve(group)) for group in groups.values)
        return cls(_text(principal), _text(cross_forest), names, calls, version)


@dataclass(frozen=True)
class FoundPrincipal:
    """What an answer tells about the principal (2.3.6.2). GUIDs are 32 hexadecimal digits."""

    identifiers: tuple[str, ...]
    """For example `id=s-1-5-21-…` and `mail=…`."""
    object_guid: str | None = None
    container_guids: tuple[str, ...] = ()
    """Objects that contain it."""
    exists: bool = True


@dataclass(frozen=True)
class MembershipReturn:
    """IsPrincipalMemberOfResponse of a call that succeeded (2.3.1.3)."""

    is_member: bool
    principal: FoundPrincipal
    version: ProductVersion = ProductVersion.V1_SP2

    def pack(self) -> bytes:
        arguments = ObjectArray([None] * 4 + [_principal(self.principal, self.version)])
        head = bytes([RecordType.RETURN]) + pack_int32(_RETURN_FLAGS) + bytes([PrimitiveType.BOOLEAN, self.is_member])
        root = ObjectArray([arguments, Instance(_CONTEXT, ())])
        return _header() + head + GraphWriter().write(root) + bytes([RecordType.END])

    @classmethod
    def unpack(cls, data: bytes) -> MembershipReturn:
        """`version` is not read: the library's name is not told apart."""
        graph, root = _open(data, RecordType.RETURN)
        if graph.octets.int32() != _RETURN_FLAGS:
            raise RemotingFormatError("the answer is an exception, or of another form")
        if graph.octets.primitive_type() is not PrimitiveType.BOOLEAN:
            raise RemotingFormatError("the answer is not a truth value")
        is_member = bool(graph.octets.primitive(PrimitiveType.BOOLEAN))
        graph.read()
        arguments = graph.resolve(_array(graph.object(root), 2)[0])
        principal = _instance(graph.resolve(_array(arguments, _ARGUMENTS)[4]), _PRINCIPAL_NAME)
        return cls(is_member, _read_principal(principal, graph))


@dataclass(frozen=True)
class MembershipException:
    """A RemotingException in place of an answer (2.3.6.9): what SOAP has faults for. `message` goes into the asker's log."""

    message: str
    result: int = field(default=0x8013150B - 2**32)
    """HResult: COR_E_REMOTING."""

    def pack(self) -> bytes:
        values: list[Value] = [_EXCEPTION.name, self.message, None, None, None, None, 0, None, self.result, None]
        root = ObjectArray([Instance(_EXCEPTION, values), Instance(_CONTEXT, ())])
        head = bytes([RecordType.RETURN]) + pack_int32(_EXCEPTION_FLAGS)
        return _header() + head + GraphWriter().write(root) + bytes([RecordType.END])

    @classmethod
    def unpack(cls, data: bytes) -> MembershipException:
        graph, root = _open(data, RecordType.RETURN)
        if graph.octets.int32() != _EXCEPTION_FLAGS:
            raise RemotingFormatError("the answer is not an exception")
        graph.read()
        found = _instance(graph.resolve(_array(graph.object(root), 2)[0]), _EXCEPTION.name)
        result = found.members.get("HResult")
        if not isinstance(result, int):
            raise RemotingFormatError("the exception has no result")
        return cls(_text(graph.resolve(found.members.get("Message"))), result)


# --- reading ------------------------------------------------------------------------------------------------------------


def _header() -> bytes:
    """SerializationHeaderRecord (2.3.1.1)."""
    return bytes([RecordType.HEADER]) + b"".join(map(pack_int32, (_ROOT_ID, -1, 1, 0)))


def _open(data: bytes, kind: RecordType) -> tuple[GraphReader, int]:
    """A reader that stands after the second record's type, and the ID of the root."""
    octets = Octets(data)
    if octets.record_type() is not RecordType.HEADER:
        raise RemotingFormatError("the message does not begin with its header")
    root, _reserved, major, minor = octets.positive(), *(octets.int32() for _ in range(3))
    if (major, minor) != (1, 0):
        raise RemotingFormatError("the message is of another version")
    if octets.record_type() is not kind:
        raise RemotingFormatError("the message is of another kind")
    return GraphReader(octets), root


def _named(octets: Octets) -> str:
    """A StringValueWithCode."""
    if octets.primitive_type() is not PrimitiveType.STRING:
        raise RemotingFormatError("a name is not a string")
    return octets.string()


def _array(value: ReadValue, length: int) -> tuple[ReadValue, ...]:
    if not isinstance(value, ReadArray) or len(value.values) != length:
        raise RemotingFormatError("there is no array of the length expected")
    return value.values


def _instance(value: ReadValue, class_name: str) -> ReadInstance:
    if not isinstance(value, ReadInstance) or value.class_name != class_name:
        raise RemotingFormatError("an object is of another class than expected")
    return value


def _text(value: ReadValue) -> str:
    if not isinstance(value, str):
        raise RemotingFormatError("a text is missing")
    return value


def _read_principal(principal: ReadInstance, graph: GraphReader) -> FoundPrincipal:
    guid = graph.resolve(principal.members.get("_strObjectGuid"))
    return FoundPrincipal(
        identifiers=_read_dictionary(graph.resolve(principal.members.get("_PrincipalIdentifiers")), graph),
        object_guid=guid if isinstance(guid, str) else None,
        container_guids=_read_collection(graph.resolve(principal.members.get("_ContainerObjectGuids")), graph),
        exists=principal.members.get("_exists") is True,
    )


def _read_dictionary(value: ReadValue, graph: GraphReader) -> tuple[str, ...]:
    """The keys of a ListDictionary, with as many nodes as it counts: its nodes may form a circle."""
    dictionary, keys = _instance(value, _DICTIONARY.name), []
    node = graph.resolve(dictionary.members.get("head"))
    while node is not None:
        node = _instance(node, _NODE.name)
        keys.append(_text(graph.resolve(node.members.get("key"))))
        if len(keys) > 100:
            raise RemotingFormatError("a dictionary has too many entries")
        node = graph.resolve(node.members.get("next"))
    return tuple(keys)


def _read_collection(value: ReadValue, graph: GraphReader) -> tuple[str, ...]:
    collection = _instance(value, _COLLECTION.name)
    items = _instance(graph.resolve(collection.members.get("data")), _LIST.name).members
    array, size = graph.resolve(items.get("_items")), items.get("_size")
    if not isinstance(array, ReadArray) or not isinstance(size, int) or not 0 <= size <= len(array.values):
        raise RemotingFormatError("a list is longer than its array")
    return tuple(_text(graph.resolve(item)) for item in array.values[:size])


# --- classes (2.3.6) ----------------------------------------------------------------------------------------------------


def _primitive(name: str, type_: PrimitiveType) -> Member:
    return Member(name, BinaryType.PRIMITIVE, type_)


def _system(name: str, class_name: str) -> Member:
    return Member(name, BinaryType.SYSTEM_CLASS, class_name=class_name)


def _class(name: str, class_name: str, library: str = _SYSTEM) -> Member:
    return Member(name, BinaryType.CLASS, class_name=class_name, library=library)


_INT32, _BOOLEAN = PrimitiveType.INT32, PrimitiveType.BOOLEAN
_PRINCIPAL_NAME = "Microsoft.DigitalRightsManagement.DirectoryServices.Principal"
_CONTEXT = ClassShape("System.Runtime.Remoting.Messaging.LogicalCallContext")
_NODE_NAME = "System.Collections.Specialized.ListDictionary+DictionaryNode"
_NODE = ClassShape(
    _NODE_NAME,
    (Member("key", BinaryType.OBJECT), Member("value", BinaryType.OBJECT), _class("next", _NODE_NAME)),
    _SYSTEM,
)
_DICTIONARY = ClassShape(
    "System.Collections.Specialized.ListDictionary",
    (
        _class("head", _NODE_NAME),
        _primitive("version", _INT32),
        _primitive("count", _INT32),
        _system("comparer", "System.Collections.IComparer"),
    ),
    _SYSTEM,
)
_TABLE = ClassShape(
    "System.Collections.Hashtable",
    (
        _primitive("LoadFactor", PrimitiveType.SINGLE),
        _primitive("Version", _INT32),
        _system("Comparer", "System.Collections.IComparer"),
        _system("HashCodeProvider", "System.Collections.IHashCodeProvider"),
        _primitive("HashSize", _INT32),
        Member("Keys", BinaryType.OBJECT_ARRAY),
        Member("Values", BinaryType.OBJECT_ARRAY),
    ),
)
_LIST = ClassShape(
    "System.Collections.ArrayList",
    (Member("_items", BinaryType.OBJECT_ARRAY), _primitive("_size", _INT32), _primitive("_version", _INT32)),
)
_COLLECTION = ClassShape("System.Collections.Specialized.StringCollection", (_system("data", _LIST.name),), _SYSTEM)
_EXCEPTION = ClassShape(
    "System.Runtime.Remoting.RemotingException",
    (
        Member("ClassName", BinaryType.STRING),
        Member("Message", BinaryType.STRING),
        _system("InnerException", "System.Exception"),
        Member("HelpURL", BinaryType.STRING),
        Member("StackTraceString", BinaryType.STRING),
        Member("RemoteStackTraceString", BinaryType.STRING),
        _primitive("RemoteStackIndex", _INT32),
        Member("ExceptionMethod", BinaryType.STRING),
        _primitive("HResult", _INT32),
        Member("Source", BinaryType.STRING),
    ),
)


def _principal(found: FoundPrincipal, version: ProductVersion) -> Instance:
    library, parse_name = version.library, _PRINCIPAL_NAME + "+ExplicitParseEnum"
    parse = ClassShape(parse_name, (_primitive("value__", _INT32),), library, is_enumeration=True)
    shape = ClassShape(
        _PRINCIPAL_NAME,
        (
            _class("_PrincipalIdentifiers", _DICTIONARY.name),
            _system("_GroupMembership", _TABLE.name),
            _class("_ForeignMembers", _DICTIONARY.name),
            _system("_parsingDictionary", "System.Collections.IDictionary"),
            _class("_ContainerObjectGuids", _COLLECTION.name),
            Member("_strObjectGuid", BinaryType.STRING),
            Member("_strOriginationForest", BinaryType.STRING),
            _class("_explicitParse", parse_name, library),
            _primitive("_exists", _BOOLEAN),
            _primitive("DirectoryLookupXML+_exists", _BOOLEAN),
        ),
        library,
    )
    # 2.3.6.5: load factor 0.72; an empty table of .NET 1.1 has eleven places.
    membership = Instance(_TABLE, (0.72, 0, None, None, 11, ObjectArray(()), ObjectArray(())))
    values = (
        _dictionary(found.identifiers),
        membership,
        None,
        None,
        _collection(found.container_guids),
        found.object_guid,
        None,
        Instance(parse, (0,)),
        found.exists,
        found.exists,
    )
    return Instance(shape, values)


def _dictionary(keys: tuple[str, ...]) -> Instance:
    head: Instance | None = None
    for key in reversed(keys):
        head = Instance(_NODE, (key, True, head))
    return Instance(_DICTIONARY, (head, len(keys), len(keys), None))


def _collection(items: tuple[str, ...]) -> Instance:
    """An ArrayList has room for sixteen, and doubles it when it is full."""
    capacity = _SMALLEST_LIST
    while capacity < len(items):
        capacity *= 2
    room = ObjectArray([*items, *[None] * (capacity - len(items))])
    return Instance(_COLLECTION, (Instance(_LIST, (room, len(items), len(items))),))
