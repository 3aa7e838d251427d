"""Meta graphs: a graph, what its collections hold, and how its variables are saved, in one message."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from runstep import logging as _log
from runstep.compat import as_bytes
from runstep.graph.collections import GraphKeys
from runstep.graph.control_flow import CondContext, WhileContext
from runstep.graph.exporter import graph_def as exported
from runstep.graph.graph import Graph, get_default_graph
from runstep.graph.importer import import_graph_def
from runstep.graph.op_def_proto import to_proto as op_def_proto
from runstep.ops import registry
from runstep.protos.graph_pb2 import GraphDef
from runstep.protos.meta_graph_pb2 import MetaGraphDef
from runstep.train.graph_io import read_message, write_graph
from runstep.train.saver import Saver, everything
from runstep.variables.facts import with_scope, without_scope
from runstep.variables.variable import Variable

__all__ = ["export_meta_graph", "import_meta_graph"]

FOLLOWED_VERSION = "2.21.0"
"""TensorFlow's version whose meta graphs we write."""

_UNBOUND = "$unbound_inputs_"

# --- collections --------------------------------------------------------------------------------------------------

_VARIABLES = (
    GraphKeys.GLOBAL_VARIABLES,
    GraphKeys.LOCAL_VARIABLES,
    GraphKeys.METRIC_VARIABLES,
    GraphKeys.MODEL_VARIABLES,
    GraphKeys.TRAINABLE_VARIABLES,
    GraphKeys.MOVING_AVERAGE_VARIABLES,
    GraphKeys.GLOBAL_STEP,
    GraphKeys.EVAL_STEP,
)

Converter = tuple[Any, Callable[..., Any], Callable[..., Any]]
_converters: dict[str, Converter] = {}


def register_proto_function(
    collection_name: str, proto_type: Any = None, to_proto: Any = None, from_proto: Any = None
) -> None:
    """Says how the items of a collection become messages and come back (source: ops.register_proto_function).

    Raises:
      TypeError: a function is not callable.
    """
    if to_proto is not None and not callable(to_proto):
        raise TypeError(f"to_proto must be callable. Received: {to_proto}")
    if from_proto is not None and not callable(from_proto):
        raise TypeError(f"from_proto must be callable. Received: {from_proto}")
    _converters[collection_name] = (proto_type, to_proto, from_proto)


def _converter(key: str) -> Converter | None:
    if key in _converters:
        return _converters[key]
    if key in _VARIABLES:
        from runstep.protos.variable_pb2 import VariableDef

        return VariableDef, Variable.to_proto, Variable.from_proto
    if key == GraphKeys.QUEUE_RUNNERS:
        from runstep.protos.queue_runner_pb2 import QueueRunnerDef
        from runstep.train.queue_runner import QueueRunner

        return QueueRunnerDef, QueueRunner.to_proto, QueueRunner.from_proto
    if key == GraphKeys.COND_CONTEXT:
        from runstep.protos.control_flow_pb2 import CondContextDef

        return CondContextDef, CondContext.to_proto, CondContext.from_proto
    if key == GraphKeys.WHILE_CONTEXT:
        from runstep.protos.control_flow_pb2 import WhileContextDef

        return WhileContextDef, WhileContext.to_proto, WhileContext.from_proto
    if key == GraphKeys.SAVERS:
        from runstep.protos.saver_pb2 import SaverDef

        return SaverDef, Saver.to_proto, Saver.from_proto
    return None


def _included(item: Any, export_scope: str | None, exclude: Iterable[str]) -> bool:
    name = item.decode() if isinstance(item, bytes) else getattr(item, "name", item)
    if not isinstance(name, str):
        return True
    if name.split(":")[0] in exclude:
        return False
    return name.startswith(_UNBOUND) or not export_scope or name.startswith(export_scope)


def _add_collection(message: Any, key: Any, items: Sequence[Any], export_scope: str | None) -> None:
    """Writes one collection; one that cannot be written is left out with a warning, as TensorFlow does."""
    if not isinstance(key, str):
        _log.warning("Only collections with string type keys will be serialized. This key has %s", type(key))
        return
    collection = message.collection_def[key]
    try:
        converter = _converter(key)
        if converter is not None and converter[1] is not None:
            for item in items:
                proto = converter[1](item, export_scope=export_scope)
                if proto is not None:
                    collection.bytes_list.value.append(proto.SerializeToString())
        elif isinstance(items[0], str | bytes):
            collection.bytes_list.value.extend(as_bytes(item) for item in items)
        elif isinstance(items[0], int):
            collection.int64_list.value.extend(items)
        elif isinstance(items[0], float):
            collection.float_list.value.extend(items)
        else:
            inside = [item.name for item in items if not export_scope or item.name.startswith(export_scope)]
            collection.node_list.value.extend(without_scope(name, export_scope) for name in inside)
    except (AttributeError, TypeError, ValueError) as error:
        _log.warning(
            "Issue encountered when serializing %s.\nType is unsupported, or the types of the items don't match field "
            "type in CollectionDef. Note this is a warning and probably safe to ignore.\n%s",
            key,
            error,
        )
        del message.collection_def[key]


def _restore_collection(graph: Graph, key: str, collection: Any, scope: str, variables: dict[bytes, Any]) -> None:
    kind = collection.WhichOneof("kind")
    if kind is None:
        _log.error("Cannot identify data type for collection %s. Skipping.", key)
        return
    converter = _converter(key)
    values = getattr(collection, kind).value
    if converter is not None and converter[2] is not None and kind == "bytes_list":
        proto_type, _, from_proto = converter
        for value in values:
            if key in _VARIABLES and value in variables:
                item = variables[value]
            else:
                item = from_proto(proto_type.FromString(value), import_scope=scope)
                if key in _VARIABLES:
                    variables[value] = item  # one variable in several collections stays one object
            graph.add_to_collection(key, item)
        return
    for value in values:
        if kind == "node_list":
            value = graph.as_graph_element(with_scope(value, scope))
        elif kind == "bytes_list" and scope:
            value = with_scope(value.decode(), scope)
        graph.add_to_collection(key, value)


# --- writing ------------------------------------------------------------------------------------------------------


def export_meta_graph(
    filename: str | None = None,
    meta_info_def: Any = None,
    graph_def: Any = None,
    saver_def: Any = None,
    collection_list: Sequence[str] | None = None,
    as_text: bool = False,
    graph: Graph | None = None,
    export_scope: str | None = None,
    clear_devices: bool = False,
    clear_extraneous_savers: bool = False,
    strip_default_attrs: bool = False,
    save_debug_info: bool = False,
    **kwargs: Any,
) -> Any:
    """A `MetaGraphDef` of the graph with its collections (source: tf.train.export_meta_graph).

    Args:
      filename: where to write it; not written by default.
      graph_def: another form of the graph to put into it.
      collection_list: the collections to include; all by default.
      export_scope: only what is in this name scope, without the scope's name. Inputs from outside are called
        "$unbound_inputs_...".
      clear_extraneous_savers: without the operations of Savers other than `saver_def`'s.
      strip_default_attrs: without attributes that have their default values.
      save_debug_info: not used.
    """
    message, _ = export_scoped_meta_graph(
        filename=filename,
        graph_def=graph_def,
        graph=graph,
        export_scope=export_scope,
        as_text=as_text,
        clear_devices=clear_devices,
        clear_extraneous_savers=clear_extraneous_savers,
        strip_default_attrs=strip_default_attrs,
        meta_info_def=meta_info_def,
        saver_def=saver_def,
        collection_list=collection_list,
        **kwargs,
    )
    return message


def export_scoped_meta_graph(
    filename: str | None = None,
    graph_def: Any = None,
    graph: Graph | None = None,
    export_scope: str | None = None,
    as_text: bool = False,
    unbound_inputs_col_name: str | None = "unbound_inputs",
    clear_devices: bool = False,
    saver_def: Any = None,
    clear_extraneous_savers: bool = False,
    strip_default_attrs: bool = False,
    save_debug_info: bool = False,
    meta_info_def: Any = None,
    collection_list: Sequence[str] | None = None,
) -> tuple[Any, dict[str, Any]]:
    """As `export_meta_graph`; also returns the variables by their names in the message."""
    graph = graph or get_default_graph()
    if graph_def is None:
        graph_def = exported(graph, add_shapes=True)
    exclude: set[str] = set()
    if export_scope or clear_extraneous_savers or clear_devices:
        if clear_extraneous_savers:
            exclude = _other_savers(graph_def, saver_def)
        graph_def, unbound = _part(graph_def, export_scope, exclude, clear_devices)
        if unbound_inputs_col_name:
            graph._collections.pop(unbound_inputs_col_name, None)
            for name in unbound:
                graph._collections.setdefault(unbound_inputs_col_name, []).append(name)
    message = MetaGraphDef()
    _write_meta_info(message, meta_info_def, graph_def, strip_default_attrs)
    message.graph_def.CopyFrom(graph_def)
    if strip_default_attrs:
        _strip_defaults(message.graph_def)
    if saver_def is not None:
        message.saver_def.MergeFrom(saver_def)
    for key in graph.get_all_collection_keys() if collection_list is None else collection_list:
        items = [item for item in graph.get_collection(key) if _included(item, export_scope, exclude)]
        if items:
            _add_collection(message, key, items, export_scope)
    variables = {
        without_scope(var.name, export_scope): var
        for var in graph.get_collection(GraphKeys.GLOBAL_VARIABLES, scope=export_scope)
        if _included(var, export_scope, exclude)
    }
    if filename:
        write_graph(message, os.path.dirname(filename), os.path.basename(filename), as_text=as_text)
    return message, variables


def _write_meta_info(message: Any, given: Any, graph_def: Any, strip_default_attrs: bool) -> None:
    info = message.meta_info_def
    if given is not None:
        info.MergeFrom(given)
    info.tensorflow_version = FOLLOWED_VERSION
    info.tensorflow_git_version = "unknown"
    info.stripped_default_attrs = strip_default_attrs
    if not info.HasField("stripped_op_list"):
        info.stripped_op_list.op.extend(_used_ops(graph_def))


def _used_ops(graph_def: Any) -> list[Any]:
    """The definitions of the ops in a graph and its functions, by name."""
    names = {node.op for node in graph_def.node}
    names.update(node.op for function in graph_def.library.function for node in function.node_def)
    found = (registry.get(name) for name in sorted(names))
    return [op_def_proto(op_def) for op_def in found if op_def is not None]


def _strip_defaults(graph_def: Any) -> None:
    nodes = [*graph_def.node, *(node for function in graph_def.library.function for node in function.node_def)]
    for node in nodes:
        op_def = registry.get(node.op)
        if op_def is None:
            continue
        for attr in op_def_proto(op_def).attr:
            if attr.HasField("default_value") and attr.name in node.attr and node.attr[attr.name] == attr.default_value:
                del node.attr[attr.name]


def _other_savers(graph_def: Any, saver_def: Any) -> set[str]:
    """The nodes in the name scopes of Savers that are not `saver_def`'s."""
    kept = saver_def.save_tensor_name.rpartition("/")[0] if saver_def is not None else None
    kinds = ("Save", "SaveSlices", "SaveV2", "Restore", "RestoreSlice", "RestoreV2")
    scopes = {node.name.rpartition("/")[0] for node in graph_def.node if node.op in kinds}
    scopes -= {kept, ""}
    return {node.name for node in graph_def.node if any(node.name.startswith(f"{scope}/") for scope in scopes)}


def _part(graph_def: Any, scope: str | None, exclude: set[str], clear_devices: bool) -> tuple[Any, list[str]]:
    """The nodes of a scope, with names as seen from there, and the names of inputs from elsewhere."""
    part = GraphDef()
    part.versions.CopyFrom(graph_def.versions)
    part.library.CopyFrom(graph_def.library)
    unbound: list[str] = []
    for node in graph_def.node:
        if not _included(node.name, scope, exclude):
            continue
        new = part.node.add()
        new.CopyFrom(node)
        if clear_devices:
            new.device = ""
        if not scope:
            continue
        new.name = without_scope(node.name, scope)
        del new.input[:]
        for name in node.input:
            control, bare = ("^", name[1:]) if name.startswith("^") else ("", name)
            if bare.startswith(scope):
                new.input.append(control + without_scope(bare, scope))
            elif not control:
                new.input.append(_UNBOUND + bare)
                unbound.append(new.input[-1])
        if "_class" in new.attr:
            groups = [group.decode().removeprefix("loc:@") for group in node.attr["_class"].list.s]
            inside = [f"loc:@{without_scope(group, scope)}".encode() for group in groups if group.startswith(scope)]
            del new.attr["_class"].list.s[:]
            new.attr["_class"].list.s.extend(inside)
            if not inside:
                del new.attr["_class"]
    return part, unbound


# --- reading ------------------------------------------------------------------------------------------------------


def import_meta_graph(
    meta_graph_or_file: Any, clear_devices: bool = False, import_scope: str | None = None, **kwargs: Any
) -> Saver | None:
    """Adds a meta graph to the default graph: nodes, and collections as they were (source: tf.train.import_meta_graph).

    Args:
      meta_graph_or_file: a `MetaGraphDef` message or the name of a file with one.
      clear_devices: forget which devices nodes were on.
      import_scope: a prefix of the names.
      kwargs: `input_map`, `return_elements`, `restore_collections_predicate`.

    Returns:
      A Saver of its variables, or None when there are none.

    Raises:
      OSError: the file cannot be read.
    """
    message = as_meta_graph(meta_graph_or_file)
    variables, _ = import_scoped_meta_graph_with_return_elements(message, clear_devices, None, import_scope, **kwargs)
    return saver_for(message, import_scope, variables)


def saver_for(message: Any, import_scope: str | None, variables: dict[str, Any]) -> Saver | None:
    """The Saver of an imported meta graph: the one that it names, or a new one of its variables."""
    if message.HasField("saver_def"):
        scope = import_scope
        for name, var in variables.items():
            scope = var.name[: -len(name)]
            break
        return Saver.from_proto(message.saver_def, scope)
    if everything(scope=import_scope):
        return Saver()
    _log.info("Saver not created because there are no variables in the graph to restore")
    return None


def as_meta_graph(meta_graph_or_file: Any) -> Any:
    """Our MetaGraphDef message of what a user passes as one: a message (TensorFlow's too), or a file's name."""
    if isinstance(meta_graph_or_file, MetaGraphDef):
        return meta_graph_or_file
    if hasattr(meta_graph_or_file, "SerializeToString"):
        return MetaGraphDef.FromString(meta_graph_or_file.SerializeToString())
    return read_message(MetaGraphDef, os.fspath(meta_graph_or_file), "MetaGraphDef")


def import_scoped_meta_graph_with_return_elements(
    meta_graph_or_file: Any,
    clear_devices: bool = False,
    graph: Graph | None = None,
    import_scope: str | None = None,
    input_map: Any = None,
    unbound_inputs_col_name: str | None = "unbound_inputs",
    restore_collections_predicate: Callable[[str], bool] = lambda key: True,
    return_elements: Any = None,
) -> tuple[dict[str, Any], Any]:
    """Adds a meta graph to a graph; returns its variables by their names in the message, and the elements asked for."""
    message = as_meta_graph(meta_graph_or_file)
    _check_bound(message, unbound_inputs_col_name, input_map)
    graph = graph or get_default_graph()
    with graph.as_default():
        graph_def = message.graph_def
        if clear_devices:
            graph_def = GraphDef()
            graph_def.CopyFrom(message.graph_def)
            for node in graph_def.node:
                node.device = ""
        scope = graph.unique_name(import_scope, mark_as_used=False) if import_scope else graph.get_name_scope()
        op_list = message.meta_info_def.stripped_op_list if message.meta_info_def.HasField("stripped_op_list") else None
        elements = import_graph_def(
            graph_def,
            name=import_scope or "",
            input_map=input_map,
            producer_op_list=op_list,
            return_elements=return_elements,
        )
        variables: dict[bytes, Any] = {}
        for key in sorted(message.collection_def):
            if key != unbound_inputs_col_name and restore_collections_predicate(key):
                _restore_collection(graph, key, message.collection_def[key], scope, variables)
        named = {
            without_scope(var.name, scope): var
            for var in graph.get_collection(GraphKeys.GLOBAL_VARIABLES, scope=scope or None)
        }
    return named, elements


def _check_bound(message: Any, collection: str | None, input_map: Any) -> None:
    if not collection or collection not in message.collection_def:
        return
    names = [name.decode() for name in message.collection_def[collection].bytes_list.value]
    if names and (not input_map or sorted(names) != sorted(input_map)):
        raise ValueError(
            f"Graph contains unbound inputs: {','.join(names)}. Must provide these inputs through input_map."
        )
