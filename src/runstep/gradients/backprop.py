"""`tf.gradients`: the walk from `ys` back to `xs` that adds the nodes of a gradient to the graph.

Of all operations only those *between* count: that `ys` are computed from and that are computed from `xs`. Each is taken
when all of those after it have been: then all gradients of its outputs are there. They are added up, its gradient
function makes those of its inputs, and so on. A loop is taken as a whole, like an operation (`control_flow.py`).
"""

from __future__ import annotations

import collections
import contextlib
import enum
from collections.abc import Iterable, Sequence
from typing import Any

from runstep.gradients import registry
from runstep.gradients.aggregate import AggregationMethod, aggregated
from runstep.gradients.control_flow import Flow, Unit
from runstep.gradients.trainable import is_trainable, zeros_for
from runstep.graph import dtypes
from runstep.graph.composite import IndexedSlices, SparseTensor
from runstep.graph.convert import convert_to_tensor
from runstep.graph.functions import FunctionGraph
from runstep.graph.graph import Graph, get_default_graph, name_scope
from runstep.graph.operation import Operation
from runstep.graph.ragged_tensor import RaggedTensor
from runstep.graph.shapes import TensorShape, merge
from runstep.graph.tensor import Tensor
from runstep.ops.basic import identity, tuple as gated
from runstep.ops.creation import ones
from runstep.ops.shape_ops import shape

__all__ = ["UnconnectedGradients", "gradients"]


class UnconnectedGradients(enum.Enum):
    """What the gradient is where `ys` do not depend on an `x` (source: tf.UnconnectedGradients)."""

    NONE = "none"
    ZERO = "zero"


def gradients(
    ys: Any,
    xs: Any,
    grad_ys: Any = None,
    name: str = "gradients",
    colocate_gradients_with_ops: bool = False,
    gate_gradients: bool = False,
    aggregation_method: int | None = None,
    stop_gradients: Any = None,
    unconnected_gradients: Any = UnconnectedGradients.NONE,
) -> list[Any]:
    """The derivatives of the sum of `ys` with respect to each of `xs` (source: tf.gradients).

    Args:
      ys: a tensor or a list of tensors. xs: a tensor, variable, or a list of these.
      grad_ys: one tensor (or None: ones) per y, in its shape: what the gradient of `y` starts from.
      name: the name scope of the nodes that are added.
      colocate_gradients_with_ops: put the gradient of an operation on its device.
      gate_gradients: let no gradient of an operation be used before all of them are there.
      aggregation_method: how gradients are added up, a constant of `AggregationMethod`.
      stop_gradients: tensors not to differentiate through: constants, as it were.
      unconnected_gradients: what an `x` gets that `ys` do not depend on: None, or zeros.

    Returns:
      Per x, in its shape: a Tensor, IndexedSlices where only some rows are touched, or None.

    Raises:
      LookupError: an operation on the way has no gradient.
      ValueError: an argument is not one of those allowed; lengths or shapes do not fit.
      AttributeError: what is to stop gradients is no tensor.
      TypeError: the dtypes of a y and its gradient do not fit, or a complex y has none.
    """
    unconnected = _unconnected(unconnected_gradients)
    method = AggregationMethod.DEFAULT if aggregation_method is None else aggregation_method
    ys, xs, stops = _as_list(ys), _as_list(xs), _as_list(() if stop_gradients is None else stop_gradients)
    given = [None] * len(ys) if grad_ys is None else _as_list(grad_ys)
    with name_scope(name, "gradients", [*ys, *xs, *stops, *given]):
        graph = get_default_graph()
        targets = [_target(y, f"y_{i}") for i, y in enumerate(ys)]
        sources = [_source(x, f"x_{i}") for i, x in enumerate(xs)]
        stopped = [_here(stop).op for stop in stops]
        walk = Walk(graph, targets, sources, stopped, colocate_gradients_with_ops, gate_gradients, method)
        walk.start(_first_gradients(given, targets, walk))
    with graph.as_default():
        found = [walk.gradient(source, unconnected) for source in sources]
    return [_in_form_of(x, gradient) for x, gradient in zip(xs, found, strict=True)]


# ---------------------------------------------------------------------- arguments


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _unconnected(value: Any) -> UnconnectedGradients:
    try:
        return UnconnectedGradients(value)
    except ValueError:
        raise ValueError(f"Unknown value for unconnected_gradients: '{value}'") from None


def _target(y: Any, name: str) -> Tensor:
    y = values_of(y)
    return convert_to_tensor(y, name=name)


def _source(x: Any, name: str) -> Tensor:
    """The tensor that gradients come to: a variable's reference or handle, not one of its reads.

    In a function, one from outside is not taken in: all that comes from it counts.
    """
    handle = getattr(x, "_handle_tensor", None)
    value = handle() if handle is not None else values_of(x)
    if not isinstance(value, Tensor) and hasattr(value, "_as_graph_element"):
        value = value._as_graph_element()
    if not isinstance(value, Tensor):
        return convert_to_tensor(value, name=name, as_ref=True)
    return _here(value)


def _here(value: Any) -> Any:
    """A tensor, or, where the gradient of a function is made of copies of its nodes, its copy."""
    graph = get_default_graph()
    copy = graph.copy_of(value) if isinstance(graph, FunctionGraph) and isinstance(value, Tensor) else None
    return value if copy is None else copy


def values_of(value: Any) -> Any:
    """What of a composite tensor is differentiated; anything else as it is.

    Raises ValueError for a SparseTensor.
    """
    if isinstance(value, SparseTensor):
        raise ValueError("Type SparseTensor is not supported as a gradient source or gradient target.")
    if isinstance(value, RaggedTensor):
        return value.flat_values
    return value.values if isinstance(value, IndexedSlices) else value


def _in_form_of(x: Any, gradient: Any) -> Any:
    if isinstance(x, IndexedSlices) and gradient is not None:
        return IndexedSlices(gradient, x.indices, x.dense_shape)
    if isinstance(x, RaggedTensor) and gradient is not None:
        return x.with_flat_values(gradient)
    return gradient


def _first_gradients(given: Sequence[Any], ys: Sequence[Tensor], walk: Walk) -> list[Any]:
    """The gradients of `ys` themselves: what was given, ones elsewhere."""
    if len(given) != len(ys):
        raise ValueError(f"Length mismatch. Passed {len(given)} grad_ys for {len(ys)} ys")
    converted = [
        grad
        if grad is None or isinstance(grad, IndexedSlices)
        else convert_to_tensor(values_of(grad), name=f"grad_y_{i}")
        for i, grad in enumerate(given)
    ]
    found: list[Any] = []
    for i, (y, grad) in enumerate(zip(ys, converted, strict=True)):
        with walk.colocated(y.op):
            if grad is None:
                found.append(_ones(y, f"grad_ys_{i}"))
            else:
                _check_first(y, grad)
                found.append(_renamed(grad, f"grad_ys_{i}"))
    return found


def _ones(y: Tensor, name: str) -> Tensor:
    if y.dtype.is_complex:
        raise TypeError(f"Gradients of complex tensors ({y}) must set grad_ys (y.dtype = {y.dtype.name})")
    return ones(shape(y), y.dtype.base_dtype, name=name)


def _check_first(y: Tensor, grad: Any) -> None:
    kind, wanted = grad.dtype, y.dtype
    refused = f"Gradient type {kind.name} generated for "
    of_type = f"tensor {y} with type {wanted.name} must be "
    if wanted.is_floating or wanted.is_integer:
        if not (kind.is_floating or kind.is_integer):
            raise TypeError(f"{refused}real or integer-valued {of_type}real or integer")
    elif wanted.is_complex:
        if not kind.is_complex:
            raise TypeError(f"{refused}complex-valued {of_type}real")
    elif wanted is dtypes.variant:
        if kind is not dtypes.variant:
            raise TypeError(f"{refused}variant {of_type}variant")
    elif wanted is dtypes.resource:
        if kind is dtypes.resource:
            raise TypeError(f"Input gradient {grad} for resource tensor {y} should not be a resource")
    else:
        raise TypeError(f"Tensor {y} with type {wanted.name} must be numeric to obtain a default gradient")


def _renamed(grad: Any, name: str) -> Any:
    if not isinstance(grad, IndexedSlices):
        return identity(grad, name=name)
    parts = (("values", grad.values), ("indices", grad.indices), ("shape", grad.dense_shape))
    return IndexedSlices(*[part if part is None else identity(part, name=f"{name}_{which}") for which, part in parts])


# ---------------------------------------------------------------------- the walk


class Walk:
    """One call of `gradients`.

    Attributes:
      pending: what is taken on the way, operations and loops, and how many uses of each are still to be taken.
      grads: per operation and output, the list of gradients that came in; once it is taken, their sum or None.
    """

    def __init__(
        self,
        graph: Graph,
        ys: Sequence[Tensor],
        xs: Sequence[Tensor],
        stops: Sequence[Operation],
        colocate: bool,
        gate: bool,
        method: int,
    ) -> None:
        self.graph = graph
        self.ys = ys
        self.xs = xs
        self._colocate = colocate
        self._gate = gate
        self._method = method
        self.grads: dict[Operation, list[Any]] = {}
        self._queue: collections.deque[Unit] = collections.deque()
        self._to_ops = list(dict.fromkeys(y.op for y in ys))
        self._from_ops = {x.op for x in xs}
        self._crosses = any(x.graph is not graph for x in xs)
        between = self._between(self._reached())
        inside = set(between)
        self.flow = Flow(self)
        self.pending: dict[Unit, int] = dict.fromkeys(between, 0)
        for op in between:
            self.flow.add(op)
            for unit, tensor in self.flow.uses(op):
                if tensor.op in inside:
                    self.pending[unit] = self.pending.get(unit, 0) + 1
        self._stops = {op for op in self._from_ops if not any(t.op in inside for t in self.inputs(op))}
        self._stops.update(stops)

    def inputs(self, op: Operation) -> Sequence[Tensor]:
        """What an operation is computed from; of an argument by which a function takes an outer tensor, that tensor.

        That counts where gradients are asked for inside of a function, and an `x` is outside of it.
        """
        behind = self._behind(op)
        return op.inputs if behind is None else (behind,)

    def _behind(self, op: Operation) -> Tensor | None:
        graph = op.graph
        return graph.behind.get(op) if self._crosses and isinstance(graph, FunctionGraph) else None

    def _reached(self) -> set[Operation]:
        """What is computed from `xs`, as far as `ys` are computed from it."""
        users: dict[Operation, list[Operation]] = {}
        seen = set(self._to_ops)
        waiting = list(self._to_ops)
        while waiting:
            op = waiting.pop()
            for tensor in self.inputs(op):
                source = tensor.op
                if is_trainable(tensor):
                    users.setdefault(source, []).append(op)
                if source not in seen:
                    seen.add(source)
                    waiting.append(source)
        reached = {op for op in self._from_ops if op in seen}
        waiting = list(reached)
        while waiting:
            for user in users.get(waiting.pop(), ()):
                if user not in reached:
                    reached.add(user)
                    waiting.append(user)
        return reached

    def _between(self, reached: set[Operation]) -> list[Operation]:
        found = dict.fromkeys(op for op in self._to_ops if op in reached)
        waiting = collections.deque(found)
        while waiting:
            for tensor in self.inputs(waiting.popleft()):
                if tensor.op in reached and tensor.op not in found:
                    found[tensor.op] = None
                    waiting.append(tensor.op)
        return list(found)

    def colocated(self, op: Operation) -> contextlib.AbstractContextManager[Any]:
        """Where nodes that belong to `op` are made."""
        return self.graph.colocate_with(op, ignore_existing=True) if self._colocate else contextlib.nullcontext()

    def start(self, grad_ys: Sequence[Any]) -> None:
        """Puts the gradients of `ys` in place and takes what comes before them."""
        for y, grad in zip(self.ys, grad_ys, strict=True):
            self.add(y, grad)
        self.run(op for op in self._to_ops if self.is_free(op) and self.flow.region(op) is None)

    def is_free(self, op: Operation) -> bool:
        """Whether an operation counts, and nothing after it is still to be taken."""
        return self.pending.get(op) == 0

    def run(self, starts: Iterable[Unit]) -> None:
        """Takes these and, as they become free, all before them up to the edge of the loop that they are in."""
        outer, self._queue = self._queue, collections.deque(starts)
        while self._queue:
            unit = self._queue.popleft()
            if isinstance(unit, Operation):
                if self.flow.is_end(unit):
                    continue
                with self.colocated(unit):
                    self._take(unit)
                self._release_inputs(unit)
            else:
                for op in self.flow.differentiate(unit):
                    self._release_inputs(op)
        self._queue = outer

    def taken(self, op: Operation, index: int) -> Any:
        """The sum of the gradients that came into an output, which are forgotten; None where none did."""
        entries = self.grads.get(op)
        if entries is None:
            return None
        came = [grad for grad in entries[index] if grad is not None]
        entries[index] = []
        return aggregated(self.graph, op, came, self._method) if came else None

    def add(self, tensor: Tensor, grad: Any) -> None:
        """Notes a gradient that comes into `tensor`."""
        entries = self.grads.get(tensor.op)
        if entries is None:
            entries = self.grads[tensor.op] = [[] for _ in tensor.op.outputs]
        entries[tensor.value_index].append(grad)

    def give(self, op: Operation, tensor: Tensor, grad: Any) -> None:
        """Notes what comes into `tensor`, an input of `op`, from `op`."""
        if grad is not None:
            if isinstance(grad, Tensor) and tensor.dtype is not dtypes.resource:
                _refine_shape(op, tensor, grad)
            self.add(tensor, grad)

    def gradient(self, x: Tensor, unconnected: UnconnectedGradients) -> Any:
        """What the walk found for `x`."""
        entries = self.grads.get(x.op)
        grad = None if entries is None else entries[x.value_index]
        if isinstance(grad, list):
            grad = None  # never taken: a y that no x leads to
        if grad is None and unconnected is UnconnectedGradients.ZERO:
            return zeros_for(x)
        return grad

    def _take(self, op: Operation) -> None:
        with self.flow.summing(op):
            grads = self._summed(op)
        has_grads = any(grad is not None for grad in grads)
        function = None
        if has_grads and op not in self._stops:
            behind = self._behind(op)
            if behind is not None:
                self.give(op, behind, grads[0])
                return
            function = self.flow.function(op) or registry.find_for(op)
        if function is None:
            return
        with self.flow.differentiating(op):
            for i, grad in enumerate(grads if registry.wants_zeros(function) else ()):
                if grad is None and is_trainable(op.outputs[i]):
                    # Nothing depends on this output. The list is the walk's own: an x sees the zeros too.
                    grads[i] = self.flow.zeros(op, i)
            found = self._differentiated(op, function, grads)  # a loop may get inputs by that
            for tensor, grad in zip(op.inputs, found, strict=True):
                self.give(op, tensor, grad)

    def _summed(self, op: Operation) -> list[Any]:
        grads = self.grads.get(op)
        if grads is None:
            return []
        if self._method not in AggregationMethod._ALL:
            raise ValueError(
                f"Invalid `aggregation_method` specified {self._method}. Accepted values are "
                f"{list(AggregationMethod._ALL)}."
            )
        for i, came in enumerate(grads):
            came = [grad for grad in came if grad is not None]
            grads[i] = aggregated(self.graph, op, came, self._method) if came else None
        return grads

    def _differentiated(self, op: Operation, function: registry.GradientFunction, grads: list[Any]) -> list[Any]:
        graph = self.graph
        with graph._in(name=graph.unique_name(f"{op.name}_grad"), original_op=op):
            found = function(op, *grads)
            found = list(found) if isinstance(found, list | tuple) else [found]
            if len(found) != len(op.inputs):
                raise ValueError(
                    f"Num gradients {len(found)} generated for op {op.node_def} do not match num inputs "
                    f"{len(op.inputs)}"
                )
            if self._gate and sum(grad is not None for grad in found) > 1:
                with graph.device(None), graph.colocate_with(None, ignore_existing=True):
                    found = gated(found)
        return found

    def _release_inputs(self, op: Operation) -> None:
        for unit, tensor in self.flow.uses(op):
            if tensor.op in self.pending:
                pending = self.pending[unit] = self.pending[unit] - 1
                if pending == 0:
                    self._queue.append(unit)

    def no_gradient_of_start(self, op: Operation) -> ValueError:
        """The error for a walk, in a loop, that comes to what a variable of the loop starts with."""
        seen = {op}
        waiting = collections.deque([op])
        while waiting:
            found = waiting.popleft()
            if found in self._from_ops:
                break
            before = [tensor.op for tensor in found.inputs if tensor.op not in seen]
            seen.update(before)
            waiting.extend(before)
        return ValueError(
            f"Cannot compute gradient inside while loop with respect to op '{found.name}'. We do not support taking "
            "the gradient wrt or through the initial value of a loop variable. Gradients can be computed through loop "
            "invariants or wrt the input parameters to the loop body."
        )


def _refine_shape(op: Operation, tensor: Tensor, grad: Tensor) -> None:
    mine, wanted = grad.raw_shape, tensor.raw_shape
    if mine == wanted or wanted is None:
        return
    try:
        merged = merge(mine, wanted)
    except ValueError:
        index = next(i for i, source in enumerate(op.inputs) if source is tensor)
        raise ValueError(
            "Incompatible shapes between op input and calculated input gradient. "
            f"Forward operation: {op.name}. Input index: {index}. "
            f"Original input shape: {TensorShape.from_raw(wanted)}. "
            f"Calculated input gradient shape: {TensorShape.from_raw(mine)}"
        ) from None
    if merged != mine:
        grad.set_shape(TensorShape.from_raw(merged))
