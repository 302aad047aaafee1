"""The answers of binary group expansion, record by record ([MS-RMPRS] 2.3): what was sent over HTTP, read field by field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from tests.conformance import conforms
from tests.wire.binary_records import (
    CLASS,
    CLASS_WITH_ID,
    END,
    HEADER,
    LIBRARY,
    NULL,
    NULLS,
    NULLS_256,
    OBJECT_ARRAY,
    PRIMITIVE,
    REFERENCE,
    RETURN,
    STRING,
    SYSTEM_CLASS,
    Record,
    RecordReader,
    parts,
)
from tests.wire.real_server import RealServer
from tests.wire.test_group_expansion import binary, question
from tests.wire.test_group_expansion import server as server

S = "MS-RMPRS 2.3"
MEMBER, STRANGER, FAULT = "member", "stranger", "fault"
_QUESTIONS = {MEMBER: question(), STRANGER: question("mail=nobody@example.com"), FAULT: question(calls=9)}


@dataclass(frozen=True)
class Message:
    """An answer. `records` are those on the outside, `all` those in objects and arrays too."""

    records: list[Record]

    @property
    def all(self) -> list[Record]:
        return list(parts(self.records))

    def one(self, kind: int) -> Record:
        (found,) = [record for record in self.all if record.kind == kind]
        return found

    def object(self, number: int) -> Record:
        (found,) = [record for record in self.all if record.id == number]
        return found

    def described(self, class_name: str) -> Record:
        """The one record that describes a class."""
        (found,) = [record for record in self.all if record.class_name == class_name]
        return found

    @property
    def root(self) -> Record:
        return self.object(self.records[0].fields["RootId"])

    @property
    def referred(self) -> list[int]:
        return [record.fields["IdRef"] for record in self.all if record.kind == REFERENCE]


@pytest.fixture(scope="module")
def messages(server: RealServer) -> dict[str, Message]:
    """Answers of a real server: yes, no (nobody of the name), and an exception."""
    return {name: Message(RecordReader(binary(server, data).body).records) for name, data in _QUESTIONS.items()}


@pytest.fixture(params=list(_QUESTIONS))
def message(request: pytest.FixtureRequest, messages: dict[str, Message]) -> Message:
    return messages[request.param]


def answers(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("message", names, indirect=True)


# --- 2.3.1: the message -------------------------------------------------------------------------------------------------


@conforms(f"{S}.1", "A message begins with the header; a call that does not is refused.")
@conforms(f"{S}.1", "An answer's second record is a return; a call whose second record is no call is refused.")
@conforms(f"{S}.1", "A message ends with the record of an end; a call that does not is refused.")
@conforms(f"{S}.1.1", "The header is the first record; a call that has it nowhere is refused.")
@conforms(f"{S}.1.1", "The header of an answer has the type 0x00.")
@conforms(f"{S}.1.3", "The return has the type 0x16.")
@conforms(f"{S}.1.4", "The end of a message has the type 0x0b; a call that ends with another is refused.")
def test_the_order_of_records(message: Message) -> None:
    """2.3.1: header, return, what it refers to, end."""
    kinds = [record.kind for record in message.all]
    assert (kinds[0], kinds[1], kinds[-1]) == (HEADER, RETURN, END)
    assert (kinds.count(HEADER), kinds.count(RETURN), kinds.count(END)) == (1, 1, 1)


@conforms(f"{S}.1.1", "The root ID of an answer is that of its array.")
@conforms(f"{S}.1.1", "The reserved field of an answer is -1.")
@conforms(f"{S}.1.1", "The major version of the format is 1; a call in another is refused.")
@conforms(f"{S}.1.1", "The minor version of the format is 0; a call in another is refused.")
def test_the_header(message: Message) -> None:
    """2.3.1.1."""
    fields = message.records[0].fields
    assert (fields["Reserved0"], fields["MajorVersion"], fields["MinorVersion"]) == (-1, 1, 0)
    assert message.root is message.records[2]


@conforms(f"{S}.1.3", "The flags of an answer are 0x848.")
@conforms(f"{S}.1.3", "The code before an answer's value is 0x01, for a Boolean.")
@conforms(f"{S}.1.3", "An answer has the code and the value.")
@conforms(f"{S}.1.3", "The value is 0x01 for a member of a group.")
@conforms(f"{S}.1.3", "The value is 0x00 for anybody else.")
@conforms(f"{S}.3.2", "The value of an answer is one of the type that its code says.")
@pytest.mark.parametrize(("name", "value"), [(MEMBER, 1), (STRANGER, 0)])
def test_the_return(messages: dict[str, Message], name: str, value: int) -> None:
    """2.3.1.3: flags, code, value, in the record itself."""
    assert messages[name].one(RETURN).fields == {"MessageEnum": 0x848, "ReturnValueCode": 0x01, "ReturnValue": value}


@conforms(f"{S}.1.3", "The flags of an exception are 0x2241.")
@conforms(f"{S}.1.3", "An exception has neither code nor value.")
def test_the_return_of_an_exception(messages: dict[str, Message]) -> None:
    """2.3.1.3: flags alone; the array comes next."""
    assert messages[FAULT].one(RETURN).fields == {"MessageEnum": 0x2241}
    assert messages[FAULT].records[2].kind == OBJECT_ARRAY


@conforms(f"{S}.1.3.1", "The array of an answer has the type 0x10.")
@conforms(f"{S}.1.3.1", "The array of an answer has a positive ID.")
@conforms(f"{S}.1.3.1", "The array of an answer has two items.")
@conforms(f"{S}.1.3.1", "The context that the array's second item names is in the answer.")
def test_the_return_array(message: Message) -> None:
    """2.3.1.3.1: references to the arguments, or the exception, and to the context, all later in the message."""
    root = message.root
    assert (root.kind, root.fields["Length"], [item.kind for item in root.values]) == (OBJECT_ARRAY, 2, [REFERENCE] * 2)
    assert root.id is not None
    assert root.id > 0
    context = message.object(root.values[1].fields["IdRef"])
    assert context.class_name == "System.Runtime.Remoting.Messaging.LogicalCallContext"
    assert message.records.index(context) > message.records.index(root)


@conforms(f"{S}.1.3.2", "The returned arguments have the type 0x10.")
@conforms(f"{S}.1.3.2", "The returned arguments have a positive ID.")
@conforms(f"{S}.1.3.2", "There are five returned arguments.")
@conforms(f"{S}.1.3.2", "The first four returned arguments are one row of four nulls.")
@answers(MEMBER, STRANGER)
def test_the_returned_arguments(message: Message) -> None:
    """2.3.1.3.2: four nulls and the principal."""
    arguments = message.object(message.root.values[0].fields["IdRef"])
    assert (arguments.kind, arguments.fields["Length"]) == (OBJECT_ARRAY, 5)
    assert arguments.id is not None
    assert arguments.id > 0
    nulls, principal = arguments.values
    assert (nulls.kind, nulls.fields) == (NULLS_256, {"NullCount": 0x04})
    assert message.object(principal.fields["IdRef"]).class_name == PRINCIPAL


def test_an_exception_in_the_place_of_arguments(messages: dict[str, Message]) -> None:
    """2.3.1.3.1: the first item then names the RemotingException."""
    message = messages[FAULT]
    assert message.object(message.root.values[0].fields["IdRef"]).class_name == EXCEPTION


# --- 2.3.3 to 2.3.5: smaller records ------------------------------------------------------------------------------------


@conforms(f"{S}.4.1", "A library has the type 0x0c.")
@conforms(f"{S}.4.1", "A library has a positive ID.")
@answers(MEMBER, STRANGER)
def test_libraries(message: Message) -> None:
    """2.3.4.1: two of them, each under its own ID, with the names that version 1.0 SP2 has."""
    libraries = [record for record in message.all if record.kind == LIBRARY]
    assert sorted(record.fields["LibraryName"] for record in libraries) == [
        "Plugin.DirectoryServices, Version=5.2.3790.300, Culture=neutral, PublicKeyToken=31bf3856ad364e35",
        "System, Version=1.0.5000.0, Culture=neutral, PublicKeyToken=b77a5c561934e089",
    ]
    ids = [record.fields["LibraryId"] for record in libraries]
    assert len(set(ids)) == 2
    assert min(ids) > 0


@conforms(f"{S}.4.3", "An array of objects has the type 0x10.")
@conforms(f"{S}.4.3", "An array of objects has a positive ID.")
@conforms(f"{S}.4.3", "The length of an array of objects is the number of its items, which may be none.")
@conforms(f"{S}.4.3", "The items of an array are records of the types that the specification has for them.")
@answers(MEMBER, STRANGER)
def test_arrays(message: Message) -> None:
    """2.3.4.3: root, arguments, the list's room for sixteen, and the two empty ones of the hash table."""
    arrays = [record for record in message.all if record.fields.keys() == {"Length"}]
    assert [array.kind for array in arrays] == [OBJECT_ARRAY] * 5
    assert all(array.id is not None and array.id > 0 for array in arrays)
    assert sorted(array.fields["Length"] for array in arrays) == [0, 0, 2, 5, 16]
    for array in arrays:
        assert sum(item.fields.get("NullCount", 1) for item in array.values) == array.fields["Length"]
        assert {item.kind for item in array.values} <= {STRING, REFERENCE, NULL, NULLS_256, NULLS, PRIMITIVE}


@conforms(f"{S}.5.1", "A typed primitive has the type 0x08; a count of calls in another form is refused.")
@conforms(f"{S}.5.1", "A typed primitive is neither Null nor a string; a call with such a one is refused.")
@answers(MEMBER, STRANGER)
def test_typed_primitives(message: Message) -> None:
    """2.3.5.1: the values of a dictionary, which are objects to its class, are true."""
    nodes = [record for record in message.all if record.shape and record.shape[0].name == "key"]
    assert nodes
    for node in nodes:
        assert node.member("value") == Record(PRIMITIVE, fields={"PrimitiveTypeEnum": 0x01, "Value": 1})


@conforms(f"{S}.5.2", "A member of a primitive type stands as its value alone.")
def test_untyped_primitives(message: Message) -> None:
    """2.3.5.2: no record type before it. What follows is still read to the last octet."""
    members = [pair for record in message.all for pair in zip(record.shape, record.values, strict=False)]
    primitives = [value for shape, value in members if shape.binary_type == 0x00]
    assert primitives
    assert not any(isinstance(value, Record) for value in primitives)


@conforms(f"{S}.5.3", "A reference has the type 0x09.")
@conforms(f"{S}.5.3", "A reference names one record of the message; a call with one to nothing is refused.")
@conforms(f"{S}.5.3", "A reference is positive; a call with another is refused.")
@conforms(f"{S}.5.3", "What a reference means is in the message, before the reference or after it.")
def test_references(message: Message) -> None:
    """2.3.5.3."""
    defined = [record.id for record in message.all if record.id is not None]
    assert len(set(defined)) == len(defined)
    assert message.referred
    assert min(message.referred) > 0
    assert set(message.referred) <= set(defined)


@conforms(f"{S}.5.4", "A null alone has the type 0x0a.")
@conforms(f"{S}.5.6", "A row of nulls has the type 0x0d.")
@answers(MEMBER, STRANGER)
def test_nulls(message: Message) -> None:
    """2.3.5.4, 2.3.5.6: members that are null one by one, items in a row with their number."""
    principal = message.described(PRINCIPAL)
    assert {principal.member(name).kind for name in ("_ForeignMembers", "_parsingDictionary")} == {NULL}
    room = message.described("System.Collections.ArrayList").member("_items")
    assert message.object(room.fields["IdRef"]).values == (Record(NULLS_256, fields={"NullCount": 16}),)


@conforms(f"{S}.5.7", "A string in an answer has the type 0x06.")
@conforms(f"{S}.5.7", "A string has a positive ID; a call with another is refused.")
def test_strings(message: Message) -> None:
    """2.3.5.7: keys of the dictionary, texts of the exception; each once."""
    strings = [record for record in message.all if "Value" in record.fields and record.kind != PRIMITIVE]
    assert {record.kind for record in strings} == {STRING}
    assert all(record.id is not None and record.id > 0 for record in strings)
    assert len({record.fields["Value"] for record in strings}) == len(strings)


@conforms(f"{S}.6.10", "A further object of a class has the type 0x01.")
@conforms(f"{S}.6.10", "The record that describes its class stands before it.")
def test_a_further_object_of_a_class(messages: dict[str, Message]) -> None:
    """2.3.6.10: the second node of a dictionary with two entries."""
    message = messages[MEMBER]
    further = message.one(CLASS_WITH_ID)
    described = message.object(further.fields["MetadataID"])
    assert described.class_name == NODE
    assert message.records.index(described) < message.records.index(further)


# --- 2.3.6: classes -----------------------------------------------------------------------------------------------------

_P, _S, _O, _Y, _C, _A = 0x00, 0x01, 0x02, 0x03, 0x04, 0x05
"""Primitive, String, Object, SystemClass, Class, ObjectArray (2.3.2.2)."""
_TYPES = ("Primitive", "String", "Object", "SystemClass", "Class", "ObjectArray")
_BOOLEAN, _INT32, _SINGLE = 0x01, 0x08, 0x0B
PRINCIPAL = "Microsoft.DigitalRightsManagement.DirectoryServices.Principal"
EXCEPTION = "System.Runtime.Remoting.RemotingException"
NODE = "System.Collections.Specialized.ListDictionary+DictionaryNode"
_DICTIONARY = "System.Collections.Specialized.ListDictionary"
_COLLECTION = "System.Collections.Specialized.StringCollection"
_PARSE = PRINCIPAL + "+ExplicitParseEnum"
_COMPARER = "System.Collections.IComparer"


@dataclass(frozen=True)
class Form:
    """A class as 2.3.6 has it: members are name, binary type, and class or primitive type."""

    section: str
    kind: int
    name: str
    members: tuple[tuple[str, int, Any], ...] = ()
    message: str = MEMBER

    @property
    def listed(self) -> str:
        names = [name for name, _, _ in self.members]
        if len(names) < 2:
            return f"the member {names[0]}" if names else "no members"
        return f"the members {', '.join(names[:-1])} and {names[-1]}, in this order"

    @property
    def types(self) -> str:
        return ", ".join(_TYPES[type_] for _, type_, _ in self.members)

    def says(self, sentence: str) -> str:
        return sentence.format(name=self.name, listed=self.listed, types=self.types)


FORMS = (
    Form("1", SYSTEM_CLASS, "System.Runtime.Remoting.Messaging.LogicalCallContext"),
    Form(
        "2",
        CLASS,
        PRINCIPAL,
        (
            ("_PrincipalIdentifiers", _C, _DICTIONARY),
            ("_GroupMembership", _Y, "System.Collections.Hashtable"),
            ("_ForeignMembers", _C, _DICTIONARY),
            ("_parsingDictionary", _Y, "System.Collections.IDictionary"),
            ("_ContainerObjectGuids", _C, _COLLECTION),
            ("_strObjectGuid", _S, None),
            ("_strOriginationForest", _S, None),
            ("_explicitParse", _C, _PARSE),
            ("_exists", _P, _BOOLEAN),
            ("DirectoryLookupXML+_exists", _P, _BOOLEAN),
        ),
    ),
    Form("3", CLASS, _PARSE, (("value__", _P, _INT32),)),
    Form(
        "4",
        CLASS,
        _DICTIONARY,
        (("head", _C, NODE), ("version", _P, _INT32), ("count", _P, _INT32), ("comparer", _Y, _COMPARER)),
    ),
    Form(
        "5",
        SYSTEM_CLASS,
        "System.Collections.Hashtable",
        (
            ("LoadFactor", _P, _SINGLE),
            ("Version", _P, _INT32),
            ("Comparer", _Y, _COMPARER),
            ("HashCodeProvider", _Y, "System.Collections.IHashCodeProvider"),
            ("HashSize", _P, _INT32),
            ("Keys", _A, None),
            ("Values", _A, None),
        ),
    ),
    Form("6", CLASS, _COLLECTION, (("data", _Y, "System.Collections.ArrayList"),)),
    Form("7", CLASS, NODE, (("key", _O, None), ("value", _O, None), ("next", _C, NODE))),
    Form(
        "8",
        SYSTEM_CLASS,
        "System.Collections.ArrayList",
        (("_items", _A, None), ("_size", _P, _INT32), ("_version", _P, _INT32)),
    ),
    Form(
        "9",
        SYSTEM_CLASS,
        EXCEPTION,
        (
            ("ClassName", _S, None),
            ("Message", _S, None),
            ("InnerException", _Y, "System.Exception"),
            ("HelpURL", _S, None),
            ("StackTraceString", _S, None),
            ("RemoteStackTraceString", _S, None),
            ("RemoteStackIndex", _P, _INT32),
            ("ExceptionMethod", _S, None),
            ("HResult", _P, _INT32),
            ("Source", _S, None),
        ),
        FAULT,
    ),
)


def forms(*sentences: str, only: str = "123456789") -> pytest.MarkDecorator:
    """Each class, marked with these sentences about it in its section."""
    return pytest.mark.parametrize(
        "form",
        [
            pytest.param(
                form, marks=[conforms(f"{S}.6.{form.section}", form.says(said)) for said in sentences], id=form.name
            )
            for form in FORMS
            if form.section in only
        ],
    )


@forms("Its record has the type 0x04.", only="1589")
def test_records_of_system_classes(messages: dict[str, Message], form: Form) -> None:
    """2.3.6: classes of the system have no library."""
    record = messages[form.message].described(form.name)
    assert (form.kind, record.kind, "LibraryId" in record.fields) == (0x04, 0x04, False)


@forms("Its record has the type 0x05.", "The library of its class stands before it.", only="23467")
def test_records_of_other_classes(messages: dict[str, Message], form: Form) -> None:
    """2.3.6: other classes name a library, whose record came before."""
    record = messages[form.message].described(form.name)
    assert (form.kind, record.kind) == (0x05, 0x05)
    assert record.fields["LibraryId"] in record.libraries_before


@forms(
    "The ID that references name it by is positive.", "Its ID is positive also without a reference.", only="12456789"
)
def test_ids_of_objects(messages: dict[str, Message], form: Form) -> None:
    """2.3.6: objects, which something refers to; further ones of the class too."""
    message = messages[form.message]
    described = message.described(form.name)
    further = [record for record in message.all if record.fields.get("MetadataID") == described.id]
    for record in (described, *further):
        assert record.id is not None
        assert record.id > 0
        assert record.id in message.referred


@conforms(f"{S}.6.3", "No reference names it.")
def test_the_id_of_an_enumeration(messages: dict[str, Message]) -> None:
    """2.3.6.3: it stands in its member's place, under a negative ID as in the example of 4.3."""
    message = messages[MEMBER]
    value = message.described(PRINCIPAL).member("_explicitParse")
    assert (value.class_name, value.values) == (_PARSE, (0,))
    assert value.id is not None
    assert value.id < 0
    assert value.id not in message.referred


@forms("Its class is {name}.")
def test_names_of_classes(messages: dict[str, Message], form: Form) -> None:
    """2.3.6: each described once, by the name of its section."""
    assert messages[form.message].described(form.name).class_name == form.name


@forms("It has {listed}.")
def test_members(messages: dict[str, Message], form: Form) -> None:
    """2.3.6: number and names."""
    record = messages[form.message].described(form.name)
    assert record.fields["MemberCount"] == len(form.members)
    assert [member.name for member in record.shape] == [name for name, _, _ in form.members]


@forms("The types of its members are: {types}.", only="23456789")
def test_types_of_members(messages: dict[str, Message], form: Form) -> None:
    """2.3.6: BinaryTypeEnum."""
    record = messages[form.message].described(form.name)
    assert [member.binary_type for member in record.shape] == [type_ for _, type_, _ in form.members]


@forms("Its members have the specified classes and primitive types.", only="23456789")
def test_further_types_of_members(messages: dict[str, Message], form: Form) -> None:
    """2.3.6: AdditionalInfo, without libraries."""
    record = messages[form.message].described(form.name)
    found = [extra[0] if isinstance(extra := member.additional, tuple) else extra for member in record.shape]
    assert found == [additional for _, _, additional in form.members]


@forms("The libraries of its members' classes stand before it.", only="247")
def test_libraries_of_members(messages: dict[str, Message], form: Form) -> None:
    """2.3.6: for each member whose class is none of the system's."""
    record = messages[form.message].described(form.name)
    libraries = [member.additional[1] for member in record.shape if isinstance(member.additional, tuple)]
    assert libraries
    assert set(libraries) <= record.libraries_before


@conforms(f"{S}.1", "The values of an object's members follow its record, in the order of their names.")
@forms()
def test_values_of_members(messages: dict[str, Message], form: Form) -> None:
    """2.3.1: as many as there are members, each of a record that its type allows."""
    record = messages[form.message].described(form.name)
    allowed = {_S: {STRING, REFERENCE, NULL}, _O: {PRIMITIVE, STRING}, _A: {REFERENCE}}
    assert len(record.values) == len(form.members)
    for (name, type_, _), value in zip(form.members, record.values, strict=True):
        if type_ != _P:
            assert value.kind in allowed.get(type_, {REFERENCE, NULL, CLASS, SYSTEM_CLASS, CLASS_WITH_ID}), name


@conforms(f"{S}.6.5", "Its keys and its values are as many.")
@conforms(f"{S}.6.5", "Its load factor is 0.72.")
@answers(MEMBER, STRANGER)
def test_the_hash_table(message: Message) -> None:
    """2.3.6.5: empty; 0.72 as a single."""
    table = message.described("System.Collections.Hashtable")
    keys, values = (message.object(table.member(name).fields["IdRef"]) for name in ("Keys", "Values"))
    assert keys.fields["Length"] == values.fields["Length"]
    assert table.member("LoadFactor") == pytest.approx(0.72, abs=1e-7)


def test_what_the_records_say(messages: dict[str, Message]) -> None:
    """The principal by SID and address, as the values of its members lead to them."""
    message = messages[MEMBER]
    node = message.object(message.described(_DICTIONARY).member("head").fields["IdRef"])
    second = message.object(node.member("next").fields["IdRef"])
    assert node.member("key").fields["Value"].startswith("id=s-1-5-21-")
    assert second.member("key").fields["Value"] == "mail=author@example.com"
    assert (message.described(PRINCIPAL).member("_exists"), second.member("next").kind) == (1, NULL)
