"""What a model needs besides its training operation, found or made when the graph is final."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runstep import logging as _log
from runstep.graph.collections import GraphKeys
from runstep.graph.graph import get_default_graph
from runstep.ops.basic import group
from runstep.ops.lookup import tables_initializer
from runstep.ops.summary import merge_all_summaries
from runstep.train.saver import Saver
from runstep.variables.collections import (
    global_variables,
    global_variables_initializer,
    local_variables_initializer,
    report_uninitialized_variables,
)

__all__ = ["Scaffold"]


class Scaffold:
    """The operations that prepare a model, its Saver and its summaries (source: tf.train.Scaffold).

    What is not given is taken from the graph's collections, or made, by `finalize`.

    Args:
      init_op, init_feed_dict: run where there is no checkpoint. init_fn: called after it with (scaffold, session).
      ready_op: gives the names of variables that are not initialized. ready_for_local_init_op: the same, before
        `local_init_op`.
      local_init_op, local_init_feed_dict: run in every new session.
      summary_op: what `SummarySaverHook` saves. saver: for checkpoints.
      copy_from_scaffold: what is not given is taken from this one.
    """

    def __init__(
        self,
        init_op: Any = None,
        init_feed_dict: Any = None,
        init_fn: Any = None,
        ready_op: Any = None,
        ready_for_local_init_op: Any = None,
        local_init_op: Any = None,
        summary_op: Any = None,
        saver: Any = None,
        copy_from_scaffold: Scaffold | None = None,
        local_init_feed_dict: Any = None,
    ) -> None:
        if copy_from_scaffold is not None and not isinstance(copy_from_scaffold, Scaffold):
            raise TypeError("copy_from_scaffold is not a Scaffold instance.")

        def pick(name: str, given: Any) -> Any:
            return getattr(copy_from_scaffold, name) if given is None and copy_from_scaffold is not None else given

        self._init_op = pick("_init_op", init_op)
        self._init_feed_dict = pick("_init_feed_dict", init_feed_dict)
        self._user_init_fn = pick("_user_init_fn", init_fn)
        self._init_fn = (lambda sess: self._user_init_fn(self, sess)) if self._user_init_fn else None
        self._ready_op = pick("_ready_op", ready_op)
        self._ready_for_local_init_op = pick("_ready_for_local_init_op", ready_for_local_init_op)
        self._local_init_op = pick("_local_init_op", local_init_op)
        self._local_init_feed_dict = pick("_local_init_feed_dict", local_init_feed_dict)
        self._summary_op = pick("_summary_op", summary_op)
        self._saver = pick("_saver", saver)

    def finalize(self) -> Scaffold:
        """Finds or makes what is missing, and finalizes the default graph."""
        found = Scaffold.get_or_default
        if self._init_op is None:
            self._init_op = found("init_op", GraphKeys.INIT_OP, lambda: group(global_variables_initializer()))
        if self._ready_op is None:
            self._ready_op = found("ready_op", GraphKeys.READY_OP, report_uninitialized_variables)
        if self._ready_for_local_init_op is None:
            self._ready_for_local_init_op = found(
                "ready_for_local_init_op",
                GraphKeys.READY_FOR_LOCAL_INIT_OP,
                lambda: report_uninitialized_variables(global_variables()),
            )
        if self._local_init_op is None:
            self._local_init_op = found("local_init_op", GraphKeys.LOCAL_INIT_OP, Scaffold.default_local_init_op)
        if self._summary_op is None:
            self._summary_op = found("summary_op", GraphKeys.SUMMARY_OP, merge_all_summaries)
        if self._saver is None:
            self._saver = found("saver", GraphKeys.SAVERS, lambda: Saver(sharded=True, allow_empty=True))
        self._saver.build()
        get_default_graph().finalize()
        _log.info("Graph was finalized.")
        return self

    @property
    def init_fn(self) -> Any:
        return self._init_fn

    @property
    def init_op(self) -> Any:
        return self._init_op

    @property
    def ready_op(self) -> Any:
        return self._ready_op

    @property
    def ready_for_local_init_op(self) -> Any:
        return self._ready_for_local_init_op

    @property
    def local_init_op(self) -> Any:
        return self._local_init_op

    @property
    def local_init_feed_dict(self) -> Any:
        return self._local_init_feed_dict

    @property
    def summary_op(self) -> Any:
        return self._summary_op

    @property
    def saver(self) -> Any:
        return self._saver

    @property
    def init_feed_dict(self) -> Any:
        return self._init_feed_dict

    @staticmethod
    def get_or_default(arg_name: str, collection_key: str, default_constructor: Callable[[], Any]) -> Any:
        """The only item of a collection, else what the function makes, which is added to it.

        Raises:
          RuntimeError: the collection has more items.
        """
        graph = get_default_graph()
        items = graph.get_collection(collection_key)
        if len(items) > 1:
            raise RuntimeError(
                f'More than one item in the collection "{collection_key}". Please indicate which one to use by passing '
                f"it to the tf.Scaffold constructor as:  tf.Scaffold({arg_name}=item to use)"
            )
        if items:
            return items[0]
        made = default_constructor()
        if made is not None:
            graph.add_to_collection(collection_key, made)
        return made

    @staticmethod
    def default_local_init_op() -> Any:
        """The operation that initializes local variables and tables."""
        return group(local_variables_initializer(), tables_initializer())
