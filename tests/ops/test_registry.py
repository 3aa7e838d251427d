"""Every row says what TensorFlow's op registration says."""

from __future__ import annotations

from typing import Any

import pytest

import runstep.ops.table  # noqa: F401 - fills the registry
from runstep.graph import dtypes, op_def_proto, tensor_proto
from runstep.ops import registry
from runstep.protos import op_def_pb2
from runstep.testing import oracle


def _decoded(proto: Any) -> Any:
    return tensor_proto.decode(proto), dtypes.as_dtype(proto.dtype)


NAMES = sorted(registry.names())
NOT_IN_TENSORFLOW: dict[str, str] = {}
"""Rows without a counterpart in the oracle, with the reason."""


def interface(proto: Any) -> Any:
    """The message reduced to what a row can say, in canonical order."""
    message = op_def_pb2.OpDef.FromString(proto.SerializeToString())
    for field in ("summary", "description", "deprecation", "control_output", "is_distributed_communication"):
        message.ClearField(field)
    for part in (*message.input_arg, *message.output_arg):
        for field in ("description", "handle_data", "experimental_full_type"):
            part.ClearField(field)
    for attr in message.attr:
        attr.ClearField("description")
        if attr.default_value.HasField("tensor"):  # there are several ways to write a tensor
            attr.default_value.tensor.CopyFrom(tensor_proto.encode(*_decoded(attr.default_value.tensor)))
        for values in (attr.allowed_values.list.type, attr.allowed_values.list.s):
            values.sort()
        if not attr.allowed_values.ByteSize():
            attr.ClearField("allowed_values")
    return message


@pytest.mark.parametrize("name", NAMES)
def test_row_equals_tensorflow(name: str) -> None:
    theirs = oracle.op_def(name)
    if name in NOT_IN_TENSORFLOW:
        assert theirs is None
        return
    assert theirs is not None, f"TensorFlow has no op {name}"
    row = registry.get(name)
    assert row is not None
    assert interface(op_def_proto.to_proto(row)) == interface(theirs)


@pytest.mark.parametrize("name", NAMES)
def test_message_read_back_is_the_row(name: str) -> None:
    row = registry.get(name)
    assert row is not None
    proto = op_def_proto.to_proto(row)
    again = op_def_proto.from_proto(proto)
    assert op_def_proto.to_proto(again) == proto
    assert [arg.is_sequence for arg in again.inputs] == [arg.is_sequence for arg in row.inputs]


def test_every_op_of_tensorflow_survives_the_round_trip() -> None:
    from tensorflow.python.framework import op_def_registry

    oracle.tensorflow()
    for name in ("MatMul", "Pack", "Assign", "TensorArrayV3", "While", "ParseExample", "Const", "IdentityN", "PyFunc"):
        theirs = op_def_registry.get(name)
        assert interface(op_def_proto.to_proto(op_def_proto.from_proto(theirs))) == interface(theirs)


def test_rows_are_parsed_once() -> None:
    assert registry.get(NAMES[0]) is registry.get(NAMES[0])
    assert registry.get("NoSuchOpAnywhere") is None
