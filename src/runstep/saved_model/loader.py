"""`tf.saved_model.loader`: from a folder to a graph with variables, in a session (source: tf.compat.v1.saved_model)."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from runstep import logging as _log
from runstep.protos.meta_graph_pb2 import AssetFileDef
from runstep.protos.saved_model_pb2 import SavedModel
from runstep.saved_model import constants
from runstep.train.graph_io import read_message
from runstep.train.meta_graph import import_scoped_meta_graph_with_return_elements, saver_for
from runstep.train.saver import Saver, everything
from runstep.variables.facts import with_scope

__all__ = ["load", "maybe_saved_model_directory"]


def maybe_saved_model_directory(export_dir: str) -> bool:
    """Whether a folder looks like a SavedModel: it has such a file."""
    export_dir = os.fspath(export_dir)
    files = (constants.SAVED_MODEL_FILENAME_PB, constants.SAVED_MODEL_FILENAME_PBTXT)
    return any(os.path.exists(os.path.join(export_dir, file)) for file in files)


def parse_saved_model(export_dir: str) -> SavedModel:
    """The `SavedModel` message of a folder.

    Raises:
      OSError: there is none, or it cannot be parsed.
    """
    export_dir = os.fspath(export_dir)
    files = (constants.SAVED_MODEL_FILENAME_PB, constants.SAVED_MODEL_FILENAME_PBTXT)
    for file in files:
        path = os.path.join(export_dir, file)
        if os.path.exists(path):
            return read_message(SavedModel, path, "SavedModel")
    raise OSError(f"SavedModel file does not exist at: {export_dir}{os.path.sep}{{{'|'.join(reversed(files))}}}")


def load(sess: Any, tags: Iterable[str], export_dir: str, import_scope: str | None = None, **saver_kwargs: Any) -> Any:
    """Loads the graph with exactly these tags into the session's graph, restores its variables and initializes it.

    Args:
      tags: such as `[tf.saved_model.tag_constants.SERVING]`.
      import_scope: a prefix of the names. saver_kwargs: as `tf.train.import_meta_graph` takes.

    Returns:
      The `MetaGraphDef` message; `signature_def` in it says what to feed and fetch.

    Raises:
      OSError: the folder is not a SavedModel. RuntimeError: none of its graphs has these tags.
    """
    export_dir = os.fspath(export_dir)
    meta_graph = _chosen(parse_saved_model(export_dir), {tags} if isinstance(tags, str) else set(tags))
    with sess.graph.as_default():
        variables, _ = import_scoped_meta_graph_with_return_elements(
            meta_graph, import_scope=import_scope, **saver_kwargs
        )
        saver = saver_for(meta_graph, import_scope, variables)
        _restore(sess, saver, export_dir, import_scope)
        _initialize(sess, meta_graph, export_dir, import_scope)
    return meta_graph


def _chosen(model: SavedModel, tags: set[str]) -> Any:
    for meta_graph in model.meta_graphs:
        if set(meta_graph.meta_info_def.tags) == tags:
            return meta_graph
    available = [set(meta_graph.meta_info_def.tags) for meta_graph in model.meta_graphs]
    raise RuntimeError(
        f"MetaGraphDef associated with tags {str(sorted(tags)).strip('[]')} could not be found in SavedModel, with "
        f"available tags '{available}'. Give one of these sets as `tags`."
    )


def _restore(sess: Any, saver: Saver | None, export_dir: str, import_scope: str | None) -> None:
    if saver is None or not everything(scope=import_scope):
        _log.info("The specified SavedModel has no variables; no checkpoints were restored.")
        if saver is None:
            return
    path = os.path.join(export_dir, constants.VARIABLES_DIRECTORY, constants.VARIABLES_FILENAME)
    if os.path.exists(f"{path}.index"):
        saver.restore(sess, path)


def _initialize(sess: Any, meta_graph: Any, export_dir: str, import_scope: str | None) -> None:
    """Runs the initialization that the model names, with the paths of its assets."""
    feeds = {}
    for asset in _assets(meta_graph):
        name = with_scope(asset.tensor_info.name, import_scope)
        feeds[name] = os.path.join(export_dir, constants.ASSETS_DIRECTORY, asset.filename)
    if constants.INIT_OP_SIGNATURE_KEY in meta_graph.signature_def:
        signature = meta_graph.signature_def[constants.INIT_OP_SIGNATURE_KEY]
        name = signature.outputs[constants.INIT_OP_SIGNATURE_KEY].name
        sess.run(sess.graph.as_graph_element(with_scope(name, import_scope)), feeds)
        return
    for key in (constants.MAIN_OP_KEY, constants.LEGACY_INIT_OP_KEY):
        names = meta_graph.collection_def[key].node_list.value if key in meta_graph.collection_def else ()
        if names:
            if len(names) != 1:
                raise RuntimeError(f"Expected exactly one SavedModel init op. Found {len(names)}: {list(names)}.")
            sess.run(sess.graph.get_operation_by_name(with_scope(names[0], import_scope)), feeds)
            return


def _assets(meta_graph: Any) -> list[Any]:
    if meta_graph.asset_file_def:
        return list(meta_graph.asset_file_def)
    found = []
    if constants.ASSETS_KEY in meta_graph.collection_def:
        for item in meta_graph.collection_def[constants.ASSETS_KEY].any_list.value:
            found.append(AssetFileDef.FromString(item.value))
    return found
