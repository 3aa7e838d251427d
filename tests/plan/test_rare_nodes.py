"""Nodes that few graphs have: loops over references, calls on a named device, Case, the index of a device."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import runstep
from runstep.graph.apply import apply

PROGRAMS: dict[str, Any] = {}


def program(function: Any) -> Any:
    PROGRAMS[function.__name__] = function
    return function


def in_frame(tf: Any, data: Any, constant: bool = False) -> Any:
    return tf.raw_ops.Enter(data=data, frame_name="frame", is_constant=constant, parallel_iterations=10)


def reference(tf: Any) -> Any:
    """A reference to a variable that an operation named "init" sets, inside the frame."""
    v = tf.Variable([1.0, 2.0], use_resource=False, name="v")
    tf.group(v.initializer, name="init")
    return tf.raw_ops.RefEnter(data=v._ref(), frame_name="frame", is_constant=False, parallel_iterations=10)


@program
def reference_in_and_out_of_a_frame(tf: Any) -> Any:
    return [tf.identity(tf.raw_ops.RefExit(data=reference(tf)))], [{}]


@program
def reference_as_a_loop_variable(tf: Any) -> Any:
    n = tf.placeholder("int32", [], name="n")
    entered, count = reference(tf), in_frame(tf, tf.constant(0))
    values, turns = tf.raw_ops.RefMerge(inputs=[entered, entered]), tf.raw_ops.Merge(inputs=[count, count])
    more = tf.raw_ops.LoopCond(input=turns.output < in_frame(tf, n, constant=True))
    value = tf.raw_ops.RefSwitch(data=values.output, pred=more)
    turn = tf.raw_ops.Switch(data=turns.output, pred=more)
    with tf.control_dependencies([tf.identity(turn.output_true)]):
        one, step = tf.constant(1), tf.constant([10.0, 20.0])
    changed = tf.raw_ops.AssignAdd(ref=value.output_true, value=step)
    values.output.op._update_input(1, tf.raw_ops.RefNextIteration(data=changed))
    turns.output.op._update_input(1, tf.raw_ops.NextIteration(data=turn.output_true + one))
    last = tf.identity(tf.raw_ops.RefExit(data=value.output_false))
    return [last, tf.raw_ops.Exit(data=turn.output_false)], [{"n": 3}]


@program
def call_on_a_named_device(tf: Any) -> Any:
    from tensorflow.python.framework import function

    @function.Defun(tf.float32)
    def squared(x: Any) -> Any:
        return x * x

    squared.add_to_graph(tf.get_default_graph())
    x = tf.placeholder("float32", [], name="x")
    target = "/job:localhost/replica:0/task:0/device:CPU:0"
    return [tf.raw_ops.RemoteCall(target=target, args=[x], Tout=[tf.float32], f=squared)[0]], [{"x": 3.0}]


@program
def stateful_case(tf: Any) -> Any:
    from tensorflow.python.framework import function

    def scaled(factor: int) -> Any:
        body = function.Defun(tf.float32, func_name=f"times_{factor}")(lambda x: x * float(factor))
        body.add_to_graph(tf.get_default_graph())
        return body

    branches = [scaled(factor) for factor in (1, 2, 3)]
    index, x = tf.placeholder("int32", [], name="index"), tf.placeholder("float32", [], name="x")
    found = tf.raw_ops.Case(branch_index=index, input=[x], Tout=[tf.float32], branches=branches, output_shapes=[[]])
    return [found[0]], [{"index": i, "x": 5.0} for i in (-1, 0, 1, 2, 9)]


@program
def index_of_the_device(tf: Any) -> Any:
    return [tf.raw_ops.DeviceIndex(device_names=names) for names in (["GPU", "CPU"], ["CPU"], ["GPU"], ["cpu"])], [{}]


@pytest.mark.parametrize("name", PROGRAMS)
def test_same_as_tensorflow(name: str, same: Any) -> None:
    same(PROGRAMS[name])


def test_the_old_placeholder_must_be_fed() -> None:
    """TensorFlow refuses PlaceholderV2 in graphs of today."""
    with runstep.Graph().as_default(), runstep.Session() as session:
        x = apply("PlaceholderV2", dtype="float32", shape=(2,))
        assert session.run(x + 1.0, {x: [1.0, 2.0]}).tolist() == [2.0, 3.0]
        with pytest.raises(runstep.errors.InvalidArgumentError, match="must feed a value for placeholder"):
            session.run(x + 1.0)


def test_a_parameter_that_is_never_read_has_its_dtype_and_shape() -> None:
    """TensorFlow leaves the memory as it is."""
    with runstep.Graph().as_default(), runstep.Session() as session:
        value = session.run(apply("FakeParam", dtype="int32", shape=(2, 3)))
    assert value.dtype == np.int32 and value.shape == (2, 3)
