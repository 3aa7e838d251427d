"""`tf.saved_model.builder`: a graph with its variables and assets, as a folder (source: tf.compat.v1.saved_model)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

from runstep import logging as _log
from runstep.graph import dtypes
from runstep.graph.constant_value import constant_value
from runstep.graph.graph import get_default_graph
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor
from runstep.protos.meta_graph_pb2 import TensorInfo
from runstep.protos.saved_model_pb2 import SavedModel
from runstep.saved_model import constants, signature_constants, tag_constants
from runstep.saved_model.signature_def_utils import predict_signature_def
from runstep.train.graph_io import write_message
from runstep.train.saver import Saver, everything

__all__ = ["SavedModelBuilder", "simple_save"]


class SavedModelBuilder:
    """Writes a SavedModel (source: tf.saved_model.Builder).

        builder = tf.saved_model.builder.SavedModelBuilder(folder)
        builder.add_meta_graph_and_variables(sess, [tf.saved_model.tag_constants.SERVING], signatures)
        builder.save()

    Raises:
      AssertionError: the folder is there, and not empty.
    """

    def __init__(self, export_dir: str) -> None:
        self._saved_model = SavedModel(saved_model_schema_version=constants.SAVED_MODEL_SCHEMA_VERSION)
        self._export_dir = os.fspath(export_dir)
        if os.path.isdir(self._export_dir) and os.listdir(self._export_dir):
            raise AssertionError(
                f"Export directory {self._export_dir} already exists, and isn't empty. Please choose a different "
                "export directory, or delete all the contents of the specified directory."
            )
        os.makedirs(self._export_dir, exist_ok=True)
        self._has_saved_variables = False

    def add_meta_graph_and_variables(
        self,
        sess: Any,
        tags: Sequence[str],
        signature_def_map: Mapping[str, Any] | None = None,
        assets_collection: Sequence[Any] | None = None,
        legacy_init_op: Operation | None = None,
        clear_devices: bool = False,
        main_op: Operation | None = None,
        strip_default_attrs: bool = False,
        saver: Saver | None = None,
    ) -> None:
        """Saves the variables and assets, and adds the default graph.

        Args:
          tags: what the graph is for; `tf.saved_model.loader.load` finds it by them.
          signature_def_map: signatures by name.
          assets_collection: constant string tensors with the names of files to take along.
          main_op: run after loading; `legacy_init_op` is its old name.
          saver: saves the variables; a new one by default.

        Raises:
          AssertionError: variables have been saved before. ValueError, TypeError: a signature or an asset is malformed.
        """
        if self._has_saved_variables:
            raise AssertionError(
                "Graph state including variables and assets has already been saved. Please invoke `add_meta_graph()` "
                "instead."
            )
        path = os.path.join(self._export_dir, constants.VARIABLES_DIRECTORY)
        os.makedirs(path, exist_ok=True)

        def save(saver: Saver) -> None:
            saver.save(
                sess, os.path.join(path, constants.VARIABLES_FILENAME), write_meta_graph=False, write_state=False
            )

        self._add(
            tags,
            signature_def_map,
            assets_collection,
            main_op or legacy_init_op,
            clear_devices,
            strip_default_attrs,
            saver,
            save,
        )
        self._has_saved_variables = True

    def add_meta_graph(
        self,
        tags: Sequence[str],
        signature_def_map: Mapping[str, Any] | None = None,
        assets_collection: Sequence[Any] | None = None,
        legacy_init_op: Operation | None = None,
        clear_devices: bool = False,
        main_op: Operation | None = None,
        strip_default_attrs: bool = False,
        saver: Saver | None = None,
    ) -> None:
        """Adds the default graph, which uses the variables that were saved with another one.

        Raises:
          AssertionError: none were saved.
        """
        if not self._has_saved_variables:
            raise AssertionError(
                "Graph state including variables and assets has not been saved yet. Please invoke "
                "`add_meta_graph_and_variables()` first."
            )
        self._add(
            tags,
            signature_def_map,
            assets_collection,
            main_op or legacy_init_op,
            clear_devices,
            strip_default_attrs,
            saver,
            None,
        )

    def _add(
        self,
        tags: Sequence[str],
        signatures: Mapping[str, Any] | None,
        assets: Sequence[Any] | None,
        main_op: Operation | None,
        clear_devices: bool,
        strip_default_attrs: bool,
        saver: Saver | None,
        save: Any,
    ) -> None:
        _check_signatures(signatures or {})
        self._write_assets(assets or ())
        _add_main_op(main_op)
        saver = saver or Saver(everything(), sharded=True, allow_empty=True)
        if save is not None:
            save(saver)
        meta_graph = saver.export_meta_graph(clear_devices=clear_devices, strip_default_attrs=strip_default_attrs)
        meta_graph.meta_info_def.tags.extend(tags)
        for key, signature in (signatures or {}).items():
            meta_graph.signature_def[key].CopyFrom(signature)
        _fill_assets(meta_graph)
        self._saved_model.meta_graphs.add().CopyFrom(meta_graph)

    def _write_assets(self, assets: Sequence[Any]) -> None:
        """Copies the files of assets, and notes in the graph which tensors name them."""
        names: dict[str, str] = {}
        for tensor in assets:
            source = _asset_path(tensor)
            name = os.path.basename(source)
            if names.setdefault(name, source) != source:  # two files of one name
                raise ValueError(f"Assets {names[name]} and {source} have the same file name.")
            get_default_graph().add_to_collection(constants.ASSETS_KEY, (name, tensor))
            folder = os.path.join(self._export_dir, constants.ASSETS_DIRECTORY)
            os.makedirs(folder, exist_ok=True)
            target = os.path.join(folder, name)
            if not os.path.exists(target):
                shutil.copyfile(source, target)

    def save(self, as_text: bool = False) -> bytes:
        """Writes the `SavedModel` message; returns its path."""
        name = constants.SAVED_MODEL_FILENAME_PBTXT if as_text else constants.SAVED_MODEL_FILENAME_PB
        path = os.path.join(self._export_dir, name)
        write_message(self._saved_model, path, as_text)
        _log.info("SavedModel written to: %s", path)
        return path.encode()


def _asset_path(tensor: Any) -> str:
    if not isinstance(tensor, Tensor) or tensor.dtype.base_dtype is not dtypes.string:
        raise TypeError(f"Asset proto tensor must be a string tensor. Received: {tensor}")
    value = constant_value(tensor)
    if value is None or not value.size or not value.item():
        raise ValueError(f"Invalid asset filepath tensor {tensor}.")
    return value.item().decode()


def _fill_assets(meta_graph: Any) -> None:
    """Assets by file and tensor: in the field that is for them, and in the collection that old readers know."""
    items = get_default_graph().get_collection(constants.ASSETS_KEY)
    if constants.ASSETS_KEY in meta_graph.collection_def:
        del meta_graph.collection_def[constants.ASSETS_KEY]
    for name, tensor in items:
        asset = meta_graph.asset_file_def.add(filename=name)
        asset.tensor_info.name = tensor.name
        packed = meta_graph.collection_def[constants.ASSETS_KEY].any_list.value.add()
        packed.type_url = "type.googleapis.com/tensorflow.AssetFileDef"
        packed.value = asset.SerializeToString()


def _check_signatures(signatures: Mapping[str, Any]) -> None:
    for signature in signatures.values():
        for infos in (signature.inputs, signature.outputs):
            for name, info in infos.items():
                _check_info(name, info)
    if constants.INIT_OP_SIGNATURE_KEY in signatures:
        raise KeyError(f'SignatureDef map key "{constants.INIT_OP_SIGNATURE_KEY}" is reserved for initialization.')


def _check_info(name: str, info: TensorInfo) -> None:
    if info.WhichOneof("encoding") is None:
        raise AssertionError(
            f"Invalid `TensorInfo` {name}: All TensorInfo protos used in the SignatureDefs must have one of the "
            "`name`, `coo_sparse` or `composite_tensor` fields set."
        )
    if info.WhichOneof("encoding") == "name" and not info.name:
        raise AssertionError(f"Invalid `TensorInfo` {name}: the name is empty.")
    if not info.dtype:
        raise AssertionError(f"Invalid `TensorInfo` {name}: its dtype is unknown.")


def _add_main_op(main_op: Any) -> None:
    if main_op is None:
        return
    if not isinstance(main_op, Operation):
        raise TypeError(f"Expected {main_op} to be an Operation but got type {type(main_op)} instead.")
    graph = get_default_graph()
    for key in (constants.MAIN_OP_KEY, constants.LEGACY_INIT_OP_KEY):
        if graph.get_collection(key):
            raise ValueError(f"Graph already contains one or more main ops under the collection {key}.")
    graph.add_to_collection(constants.MAIN_OP_KEY, main_op)


def simple_save(
    session: Any,
    export_dir: str,
    inputs: Mapping[str, Any],
    outputs: Mapping[str, Any],
    legacy_init_op: Operation | None = None,
) -> None:
    """A SavedModel for serving with one signature, "serving_default" (source: tf.saved_model.simple_save)."""
    builder = SavedModelBuilder(export_dir)
    signature = predict_signature_def(inputs, outputs)
    builder.add_meta_graph_and_variables(
        session,
        tags=[tag_constants.SERVING],
        signature_def_map={signature_constants.DEFAULT_SERVING_SIGNATURE_DEF_KEY: signature},
        assets_collection=None,
        main_op=legacy_init_op,
        clear_devices=True,
    )
    builder.save()
