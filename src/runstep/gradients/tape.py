"""`tf.GradientTape` in graphs: gradients through what was added to the graph while the tape ran.

Nothing is noted per operation. A graph keeps its operations in the order of creation, so a tape is a list of stretches
of that order, and a gradient is that of `tf.gradients`, stopped where the walk leaves them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

from runstep.gradients.backprop import UnconnectedGradients, gradients, values_of
from runstep.gradients.hessian import rows_of_gradients
from runstep.gradients.trainable import is_trainable, known_variables, variables_read, zeros_for
from runstep.graph import nest
from runstep.graph.composite import IndexedSlices
from runstep.graph.convert import convert_to_tensor
from runstep.graph.functions import standing_for
from runstep.graph.graph import Graph, get_default_graph
from runstep.graph.operation import Operation
from runstep.graph.ragged_tensor import RaggedTensor
from runstep.graph.shapes import TensorShape
from runstep.graph.tensor import Tensor
from runstep.ops.creation import ones_like, zeros
from runstep.ops.joining import concat
from runstep.ops.rearranging import transpose
from runstep.ops.shape_ops import reshape, shape

__all__ = ["GradientTape"]


class GradientTape:
    """Differentiates what is built inside of its `with` block (source: tf.GradientTape).

        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(weights))
        grads = tape.gradient(loss, [weights])

    The gradients are nodes of the graph, as those of `tf.gradients`. Branches and loops are differentiated too.

    Args:
      persistent: whether gradients may be asked for more than once.
      watch_accessed_variables: whether trainable variables are watched when they are read inside.
    """

    def __init__(self, persistent: bool = False, watch_accessed_variables: bool = True) -> None:
        self._persistent = persistent
        self._watches_variables = watch_accessed_variables
        self._stretches: dict[Graph, list[tuple[int, int | None]]] = {}
        self._since: dict[Tensor, int] = {}
        self._recording = False
        self._used = True

    # ------------------------------------------------------------------ recording

    def __enter__(self) -> GradientTape:
        """Raises ValueError on a tape that records."""
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._recording:
            self._stop()

    def _start(self) -> None:
        if self._recording:
            raise ValueError("Tape is still recording, This can happen if you try to re-enter an already-active tape.")
        graph = get_default_graph()
        self._stretches.setdefault(graph, []).append((graph.version, None))
        self._recording, self._used = True, False

    def _stop(self) -> None:
        for graph, stretches in self._stretches.items():
            begin, end = stretches[-1]
            stretches[-1] = begin, graph.version if end is None else end
        self._recording = False

    def watch(self, tensor: Any) -> None:
        """Lets gradients flow to these tensors or variables through what takes them from here on.

        Args:
          tensor: a Tensor or variable, or a structure of them.

        Raises:
          ValueError: it is something else.
        """
        for item in nest.flatten(tensor):
            if not (isinstance(item, Tensor | IndexedSlices | RaggedTensor) or hasattr(item, "_handle_tensor")):
                raise ValueError(
                    f"Passed in object {item} of type {type(item).__name__!r}, not tf.Tensor or tf.Variable or "
                    "ExtensionType."
                )
            place = _place(item)
            self._since.setdefault(place, place.graph.version if isinstance(item, Tensor) else 0)

    @contextlib.contextmanager
    def stop_recording(self) -> Iterator[None]:
        """A `with` block inside of the tape's that it does not see.

        Raises ValueError when the tape does not record.
        """
        if not self._recording:
            raise ValueError("Tape is not recording.")
        self._stop()
        try:
            yield
        finally:
            self._start()

    def reset(self) -> None:
        """Forgets all that was recorded and watched."""
        was_recording = self._recording
        self._recording = False
        self._stretches, self._since = {}, {}
        if was_recording:
            self._start()

    def watched_variables(self) -> tuple[Any, ...]:
        """The variables that are watched, those that were read inside included."""
        found = []
        for graph in self._stretches:
            found += [v for v in known_variables(graph) if _place(v) in self._since]
            found += self._read(graph)
        return tuple(dict.fromkeys(found))

    def _read(self, graph: Graph) -> list[Any]:
        return variables_read(graph, self._operations(graph)) if self._watches_variables else []

    def _operations(self, graph: Graph) -> dict[Operation, int]:
        """What was recorded in a graph, and its place in the order of creation."""
        made = graph.get_operations()
        return {
            made[place]: place
            for begin, end in self._stretches.get(graph, ())
            for place in range(begin, len(made) if end is None else end)
        }

    # ------------------------------------------------------------------ gradients

    def gradient(
        self,
        target: Any,
        sources: Any,
        output_gradients: Any = None,
        unconnected_gradients: Any = UnconnectedGradients.NONE,
    ) -> Any:
        """The derivatives of the sum of `target` with respect to `sources`.

        Args:
          target: a Tensor, or a structure of them. sources: watched tensors and variables, or a structure of them.
          output_gradients: one per target, in its shape: what its gradient starts from; ones when None.
          unconnected_gradients: "none" or "zero": what a source gets that no recorded operation leads to.

        Returns:
          A structure like `sources` of Tensors, IndexedSlices or None.

        Raises:
          RuntimeError: the tape was used before, and is not persistent.
          TypeError: `target` or `sources` is None. ValueError: an argument is not one of those allowed.
          LookupError: a recorded operation has no gradient.
        """
        self._use()
        if target is None:
            raise TypeError(
                "Argument `target` should be a list or nested structure of Tensors, Variables or CompositeTensors to "
                "be differentiated, but received None."
            )
        if sources is None:
            raise TypeError(
                "Argument `sources` should be a list or nested structure of Tensors, Variables or CompositeTensors, "
                "but received None."
            )
        given = None if output_gradients is None else nest.flatten(output_gradients)
        found = self._gradients(nest.flatten(target), nest.flatten(sources), given, unconnected_gradients)
        return nest.pack_sequence_as(sources, found)

    def _use(self) -> None:
        if self._used:
            raise RuntimeError(
                "A non-persistent GradientTape can only be used to compute one set of gradients (or jacobians)"
            )
        if not self._persistent:
            if self._recording:
                self._stop()
            self._used = True

    def _gradients(self, targets: list[Any], sources: list[Any], given: list[Any] | None, missing: Any) -> list[Any]:
        zero = UnconnectedGradients(missing) is UnconnectedGradients.ZERO
        pairs = list(zip(targets, given or [None] * len(targets), strict=True))
        pairs = [(y, _first(y, grad)) for y, grad in pairs if is_trainable(_place(y))]
        tracked, stops = self._paths([y for y, _ in pairs], sources)
        xs = [x for x in sources if x in tracked]
        found = dict.fromkeys(sources)
        if pairs and xs:
            ys, grad_ys = zip(*pairs, strict=True)
            found.update(zip(xs, gradients(list(ys), xs, list(grad_ys), stop_gradients=stops), strict=True))
        return [zeros_for(_place(x)) if zero and found[x] is None else found[x] for x in sources]

    def _paths(self, targets: Iterable[Any], sources: list[Any]) -> tuple[set[Any], list[Tensor]]:
        """Which sources gradients may come to, and the tensors at which they leave what was recorded."""
        ends = [_place(y) for y in targets]
        graphs = {place.graph for place in (*ends, *map(_place, sources))}
        operations = {op: place for graph in graphs for op, place in self._operations(graph).items()}
        since = dict(self._since)
        for graph in graphs:
            since.update(dict.fromkeys(map(_place, self._read(graph)), 0))
        back = _Back(operations, since)
        stops = back.walk(ends)
        return {x for x in sources if _place(x) in since or back.leads_to_watched(_place(x))}, stops

    def jacobian(
        self,
        target: Any,
        sources: Any,
        unconnected_gradients: Any = UnconnectedGradients.NONE,
        parallel_iterations: int | None = None,
        experimental_use_pfor: bool = True,
    ) -> Any:
        """The derivative of each element of `target` with respect to `sources`, one after the other in a loop.

        Args:
          target: a Tensor.
          sources, unconnected_gradients: as for `gradient`.
          parallel_iterations: of the loop. experimental_use_pfor: not used: there is one loop.

        Returns:
          A structure like `sources`, of the shape of `target` and that of the source in one; None where unconnected.

        Raises: as `gradient`.
        """
        self._use()
        flat = nest.flatten(sources)
        rows = self._rows(reshape(target, [-1]), target, flat, parallel_iterations)
        zero = UnconnectedGradients(unconnected_gradients) is UnconnectedGradients.ZERO
        return nest.pack_sequence_as(
            sources,
            [
                _in_shape(rows.get(x), concat([shape(target), shape(x)], 0), target.shape.concatenate(x.shape), x, zero)
                for x in flat
            ],
        )

    def _rows(self, rows: Tensor, target: Tensor, sources: list[Any], parallel: int | None) -> dict[Any, Any]:
        """The gradients of the rows of what was made of `target`, by source; of those that it depends on."""
        tracked, stops = self._paths([target], sources)
        xs = [x for x in sources if x in tracked]
        found = gradients(target, xs, ones_like(target), stop_gradients=stops)
        xs = [x for x, grad in zip(xs, found, strict=True) if grad is not None]
        if not xs:
            return {}
        stacked = rows_of_gradients(rows, xs, parallel or 10, stop_gradients=stops)
        return dict(zip(xs, stacked, strict=True))

    def batch_jacobian(
        self,
        target: Tensor,
        source: Tensor,
        unconnected_gradients: Any = UnconnectedGradients.NONE,
        parallel_iterations: int | None = None,
        experimental_use_pfor: bool = True,
    ) -> Any:
        """The derivatives of each row of `target` with respect to the same row of `source`.

        Args:
          target: a Tensor [batch, ...] whose rows depend each on one row of `source`, [batch, ...].
          unconnected_gradients, parallel_iterations, experimental_use_pfor: as for `jacobian`.

        Returns:
          A Tensor [batch, ..., ...]: the batch, the rest of `target`, the rest of `source`; None where unconnected.

        Raises:
          ValueError: the sizes of the batches differ, or there are less than two axes. Otherwise as `gradient`.
        """
        outer, inner = target.shape.with_rank_at_least(2), source.shape.with_rank_at_least(2)
        if not outer[:1].is_compatible_with(inner[:1]):
            raise ValueError(
                f"Need first dimension of target shape ({target.shape}) and source shape ({source.shape}) to match."
            )
        self._use()
        width = outer[1:].num_elements()
        flat = reshape(target, [shape(target)[0], -1 if width is None else width])
        found = self._rows(transpose(flat), target, [source], parallel_iterations).get(source)
        if found is not None:
            found = transpose(found, [1, 0, *range(2, len(inner) + 1)])
        sizes = concat([shape(target), shape(source)[1:]], 0)
        zero = UnconnectedGradients(unconnected_gradients) is UnconnectedGradients.ZERO
        return _in_shape(found, sizes, outer.concatenate(inner[1:]), source, zero)


# ---------------------------------------------------------------------- helpers


class _Back:
    """The graph seen from its end: what was recorded, and since when tensors are watched."""

    def __init__(self, operations: dict[Operation, int], since: dict[Tensor, int]) -> None:
        self._operations = operations
        self._since = since

    def _passes(self, op: Operation) -> bool:
        """Whether gradients go through: it was recorded, or is the read that a ref variable was made with."""
        place = self._operations.get(op)
        if place is None:
            return op.type == "Identity" and op.inputs[0] in self._since and op.inputs[0].dtype.is_ref
        return all(self._since.get(tensor, 0) <= place for tensor in op.inputs)

    def walk(self, ends: list[Tensor]) -> list[Tensor]:
        """The outputs of all operations before `ends` that gradients come to and do not go through."""
        stops: list[Tensor] = []
        seen = {tensor.op for tensor in ends}
        waiting = list(seen)
        while waiting:
            op = waiting.pop()
            if not self._passes(op):
                stops += op.outputs[:1] if op.inputs else ()
                continue
            for tensor in op.inputs:
                if tensor.op not in seen:
                    seen.add(tensor.op)
                    waiting.append(tensor.op)
        return stops

    def leads_to_watched(self, tensor: Tensor) -> bool:
        """Whether a tensor was computed, as far as it was recorded, from one that is watched."""
        seen = {tensor.op}
        waiting = [tensor.op]
        while waiting:
            op = waiting.pop()
            if self._passes(op):
                if any(source in self._since for source in op.inputs):
                    return True
                before = [source.op for source in op.inputs if source.op not in seen]
                seen.update(before)
                waiting += before
        return False


def _place(item: Any) -> Tensor:
    """The tensor that stands for a source or target: a variable's handle or reference."""
    handle = getattr(item, "_handle_tensor", None)
    if handle is not None:
        return standing_for(handle(), get_default_graph())
    return convert_to_tensor(values_of(item))


def _first(y: Any, grad: Any) -> Any:
    if grad is None:
        return ones_like(_place(y)) if y.dtype.is_complex else None
    return grad if isinstance(grad, IndexedSlices | RaggedTensor) else convert_to_tensor(grad, y.dtype.base_dtype)


def _in_shape(rows: Any, sizes: Tensor, static: TensorShape, source: Any, zero: bool) -> Any:
    """Rows of gradients as one tensor; for None zeros, where these are wanted."""
    if rows is None and not zero:
        return None
    found = zeros(sizes, source.dtype.base_dtype) if rows is None else reshape(rows, sizes)
    found.set_shape(static)
    return found
