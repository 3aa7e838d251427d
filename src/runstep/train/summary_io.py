"""Writing summaries to event files, and reading them back."""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections.abc import Iterator
from typing import Any, ClassVar

from runstep.graph.graph import Graph
from runstep.io.event_files import EventsWriter, read_events
from runstep.protos.event_pb2 import Event, SessionLog, TaggedRunMetadata
from runstep.protos.summary_pb2 import Summary

__all__ = ["summary_iterator"]


class FileWriter:
    """Writes summaries and other events to a file in a folder, for TensorBoard (source: tf.summary.FileWriter).

    Safe to use from several threads. Events are on disk after `flush`, after every `max_queue` events, and after
    `flush_secs` seconds with the next event.

    Args:
      logdir: made where there is none. graph: written at once. graph_def: the same, deprecated.
      filename_suffix: of the file's name.
      session: not supported: give summaries to `add_summary`.

    Raises:
      NotImplementedError: with a session.
    """

    def __init__(
        self,
        logdir: str,
        graph: Any = None,
        max_queue: int = 10,
        flush_secs: float = 120,
        graph_def: Any = None,
        filename_suffix: str | None = None,
        session: Any = None,
    ) -> None:
        if session is not None:
            raise NotImplementedError("tf.summary.FileWriter takes no session here: pass summaries to add_summary.")
        self._logdir = os.fspath(logdir)
        self._suffix = filename_suffix or ""
        self._max_queue = max_queue
        self._flush_secs = flush_secs
        self._lock = threading.Lock()
        self._writer: EventsWriter | None = EventsWriter(self._logdir, self._suffix)
        self._pending = 0
        self._next_flush = time.time() + flush_secs
        self._seen_tags: set[str] = set()
        self._closed = False
        if graph is not None or graph_def is not None:
            self.add_graph(graph=graph, graph_def=graph_def)
            self._add_meta_graph_of(graph if graph is not None else graph_def)

    def __enter__(self) -> FileWriter:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def get_logdir(self) -> str:
        """The folder."""
        return self._logdir

    def add_event(self, event: Any) -> None:
        """Adds an `Event` message. A closed writer takes none."""
        with self._lock:
            if self._closed:
                return
            if self._writer is None:
                self._writer = EventsWriter(self._logdir, self._suffix)
            self._writer.write(event)
            self._pending += 1
            if self._pending >= self._max_queue or time.time() >= self._next_flush:
                self._flush()

    def _flush(self) -> None:
        if self._writer is not None:
            self._writer.flush()
        self._pending = 0
        self._next_flush = time.time() + self._flush_secs

    def _add(self, event: Event, step: Any) -> None:
        event.wall_time = time.time()
        if step is not None:
            event.step = int(step)
        self.add_event(event)

    def add_summary(self, summary: Any, global_step: Any = None) -> None:
        """Adds a `Summary`: a message, or what a summary operation gave."""
        if isinstance(summary, bytes):
            summary = Summary.FromString(summary)
        elif not isinstance(summary, Summary):
            summary = Summary.FromString(summary.SerializeToString())
        for value in summary.value:
            # What a tag is is told once.
            if value.HasField("metadata"):
                if value.tag in self._seen_tags:
                    value.ClearField("metadata")
                else:
                    self._seen_tags.add(value.tag)
        self._add(Event(summary=summary), global_step)

    def add_session_log(self, session_log: SessionLog, global_step: Any = None) -> None:
        """Adds a `SessionLog`: a start, a stop or a checkpoint."""
        self._add(Event(session_log=session_log), global_step)

    def add_graph(self, graph: Any, global_step: Any = None, graph_def: Any = None) -> None:
        """Adds a Graph (or a `GraphDef`), which TensorBoard draws.

        Raises:
          ValueError: both are given. TypeError: it is neither.
        """
        if graph is not None and graph_def is not None:
            raise ValueError("Please pass only graph, or graph_def (deprecated), but not both.")
        found = graph if graph is not None else graph_def
        if isinstance(found, Graph):
            found = found.as_graph_def(add_shapes=True)
        elif not hasattr(found, "node"):
            raise TypeError("The passed graph must be an instance of `Graph` or the deprecated `GraphDef`")
        self._add(Event(graph_def=found.SerializeToString()), global_step)

    def _add_meta_graph_of(self, graph: Any) -> None:
        from runstep.train.meta_graph import export_meta_graph

        graph_def = graph.as_graph_def(add_shapes=True) if isinstance(graph, Graph) else graph
        owner = graph if isinstance(graph, Graph) else Graph()
        self.add_meta_graph(export_meta_graph(graph_def=graph_def, graph=owner))

    def add_meta_graph(self, meta_graph_def: Any, global_step: Any = None) -> None:
        """Adds a `MetaGraphDef`. TypeError for anything else."""
        if not hasattr(meta_graph_def, "meta_info_def"):
            raise TypeError(f"meta_graph_def must be type MetaGraphDef, saw type: {type(meta_graph_def)}")
        self._add(Event(meta_graph_def=meta_graph_def.SerializeToString()), global_step)

    def add_run_metadata(self, run_metadata: Any, tag: str, global_step: Any = None) -> None:
        """Adds the `RunMetadata` of a step under a tag that has not been used. ValueError when it has."""
        if tag in self._seen_tags:
            raise ValueError("The provided tag was already used for this event type")
        self._seen_tags.add(tag)
        tagged = TaggedRunMetadata(tag=tag, run_metadata=run_metadata.SerializeToString())
        self._add(Event(tagged_run_metadata=tagged), global_step)

    def flush(self) -> None:
        """Puts all events on disk."""
        with self._lock:
            self._flush()

    def close(self) -> None:
        """Flushes and closes the file; what is added from now on is dropped."""
        with self._lock:
            if self._writer is not None:
                self._writer.close()
                self._writer = None
            self._closed = True

    def reopen(self) -> None:
        """After `close`, starts a new file with the next event."""
        with self._lock:
            self._closed = False


class FileWriterCache:
    """One FileWriter for each folder (source: tf.summary.FileWriterCache)."""

    _cache: ClassVar[dict[str, FileWriter]] = {}
    _lock: ClassVar[threading.RLock] = threading.RLock()

    @staticmethod
    def get(logdir: str) -> FileWriter:
        """The writer for a folder, made where there is none."""
        with FileWriterCache._lock:
            logdir = os.fspath(logdir)
            if logdir not in FileWriterCache._cache:
                from runstep.graph.graph import get_default_graph

                FileWriterCache._cache[logdir] = FileWriter(logdir, graph=get_default_graph())
            return FileWriterCache._cache[logdir]

    @staticmethod
    def clear() -> None:
        """Closes all of them."""
        with FileWriterCache._lock:
            for writer in FileWriterCache._cache.values():
                writer.close()
            FileWriterCache._cache.clear()


# Hooks share these writers and none of them may close one.
atexit.register(FileWriterCache.clear)


def summary_iterator(path: str) -> Iterator[Any]:
    """The `Event` messages of an event file (source: tf.train.summary_iterator).

    Raises:
      NotFoundError: there is none. DataLossError: it is damaged.
    """
    return read_events(path)
