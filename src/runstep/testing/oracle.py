"""TensorFlow as the oracle: its op defs, its kernels, its static shapes, its values. The one module that knows it."""

from __future__ import annotations

import functools
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
        import tensorflow
    except ImportError as error:
        raise ImportError("Checking ops needs TensorFlow as the oracle: pip install tensorflow-cpu") from error
    return tensorflow


def op_def(op: str) -> Any:
    """TensorFlow's OpDef message of `op`, or None."""
    tensorflow()
    from tensorflow.python.framework import op_def_registry

    return op_def_registry.get(op)


@functools.cache
def kernel_constraints(op: str) -> tuple[dict[str, frozenset[DType]], ...]:
    """One dict of allowed dtypes by type attribute for each of TensorFlow's CPU kernels of `op`."""
    tensorflow()
    from tensorflow.python.framework import kernels

    found = []
    for kernel in kernels.get_registered_kernels_for_op(op).kernel:
        if kernel.device_type == "CPU" and not kernel.label:
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


def _node(graph: Any, instance: Instance, tensors: Sequence[Any]) -> Any:
    attrs = {name: _tf_attr(attr.kind, instance.attrs[name]) for name, attr in instance.op_def.attrs.items()}
    return graph.create_op(
        instance.row.op,
        list(tensors),
        [kind.enum for kind in instance.output_types],
        attrs=attrs,
        op_def=op_def(instance.row.op),
    )


def static_shapes(instance: Instance, values: Sequence[Any], known: Sequence[Any]) -> list[RawShape] | Exception:
    """What TensorFlow infers for the outputs.

    `known` says per input what is known: a raw shape, or True where the value is a constant. The exception that
    building raised is returned, not raised.
    """
    tf = tensorflow()
    graph = tf.Graph()
    with graph.as_default(), tf.device("/cpu:0"):
        tensors = []
        for kind, value, what in zip(instance.input_types, values, known, strict=True):
            tf_type = tf.dtypes.as_dtype(kind.enum)
            if what is True:
                tensors.append(tf.constant(_to_tf(value, kind), tf_type))
            else:
                tensors.append(tf.compat.v1.placeholder(tf_type, what))
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


def run(instances: Sequence[Instance], values: Sequence[Sequence[Any]]) -> list[Outcome]:
    """The outputs of each instance on its inputs, or the exception that TensorFlow raised for it.

    All instances share one graph and one session. Static shapes are unknown, so that the kernels see everything;
    graph rewriting is off, so that the kernel is what runs. An output that cannot leave a session (a resource or a
    variant) is None.
    """
    tf = tensorflow()
    graph = tf.Graph()
    outcomes: list[Any] = [None] * len(instances)
    nodes: list[tuple[int, list[Any], dict[Any, Any]]] = []
    with graph.as_default(), tf.device("/cpu:0"):
        for index, (instance, inputs) in enumerate(zip(instances, values, strict=True)):
            tensors = [
                tf.compat.v1.placeholder(tf.dtypes.as_dtype(kind.enum), None) for kind in instance.input_types
            ]
            try:
                op = _node(graph, instance, tensors)
            except Exception as error:  # whatever building raised is the answer
                outcomes[index] = error
                continue
            feeds = {
                tensor: _to_tf(value, kind)
                for tensor, value, kind in zip(tensors, inputs, instance.input_types, strict=True)
            }
            nodes.append((index, [t for t in op.outputs if t.dtype not in (tf.resource, tf.variant)] or [op], feeds))
    with tf.compat.v1.Session(graph=graph, config=_config(tf)) as session:

        def fetch(wanted: list[tuple[int, list[Any], dict[Any, Any]]]) -> None:
            fed = {tensor: value for _, _, feeds in wanted for tensor, value in feeds.items()}
            results = session.run([fetches for _, fetches, _ in wanted], fed)
            for (index, _, _), got in zip(wanted, results, strict=True):
                fetched = iter(got)
                outcomes[index] = [
                    None if kind in (dtypes.resource, dtypes.variant) else _from_tf(next(fetched), kind)
                    for kind in instances[index].output_types
                ]

        try:
            if instances and instances[0].row.error is None:
                fetch(nodes)
                return outcomes
        except tf.errors.OpError:
            pass  # some of them fail: find out which
        for node in nodes:
            try:
                fetch([node])
            except tf.errors.OpError as error:
                outcomes[node[0]] = error
    return outcomes


@functools.cache
def _config(tf: Any) -> Any:
    config = tf.compat.v1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
    config.graph_options.optimizer_options.opt_level = -1
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    return config
