"""Messages to and from files: `tf.train.write_graph`, and meta graphs."""

from __future__ import annotations

import itertools
import os
from typing import Any

from runstep import errors
from runstep.gfile import GFile
from runstep.graph.graph import Graph
from runstep.io.failures import failed

__all__ = ["write_graph"]

_numbers = itertools.count()


def write_graph(graph_or_graph_def: Any, logdir: str, name: str, as_text: bool = True) -> str:
    """Writes a graph, or any message, to the file `name` in `logdir`; returns its path (source: tf.train.write_graph).

    Args:
      as_text: as text; else in the wire format.
    """
    message = graph_or_graph_def
    if isinstance(message, Graph):
        message = message.as_graph_def()
    logdir, name = os.fspath(logdir), os.fspath(name)
    if logdir and not os.path.isdir(logdir):
        os.makedirs(logdir, exist_ok=True)
    path = os.path.join(logdir, name)
    write_message(message, path, as_text)
    return path


def write_message(message: Any, path: str, as_text: bool) -> None:
    """Writes a message to a file, which is there with all of it or not at all. Raises an OpError where it cannot."""
    from google.protobuf import text_format

    content = text_format.MessageToString(message).encode() if as_text else message.SerializeToString()
    beside = f"{path}.tmp{os.getpid()}-{next(_numbers)}"
    try:
        with open(beside, "wb") as file:
            file.write(content)
        os.replace(beside, path)
    except OSError as error:
        raise failed(error, path) from None


def read_message(kind: Any, path: str, what: str) -> Any:
    """The message of class `kind` in a file, in the wire format or as text.

    Raises:
      OSError: there is no such file. IOError: it cannot be parsed.
    """
    from google.protobuf import text_format
    from google.protobuf.message import DecodeError

    try:
        with GFile(path, "rb") as file:
            content = file.read()
    except errors.NotFoundError:
        raise OSError(f"File does not exist. Received: {path}.") from None
    message = kind()
    try:
        message.ParseFromString(content)
        return message
    except DecodeError:
        message.Clear()
    try:
        text_format.Merge(content.decode(), message)
    except (UnicodeDecodeError, text_format.ParseError) as error:
        raise OSError(f"Cannot parse {what} file {path}: {error}.") from None
    return message
