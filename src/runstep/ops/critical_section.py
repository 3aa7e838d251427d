"""`tf.CriticalSection`: functions whose operations run one call at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runstep.graph import nest
from runstep.graph.apply import apply, apply_op
from runstep.graph.graph import get_default_graph, name_scope
from runstep.graph.operation import Operation
from runstep.graph.scopes import control_dependencies
from runstep.graph.tensor import Tensor

__all__ = ["CriticalSection"]

_RESOURCES = "critical_section_executions"


class CriticalSection:
    """A section of which one execution runs at a time, over all steps of a session (source: tf.CriticalSection).

    Args:
      shared_name: sections of this name in a session are one; a new one when None.
    """

    def __init__(
        self,
        name: str | None = None,
        shared_name: str | None = None,
        critical_section_def: Any = None,
        import_scope: str | None = None,
    ) -> None:
        if critical_section_def is not None:
            raise ValueError("critical_section_def and import_scope: sections are not made of messages here.")
        with name_scope(name, "CriticalSection", []) as scope:
            self._name = scope.rstrip("/")
            self._handle: Tensor = apply("MutexV2", shared_name=shared_name or self._name, container="")
        self._running: list[Any] = get_default_graph().get_collection_ref("_critical_section_stack")

    @property
    def name(self) -> str:
        """The name of the operation that holds the lock."""
        return self._handle.op.name.rpartition("/")[0] or self._handle.op.name

    def execute(self, fn: Callable[[], Any], exclusive_resource_access: bool = True, name: str | None = None) -> Any:
        """What `fn()` returns, computed while nobody else is in the section.

        Args:
          exclusive_resource_access: whether no other section may use the resources that `fn` uses.

        Raises:
          ValueError: called within `fn` of the same section, which would wait for itself; or another section uses a
            resource.
        """
        if self in self._running:
            raise ValueError(
                f"Attempting to lock a CriticalSection ({self._name}) in which we are already running. This is illegal "
                "and may cause deadlocks."
            )
        graph = get_default_graph()
        with name_scope(name, "critical_section_execute", []):
            lock = apply("MutexLock", self._handle)
            known = set(graph.get_operations())
            self._running.append(self)
            try:
                with control_dependencies([lock]):
                    result = fn()
            finally:
                self._running.remove(self)
            made = [op for op in graph.get_operations() if op not in known]
            self._check_resources(graph, made, exclusive_resource_access)
            with control_dependencies([op for op in made if op._control_flow_context is lock.op._control_flow_context]):
                released = apply_op("ConsumeMutexLock", lock)
            with control_dependencies([released]):
                return nest.pack_sequence_as(result, [_after(part, released) for part in nest.flatten(result)])

    def _check_resources(self, graph: Any, made: list[Operation], exclusive: bool) -> None:
        used = {
            tensor
            for op in made
            for tensor in op.inputs
            if tensor.dtype.name == "resource" and tensor is not self._handle
        }
        for section, others, alone in graph.get_collection(_RESOURCES):
            if section is not self and (exclusive or alone) and used & others:
                raise ValueError(
                    f"This execution would access resources: {sorted(each.name for each in used & others)}. These are "
                    f"accessed by another CriticalSection, '{section._name}', and one of the two wants them alone."
                )
        graph.add_to_collection(_RESOURCES, (self, used, exclusive))


def _after(part: Any, released: Operation) -> Any:
    if part is None:
        return None
    return released if isinstance(part, Operation) else apply("Identity", part)
