"""runstep: TensorFlow-1-style graphs, run in Sessions, without TensorFlow.

    import runstep as tf

    x = tf.placeholder(tf.float32, [None])
    y = tf.reduce_sum(x * 2.0)
    with tf.Session() as sess:
        print(sess.run(y, {x: [1.0, 2.0]}))

The names here are those of `tf.compat.v1`.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from runstep.graph.dtypes import *  # noqa: F403 - one name per element type
from runstep.graph.dtypes import DType as DType, as_dtype as as_dtype

if TYPE_CHECKING:
    from runstep import errors as errors
    from runstep.api import *  # noqa: F403
    from runstep.graph.collections import GraphKeys as GraphKeys
    from runstep.graph.composite import (
        IndexedSlices as IndexedSlices,
        IndexedSlicesValue as IndexedSlicesValue,
        SparseTensor as SparseTensor,
        SparseTensorValue as SparseTensorValue,
    )
    from runstep.graph.convert import (
        convert_to_tensor as convert_to_tensor,
        register_tensor_conversion_function as register_tensor_conversion_function,
    )
    from runstep.graph.device import DeviceSpec as DeviceSpec
    from runstep.graph.graph import (
        Graph as Graph,
        get_default_graph as get_default_graph,
        name_scope as name_scope,
        reset_default_graph as reset_default_graph,
    )
    from runstep.graph.importer import import_graph_def as import_graph_def
    from runstep.graph.operation import Operation as Operation
    from runstep.graph.ragged_tensor import RaggedTensor as RaggedTensor
    from runstep.graph.scopes import (
        add_to_collection as add_to_collection,
        add_to_collections as add_to_collections,
        colocate_with as colocate_with,
        container as container,
        control_dependencies as control_dependencies,
        device as device,
        get_collection as get_collection,
        get_collection_ref as get_collection_ref,
        init_scope as init_scope,
        op_scope as op_scope,
    )
    from runstep.graph.shapes import Dimension as Dimension, TensorShape as TensorShape
    from runstep.graph.tensor import Tensor as Tensor
    from runstep.graph.tensor_proto import make_tensor_proto as make_tensor_proto
    from runstep.ops.raw import raw_ops as raw_ops
    from runstep.protos.attr_value_pb2 import AttrValue as AttrValue, NameAttrList as NameAttrList
    from runstep.protos.config_pb2 import (
        ConfigProto as ConfigProto,
        GPUOptions as GPUOptions,
        GraphOptions as GraphOptions,
        OptimizerOptions as OptimizerOptions,
        RunMetadata as RunMetadata,
        RunOptions as RunOptions,
    )
    from runstep.protos.event_pb2 import Event as Event, LogMessage as LogMessage, SessionLog as SessionLog
    from runstep.protos.graph_pb2 import GraphDef as GraphDef
    from runstep.protos.histogram_pb2 import HistogramProto as HistogramProto
    from runstep.protos.meta_graph_pb2 import MetaGraphDef as MetaGraphDef, TensorInfo as TensorInfo
    from runstep.protos.node_def_pb2 import NodeDef as NodeDef
    from runstep.protos.summary_pb2 import Summary as Summary, SummaryMetadata as SummaryMetadata

__version__ = "0.1.0"

newaxis = None

_PARTS = frozenset(
    "actors data errors graph io kernels observe ops plan protos quiet session step testing train variables".split()
)

# What is imported when first asked for, by module: a program pays for what it uses (one that makes no ConfigProto needs
# no protobuf to build a graph).
_MODULES = {
    "graph.collections": "GraphKeys",
    "graph.composite": "IndexedSlices IndexedSlicesValue SparseTensor SparseTensorValue",
    "graph.convert": "convert_to_tensor register_tensor_conversion_function",
    "graph.device": "DeviceSpec",
    "graph.graph": "Graph get_default_graph name_scope reset_default_graph",
    "graph.importer": "import_graph_def",
    "graph.operation": "Operation",
    "graph.ragged_tensor": "RaggedTensor",
    "graph.scopes": "add_to_collection add_to_collections colocate_with container control_dependencies device "
    "get_collection get_collection_ref init_scope op_scope",
    "graph.shapes": "Dimension TensorShape",
    "graph.tensor": "Tensor",
    "graph.tensor_proto": "make_tensor_proto",
    "ops.raw": "raw_ops",
    "protos.attr_value_pb2": "AttrValue NameAttrList",
    "protos.config_pb2": "ConfigProto GPUOptions GraphOptions OptimizerOptions RunMetadata RunOptions",
    "protos.event_pb2": "Event LogMessage SessionLog",
    "protos.graph_pb2": "GraphDef",
    "protos.histogram_pb2": "HistogramProto",
    "protos.meta_graph_pb2": "MetaGraphDef TensorInfo",
    "protos.node_def_pb2": "NodeDef",
    "protos.summary_pb2": "Summary SummaryMetadata",
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(importlib.import_module(f"runstep.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
    if name in _PARTS:  # `from runstep import kernels` asks here first
        return importlib.import_module(f"runstep.{name}")
    if not name.startswith("__"):
        api = importlib.import_module("runstep.api")  # the op functions: half of the import time, so when first used
        if hasattr(api, name):
            globals().update((key, found) for key, found in vars(api).items() if not key.startswith("_"))
            return globals()[name]
    raise AttributeError(f"module 'runstep' has no attribute {name!r}{_meant(name)}", name=name)


def _meant(name: str) -> str:
    """What was likely meant by a name that isn't there."""
    import difflib

    found = [] if name.startswith("_") else difflib.get_close_matches(name, __dir__(), n=1, cutoff=0.7)
    return f". Did you mean: {found[0]!r}?" if found else ""


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES, *importlib.import_module("runstep.api").__all__})


class _Names(ModuleType):
    """This module: importing the package `runstep.gradients` must not hide TensorFlow's function of that name."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name != "gradients" or not isinstance(value, ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Names
