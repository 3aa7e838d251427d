"""Suspended steps in files: written by one process, gone on with in another.

    magic, SHA-256 of all that follows, length of the header (4 bytes, little endian), header (JSON), TensorProtos

The header names feeds, fetches and targets, says which have been fed and fetched and which tasks have finished, and for
each value that is still needed what it is. A fingerprint of the graph (the nodes that the request needs) tells a wrong
graph; one of the plan tells that the numbers of tasks and slots mean the same here as there.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from google.protobuf.message import DecodeError

import runstep
from runstep import errors
from runstep.graph import dtypes
from runstep.graph.exporter import node_def
from runstep.graph.tensor_proto import decode, encode
from runstep.kernels.resources import LEGACY_VARIABLE, RefVariable, ResourceHandle
from runstep.kernels.shared import invalid
from runstep.plan.compile import Plan
from runstep.plan.prune import prune
from runstep.session.failure import explained
from runstep.session.suspended import StepState

if TYPE_CHECKING:
    from runstep.session.partial_request import Request
    from runstep.session.pipeline import PartialRunHandle
    from runstep.session.session import BaseSession

_MAGIC = b"runstep partial run 1\n"
_DIGEST = 32
_LENGTH = 4
_KEYS = frozenset("runstep feeds fetches targets fed taken finished graph plan slots echoes".split())


def save(handle: PartialRunHandle, state: StepState, path: str | os.PathLike[str]) -> None:
    """See `PartialRunHandle.save`."""
    if state.error is not None:
        raise explained(state.error)
    run = handle._run
    request: Request = run.request
    values = _Writer(handle._session, request.plan)
    tensors = [end for end in request.ends if hasattr(end, "value_index")]
    header = {
        "runstep": runstep.__version__,
        "feeds": [tensor.name for tensor in request.feeds],
        "fetches": [tensor.name for tensor in tensors],
        "targets": [end.name for end in request.ends if end not in tensors],
        "fed": state.fed,
        "taken": run.taken,
        "finished": sorted(state.finished),
        "graph": _graph_fingerprint(request.plan),
        "plan": _plan_fingerprint(request.plan),
        "slots": [values.entry(value, slot) for slot, value in enumerate(state.slots)],
        "echoes": {str(position): values.entry(value, position) for position, value in run.echoes.items()},
    }
    text = json.dumps(header).encode()
    payload = b"".join([len(text).to_bytes(_LENGTH, "little"), text, *values.parts])
    _write(path, _MAGIC + hashlib.sha256(payload).digest() + payload)


def restore(session: BaseSession, path: str | os.PathLike[str]) -> PartialRunHandle:
    """See `PartialRunning.restore_partial_run`."""
    name = os.fspath(path)
    with open(path, "rb") as file:
        header, parts = _parsed(file.read(), name)
    graph = session.graph
    try:
        feeds = [graph.get_tensor_by_name(tensor) for tensor in header["feeds"]]
        fetches = [graph.get_tensor_by_name(tensor) for tensor in header["fetches"]]
        targets = [graph.get_operation_by_name(op) for op in header["targets"]]
    except (KeyError, ValueError) as error:
        raise invalid(f"{name} was saved from another graph: {error.args[0]}") from None

    def state(request: Request) -> tuple[StepState, int, dict[int, Any]]:
        if header["graph"] != _graph_fingerprint(request.plan):
            raise invalid(
                f"{name} was saved from another graph: its operations have the same names, but differ in their types, "
                "inputs, attributes or constants."
            )
        if header["plan"] != _plan_fingerprint(request.plan):
            raise errors.FailedPreconditionError(
                None,
                None,
                f"{name} was saved with another plan of this graph: by runstep {header['runstep']} (this is "
                f"{runstep.__version__}), or a session of other devices or OptimizerOptions. Restore it in a session "
                "like the one that saved it.",
            )
        values = _Reader(session, parts)
        try:
            slots = [values.value(entry) for entry in header["slots"]]
            echoes = {int(position): values.value(entry) for position, entry in header["echoes"].items()}
        except (LookupError, ValueError, TypeError, DecodeError) as error:
            raise errors.DataLossError(None, None, f"{name} has values that cannot be read: {error}.") from None
        return StepState(header["fed"], frozenset(header["finished"]), slots), header["taken"], echoes

    found: PartialRunHandle = session._partial_runs.restored(session, [*fetches, *targets], feeds, state)
    return found


def _parsed(data: bytes, name: str) -> tuple[Any, memoryview]:
    """The header and the bytes of the tensors.

    Raises:
      DataLossError: they are not those that were written.
    """
    if not data.startswith(_MAGIC):
        raise errors.DataLossError(None, None, f"{name} is no saved partial run, or its beginning is damaged.")
    digest = data[len(_MAGIC) : len(_MAGIC) + _DIGEST]
    payload = memoryview(data)[len(_MAGIC) + _DIGEST :]
    if hashlib.sha256(payload).digest() != digest:
        raise errors.DataLossError(
            None, None, f"{name} is damaged: its checksum does not match its {len(payload)} bytes of content."
        )
    length = int.from_bytes(payload[:_LENGTH], "little")
    try:
        header = json.loads(bytes(payload[_LENGTH : _LENGTH + length]))
        if not _KEYS <= header.keys():
            raise ValueError(f"it lacks {', '.join(sorted(_KEYS - header.keys()))}")
    except (ValueError, AttributeError) as error:  # somebody made a checksum for it
        raise errors.DataLossError(None, None, f"{name} has a header that cannot be read: {error}.") from None
    return header, payload[_LENGTH + length :]


def _write(path: str | os.PathLike[str], data: bytes) -> None:
    """All or nothing: the file gets its name once it is on the disk."""
    folder = os.path.dirname(os.path.abspath(path))
    handle, temporary = tempfile.mkstemp(prefix=f".{os.path.basename(os.fspath(path))}.", dir=folder)
    try:
        with open(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


class _Writer:
    """Describes values, and collects what the descriptions point to."""

    def __init__(self, session: BaseSession, plan: Plan | None) -> None:
        self._session = session
        self._plan = plan
        self.parts: list[bytes] = []

    def entry(self, value: Any, slot: int) -> Any:
        """What a value is, as JSON. Raises UnimplementedError for what lives in this process only."""
        if value is None or isinstance(value, bool | int | float):
            return ["plain", value]
        if isinstance(value, bytes):
            return self._tensor("bytes", np.array(value, object))
        if isinstance(value, np.generic):
            return self._tensor("scalar", np.asarray(value))
        if isinstance(value, np.ndarray) and (not value.dtype.hasobject or _all_bytes(value)):
            return self._tensor("array", value)
        if isinstance(value, ResourceHandle):
            for device in self._session._engine.devices:  # type: ignore[union-attr]
                if any(entry is value.entry for entry in device.resources._entries.values()):
                    types = [(dtype.name, shape) for dtype, shape in value.dtypes_and_shapes]
                    return ["handle", device.name, value.container, value.type_name, value.name, types]
        if isinstance(value, RefVariable):
            for device in self._session._engine.devices:  # type: ignore[union-attr]
                for container, _, name, resource in device.resources:
                    if resource is value:
                        return ["variable", device.name, container, name, value.name, value.dtype.name, value.shape]
        raise errors.UnimplementedError(
            None,
            None,
            f"This partial run cannot be saved now: it holds a {type(value).__name__}, which lives in this process "
            f"only{self._maker(slot)}.",
        )

    def _tensor(self, kind: str, array: np.ndarray) -> Any:
        dtype = dtypes.string if array.dtype.hasobject else dtypes.as_dtype(array.dtype)
        part = encode(array, dtype).SerializeToString()
        self.parts.append(part)
        return [kind, len(part)]

    def _maker(self, slot: int) -> str:
        for task in self._plan.tasks if self._plan is not None else ():
            if slot in task.results:
                names = [node.name for node in task.segment.nodes]
                return f", made by {' or '.join(names[:4])}{' ...' if len(names) > 4 else ''}"
        return ""


class _Reader:
    """The values that a `_Writer` described, in the same order."""

    def __init__(self, session: BaseSession, parts: memoryview) -> None:
        self._devices = {device.name: device for device in session._engine.devices}  # type: ignore[union-attr]
        self._parts = parts

    def value(self, entry: Sequence[Any]) -> Any:
        kind = entry[0]
        if kind == "plain":
            return entry[1]
        if kind == "handle":
            device, container, type_name, name, types = entry[1:]
            held = tuple((dtypes.as_dtype(d), None if s is None else tuple(s)) for d, s in types)
            return self._devices[device].resources.handle(container, type_name, name, held)
        if kind == "variable":
            device, container, name, node, dtype, shape = entry[1:]
            manager = self._devices[device].resources
            static = None if shape is None else tuple(shape)
            return manager.get_or_create(
                container, LEGACY_VARIABLE, name, lambda: RefVariable(node, dtypes.as_dtype(dtype), static)
            )
        from runstep.protos import tensor_pb2

        proto = tensor_pb2.TensorProto.FromString(bytes(self._parts[: entry[1]]))
        self._parts = self._parts[entry[1] :]
        array = decode(proto).copy()
        return array if kind == "array" else array[()]


def _all_bytes(array: np.ndarray) -> bool:
    return all(isinstance(item, bytes) for item in array.reshape(-1).tolist())


def _graph_fingerprint(plan: Plan | None) -> str:
    """Of the operations that the request needs, with their constants, and of the graph's functions."""
    digest = hashlib.sha256()
    if plan is not None:
        for part in _definitions(plan):
            digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()


def _definitions(plan: Plan) -> Iterator[bytes]:
    ops = [node.op for node in prune(plan.feeds, plan.fetches, plan.targets).nodes]
    for op in sorted((op for op in ops if op is not None), key=lambda op: op.name):
        message = node_def(op)
        if "token" in message.attr:
            del message.attr["token"]  # a Python function has a number of its own in each process
        yield message.SerializeToString(deterministic=True)
    if plan.graph._functions:  # which of them are called is not worth finding out
        library = plan.graph.as_graph_def().library
        for function in sorted(library.function, key=lambda function: function.signature.name):
            yield function.SerializeToString(deterministic=True)


def _plan_fingerprint(plan: Plan | None) -> str:
    """Of what each task computes, and of where it takes its values from and puts them."""
    digest = hashlib.sha256()
    if plan is not None:
        stages = plan.stages
        assert stages is not None
        for task in plan.tasks:
            nodes = [(node.name, node.type) for node in task.segment.nodes]
            digest.update(repr((nodes, task.device.name, task.args, task.results, task.feeds)).encode())
        for segment, slots in stages.collectors:
            digest.update(repr((segment.source, slots)).encode())
        digest.update(repr((stages.needs, stages.waits, stages.serves, plan.slots)).encode())
    return digest.hexdigest()
