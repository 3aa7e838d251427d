"""TensorFlow as the oracle: its op defs, its kernels, its static shapes, its values. The one module that knows it."""

from __future__ import annotations

import functools
import importlib
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from runstep.graph import attr_value, dtypes
from runstep.graph.dtypes import DType
from runstep.graph.shapes import RawShape
from runstep.protos import attr_value_pb2
from runstep.testing.rows import Instance


@functools.cache
def tensorflow() -> Any:
    """TensorFlow, quiet and on the CPU. ImportError with what to do when it is not installed."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    try:
        return importlib.import_module("tensorflow")
    except ImportError as error:
        raise ImportError("Checking ops needs TensorFlow as the oracle: pip install tensorflow-cpu") from error


def _framework(module: str) -> Any:
    tensorflow()
    return importlib.import_module(f"tensorflow.python.framework.{module}")


def op_def(op: str) -> Any:
    """TensorFlow's OpDef message of `op`, or None."""
    return _framework("op_def_registry").get(op)


@functools.cache
def kernel_constraints(op: str) -> tuple[dict[str, frozenset[DType]], ...]:
    """One dict of allowed dtypes by type attribute for each of TensorFlow's CPU kernels of `op`."""
    found = []
    for kernel in _framework("kernels").get_registered_kernels_for_op(op).kernel:
        if kernel.device_type in ("CPU", "DEFAULT") and not kernel.label:
            found.append(
                {
                    constraint.name: frozenset(map(dtypes.as_dtype, constraint.allowed_values.list.type))
                    for constraint in kernel.constraint
                }
            )
    return tuple(found)


def _tf_attr(kind: str, value: Any) -> Any:
    message = attr_value_pb2.AttrValue()
    attr_value.to_proto(kind, value, message)
    return tensorflow().compat.v1.AttrValue.FromString(message.SerializeToString())


def _graph(op: str) -> Any:
    """An empty graph; for an op that TensorFlow has retired, one as old as is needed for it."""
    tf = tensorflow()
    graph = tf.Graph()
    if retired := op_def(op).deprecation.version:
        old = tf.compat.v1.GraphDef()
        old.versions.producer = retired - 1
        with graph.as_default():
            tf.import_graph_def(old, name="")
    return graph


def _node(graph: Any, instance: Instance, tensors: Sequence[Any]) -> Any:
    attrs = {name: _tf_attr(attr.kind, instance.attrs[name]) for name, attr in instance.op_def.attrs.items()}
    return graph.create_op(
        instance.row.op,
        list(tensors),
        [kind.enum for kind in instance.output_types],
        attrs=attrs,
        op_def=op_def(instance.row.op),
    )


def _input(instance: Instance, index: int, shape: RawShape) -> tuple[Any, Any]:
    """The tensor to pass as input `index`, of that static shape, and the placeholder that its value is fed to.

    For a variable the placeholder feeds its initializer, see `_initializer`.
    """
    tf = tensorflow()
    held = instance.held[index]
    kind = tf.dtypes.as_dtype((held or instance.input_types[index]).enum)
    if held is None:
        placeholder = tf.compat.v1.placeholder(kind, shape)
        return placeholder, placeholder
    if instance.input_types[index].is_ref:
        made = tf.raw_ops.VariableV2(shape=tf.TensorShape(shape), dtype=kind)
    else:  # without a name of its own all handles would name one variable
        name = tf.compat.v1.get_default_graph().unique_name("variable")
        made = tf.raw_ops.VarHandleOp(dtype=kind, shape=tf.TensorShape(shape), shared_name=name)
    return made, tf.compat.v1.placeholder(kind, None)


def static_shapes(instance: Instance, values: Sequence[Any], known: Sequence[Any]) -> list[RawShape] | Exception:
    """What TensorFlow infers for the outputs.

    `known` says per input what is known: a raw shape, or True where the value is a constant. The exception that
    building raised is returned, not raised.
    """
    tf = tensorflow()
    graph = _graph(instance.row.op)
    with graph.as_default(), tf.device("/cpu:0"):
        tensors = []
        for index, (kind, value, what) in enumerate(zip(instance.input_types, values, known, strict=True)):
            if what is True:
                tensors.append(tf.constant(_to_tf(value, kind), tf.dtypes.as_dtype(kind.enum)))
            else:
                tensors.append(_input(instance, index, what)[0])
        try:
            op = _node(graph, instance, tensors)
        except Exception as error:  # whatever building raised is the answer
            return error
        return [None if t.shape.rank is None else tuple(t.shape.as_list()) for t in op.outputs]


def _to_tf(value: Any, kind: DType) -> Any:
    if kind.is_quantized:
        return np.asarray(value).view(kind.as_numpy_dtype)
    return value


def _from_tf(value: Any, kind: DType) -> Any:
    if kind is dtypes.string:
        shaped = np.empty(np.shape(value), object)
        shaped[...] = value
        return shaped
    value = np.asarray(value)
    return value.view(kind.np) if kind.is_quantized and value.dtype.kind == "V" else value


Outcome = list[Any] | Exception


class _Run:
    """One instance in the shared graph: what to feed, what to run before, what to fetch, what to read afterwards."""

    def __init__(self, index: int, graph: Any, instance: Instance, values: Sequence[Any]) -> None:
        tf = tensorflow()
        self.index = index
        self.instance = instance
        self.feeds: dict[Any, Any] = {}
        self.before: list[Any] = []
        self.after: list[Any] = []
        tensors = []
        for place, (value, kind, held) in enumerate(zip(values, instance.input_types, instance.held, strict=True)):
            tensor, placeholder = _input(instance, place, np.shape(value) if kind.is_ref else None)
            self.feeds[placeholder] = _to_tf(value, held or kind)
            tensors.append(tensor)
            if kind.is_ref:
                self.before.append(tf.raw_ops.Assign(ref=tensor, value=placeholder).op)
                self.after.append(tf.raw_ops.Identity(input=tensor))
            elif held is not None:
                dtype = placeholder.dtype
                self.before.append(tf.raw_ops.AssignVariableOp(resource=tensor, value=placeholder))
                self.after.append(tf.raw_ops.ReadVariableOp(resource=tensor, dtype=dtype))
        op = _node(graph, instance, tensors)
        self.fetches = [t for t in op.outputs if t.dtype not in (tf.resource, tf.variant)] or [op]

    def outcome(self, fetched: Sequence[Any], after: Sequence[Any]) -> list[Any]:
        values = iter(fetched)
        found = [
            None if kind in (dtypes.resource, dtypes.variant) else _from_tf(next(values), kind.base_dtype)
            for kind in self.instance.output_types
        ]
        held = [kind for kind in self.instance.held if kind is not None]
        return found + [_from_tf(value, kind) for value, kind in zip(after, held, strict=True)]


def run(instances: Sequence[Instance], values: Sequence[Sequence[Any]]) -> list[Outcome]:
    """The outputs of each instance on its inputs, and what its variables hold then; or what TensorFlow raised for it.

    All instances share one graph and one session. Static shapes are unknown, so that the kernels see everything;
    graph rewriting is off, so that the kernel is what runs. An output that cannot leave a session (a resource or a
    variant) is None.
    """
    tf = tensorflow()
    graph = _graph(instances[0].row.op)
    outcomes: list[Any] = [None] * len(instances)
    runs: list[_Run] = []
    with graph.as_default(), tf.device("/cpu:0"):
        for index, (instance, inputs) in enumerate(zip(instances, values, strict=True)):
            try:
                runs.append(_Run(index, graph, instance, inputs))
            except Exception as error:  # whatever building raised is the answer
                outcomes[index] = error
    with tf.compat.v1.Session(graph=graph, config=config()) as session:

        def fetch(wanted: list[_Run]) -> None:
            feeds = {tensor: value for one in wanted for tensor, value in one.feeds.items()}
            before = [op for one in wanted for op in one.before]
            if before:
                session.run(before, feeds)
            results = session.run([one.fetches for one in wanted], feeds)
            after = session.run([one.after for one in wanted]) if before else [()] * len(wanted)
            for one, fetched, left in zip(wanted, results, after, strict=True):
                outcomes[one.index] = one.outcome(fetched, left)

        try:
            if all(instance.row.error is None for instance in instances):
                fetch(runs)
                return outcomes
        except tf.errors.OpError:
            pass  # some of them fail: find out which
        for one in runs:
            try:
                fetch([one])
            except tf.errors.OpError as error:
                outcomes[one.index] = error
    if len(instances) > 1:
        for index, outcome in enumerate(outcomes):
            if no_kernel(outcome):  # a node without a kernel spoils the whole graph
                outcomes[index] = run([instances[index]], [values[index]])[0]
    return outcomes


def no_kernel(outcome: Any) -> bool:
    """Whether an outcome says that TensorFlow has no kernel for these dtypes."""
    return isinstance(outcome, Exception) and "No OpKernel" in str(outcome)


@functools.cache
def config() -> Any:
    """A ConfigProto for one thread and no rewriting: the kernels are what runs."""
    tf = tensorflow()
    found = tf.compat.v1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
    found.graph_options.optimizer_options.opt_level = -1
    found.graph_options.rewrite_options.disable_meta_optimizer = True
    return found
