"""`tf.saved_model.utils`: tensors as `TensorInfo` messages, and back (source: tf.compat.v1.saved_model.utils)."""

from __future__ import annotations

from typing import Any

from runstep.graph.composite import SparseTensor
from runstep.graph.graph import Graph, get_default_graph
from runstep.protos.meta_graph_pb2 import TensorInfo
from runstep.variables.facts import with_scope

__all__ = ["build_tensor_info", "get_tensor_from_tensor_info"]


def build_tensor_info(tensor: Any) -> TensorInfo:
    """The `TensorInfo` of a tensor, variable or SparseTensor: names, dtype and shape."""
    info = TensorInfo(dtype=tensor.dtype.as_datatype_enum, tensor_shape=tensor.get_shape().as_proto())
    if isinstance(tensor, SparseTensor):
        info.coo_sparse.values_tensor_name = tensor.values.name
        info.coo_sparse.indices_tensor_name = tensor.indices.name
        info.coo_sparse.dense_shape_tensor_name = tensor.dense_shape.name
    else:
        info.name = tensor.name
    return info


def get_tensor_from_tensor_info(tensor_info: Any, graph: Graph | None = None, import_scope: str | None = None) -> Any:
    """The tensor or SparseTensor of a graph that a `TensorInfo` describes.

    Raises:
      KeyError: the graph lacks it. ValueError: the message describes something else.
    """
    graph = graph or get_default_graph()

    def find(name: str) -> Any:
        return graph.get_tensor_by_name(with_scope(name, import_scope))

    encoding = tensor_info.WhichOneof("encoding")
    if encoding == "name":
        return find(tensor_info.name)
    if encoding == "coo_sparse":
        names = tensor_info.coo_sparse
        return SparseTensor(
            find(names.indices_tensor_name), find(names.values_tensor_name), find(names.dense_shape_tensor_name)
        )
    raise ValueError(f"Invalid TensorInfo.encoding: {encoding}. Expected `coo_sparse` or `name`.")
