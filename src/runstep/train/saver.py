"""`tf.train.Saver`: variables to and from checkpoints."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from runstep import errors, logging as _log
from runstep.compat import as_str, integral_types
from runstep.graph.collections import GraphKeys
from runstep.graph.graph import get_default_graph
from runstep.protos.saver_pb2 import SaverDef
from runstep.session.session import BaseSession
from runstep.train import checkpoint_management as management
from runstep.train.saver_graph import SaverGraph, saveables_of
from runstep.variables import saveable
from runstep.variables.facts import with_scope, without_scope
from runstep.variables.global_step import global_step as global_step_value

if TYPE_CHECKING:
    from runstep.session.session import Session

__all__ = ["Saver"]


class BaseSaverBuilder:
    """The names that programs with things of their own to save know (source: tf.train.Saver's builder)."""

    SaveSpec: ClassVar[Any] = saveable.SaveSpec
    SaveableObject: ClassVar[Any] = saveable.SaveableObject


class Saver:
    """Saves variables to checkpoints, restores them, and removes old ones (source: tf.train.Saver).

    Making a Saver adds its operations to the default graph.

    Args:
      var_list: a list of variables, or a dict from names in the checkpoint to variables; all global variables and
        saveable objects by default.
      reshape: restored values take the variables' shapes.
      sharded: a file for each device.
      max_to_keep: older checkpoints are removed; 0 or None keeps all.
      keep_checkpoint_every_n_hours: one of them is kept in so many hours.
      name: of the operations.
      restore_sequentially: not used: a device's variables are read all at once.
      saver_def: a `SaverDef` message: uses the operations that it names.
      builder: not used.
      defer_build: the operations are added by `build()`.
      allow_empty: there may be no variables; saving and restoring then do nothing.
      write_version: `SaverDef.V2`, or `SaverDef.V1` for the old format.
      pad_step_number: names of checkpoints have the step in eight digits.
      save_relative_paths: the file "checkpoint" holds paths as seen from it.
      filename: where nothing else is fed.

    Raises:
      TypeError: `var_list` is malformed. ValueError: there are no variables, or two of one name.
    """

    def __init__(
        self,
        var_list: Any = None,
        reshape: bool = False,
        sharded: bool = False,
        max_to_keep: int | None = 5,
        keep_checkpoint_every_n_hours: float = 10000.0,
        name: str | None = None,
        restore_sequentially: bool = False,
        saver_def: Any = None,
        builder: Any = None,
        defer_build: bool = False,
        allow_empty: bool = False,
        write_version: int = SaverDef.V2,
        pad_step_number: bool = False,
        save_relative_paths: bool = False,
        filename: str | None = None,
    ) -> None:
        if defer_build and var_list:
            raise ValueError(
                "If `var_list` is provided then build cannot be deferred. "
                "Either set defer_build=False or var_list=None."
            )
        self._var_list = var_list
        self._reshape = reshape
        self._sharded = sharded
        self._max_to_keep = max_to_keep
        self._keep_checkpoint_every_n_hours = keep_checkpoint_every_n_hours
        self._name = name
        self.saver_def = saver_def
        self._is_built = False
        self._allow_empty = allow_empty
        self._is_empty = False
        self._write_version = write_version
        self._pad_step_number = pad_step_number
        self._save_relative_paths = save_relative_paths
        self._filename = filename
        self._last_checkpoints: list[tuple[str, float]] = []
        self._to_delete: list[tuple[str, float]] = []
        if saver_def is not None:
            self._check_saver_def()
            self._write_version = saver_def.version
        if not defer_build:
            self.build()

    def build(self) -> None:
        """Adds the operations to the default graph, if that has not been done."""
        if self._is_built:
            return
        self._is_built = True
        if self.saver_def is None:
            if self._var_list is None:
                self._var_list = everything()
            if not self._var_list:
                if not self._allow_empty:
                    raise ValueError("No variables to save")
                self._is_empty = True
                return
            self.saver_def = self._build()
        elif self._name:  # of the scope that the graph was imported into
            for field in ("filename_tensor_name", "save_tensor_name", "restore_op_name"):
                setattr(self.saver_def, field, with_scope(getattr(self.saver_def, field), self._name))
        self._check_saver_def()
        self._keep_next_after = time.time() + self.saver_def.keep_checkpoint_every_n_hours * 3600

    def _build(self) -> Any:
        nodes = SaverGraph(
            saveables_of(self._var_list),
            self._reshape,
            self._sharded,
            self._write_version != SaverDef.V2,
            self._name,
            self._filename,
        )
        return SaverDef(
            filename_tensor_name=nodes.filename.name,
            save_tensor_name=nodes.saved.name,
            restore_op_name=nodes.restored.name,
            max_to_keep=self._max_to_keep or 0,
            sharded=self._sharded,
            keep_checkpoint_every_n_hours=self._keep_checkpoint_every_n_hours,
            version=self._write_version,  # type: ignore[arg-type]
        )

    def _check_saver_def(self) -> None:
        if not hasattr(self.saver_def, "restore_op_name"):
            raise ValueError(f"saver_def must be a saver_pb2.SaverDef: {self.saver_def}")
        for field in ("save_tensor_name", "restore_op_name"):
            if not getattr(self.saver_def, field):
                raise ValueError(f"saver_def must specify the {field}: {self.saver_def}")

    # Which checkpoints there are.

    @property
    def last_checkpoints(self) -> list[str]:
        """The checkpoints that have not been removed, oldest first."""
        return [path for path, _ in self._last_checkpoints]

    def set_last_checkpoints(self, last_checkpoints: Sequence[str]) -> None:
        """Says which checkpoints there are, oldest first; as if all had been written long ago.

        Deprecated: see `set_last_checkpoints_with_time`.
        """
        self.set_last_checkpoints_with_time([(path, float("inf")) for path in last_checkpoints])

    def set_last_checkpoints_with_time(self, last_checkpoints_with_time: Sequence[tuple[str, float]]) -> None:
        """Says which checkpoints there are and when they were written (in seconds since 1970), oldest first."""
        assert isinstance(last_checkpoints_with_time, list)
        self._last_checkpoints = list(last_checkpoints_with_time)

    def recover_last_checkpoints(self, checkpoint_paths: Sequence[str]) -> None:
        """Takes up the checkpoints of an earlier program, oldest first; those that are gone are left out."""
        there = [path for path in checkpoint_paths if management.checkpoint_exists(path)]
        times = management.get_checkpoint_mtimes(there)
        self.set_last_checkpoints_with_time(list(zip(there, times, strict=True)))

    def _record(self, path: str) -> None:
        keep = self.saver_def.max_to_keep
        if keep <= 0:
            return
        self._last_checkpoints = [item for item in self._last_checkpoints if item[0] != path]
        self._last_checkpoints.append((path, time.time()))
        if len(self._last_checkpoints) > keep:
            self._to_delete.append(self._last_checkpoints.pop(0))

    def _delete_old(self, meta_graph_suffix: str) -> None:
        if not self._to_delete:
            return
        path, written = self._to_delete.pop(0)
        if written > self._keep_next_after:
            self._keep_next_after += self.saver_def.keep_checkpoint_every_n_hours * 3600
            return
        try:
            management.remove_checkpoint(path, self.saver_def.version, meta_graph_suffix)
        except (OSError, errors.OpError) as error:
            _log.warning("Ignoring: %s", error)

    # Saving and restoring.

    def save(
        self,
        sess: Session,
        save_path: str,
        global_step: Any = None,
        latest_filename: str | None = None,
        meta_graph_suffix: str = "meta",
        write_meta_graph: bool = True,
        write_state: bool = True,
        strip_default_attrs: bool = False,
        save_debug_info: bool = False,
    ) -> str | None:
        """Saves the variables; returns the checkpoint's path, or None for an empty Saver.

        Args:
          save_path: a prefix of the names of the files.
          global_step: a number, or a tensor or variable to run: added to the prefix.
          latest_filename: of the file that says which checkpoints there are; "checkpoint" by default.
          write_meta_graph: also write the graph, to a file that ends in `meta_graph_suffix`.
          write_state: also update that file, and remove old checkpoints.

        Raises:
          TypeError: `sess` is not a Session. ValueError: the names collide, or the folder is not there.
          RuntimeError: the Saver was deferred and not built.
        """
        if not self._is_built:
            raise RuntimeError("`build()` should be called before save if defer_build==True")
        save_path = os.fspath(save_path)
        latest_filename = latest_filename or "checkpoint"
        if os.path.dirname(latest_filename):
            raise ValueError("'latest_filename' must not contain path components")
        path = save_path
        if global_step is not None:
            if not isinstance(global_step, integral_types):
                global_step = global_step_value(sess, global_step)
            path = f"{save_path}-{global_step:08d}" if self._pad_step_number else f"{save_path}-{global_step}"
        elif os.path.basename(save_path) == latest_filename and not self._sharded:
            raise ValueError(f"'latest_filename' collides with 'save_path': '{latest_filename}' and '{save_path}'")
        if not isinstance(sess, BaseSession):
            raise TypeError(f"'sess' must be a Session; {sess}")
        written = None
        if not self._is_empty:
            written = self._save(sess, save_path, path, latest_filename, meta_graph_suffix, write_state)
        if write_meta_graph:
            with sess.graph.as_default():
                self.export_meta_graph(
                    management.meta_graph_filename(path, meta_graph_suffix),
                    strip_default_attrs=strip_default_attrs,
                    save_debug_info=save_debug_info,
                )
        return written

    def _save(
        self, sess: Any, save_path: str, path: str, latest_filename: str, meta_graph_suffix: str, write_state: bool
    ) -> str:
        folder = os.path.dirname(save_path)
        try:
            written = as_str(sess.run(self.saver_def.save_tensor_name, {self.saver_def.filename_tensor_name: path}))
            if write_state:
                self._record(written)
                if self._save_relative_paths:
                    management.write_relative_state(folder, written, self.last_checkpoints, latest_filename)
                else:
                    management.update_checkpoint_state(folder, written, self.last_checkpoints, latest_filename)
                self._delete_old(meta_graph_suffix)
        except (errors.FailedPreconditionError, errors.NotFoundError):
            if folder and not os.path.isdir(folder):
                raise ValueError(f"Parent directory of {save_path} doesn't exist, can't save.") from None
            raise
        return written

    def restore(self, sess: Session, save_path: str) -> None:
        """Sets the variables to what a checkpoint holds; they need not have been initialized.

        Raises:
          ValueError: there is no such checkpoint.
          NotFoundError: it lacks a variable. InvalidArgumentError: a variable has another shape or type in it.
        """
        if self._is_empty:
            return
        if save_path is None:
            raise ValueError("Can't load save_path when it is None.")
        save_path = os.fspath(save_path)
        if not management.checkpoint_exists(save_path):
            raise ValueError(f"The passed save_path is not a valid checkpoint: {save_path}")
        _log.info("Restoring parameters from %s", save_path)
        try:
            sess.run(self.saver_def.restore_op_name, {self.saver_def.filename_tensor_name: save_path})
        except errors.NotFoundError as error:
            if self._restore_objects(sess, save_path):
                return
            raise _explained(error, "a Variable name or other graph key that is missing") from error
        except errors.InvalidArgumentError as error:
            raise _explained(error, "a mismatch between the current graph and the graph") from error

    def _restore_objects(self, sess: Any, save_path: str) -> bool:
        """Restores from a checkpoint of TensorFlow 2, which names variables by the objects they are attributes of."""
        from runstep.train.object_checkpoint import saver_for

        if self._var_list is None:
            return False
        saver = saver_for(save_path, self._var_list)
        if saver is None:
            return False
        saver.restore(sess, save_path)
        return True

    # As messages.

    def as_saver_def(self) -> Any:
        """The `SaverDef` message that describes it."""
        return self.saver_def

    def to_proto(self, export_scope: str | None = None) -> Any:
        """As a `SaverDef` message, names without `export_scope`; None for a Saver outside of that scope."""
        if export_scope is None:
            return self.saver_def
        names = [
            self.saver_def.filename_tensor_name,
            self.saver_def.save_tensor_name,
            self.saver_def.restore_op_name,
        ]
        if not all(name.startswith(export_scope) for name in names):
            return None
        found = SaverDef()
        found.CopyFrom(self.saver_def)
        found.filename_tensor_name, found.save_tensor_name, found.restore_op_name = (
            without_scope(name, export_scope) for name in names
        )
        return found

    @staticmethod
    def from_proto(saver_def: Any, import_scope: str | None = None) -> Saver:
        """The Saver of operations in the default graph that a `SaverDef` message names."""
        own = SaverDef.FromString(saver_def.SerializeToString())
        return Saver(saver_def=own, name=import_scope)

    def export_meta_graph(
        self,
        filename: str | None = None,
        collection_list: Sequence[str] | None = None,
        as_text: bool = False,
        export_scope: str | None = None,
        clear_devices: bool = False,
        clear_extraneous_savers: bool = False,
        strip_default_attrs: bool = False,
        save_debug_info: bool = False,
    ) -> Any:
        """The default graph with its collections and this Saver. See `tf.train.export_meta_graph`."""
        from runstep.train.meta_graph import export_meta_graph

        return export_meta_graph(
            filename=filename,
            graph_def=get_default_graph().as_graph_def(add_shapes=True),
            saver_def=self.saver_def,
            collection_list=collection_list,
            as_text=as_text,
            export_scope=export_scope,
            clear_devices=clear_devices,
            clear_extraneous_savers=clear_extraneous_savers,
            strip_default_attrs=strip_default_attrs,
            save_debug_info=save_debug_info,
        )


def everything(scope: str | None = None) -> list[Any]:
    """What a Saver saves by default: the global variables and saveable objects of the default graph."""
    get = get_default_graph().get_collection
    return get(GraphKeys.GLOBAL_VARIABLES, scope) + get(GraphKeys.SAVEABLE_OBJECTS, scope)


def _explained(error: Any, why: str) -> Any:
    return type(error)(
        error.node_def,
        error.op,
        f"Restoring from checkpoint failed. This is most likely due to {why} from the checkpoint. Please ensure that "
        f"you have not altered the graph expected based on the checkpoint. Original error:\n\n{error.message}",
    )
