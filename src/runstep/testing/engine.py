"""The wire door: an engine reached by names and wire formats alone, so that any client can drive it.

A harness can put it under a real TensorFlow client: the client builds graphs and checks results, this engine runs them.
A client in the same process may have Python functions in its graphs (`py_func`, `numpy_function`).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from runstep import errors
from runstep.garbage import uncollected
from runstep.graph.functions import add_library
from runstep.graph.graph import Graph
from runstep.graph.importer import as_message
from runstep.graph.node_importer import NodeImporter
from runstep.graph.tensor import Tensor
from runstep.kernels import scripts
from runstep.ops.session_store import device_of
from runstep.session.feeds import as_bytes
from runstep.session.handles import TensorHandle, handle_of
from runstep.session.session import Session


def _function_of_client(token: str) -> Callable[..., Any] | None:
    """What a graph of TensorFlow, running in this process, means by the token of a `py_func` or a `py_function`."""
    module = sys.modules.get("tensorflow.python.ops.script_ops")
    function = getattr(module, "_py_funcs", {}).get(token, None)
    if type(function).__name__ != "EagerFunc":
        return function

    def eager(*values: Any) -> list[Any]:
        """A `py_function`: it takes and gives TensorFlow's own tensors, and keeps a tape for its gradient."""
        assert module is not None and function is not None
        with module.context.eager_mode():
            found = function(None, token, [module.ops.convert_to_tensor(value) for value in values])
            if not isinstance(found, list | tuple):
                found = [found]
            return [tensor.numpy() for tensor in found if tensor is not None]

    return eager


scripts.others.append(_function_of_client)

_HANDLE = np.dtype([("resource", np.ubyte)])
"""How a TensorFlow client passes the handle of a tensor that the session keeps: the bytes of its message."""


def _handle_bytes(text: str) -> np.ndarray:
    from runstep.protos.resource_handle_pb2 import ResourceHandleProto

    message = ResourceHandleProto(device=device_of(text), container="TensorHandle", name=text)
    return np.frombuffer(message.SerializeToString(), _HANDLE)


class EngineError(Exception):
    """A failure of the engine.

    Attributes:
      code: TensorFlow's numeric error code. message: what went wrong. node: the name of the node where it did, "" if
        none.
    """

    def __init__(self, code: int, message: str, node: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.node = node


class Engine:
    """One graph and one session behind wire formats.

    Args:
      config_bytes: a serialised ConfigProto, b"" for the defaults.
    """

    def __init__(self, config_bytes: bytes = b"") -> None:
        from runstep.protos import config_pb2

        self._graph = Graph()
        config = config_pb2.ConfigProto.FromString(config_bytes) if config_bytes else None
        self._session = _translated(Session, "", self._graph, config)

    def extend(self, graph_def_bytes: bytes) -> None:
        """Adds the nodes of a serialised GraphDef; they may take inputs from nodes added before."""
        _translated(self._extend, graph_def_bytes)

    def _extend(self, graph_def_bytes: bytes) -> None:
        graph = self._graph
        message = as_message(graph_def_bytes)
        if message.versions.producer:
            graph._producer = message.versions.producer
        add_library(graph, message.library)
        before = dict(graph._nodes)

        def lookup(ref: str) -> Tensor:
            name, _, index = ref.partition(":")
            op = graph._nodes.get(name)
            number = int(index) if index.isdigit() else 0
            if op is None or number >= len(op.outputs) or not (index.isdigit() or ref == name):
                return graph.get_tensor_by_name(ref if ":" in ref else f"{ref}:0")  # which says what is wrong
            return op.outputs[number]

        try:
            with graph.as_default(), uncollected():
                NodeImporter(graph).add_all(message.node, lookup, lambda ref: ref.partition(":")[0])
        except BaseException:
            graph._nodes.clear()
            graph._nodes.update(before)
            raise

    def run(
        self,
        feeds: Mapping[str, Any],
        fetches: Sequence[str],
        targets: Sequence[str] = (),
        options_bytes: bytes = b"",
    ) -> tuple[list[Any], bytes]:
        """Runs one step.

        Args:
          feeds: tensor names -> arrays. fetches: tensor names. targets: names of operations to run besides.
          options_bytes: a serialised RunOptions, b"" for the defaults.

        Returns:
          The fetched arrays, and a serialised RunMetadata.
        """
        return _translated(self._run, feeds, fetches, targets, options_bytes)

    def _run(
        self, feeds: Mapping[str, Any], fetches: Sequence[str], targets: Sequence[str], options_bytes: bytes
    ) -> tuple[list[Any], bytes]:
        from runstep.protos import config_pb2

        self._check_open()
        options = config_pb2.RunOptions.FromString(options_bytes) if options_bytes else None
        metadata = config_pb2.RunMetadata() if options is not None else None
        wanted = [*map(self._tensor, fetches), *map(self._operation, targets)]
        values = self._session.run(wanted, self._fed(feeds), options, metadata)
        arrays = [self._array(tensor, value) for tensor, value in zip(wanted, values[: len(fetches)], strict=False)]
        return arrays, b"" if metadata is None else metadata.SerializeToString()

    def partial_run_setup(self, feeds: Sequence[str], fetches: Sequence[str], targets: Sequence[str] = ()) -> str:
        """Begins a step that is fed and fetched in several calls of `partial_run`; all by name. Returns its handle.

        The step lives as long as the handle, or until all of it is fed and fetched.
        """
        return _translated(self._partial_run_setup, feeds, fetches, targets)

    def _partial_run_setup(self, feeds: Sequence[str], fetches: Sequence[str], targets: Sequence[str]) -> str:
        self._check_open()
        wanted = [*map(self._tensor, fetches), *map(self._operation, targets)]
        return self._session.partial_run_setup(wanted, [self._tensor(name) for name in feeds])

    def partial_run(self, handle: str, feeds: Mapping[str, Any], fetches: Sequence[str]) -> list[Any]:
        """Continues a step: feeds by name, the names of tensors to fetch. Returns the fetched arrays."""
        return _translated(self._partial_run, handle, feeds, fetches)

    def _partial_run(self, handle: str, feeds: Mapping[str, Any], fetches: Sequence[str]) -> list[Any]:
        self._check_open()
        for kind, names in (("feed", feeds), ("fetch", fetches)):
            for name in names:
                if name.partition(":")[0] not in self._graph._nodes:  # it may have come after the setup
                    raise errors.InvalidArgumentError(
                        None, None, f"The {kind} {name} was not specified in partial_run_setup."
                    )
        wanted = [self._tensor(name) for name in fetches]
        values = self._session.partial_run(handle, wanted, self._fed(feeds))
        return [self._array(tensor, value) for tensor, value in zip(wanted, values, strict=True)]

    def _tensor(self, name: str) -> Tensor:
        try:
            return self._graph.get_tensor_by_name(name if ":" in name else f"{name}:0")
        except (KeyError, ValueError) as error:
            raise errors.NotFoundError(None, None, f"Tensor {name}: not found ({error.args[0]})") from None

    def _operation(self, name: str) -> Any:
        try:
            return self._graph.get_operation_by_name(name.removeprefix("^"))
        except (KeyError, ValueError) as error:
            raise errors.NotFoundError(None, None, f"Operation {name}: not found ({error.args[0]})") from None

    def _check_open(self) -> None:
        if self._session._closed:
            raise errors.CancelledError(None, None, "Session has been closed.")

    def _fed(self, feeds: Mapping[str, Any]) -> dict[Tensor, Any]:
        """What the session is fed: handles of kept tensors come as the bytes of a ResourceHandleProto."""
        return {
            self._tensor(name): self._kept(value) if getattr(value, "dtype", None) == _HANDLE else value
            for name, value in feeds.items()
        }

    def _kept(self, value: Any) -> TensorHandle:
        from runstep.protos.resource_handle_pb2 import ResourceHandleProto

        return handle_of(ResourceHandleProto.FromString(value.tobytes()).name, self._session)

    @staticmethod
    def _array(tensor: Any, value: Any) -> Any:
        if isinstance(value, TensorHandle):
            value = value.get_raw_handle()
            if tensor.dtype.base_dtype.name == "resource":
                return _handle_bytes(value)
        if tensor.dtype.base_dtype.name == "string":
            return as_bytes(np.asarray(value, dtype=object))
        if tensor.dtype.base_dtype.name in ("resource", "variant"):
            return value
        return np.asarray(value)

    def list_devices(self) -> list[tuple[str, str, int]]:
        """(name, type, memory limit in bytes) of each device."""
        return [(d.name, d.device_type, d.memory_limit_bytes) for d in _translated(self._session.list_devices)]

    def close(self) -> None:
        """Ends running steps and releases everything."""
        self._session.close()


def _translated(function: Any, *args: Any) -> Any:
    """Calls a function; whatever it raises becomes an EngineError."""
    try:
        return function(*args)
    except errors.OpError as error:
        op = error.op
        raise EngineError(error.error_code, _bare(error.message), op.name if op is not None else "") from error
    except (TypeError, ValueError, KeyError) as error:
        raise EngineError(errors.INVALID_ARGUMENT, str(error)) from error
    except RuntimeError as error:
        raise EngineError(errors.FAILED_PRECONDITION, str(error)) from error


def _bare(message: str) -> str:
    """What the kernel said, without the frame that the Python client puts around it: a client adds its own."""
    frame, _, text = message.partition("\n\n")
    if frame != "Graph execution error:":
        return message
    return re.sub(r"\ADetected at node .*?^Node: '[^\n]*'\n", "", text, flags=re.DOTALL | re.MULTILINE)
