"""Which objects hold which variables: what a checkpoint of objects is named by.

A node is a variable, a layer, an optimizer, a `tf.train.Checkpoint`, or a list or dict of these. Its children have
local names; a variable's key in the checkpoint is the path to it from the root.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from runstep.graph.graph import get_default_graph
from runstep.layers.base import Layer
from runstep.train.optimizer import Optimizer
from runstep.variables.variable import Variable

__all__: list[str] = []

VALUE = "VARIABLE_VALUE"


class Holder:
    """What is a node by what it says are its children."""

    def _held(self) -> dict[str, Any]:
        """By local names, whatever it holds."""
        raise NotImplementedError


def is_trackable(thing: Any) -> bool:
    """Whether it can be a node."""
    return isinstance(thing, Variable | Layer | Optimizer | Holder | dict | list | tuple)


def children_of(thing: Any) -> dict[str, Any]:
    """The nodes that an object holds, by local names.

    Raises:
      ValueError: a dict holds one under a key that is no string.
    """
    held: dict[Any, Any] = {}
    if isinstance(thing, Holder | Layer):
        held = thing._held()
    elif isinstance(thing, Optimizer):
        graph = get_default_graph()
        named = {name: variable for (name, where), variable in thing._non_slot_dict.items() if where is graph}
        held = dict(sorted(named.items()))
    elif isinstance(thing, dict):
        held = thing
    elif isinstance(thing, list | tuple):
        held = {str(i): item for i, item in enumerate(thing)}
    found = {name: child for name, child in held.items() if is_trackable(child)}
    for name in found:
        if not isinstance(name, str):
            raise ValueError(
                f"Unable to save the object {thing}: it holds a variable or container under the key {name!r}, which is "
                "no string."
            )
    return found


class ObjectGraph:
    """All objects that can be reached from a root, breadth first, and the slots that optimizers have for variables.

    Attributes:
      objects: the nodes; slots come last. paths: their keys' beginnings.
      slots: (optimizer's node, slot's name, variable's node, slot's node).
    """

    def __init__(self, root: Any) -> None:
        self.objects: list[Any] = [root]
        self.paths: list[str] = [""]
        self.children: list[dict[str, int]] = []
        self._ids = {id(root): 0}
        for node, thing in enumerate(self.objects):  # grows while it is walked
            self.children.append({})
            for name, child in children_of(thing).items():
                if id(child) not in self._ids:
                    self._add(child, f"{self.paths[node]}/{_escaped(name)}" if node else _escaped(name))
                self.children[node][name] = self._ids[id(child)]
        self.slots = list(self._find_slots())
        self.children += [{} for _ in self.slots]

    def _add(self, thing: Any, path: str) -> int:
        self._ids[id(thing)] = len(self.objects)
        self.objects.append(thing)
        self.paths.append(path)
        return len(self.objects) - 1

    def _find_slots(self) -> Iterator[tuple[int, str, int, int]]:
        held = list(enumerate(self.objects))
        for node, optimizer in held:
            if isinstance(optimizer, Optimizer):
                for name in optimizer.get_slot_names():
                    for of, variable in held:
                        slot = optimizer.get_slot(variable, name) if isinstance(variable, Variable) else None
                        if slot is not None and id(slot) not in self._ids:
                            path = f"{self.paths[of]}/.OPTIMIZER_SLOT/{self.paths[node]}/{_escaped(name)}"
                            yield node, name, of, self._add(slot, path)

    def variables(self) -> list[tuple[int, Variable]]:
        return [(node, thing) for node, thing in enumerate(self.objects) if isinstance(thing, Variable)]

    def key(self, node: int) -> str:
        """What the value of a variable is called in a checkpoint."""
        return f"{self.paths[node]}/.ATTRIBUTES/{VALUE}"

    def to_proto(self) -> Any:
        """The `TrackableObjectGraph` message."""
        from runstep.protos.trackable_object_graph_pb2 import TrackableObjectGraph

        found = TrackableObjectGraph()
        for thing, children in zip(self.objects, self.children, strict=True):
            message = found.nodes.add()
            for name, child in children.items():
                message.children.add(node_id=child, local_name=name)
            if isinstance(thing, Variable):
                key = self.key(len(found.nodes) - 1)
                message.attributes.add(name=VALUE, full_name=thing._shared_name, checkpoint_key=key)
        for optimizer, name, of, slot in self.slots:
            found.nodes[optimizer].slot_variables.add(
                original_variable_node_id=of, slot_name=name, slot_variable_node_id=slot
            )
        self._mark_values(found)
        return found

    def _mark_values(self, message: Any) -> None:
        """Says of each node whether it, or what it holds, has values."""
        above: dict[int, list[int]] = {}
        for node, children in enumerate(self.children):
            for child in children.values():
                above.setdefault(child, []).append(node)
        for optimizer, _, _, slot in self.slots:
            above.setdefault(slot, []).append(optimizer)
        waiting = [node for node, _ in self.variables()]
        while waiting:
            node = waiting.pop()
            if not message.nodes[node].has_checkpoint_values.value:
                message.nodes[node].has_checkpoint_values.value = True
                waiting += above.get(node, ())
        for node in message.nodes:
            node.has_checkpoint_values.value = node.has_checkpoint_values.value


def _escaped(name: str) -> str:
    return name.replace(".", "..").replace("/", ".S")


class Match:
    """Which objects are which nodes of a checkpoint.

    Attributes:
      objects: by node, the object. keys: by node of `program`, the key of a variable's value.
      program: the objects as they are now.
    """

    def __init__(self, root: Any, saved: Any) -> None:
        self.saved = saved
        self.program = ObjectGraph(root)
        self.objects: dict[int, Any] = {}
        waiting = [(0, root)]
        while waiting:
            node, thing = waiting.pop(0)
            if node in self.objects:
                continue
            self.objects[node] = thing
            held = children_of(thing)
            for child in saved.nodes[node].children:
                if child.local_name in held:
                    waiting.append((child.node_id, held[child.local_name]))
        for node, thing in list(self.objects.items()):
            for slot in saved.nodes[node].slot_variables if isinstance(thing, Optimizer) else ():
                variable = self.objects.get(slot.original_variable_node_id)
                found = thing.get_slot(variable, slot.slot_name) if isinstance(variable, Variable) else None
                if found is not None:
                    self.objects[slot.slot_variable_node_id] = found
        keys = {
            id(thing): attribute.checkpoint_key
            for node, thing in self.objects.items()
            for attribute in saved.nodes[node].attributes
            if attribute.name == VALUE
        }
        self.keys = {node: keys[id(v)] for node, v in self.program.variables() if id(v) in keys}

    def unbound(self) -> list[Variable]:
        """Variables of the program that the checkpoint has no value for."""
        return [variable for node, variable in self.program.variables() if node not in self.keys]

    def missing(self) -> str | None:
        """The path of a node of the checkpoint that the program has no object for."""
        paths = {0: "(root)"}
        for node in sorted(self.objects):
            for child in self.saved.nodes[node].children:
                paths.setdefault(child.node_id, f"{paths.get(node, '?')}.{child.local_name}")
            for slot in self.saved.nodes[node].slot_variables:
                of = paths.get(slot.original_variable_node_id, "?")
                paths.setdefault(slot.slot_variable_node_id, f"{paths.get(node, '?')}'s '{slot.slot_name}' for {of}")
        lacking = [node for node in range(len(self.saved.nodes)) if node not in self.objects]
        return paths.get(lacking[0], f"node {lacking[0]}") if lacking else None
