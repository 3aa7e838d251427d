"""From the nodes of a region to the steps of a program: a table with a function for each op, and fusion on the way.

A function takes the builder's `Lowering`, the node and the values of its inputs, and returns the value of its output.
Where it can take in the nodes that follow (bias, activation, sum), it asks for the `tail`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from runstep.kernels.onednn import api as c
from runstep.kernels.onednn.api import Api, Attributes, MemoryDesc, Primitive, Unsupported
from runstep.kernels.onednn.program import Builder, Home, Program, Refused, Value, constant
from runstep.kernels.registry import Node

Array = Any
Lower = Callable[["Lowering", Any, list[Value]], Value]

_TABLE: dict[str, Lower] = {}


def lowers(*ops: str) -> Callable[[Lower], Lower]:
    """Registers the function that lowers these ops."""

    def register(function: Lower) -> Lower:
        for op in ops:
            _TABLE[op] = function
        return function

    return register


class Post(NamedTuple):
    """A node taken in by the primitive before it.

    Attributes:
      node: the node. kind: "eltwise", "binary" or "prelu". kernel: oneDNN's number of the operation.
      alpha, beta: its parameters. operand: the other input.
    """

    node: Any
    kind: str
    kernel: int = 0
    alpha: float = 0.0
    beta: float = 0.0
    operand: Value | None = None


class Lowering:
    """One region for one set of input shapes, on its way to a program."""

    def __init__(self, api: Api, nodes: Sequence[Any], exported: Sequence[Any]) -> None:
        self.b = Builder(api)
        self.values: dict[Any, Value] = {}
        self.given: dict[tuple[Any, int], Value] = {}  # what comes from outside
        self._nodes = nodes
        self._exported = set(exported)
        self._users: dict[Any, list[Any]] = {}
        for node in nodes:
            for source, _ in node.inputs:
                self._users.setdefault(source, []).append(node)

    def program(self, outputs: Sequence[Any]) -> Program:
        """Lowers every node. Refused, or a kernel's own error, if one doesn't fit."""
        for node in self._nodes:
            if node not in self.values:
                self._lower(node)
        return self.b.finish([self.values[node] for node in outputs])

    def value(self, source: Any, output: int) -> Value:
        """The value of one output, computed or given or constant."""
        found = self.computed(source, output)
        if found is None:
            raise Refused(f"{source.name} comes later")
        return found

    def computed(self, source: Any, output: int) -> Value | None:
        """The same, or None if its node has not been lowered yet."""
        found = self.given.get((source, output)) or self.values.get(source)
        if found is None and source.known is not None:
            found = self.given[source, output] = constant(source.known[output])
        return found

    def _lower(self, node: Any) -> None:
        inputs = [self.value(*ref) for ref in node.inputs]
        if all(value.array is not None for value in inputs):
            found = self._kernel(node)(*[_plain(value.array) for value in inputs])
            self.values[node] = constant(found)
            return
        lower = _TABLE.get(node.type)
        if lower is None:
            if node.type != "Shape":
                raise Refused(node.type)
            self.values[node] = constant(np.array(inputs[0].shape, node.output_types[0].np))
            return
        mark = len(self.b.steps)
        try:
            self.bind(node, lower(self, node, inputs))
        except Unsupported:
            if len(self.b.steps) != mark:
                raise Refused(node.type) from None
            self.bind(node, self.with_numpy(node, inputs))

    def bind(self, node: Any, value: Value) -> None:
        """Says what a node's output is; done already for a node whose tail was taken in."""
        self.values.setdefault(node, value)

    def _kernel(self, node: Any) -> Any:
        return node.kernel if node.kernel is not None else node.row.make(node)

    def with_numpy(self, node: Node, inputs: Sequence[Value]) -> Value:
        """The node by its numpy kernel, on the memory of the program."""
        kernel = self._kernel(node)
        with np.errstate(all="ignore"):
            shape = np.shape(kernel(*[_sample(value) for value in inputs]))
        return self.b.call(kernel, inputs, shape)

    # ------------------------------------------------------------------ what follows a node

    def only_user(self, node: Any) -> Any | None:
        """The one node that reads this one, once, if nothing else sees its value."""
        users = self._users.get(node, ())
        return users[0] if len(users) == 1 and node not in self._exported and users[0] not in self.values else None

    def other_input(self, node: Any, before: Any) -> Value | None:
        """Of a node with two inputs, one of which is `before`: the other, if it has been computed."""
        for source, output in node.inputs:
            if source is not before:
                return self.computed(source, output)
        return None

    def tail(self, node: Any, shape: Sequence[int]) -> list[Post]:
        """The nodes after `node`, whose result has this shape, that work on it element by element."""
        from runstep.kernels.onednn.elementwise import posts_of

        posts: list[Post] = []
        while (user := self.only_user(node)) is not None:
            found = posts_of(self, user, node, shape)
            if not found:
                break
            posts += found
            node = user
        return posts

    def fused(
        self,
        node: Any,
        posts: list[Post],
        rank: int,
        make: Callable[[Attributes], Primitive],
        *,
        last: Any = None,
    ) -> tuple[Primitive, list[tuple[int, Home, MemoryDesc]], Any]:
        """Makes a primitive with as many of `posts` as it takes.

        Returns: the primitive, the arguments of the posts, and the node whose value it computes.
        """
        for count in range(len(posts), -1, -1):
            if count and posts[count - 1].node is None:
                continue
            chosen = posts[:count]
            described: list[tuple[Any, ...]] = []
            arguments = []
            for position, post in enumerate(chosen):
                number = c.ARG_POST_OP * (position + 1)
                if post.operand is None:
                    described.append(("eltwise", post.kernel, post.alpha, post.beta))
                    continue
                desc = self.b.desc(post.operand, rank)
                if post.kind == "prelu":
                    desc = c.strided(self.b.api, (post.operand.size,), (1,))
                    described.append(("prelu", 2 if post.operand.size > 1 else 0))
                    arguments.append((number | c.ARG_WEIGHTS, post.operand.home, desc))
                else:
                    described.append(("binary", post.kernel, desc))
                    arguments.append((number | c.ARG_SRC_1, post.operand.home, desc))
            try:
                primitive = make(Attributes(self.b.api, described))
            except Unsupported:
                if not count:
                    raise
                continue
            return primitive, arguments, chosen[-1].node if chosen else (last or node)
        raise Unsupported(node.type)


def _plain(array: Array) -> Array:
    return array if array.ndim else array[()]


def _sample(value: Value) -> Array:
    """An array of the value's shape to learn the result's shape from."""
    return _plain(value.array) if value.array is not None else np.zeros(value.shape, np.float32)


def table() -> dict[str, Lower]:
    """Every op that a region may hold, with its function."""
    from runstep.kernels.onednn import conv, elementwise, matmul, pooling, shaping  # noqa: F401 - they fill it

    return _TABLE
