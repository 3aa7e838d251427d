"""`tf.train.Checkpoint`: variables saved and restored by the objects that hold them, not by their names."""

from __future__ import annotations

import os
from typing import Any, ClassVar

from runstep import errors
from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.graph.graph import get_default_graph
from runstep.graph.scopes import init_scope
from runstep.io.tensor_bundle import BundleReader
from runstep.ops.basic import group, placeholder
from runstep.session.default import get_default_session
from runstep.train.checkpoint_management import write_relative_state
from runstep.train.object_graph import Holder, Match, ObjectGraph, is_trackable
from runstep.train.saver_graph import saveables_of
from runstep.variables.variable import Variable

__all__ = ["Checkpoint"]

_INDEX = "_CHECKPOINTABLE_OBJECT_GRAPH"


class Checkpoint(Holder):
    """Saves what objects hold, and restores it into objects of the same form (source: tf.train.Checkpoint).

        checkpoint = tf.train.Checkpoint(optimizer=optimizer, layer=layer, step=step)
        path = checkpoint.save("/tmp/model", session)
        checkpoint.restore(path).run_restore_ops(session)

    A variable is found by the names of the attributes, keys and positions on the way to it; renaming it, or its scope,
    changes nothing. TensorFlow reads the files, and what its `tf.train.Checkpoint` writes is read here.

    Args:
      Variables, layers, RNN cells, optimizers, Checkpoints, and lists, tuples and dicts of these. Each becomes an
      attribute. Attributes set later count as well.

    Raises:
      ValueError: one of them is none of these.
    """

    _OWN: ClassVar[frozenset[str]] = frozenset(("_save_counter", "_increment", "_saving", "_restoring"))

    def __init__(self, **kwargs: Any) -> None:
        self._save_counter: Variable | None = None
        self._increment: Any = None
        self._saving: dict[Any, Any] = {}
        self._restoring: dict[Any, Any] = {}
        for name, value in sorted(kwargs.items()):
            if not is_trackable(value):
                raise ValueError(
                    "`Checkpoint` was expecting a trackable object (a variable, layer, optimizer, Checkpoint, or a "
                    f"list or dict of these), got {value}."
                )
            setattr(self, name, value)

    def _held(self) -> dict[str, Any]:
        found = {name: value for name, value in vars(self).items() if name not in self._OWN}
        if self._save_counter is not None:
            found["save_counter"] = self._save_counter
        return found

    @property
    def save_counter(self) -> Variable:
        """How often `save` was called: an int64 variable, saved and restored with the rest."""
        if self._save_counter is None:
            with init_scope(), get_default_graph().device("/cpu:0"):
                self._save_counter = Variable(0, False, name="save_counter", dtype="int64", use_resource=True)
        return self._save_counter

    def _counted(self, session: Any) -> int:
        """One more than there were."""
        new = self._save_counter is None
        counter = self.save_counter
        if new:
            session.run(counter.initializer)
        if self._increment is None:
            self._increment = counter.assign_add(1, read_value=True)
        return int(session.run(self._increment))

    def save(self, file_prefix: Any, session: Any = None, options: Any = None) -> str:
        """Writes a numbered checkpoint, and the file "checkpoint" that says that it is the latest.

        Args:
          file_prefix: its path, without the number. session: the default session where none is given.
          options: not used.

        Returns:
          The path, "prefix-number".
        """
        session = _session(session)
        path = self.write(f"{os.fspath(file_prefix)}-{self._counted(session)}", session)
        write_relative_state(os.path.dirname(path), path, [path], None)
        return path

    def write(self, file_prefix: Any, session: Any = None, options: Any = None) -> str:
        """Writes a checkpoint with exactly this path, and nothing else. Arguments as those of `save`."""
        session = _session(session)
        path = os.fspath(file_prefix)
        objects = ObjectGraph(self)
        message = objects.to_proto().SerializeToString(deterministic=True)
        graph = get_default_graph()
        key = (graph, message)
        if key not in self._saving:
            named = {objects.key(node): variable for node, variable in objects.variables()}
            with init_scope(), graph.name_scope("save_checkpoint"):
                specs = [spec for saveable in saveables_of(named) for spec in saveable.specs]
                prefix, index = placeholder(dtypes.string, []), placeholder(dtypes.string, [])
                names, slices = [_INDEX, *(spec.name for spec in specs)], ["", *(spec.slice_spec for spec in specs)]
                done = apply("SaveV2", prefix, names, slices, [index, *(spec.tensor for spec in specs)])
            self._saving = {key: (prefix, index, done)}
        prefix, index, done = self._saving[key]
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        session.run(done, {prefix: path, index: message})
        return path

    def restore(self, save_path: Any) -> Any:
        """Finds out what a checkpoint has for the objects. What it returns restores them.

        Args:
          save_path: as `save` returned it; a checkpoint of a `tf.train.Saver`, whose variables are found by name; or
            None, which restores nothing.

        Returns:
          A status: `run_restore_ops(session)` and `initialize_or_restore(session)` restore, `assert_consumed()` and
          others check. Objects that get variables after this are seen by later calls of these.

        Raises:
          NotFoundError: there is no such checkpoint.
        """
        status: Any
        if save_path is None:
            status = InitializationOnlyStatus(self)
        else:
            reader = BundleReader(os.fspath(save_path))
            kind = CheckpointLoadStatus if _INDEX.encode() in reader else NameBasedSaverStatus
            status = kind(self, os.fspath(save_path), reader)
        _ = self.save_counter  # initialized with the others
        return status

    def _restore_nodes(self, keys: dict[str, Variable]) -> tuple[Any, Any]:
        """What restores these variables, by their keys in the file whose path is to be fed."""
        cached = (get_default_graph(), tuple(sorted((key, variable.name) for key, variable in keys.items())))
        if cached not in self._restoring:
            with init_scope(), get_default_graph().name_scope("restore_checkpoint"):
                saveables = saveables_of(dict(keys))
                prefix = placeholder(dtypes.string, [])
                specs = [spec for saveable in saveables for spec in saveable.specs]
                names, slices = [spec.name for spec in specs], [spec.slice_spec for spec in specs]
                with get_default_graph().device("CPU:0"):
                    kinds = [spec.dtype.base_dtype for spec in specs]
                    tensors = iter(apply("RestoreV2", prefix, names, slices, dtypes=kinds)) if specs else iter(())
                done = group(*[one.restore([next(tensors) for _ in one.specs], None) for one in saveables])
            self._restoring[cached] = prefix, done
        found: tuple[Any, Any] = self._restoring[cached]
        return found


class _Status:
    """What `Checkpoint.restore` returns."""

    def __init__(self, checkpoint: Checkpoint, path: str = "", reader: BundleReader | None = None) -> None:
        self._checkpoint = checkpoint
        self._path = path
        self._reader = reader

    def expect_partial(self) -> Any:
        """Says that it is well if not all is restored. Returns this status."""
        return self

    def _bound(self) -> tuple[dict[str, Variable], list[Variable]]:
        """By keys, the variables that the checkpoint has values for; the other variables."""
        return {}, [variable for _, variable in ObjectGraph(self._checkpoint).variables()]

    def run_restore_ops(self, session: Any = None) -> None:
        """Restores what the checkpoint has of the objects' variables.

        Raises:
          ValueError: a variable has another shape there.
        """
        keys, _ = self._bound()
        assert self._reader is not None
        for key, variable in keys.items():
            _, shape = self._reader.describe(key.encode())
            if not variable.shape.is_compatible_with(shape):
                raise ValueError(
                    f"Received incompatible tensor with shape {shape} when attempting to restore variable with shape "
                    f"{variable.shape} and name {variable.name}."
                )
        if keys:
            prefix, done = self._checkpoint._restore_nodes(keys)
            _session(session).run(done, {prefix: self._path})

    def initialize_or_restore(self, session: Any = None) -> None:
        """Restores what the checkpoint has, and initializes the objects' other variables."""
        session = _session(session)
        keys, others = self._bound()
        session.run([variable.initializer for variable in others])
        if keys:
            self.run_restore_ops(session)


class CheckpointLoadStatus(_Status):
    """Of a checkpoint of objects."""

    def _matched(self) -> Match:
        from runstep.protos.trackable_object_graph_pb2 import TrackableObjectGraph

        assert self._reader is not None
        saved = TrackableObjectGraph.FromString(self._reader.read(_INDEX.encode()).item())
        return Match(self._checkpoint, saved)

    def _bound(self) -> tuple[dict[str, Variable], list[Variable]]:
        match = self._matched()
        return {key: match.program.objects[node] for node, key in match.keys.items()}, match.unbound()

    def assert_consumed(self) -> CheckpointLoadStatus:
        """Checks that all objects have all their values from the checkpoint, and that it has no others.

        Raises:
          AssertionError: that isn't so.
        """
        self.assert_existing_objects_matched()
        missing = self._matched().missing()
        if missing is not None:
            raise AssertionError(f"Unresolved object in checkpoint {missing}")
        return self

    def assert_existing_objects_matched(self) -> CheckpointLoadStatus:
        """Checks that all objects have all their values from the checkpoint.

        Raises:
          AssertionError: that isn't so.
        """
        unbound = self._matched().unbound()
        if unbound:
            shown = unbound[:10]
            raise AssertionError(
                f"Found {len(unbound)} Python objects that were not bound to checkpointed values, likely due to "
                f"changes in the Python program. Showing {len(shown)} of {len(unbound)} unmatched objects: {shown}"
            )
        return self

    def assert_nontrivial_match(self) -> CheckpointLoadStatus:
        """Checks that there is something in common.

        Raises:
          AssertionError: there is nothing but the Checkpoint itself.
        """
        match = self._matched()
        if len(match.objects) == 1:
            raise AssertionError(
                "Nothing except the root object matched a checkpointed value. Typically this means that the checkpoint "
                "does not match the Python program. The following objects have no matching checkpointed value: "
                f"{match.program.objects[1:]}"
            )
        return self


class NameBasedSaverStatus(_Status):
    """Of a checkpoint of a `tf.train.Saver`: variables have the values that it has under their names."""

    def _bound(self) -> tuple[dict[str, Variable], list[Variable]]:
        _, variables = super()._bound()
        counter = self._checkpoint._save_counter
        found = {v._shared_name: v for v in variables if v is not counter or self._has(v)}
        for name, variable in found.items():
            if not self._has(variable):
                raise errors.NotFoundError(None, None, f"Key {name} not found in checkpoint {self._path}")
        return found, [v for v in variables if v is counter and not self._has(v)]

    def _has(self, variable: Variable) -> bool:
        assert self._reader is not None
        return variable._shared_name.encode() in self._reader

    def assert_consumed(self) -> NameBasedSaverStatus:
        """Checks that the checkpoint has all variables of the objects.

        Raises:
          AssertionError: it lacks one.
        """
        for _, variable in ObjectGraph(self._checkpoint).variables():
            if variable is not self._checkpoint._save_counter and not self._has(variable):
                raise AssertionError(f"Object not restored: {variable!r}")
        return self

    assert_existing_objects_matched = assert_nontrivial_match = assert_consumed


class InitializationOnlyStatus(_Status):
    """Of no checkpoint."""

    def assert_consumed(self) -> Any:
        """Raises AssertionError."""
        raise AssertionError("No checkpoint specified (save_path=None); nothing is being restored.")

    assert_existing_objects_matched = assert_nontrivial_match = assert_consumed

    def run_restore_ops(self, session: Any = None) -> None:
        """Raises AssertionError."""
        raise AssertionError(
            "No checkpoint specified, so no restore ops are available (save_path=None to Saver.restore)."
        )


def _session(session: Any) -> Any:
    found = session or get_default_session()
    if found is None:
        raise ValueError("Checkpoints are saved and restored by a session: give one, or open a default one.")
    return found
