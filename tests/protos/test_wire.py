"""Every message of ours against TensorFlow's of the same name: descriptors agree, bytes pass both ways unchanged."""

import importlib
import mmap
import random
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor, FileDescriptor
from google.protobuf.message import Message

import runstep.protos

tensorflow = pytest.importorskip("tensorflow", reason="the oracle is not installed")

EACH = 4
DEPTH = 4
POOL = descriptor_pool.Default()


# The oracle: TensorFlow's descriptors, in the same pool as ours.


def load_oracle(stem: str) -> None:
    """Bring TensorFlow's `stem`.proto into the pool, from its Python module or else from its C++ library."""
    for folder in ("core.framework", "core.protobuf", "core.util", "core.example", "python.training"):
        try:
            importlib.import_module(f"tensorflow.{folder}.{stem}_pb2")
            return
        except ModuleNotFoundError as missing:
            if not (missing.name or "").endswith(f"{stem}_pb2"):
                raise
    if stem == "master":  # the session service has no Python module
        POOL.AddSerializedFile(embedded_file(f"tensorflow/core/protobuf/{stem}.proto"))


def embedded_file(name: str) -> bytes:
    """The serialized FileDescriptorProto called `name` that is part of TensorFlow's C++ library."""
    library = Path(tensorflow.__file__).parent / "libtensorflow_cc.so.2"
    with library.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        start = end = data.find(b"\x0a" + bytes([len(name)]) + name.encode())
        assert start >= 0, f"{name} is not in {library.name}"
        number = 0
        while number != descriptor_pb2.FileDescriptorProto.SYNTAX_FIELD_NUMBER:  # always the last one written
            tag, end = varint(data, end)
            number, kind = tag >> 3, tag & 7
            size, end = varint(data, end)
            end += size if kind == 2 else 0
        return data[start:end]


def varint(data: mmap.mmap, at: int) -> tuple[int, int]:
    """The base-128 number at `at`, and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        at, value, shift = at + 1, value | (byte & 127) << shift, shift + 7
        if byte < 128:
            return value, at


def theirs(name: str) -> str:
    """TensorFlow's full name of what we call `name`."""
    return "tensorflow" + name.removeprefix("runstep") if name.split(".")[0] == "runstep" else name


def nested(messages: Any) -> Iterator[Descriptor]:
    for message in messages:
        if not message.GetOptions().map_entry:
            yield message
            yield from nested(message.nested_types)


STEMS = sorted(path.stem for path in Path(runstep.protos.__path__[0]).glob("*.proto"))
OURS: dict[str, FileDescriptor] = {}
for _stem in STEMS:
    OURS[_stem] = importlib.import_module(f"runstep.protos.{_stem}_pb2").DESCRIPTOR
for _stem in [*(stem for stem in STEMS if stem != "master"), "master"]:
    load_oracle(_stem)
MESSAGES: dict[str, Descriptor] = {
    message.full_name: message for file in OURS.values() for message in nested(file.message_types_by_name.values())
}


def classes(name: str) -> tuple[type[Message], type[Message]]:
    """Our class and TensorFlow's of the message that we call `name`."""
    mine, other = MESSAGES[name], POOL.FindMessageTypeByName(theirs(name))
    return message_factory.GetMessageClass(mine), message_factory.GetMessageClass(other)


# Random messages.


def unknown_fields(rng: random.Random) -> bytes:
    """Fields with numbers that no message has, one of each wire type."""
    fields = [
        tag(90_001, 0) + b"\x96\x01",
        tag(90_002, 1) + rng.randbytes(8),
        tag(90_003, 2) + b"\x05later",
        tag(90_004, 3) + tag(1, 0) + b"\x07" + tag(90_004, 4),
        tag(90_005, 5) + rng.randbytes(4),
    ]
    return b"".join(fields)


def tag(number: int, kind: int) -> bytes:
    value, out = number << 3 | kind, bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def scalar(field: FieldDescriptor, rng: random.Random) -> Any:
    """A value for one element of `field`, extremes included."""
    kinds = FieldDescriptor
    if field.cpp_type in (kinds.CPPTYPE_INT32, kinds.CPPTYPE_INT64):
        bits = 31 if field.cpp_type == kinds.CPPTYPE_INT32 else 63
        return rng.choice([0, 1, -1, -(2**bits), 2**bits - 1, rng.randrange(-(2**bits), 2**bits)])
    if field.cpp_type in (kinds.CPPTYPE_UINT32, kinds.CPPTYPE_UINT64):
        bits = 32 if field.cpp_type == kinds.CPPTYPE_UINT32 else 64
        return rng.choice([0, 1, 2**bits - 1, rng.randrange(2**bits)])
    if field.cpp_type in (kinds.CPPTYPE_FLOAT, kinds.CPPTYPE_DOUBLE):
        single = struct.unpack("f", struct.pack("f", rng.uniform(-1e9, 1e9)))[0]
        exact = single if field.cpp_type == kinds.CPPTYPE_FLOAT else rng.uniform(-1e300, 1e300)
        return rng.choice([0.0, -0.0, float("inf"), float("-inf"), float("nan"), exact])
    if field.cpp_type == kinds.CPPTYPE_BOOL:
        return rng.random() < 0.5
    if field.enum_type is not None:
        newer = [] if field.enum_type.is_closed else [54_321]  # a value that only a later version knows
        return rng.choice([*field.enum_type.values_by_number, *newer])
    if field.type == kinds.TYPE_BYTES:
        return rng.randbytes(rng.randrange(5))
    return "".join(rng.choice("aZ/_0:ก漢\U0001f600\n") for _ in range(rng.randrange(6)))


def fill(message: Message, rng: random.Random, *, extra: bool, depth: int = 0) -> None:
    """Set random fields of `message`; with `extra`, unknown ones too. Deeper messages are sparser."""
    fields: list[Any] = list(message.DESCRIPTOR.fields)
    rng.shuffle(fields)  # of a oneof the last one set wins: not always the same
    for field in fields:
        chance = 0.8 if depth == 0 else (0.6 if field.message_type is None else 0.3) / depth
        if rng.random() < chance:
            fill_field(message, field, rng, extra=extra, depth=depth)
    if extra and rng.random() < 0.5:
        message.MergeFromString(unknown_fields(rng))


def map_entry(field: FieldDescriptor) -> Descriptor | None:
    """The entry message of a map field, with the fields key and value; None where `field` is no map."""
    kind = field.message_type
    return kind if kind is not None and kind.GetOptions().map_entry else None


def fill_field(message: Message, field: FieldDescriptor, rng: random.Random, *, extra: bool, depth: int) -> None:
    def fill_child(child: Message) -> None:
        child.SetInParent()  # present even when nothing in it is set
        if depth < DEPTH:
            fill(child, rng, extra=extra, depth=depth + 1)

    value = getattr(message, field.name)
    if (entry := map_entry(field)) is not None:
        key, item = entry.fields
        for _ in range(rng.randint(1, 3)):
            if item.message_type is not None:
                fill_child(value[scalar(key, rng)])
            else:
                value[scalar(key, rng)] = scalar(item, rng)
    elif field.is_repeated:
        for _ in range(rng.randint(1, 3)):
            if field.message_type is not None:
                fill_child(value.add())
            else:
                value.append(scalar(field, rng))
    elif field.message_type is not None:
        fill_child(value)
    else:
        setattr(message, field.name, scalar(field, rng))


def written(message: Message) -> bytes:
    return message.SerializeToString(deterministic=True)


def samples(kind: type[Message], *, extra: bool) -> Iterator[Message]:
    """Random messages of `kind`: some as they come, and some for each field in which that field is set for sure."""
    for field in [None, *kind.DESCRIPTOR.fields]:
        rng = random.Random(f"{kind.DESCRIPTOR.full_name} {field and field.name}")
        for _ in range(EACH):
            message = kind()
            fill(message, rng, extra=extra)
            if field is not None:
                fill_field(message, field, rng, extra=extra, depth=0)
            yield message


# The tests.


def test_packages() -> None:
    """A file or name of TensorFlow's own would clash when both libraries are loaded."""
    for stem, file in OURS.items():
        assert file.name == f"runstep/protos/{stem}.proto"
        assert file.package.split(".")[0] == "runstep"


@pytest.mark.parametrize("stem", STEMS)
def test_file_is_complete(stem: str) -> None:
    """A file has the messages and enums that TensorFlow's has, none more, and no extensions."""
    mine = OURS[stem]
    if mine.message_types_by_name:
        other = POOL.FindMessageTypeByName(theirs(next(iter(mine.message_types_by_name.values())).full_name)).file
    else:
        other = POOL.FindEnumTypeByName(theirs(next(iter(mine.enum_types_by_name.values())).full_name)).file
    assert Path(other.name).stem == stem
    assert set(mine.message_types_by_name) == set(other.message_types_by_name)
    assert set(mine.enum_types_by_name) == set(other.enum_types_by_name)
    for enum in mine.enum_types_by_name.values():
        assert enum_facts(enum) == enum_facts(other.enum_types_by_name[enum.name])
    assert not mine.extensions_by_name


@pytest.mark.parametrize("name", MESSAGES)
def test_descriptors_agree(name: str) -> None:
    mine, other = MESSAGES[name], POOL.FindMessageTypeByName(theirs(name))
    assert message_facts(mine) == message_facts(other)
    assert {m.name for m in mine.nested_types} == {m.name for m in other.nested_types}
    assert [enum_facts(e) for e in mine.enum_types] == [enum_facts(e) for e in other.enum_types]


def message_facts(message: Descriptor) -> dict[str, dict[str, Any]]:
    """What a reader, a writer or a user of `message` can see, field by field."""
    proto = descriptor_pb2.DescriptorProto()
    message.CopyToProto(proto)
    facts = {}
    for field, raw in zip(message.fields, proto.field, strict=True):
        kind = field.message_type or field.enum_type
        entry = map_entry(field)
        oneof = field.containing_oneof
        facts[field.name] = {
            "number": field.number,
            "type": field.type,
            "of": theirs(kind.full_name) if kind else None,
            "entry": message_facts(entry) if entry else None,
            "label": raw.label,
            "optional": raw.proto3_optional,
            "presence": field.has_presence,
            "packed": field.is_packed,
            "oneof": oneof.name if oneof else None,
            "default": None if field.is_repeated else field.default_value,
            "json": field.json_name,
            "deprecated": field.GetOptions().deprecated,
            "jstype": field.GetOptions().jstype,
        }
    return facts


def enum_facts(enum: EnumDescriptor) -> tuple[str, bool, list[tuple[str, int]]]:
    return enum.name, enum.is_closed, [(value.name, value.number) for value in enum.values]


@pytest.mark.parametrize("extra", [False, True], ids=["known", "unknown-too"])
@pytest.mark.parametrize("name", MESSAGES)
def test_bytes_pass_both_ways(name: str, extra: bool) -> None:
    """What TensorFlow writes we read and write again byte for byte, and TensorFlow reads an equal message of it."""
    mine, other = classes(name)
    for original in samples(other, extra=extra):
        wire = written(original)
        read = mine.FromString(wire)
        assert written(read) == wire
        assert written(other.FromString(written(read))) == wire
    for original in samples(mine, extra=extra):
        assert written(other.FromString(written(original))) == written(original)


@pytest.mark.parametrize("name", MESSAGES)
def test_text_passes(name: str) -> None:
    """Field names and enum value names are TensorFlow's: what it prints as text, we read."""
    mine, other = classes(name)
    for original in samples(other, extra=False):
        read = text_format.Parse(text_format.MessageToString(original), mine())
        assert written(read) == written(original)


@pytest.mark.parametrize("name", MESSAGES)
def test_unknown_fields_survive(name: str) -> None:
    """Fields of a later version, of any wire type, are kept and written after the known ones."""
    mine, _ = classes(name)
    late = unknown_fields(random.Random(name))
    for original in samples(mine, extra=False):
        wire = written(original) + late
        assert written(mine.FromString(wire)) == wire


@pytest.mark.parametrize("name", MESSAGES)
def test_samples_reach_every_field(name: str) -> None:
    """The filler itself: a field that it never sets would be a field that nothing here tests."""
    mine, _ = classes(name)
    seen = {field.name for sample in samples(mine, extra=False) for field, _ in sample.ListFields()}
    assert seen == {field.name for field in mine.DESCRIPTOR.fields}
