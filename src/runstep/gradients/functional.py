"""Gradients of what calls functions of the graph's library: calls, If, Case, While.

The function that is called is exchanged for one that also gives what the gradient needs (`split.py`), and the operation
gets outputs for that; the gradient is an operation of the same kind, which takes them. A loop keeps them, turn by turn,
in tensor lists.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from runstep.gradients.history import context_of
from runstep.gradients.registry import gradient, takes_none
from runstep.gradients.split import Split, gradient_dtype
from runstep.gradients.trainable import is_trainable, zeros_for
from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.graph.attr_value import NameAttrs
from runstep.graph.composite import IndexedSlices
from runstep.graph.control_flow import placed
from runstep.graph.convert import constant, convert_to_tensor
from runstep.graph.functions import Function, FunctionGraph, add_arguments, call, define, function_named, unused_name
from runstep.graph.graph import Graph, get_default_graph
from runstep.graph.operation import Operation
from runstep.graph.shapes import RawShape, common
from runstep.graph.tensor import Tensor
from runstep.ops.handles import HandleData, common_data

Kept = tuple[Any, RawShape, HandleData | None]
"""Dtype, shape, and what it holds, of an output that an operation gets for its gradient."""


@attrs.frozen
class _Halves:
    """A function, cut into the way forward and the way back.

    Attributes:
      forward, backward: what nodes call them by; None while they are being built.
      used: the arguments that the way back takes. kept: the outputs of the way forward that it takes after them.
      outer: the tensors of the graph around that it takes at the end: Python functions of gradients use what they like.
      added: the outputs that the way forward has and the function has not.
      parts: per argument, how many outputs are its gradient: 0 for none, 1, 3 for IndexedSlices.
      wanted: the outputs whose gradients must be given.
    """

    forward: NameAttrs | None = None
    backward: NameAttrs | None = None
    used: tuple[int, ...] = ()
    kept: tuple[int, ...] = ()
    outer: tuple[Tensor, ...] = ()
    added: tuple[Kept, ...] = ()
    parts: tuple[int, ...] = ()
    wanted: tuple[bool, ...] = ()


def _halves(graph: Graph, name: NameAttrs, inputs: Sequence[Tensor], present: tuple[bool, ...]) -> _Halves:
    """The halves of a function, for gradients of those outputs that are `present`."""
    function = function_named(graph, name.name)
    key = (repr(sorted((k, repr(v)) for k, v in name.attrs.items())), present)
    found: _Halves | None = function.backward.get(key)
    if found is None or any(tensor.graph is not graph for tensor in found.outer):
        function.backward[key] = _Halves()
        try:
            split = Split(graph, name, inputs, present)
            wanted = split.wanted()
            found = _built(split) if wanted == present else _halves(graph, name, inputs, wanted)
            function.backward[key] = found
        except BaseException:
            del function.backward[key]
            raise
    return found


def _built(split: Split) -> _Halves:
    parts = [split.grad(i) for i in range(len(split.arguments))]
    results = split.back(part for parts_of_one in parts for part in parts_of_one)
    outputs = [*split.outputs, *_new(split)]
    inputs = [*split.used, *split.kept, *split.given, *split.outer]
    return _Halves(
        split.forward(split.arguments, outputs),
        split.backward(inputs, results),
        tuple(split.arguments.index(tensor) for tensor in split.used),
        tuple(outputs.index(tensor) for tensor in split.kept),
        tuple(split.outer.values()),
        tuple(_kept(tensor) for tensor in _new(split)),
        tuple(len(parts_of_one) for parts_of_one in parts),
        split.present,
    )


def _new(split: Split) -> list[Tensor]:
    """Of what is kept, that which is no output yet."""
    return [tensor for tensor in split.kept if tensor not in split.outputs]


def _kept(tensor: Tensor) -> Kept:
    return tensor.dtype, tensor.raw_shape, tensor._handle_data


def _grow(op: Operation, added: Sequence[Kept], inputs: Sequence[Tensor] = (), **changed: Any) -> None:
    """Gives an operation further outputs, and other functions that give them."""
    start = len(op.outputs)
    outputs = [Tensor(op, start + i, dtype) for i, (dtype, _, _) in enumerate(added)]
    for tensor, (_, raw, data) in zip(outputs, added, strict=True):
        tensor.raw_shape = raw
        tensor._handle_data = data
    op.inputs = (*op.inputs, *inputs)
    op.outputs = (*op.outputs, *outputs)
    if op.attrs.get("output_shapes"):
        changed["output_shapes"] = (*op.attrs["output_shapes"], *(raw for _, raw, _ in added))
    op.attrs = {**op.attrs, **changed}
    context = op._control_flow_context
    for around in () if context is None else context.around():
        around._inside.update(outputs)
    op.graph._edited()


# ---------------------------------------------------------------------- calls


def _differentiated_call(op: Operation, name: NameAttrs, grads: Sequence[Any]) -> list[Any]:
    """The gradients of the inputs of an operation that calls the function `name` with them."""
    graph = get_default_graph()
    function = function_named(graph, name.name)
    if function.python_gradient is not None:
        filled = [zeros_for(y) if g is None and is_trainable(y) else g for y, g in zip(op.outputs, grads, strict=True)]
        found = function.python_gradient(op, *filled)
        return list(found) if isinstance(found, list | tuple) else [found]
    if function.gradient_name is not None:
        given = [_filled(y, grad) for y, grad in zip(op.outputs, grads, strict=True)]
        return call(graph, NameAttrs(function.gradient_name), [*op.inputs, *given], [t.dtype for t in op.inputs])
    present = tuple(grad is not None for grad in grads)
    halves = _halves(graph, name, op.inputs, present)
    if halves.forward is None or halves.backward is None:  # a function that calls itself
        given = [_filled(y, grad) for y, grad in zip(op.outputs, grads, strict=True)]
        types = [gradient_dtype(t) for t in op.inputs]
        results = apply("SymbolicGradient", [*op.inputs, *given], f=name, Tout=types)
        return [grad if is_trainable(t) else None for t, grad in zip(op.inputs, results, strict=True)]
    if halves.added or op.type not in _CALLS:
        _call_instead(op, halves.forward, halves.added)
    kept = [op.outputs[i] for i in halves.kept]
    return _gradients(halves, op.inputs, kept, _given(op.outputs, grads, halves.wanted))


_CALLS = ("PartitionedCall", "StatefulPartitionedCall")


def _call_instead(op: Operation, forward: NameAttrs, added: Sequence[Kept]) -> None:
    """Makes an operation call a function that gives more."""
    if op.type in _CALLS:
        types = (*op.attrs["Tout"], *(dtype for dtype, _, _ in added))
        _grow(op, added, f=forward, Tout=types)
    else:  # its type is the function
        op.type = forward.name
        op.op_def = function_named(op.graph, forward.name).signature
        op.attrs = {key: value for key, value in op.attrs.items() if key.startswith("_")}
        _grow(op, added)


def _gradients(halves: _Halves, inputs: Sequence[Tensor], kept: Sequence[Tensor], given: Sequence[Tensor]) -> list[Any]:
    """Calls the way back: per argument, its gradient or None."""
    assert halves.backward is not None
    used = [inputs[i] for i in halves.used]
    flat = iter(call(get_default_graph(), halves.backward, [*used, *kept, *given, *halves.outer]))
    return [_taken(flat, count) for count in halves.parts]


def _given(outputs: Sequence[Tensor], grads: Sequence[Any], wanted: Sequence[bool]) -> list[Tensor]:
    """The gradients of those outputs that are wanted: zeros where none comes in."""
    return [_filled(y, grad) for y, grad, there in zip(outputs, grads, wanted, strict=False) if there]


def _filled(y: Tensor, grad: Any) -> Tensor:
    return convert_to_tensor(zeros_for(y) if grad is None else grad)


def _taken(flat: Any, count: int) -> Any:
    if count == 3:
        values, indices, shape = next(flat), next(flat), next(flat)
        return IndexedSlices(values, indices, shape)
    return next(flat) if count else None


def symbolic_gradient(graph: Graph, name: NameAttrs) -> NameAttrs:
    """The function that the op SymbolicGradient stands for: from the arguments of `name` and the gradients of all its
    outputs to a gradient for each argument, zeros where there is none."""
    function = function_named(graph, name.name)
    if function.gradient_name is not None:
        return NameAttrs(function.gradient_name)
    wanted = f"SymbolicGradient_{function.name}"
    if wanted not in graph._functions:
        body = FunctionGraph(wanted, graph)
        with body.as_default():
            arguments = add_arguments(body, function, name.attrs)
            outputs = function.body(name.attrs).outputs
            given = [body.add_input(f"grad_{i}", y.dtype, y.raw_shape) for i, y in enumerate(outputs)]
            present = tuple(is_trainable(y) for y in outputs)
            halves = _halves(graph, name, arguments, present)
            assert halves.forward is not None
            results = call(body, halves.forward, arguments)
            used = [grad for grad, there in zip(given, halves.wanted, strict=True) if there]
            found = _gradients(halves, arguments, [results[i] for i in halves.kept], used)
            for argument, grad in zip(arguments, found, strict=True):
                body.outputs.append(convert_to_tensor(zeros_for(argument) if grad is None else grad))
        define(graph, body, wanted)
    return NameAttrs(wanted)


@gradient("PartitionedCall", "StatefulPartitionedCall")
@takes_none
def _call(op: Operation, *grads: Any) -> Any:
    return _differentiated_call(op, op.attrs["f"], grads)


@takes_none
def named_call(op: Operation, *grads: Any) -> Any:
    """The gradient of an operation whose type is a function of the library."""
    return _differentiated_call(op, NameAttrs(op.type, op.attrs), grads)


@gradient("SymbolicGradient")
def _symbolic(op: Operation, *grads: Any) -> Any:
    return _differentiated_call(op, symbolic_gradient(get_default_graph(), op.attrs["f"]), grads)


# ---------------------------------------------------------------------- branches


@gradient("If", "StatelessIf")
@takes_none
def _if(op: Operation, *grads: Any) -> Any:
    names = [op.attrs["then_branch"], op.attrs["else_branch"]]

    def changed(branches: Sequence[NameAttrs]) -> dict[str, Any]:
        return {"then_branch": branches[0], "else_branch": branches[1]}

    return _branched(op, names, changed, grads)


@gradient("Case", "StatelessCase")
@takes_none
def _case(op: Operation, *grads: Any) -> Any:
    return _branched(op, op.attrs["branches"], lambda branches: {"branches": tuple(branches)}, grads)


def _branched(op: Operation, names: Sequence[NameAttrs], functions: Any, grads: Sequence[Any]) -> list[Any]:
    """The gradients of the inputs of an operation that calls one of several functions."""
    graph = get_default_graph()
    present = tuple(grad is not None for grad in grads)
    splits = [Split(graph, name, op.inputs[1:], present, is_branch=True) for name in names]
    wanted = tuple(map(any, zip(*(split.wanted() for split in splits), strict=True)))
    if wanted != present:
        splits = [Split(graph, name, op.inputs[1:], wanted, is_branch=True) for name in names]
    given = _given(op.outputs, grads, wanted)
    results, parts = _alike(splits)
    backs = [split.back(wanted) for split, wanted in zip(splits, results, strict=True)]

    new = [(split, tensor) for split in splits for tensor in _new(split)]
    if new:
        forward = []
        for split in splits:
            extra = [tensor if owner is split else split.stand_in(tensor.dtype) for owner, tensor in new]
            forward.append(split.forward(split.arguments, [*split.outputs, *extra]))
        added = [_kept(tensor) for _, tensor in new]
        types = (*op.attrs["Tout"], *(dtype for dtype, _, _ in added))
        start = len(op.outputs)
        _grow(op, added, Tout=types, **functions(forward))
    else:
        start = len(op.outputs)
    positions = {tensor: start + i for i, (_, tensor) in enumerate(new)}
    for split in splits:
        positions.update((y, i) for i, y in enumerate(split.outputs) if y in split.kept)

    used = [i for i in range(len(op.inputs) - 1) if any(split.arguments[i] in split.used for split in splits)]
    kept = sorted({positions[tensor] for split in splits for tensor in split.kept})
    outer = list(dict.fromkeys(tensor for split in splits for tensor in split.outer.values()))
    backward = []
    for split, outputs in zip(splits, backs, strict=True):
        own = {positions[tensor]: tensor for tensor in split.kept}
        values = [own[i] if i in own else split.unused(op.outputs[i].dtype) for i in kept]
        arguments = [*(split.arguments[i] for i in used), *values, *split.given]
        backward.append(split.backward([*arguments, *(split.graph.capture(tensor) for tensor in outer)], outputs))
    inputs = [*(op.inputs[1 + i] for i in used), *(op.outputs[i] for i in kept), *given, *outer]
    stateful = any(function_named(graph, name.name).definition.signature.is_stateful for name in backward)
    kind = op.type.removeprefix("Stateless")
    dtypes_out = [tensor.dtype for tensor in backs[0]]
    made = apply(kind if stateful else f"Stateless{kind}", op.inputs[0], inputs, Tout=dtypes_out, **functions(backward))
    made = list(made) if isinstance(made, list | tuple) else []
    for tensor, *insides in zip(made, *backs, strict=True):
        tensor.raw_shape = common([inside.raw_shape for inside in insides])
        tensor._handle_data = common_data(insides)
    flat = iter(made)
    return [None, *(_taken(flat, count) for count in parts)]


def _alike(splits: Sequence[Split]) -> tuple[list[list[Tensor]], list[int]]:
    """The gradients of the arguments of several functions in the same form; how many tensors each one is."""
    results: list[list[Tensor]] = [[] for _ in splits]
    parts = []
    for i in range(len(splits[0].arguments)):
        found = [split.grad(i) for split in splits]
        if any(found) and not all(split.is_sliced(i) for split in splits):
            found = [[split.dense(i)] for split in splits]
        parts.append(len(found[0]))
        for result, tensors in zip(results, found, strict=True):
            result += tensors
    return results, parts


# ---------------------------------------------------------------------- loops


@gradient("While", "StatelessWhile")
@takes_none
def _while(op: Operation, *grads: Any) -> Any:
    return _Loop(op, grads).gradients()


class _Loop:
    """A `While` that is being differentiated.

    The way forward gets further variables: a count of the turns, and a tensor list for each value that is kept. The way
    back is a loop over the count, the gradients of the variables, and those lists; what doesn't change in the loop it
    has as it is.
    """

    def __init__(self, op: Operation, grads: Sequence[Any]) -> None:
        self.op = op
        self.library = get_default_graph()
        self.grads = grads
        present = [grad is not None for grad in grads]
        split = Split(self.library, op.attrs["body"], op.inputs, present, is_loop=True)
        wanted = split.wanted()
        if wanted != split.present:
            split = Split(self.library, op.attrs["body"], op.inputs, wanted, is_loop=True)
        self.split = split
        self.stays = [_source(y) is x for x, y in zip(split.arguments, split.outputs, strict=True)]
        self.moving = [i for i, there in enumerate(split.present) if there]

    def gradients(self) -> list[Any]:
        split, op = self.split, self.op
        moving = [i for i in self.moving if is_trainable(split.arguments[i])]
        results = split.back([split.dense(i) for i in moving])
        fixed = [i for i, x in enumerate(split.arguments) if self.stays[i] and x in split.used]
        varying = [x for i, x in enumerate(split.arguments) if not self.stays[i] and x in split.used]
        wanted = [*varying, *split.kept]
        lists, count = self._keep(wanted)

        inputs = [*(split.arguments[i] for i in fixed), *split.outer, *wanted, *split.given]
        turn = split.backward(inputs, results)
        starts = [_filled(op.outputs[i], self.grads[i]) for i in moving]
        outs = self._loop_back(turn, moving, fixed, lists, count, starts, wanted)
        found: list[Any] = [None] * len(op.inputs)
        for i, grad in zip(moving, outs, strict=True):
            found[i] = grad
        return found

    def _keep(self, wanted: Sequence[Tensor]) -> tuple[list[int], int]:
        """Makes the forward loop keep these values and count; which of its variables that is done by."""
        split, op = self.split, self.op
        kept = {}
        for i, y in enumerate(split.outputs):
            if y.op.type == "TensorListPushBack" and y.op.inputs[0] is split.arguments[i]:
                kept[y.op.inputs[1]] = i
        count = split.function.count
        new = [tensor for tensor in dict.fromkeys(wanted) if tensor not in kept]
        if not new and count is not None:
            return [kept[tensor] for tensor in wanted], count
        body = split.graph
        inputs, outputs, starts = list(split.arguments), list(split.outputs), []
        with body.as_default():
            if count is None:
                count = len(inputs)
                turn = body.add_input("turn", dtypes.int32, ())
                inputs.append(turn)
                outputs.append(split.also(apply("AddV2", turn, 1)))
            for tensor in new:
                kept[tensor] = len(inputs)
                variable = body.add_input("list", dtypes.variant, ())
                variable._handle_data = ((tensor.raw_shape, tensor.dtype),)
                inputs.append(variable)
                outputs.append(split.also(apply("TensorListPushBack", variable, tensor)))
        for variable in inputs[len(split.arguments) :]:
            starts.append(self._start(variable))
        added = [(t.dtype, t.raw_shape, t._handle_data) for t in inputs[len(split.arguments) :]]
        forward = split.forward(inputs, outputs)
        function_named(self.library, forward.name).count = count
        condition = _with_more_arguments(self.library, op.attrs["cond"], inputs[len(split.arguments) :])
        types = (*op.attrs["T"], *(tensor.dtype for tensor in starts))
        _grow(op, added, starts, T=types, body=forward, cond=condition)
        return [kept[tensor] for tensor in wanted], count

    def _start(self, variable: Tensor) -> Tensor:
        """What a new variable of the forward loop starts with, made where the loop is."""
        graph = self.op.graph
        with graph.as_default(), placed(graph, context_of(self.op)):
            if variable.dtype is not dtypes.variant:
                return constant(0)
            assert variable._handle_data is not None
            ((raw, dtype),) = variable._handle_data
            shape = constant(-1 if raw is None else [-1 if size is None else size for size in raw], dtype=dtypes.int32)
            found: Tensor = apply("EmptyTensorList", shape, -1, element_dtype=dtype)
            return found

    def _loop_back(
        self,
        turn: NameAttrs,
        moving: Sequence[int],
        fixed: Sequence[int],
        lists: Sequence[int],
        count: int,
        starts: Sequence[Tensor],
        wanted: Sequence[Tensor],
    ) -> list[Tensor]:
        op, library = self.op, self.library
        own = list(dict.fromkeys(lists))
        values = [
            op.outputs[count],
            *starts,
            *(op.outputs[i] for i in own),
            *(op.inputs[i] for i in fixed),
            *self.split.outer.values(),
        ]
        elements = dict(zip(lists, wanted, strict=True))
        body = FunctionGraph(f"{self.split.function.name}_backward_turn", library)
        with body.as_default():
            arguments = [body.add_input(f"arg_{i}", t.dtype, None) for i, t in enumerate(values)]
            for argument, tensor in zip(arguments, values, strict=True):
                argument._handle_data = tensor._handle_data
            left, *rest = arguments
            given, rest = rest[: len(starts)], rest[len(starts) :]
            popped = {}
            shorter = []
            for position, handle in zip(own, rest, strict=False):
                element = elements[position]
                size = -1 if element.raw_shape is None else [-1 if n is None else n for n in element.raw_shape]
                shape = constant(size, dtype=dtypes.int32)
                shorter_list, value = apply("TensorListPopBack", handle, shape, element_dtype=element.dtype)
                value.raw_shape = element.raw_shape
                value._handle_data = element._handle_data
                shorter.append(shorter_list)
                popped[position] = value
            same = rest[len(own) :]
            present = [given[moving.index(i)] if i in moving else None for i in self.moving]
            assert all(grad is not None for grad in present)
            found = call(body, turn, [*same, *(popped[i] for i in lists), *present])  # type: ignore[list-item]
            body.outputs = [apply("Sub", left, 1), *found, *shorter, *same]
        turn_back = define(library, body, unused_name(library, body.name))
        test = FunctionGraph(f"{self.split.function.name}_backward_cond", library)
        with test.as_default():
            arguments = [test.add_input(f"arg_{i}", t.dtype, None) for i, t in enumerate(values)]
            test.outputs = [apply("Greater", arguments[0], 0)]
        condition = define(library, test, unused_name(library, test.name))
        stateful = function_named(library, turn_back.name).definition.signature.is_stateful
        shapes = [common([t.raw_shape, inside.raw_shape]) for t, inside in zip(values, body.outputs, strict=True)]
        ends = apply(
            "While" if stateful else "StatelessWhile",
            values,
            cond=condition,
            body=turn_back,
            output_shapes=shapes,
            parallel_iterations=op.attrs["parallel_iterations"],
        )
        for end, start in zip(ends, values, strict=True):
            end._handle_data = start._handle_data
        return list(ends[1 : 1 + len(starts)])


def _with_more_arguments(graph: Graph, name: NameAttrs, more: Sequence[Tensor]) -> NameAttrs:
    """A function that takes further arguments, which it doesn't need."""
    function: Function = function_named(graph, name.name)
    body = FunctionGraph(f"{function.name}_more", graph)
    with body.as_default():
        arguments = add_arguments(body, function, name.attrs)
        for tensor in more:
            body.add_input("unused", tensor.dtype, tensor.raw_shape)
        body.outputs = call(body, name, arguments)
    return define(graph, body, unused_name(graph, body.name))


def _source(tensor: Tensor) -> Tensor:
    while tensor.op.type == "Identity":
        tensor = tensor.op.inputs[0]
    return tensor
