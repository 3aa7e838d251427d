"""Recurrent networks unrolled when the graph is built: one copy of the cell's operations for each step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runstep.graph import nest
from runstep.graph.graph import get_default_graph
from runstep.graph.shapes import unknown_shape
from runstep.graph.tensor import Tensor
from runstep.ops.basic import identity
from runstep.ops.branching import cond
from runstep.ops.cast import to_int32
from runstep.ops.creation import zeros
from runstep.ops.joining import concat, stack, unstack
from runstep.ops.rearranging import reverse_sequence
from runstep.ops.reduction import reduce_max, reduce_min
from runstep.ops.shape_ops import shape
from runstep.rnn.cell import check_cell
from runstep.rnn.dynamic import cache_reads, copied_through, state_dtype
from runstep.rnn.state import joined
from runstep.variables.scope import variable_scope

__all__ = ["static_bidirectional_rnn", "static_rnn", "static_state_saving_rnn"]


def _batch_size(first: Any) -> tuple[Any, Any]:
    """As a number where it is known, and else as a tensor."""
    sizes = first.shape
    fixed = sizes.dims[0].value if sizes.rank not in (None, 0) else None
    return fixed, fixed if fixed is not None else shape(first)[0]


def static_rnn(
    cell: Any,
    inputs: Sequence[Any],
    initial_state: Any = None,
    dtype: Any = None,
    sequence_length: Any = None,
    scope: Any = None,
) -> tuple[list[Any], Any]:
    """Runs a cell over a list of inputs (source: tf.nn.static_rnn).

    Args:
      inputs: one `[batch, size]` a step, or structures of those. initial_state: zeros by default, which need `dtype`.
        sequence_length: `[batch]`; after it outputs are zero and the state stays. scope: the variable scope, "rnn" by
        default.

    Returns:
      The outputs, one a step, and the last state.

    Raises:
      TypeError: not a cell, or inputs that aren't a list. ValueError: no inputs, inputs of unknown sizes, no initial
      state and no dtype.
    """
    check_cell(cell)
    if not nest.is_nested(inputs):
        raise TypeError(f"Argument `inputs` must be a sequence. Received: {inputs}")
    if not inputs:
        raise ValueError("Argument `inputs` must not be empty.")
    outputs: list[Any] = []
    with variable_scope(scope or "rnn") as varscope:
        cache_reads(varscope)
        first = inputs[0]
        while nest.is_nested(first):
            first = first[0]
        if first.shape.rank != 1:
            _checked_sizes(nest.flatten(inputs))
        fixed, batch_size = _batch_size(first)
        if initial_state is not None:
            state = initial_state
        else:
            if not dtype:
                raise ValueError("If no initial_state is provided, argument `dtype` must be specified")
            if getattr(cell, "get_initial_state", None) is not None:
                state = cell.get_initial_state(inputs=None, batch_size=batch_size, dtype=dtype)
            else:
                state = cell.zero_state(batch_size, dtype)
        mask = None
        if sequence_length is not None:
            mask = _Mask(cell, sequence_length, batch_size, fixed, state_dtype(dtype, state))
        for time, value in enumerate(inputs):
            if time > 0:
                varscope.reuse_variables()
            if mask is None:
                output, state = cell(value, state)
            else:
                output, state = mask.step(time, value, state)
            outputs.append(output)
    return outputs, state


def _checked_sizes(flat_input: list[Any]) -> None:
    sizes = [value.shape.with_rank_at_least(2).as_list() for value in flat_input]
    for found in sizes:
        if found[0] != sizes[0][0]:
            raise ValueError(f"Batch sizes differ: {found[0]} and {sizes[0][0]}.")
        if None in found[1:]:
            axis = next(index for index, size in enumerate(found) if index and size is None)
            raise ValueError(
                f"Input size (dimension {axis} of input {found}) must be accessible via shape inference, but saw value "
                "None."
            )


class _Mask:
    """What a step does with samples whose sequence is over."""

    def __init__(self, cell: Any, sequence_length: Any, batch_size: Any, fixed: int | None, kind: Any) -> None:
        self.cell = cell
        lengths = to_int32(sequence_length)
        if lengths.shape.rank not in (None, 1):
            raise ValueError("Argument `sequence_length` must be a vector of length `batch_size`.")
        self.lengths = lengths

        def zero(size: Any) -> Tensor:
            found = zeros(stack(joined(batch_size, size)), kind)
            found.set_shape(joined(fixed, size, static=True))
            return found

        self.zero_output = nest.map_structure(zero, cell.output_size)
        self.shortest = reduce_min(self.lengths)
        self.longest = reduce_max(self.lengths)

    def step(self, time: int, value: Any, state: Any) -> tuple[Any, Any]:
        """One step: not at all where all sequences are over, and unmasked while none is."""
        over = time >= self.lengths
        flat_state, flat_zero = nest.flatten(state), nest.flatten(self.zero_output)

        def masked(outputs: list[Any], states: list[Any]) -> list[Any]:
            pairs = [*zip(flat_zero, outputs, strict=True), *zip(flat_state, states, strict=True)]
            return [copied_through(over, before, after) for before, after in pairs]

        def some() -> list[Any]:
            output, after = self.cell(value, state)
            nest.assert_same_structure(self.zero_output, output)
            nest.assert_same_structure(state, after)
            outputs, states = nest.flatten(output), nest.flatten(after)
            return cond(time < self.shortest, lambda: outputs + states, lambda: masked(outputs, states))

        found = cond(time >= self.longest, lambda: flat_zero + flat_state, some)
        found = found if isinstance(found, list) else [found]
        if len(found) != len(flat_zero) + len(flat_state):
            raise ValueError(f"Expected {len(flat_zero) + len(flat_state)} outputs and states, found {len(found)}.")
        outputs, states = found[: len(flat_zero)], found[len(flat_zero) :]
        for result, like in zip(outputs + states, flat_zero + flat_state, strict=True):
            result.set_shape(like.get_shape())
        return nest.pack_sequence_as(self.zero_output, outputs), nest.pack_sequence_as(state, states)


def static_state_saving_rnn(
    cell: Any,
    inputs: Sequence[Any],
    state_saver: Any,
    state_name: Any,
    sequence_length: Any = None,
    scope: Any = None,
) -> tuple[list[Any], Any]:
    """`static_rnn` that begins at a saved state and saves the last (source: tf.nn.static_state_saving_rnn).

    Args:
      state_saver: has `state(name)` and `save_state(name, value)`. state_name: a name, or a structure of names as the
        state of the cell has parts.

    Raises:
      ValueError: names and state of different structure.
    """
    sizes = cell.state_size
    tuples = nest.is_nested(sizes)
    if nest.is_nested(state_name) != tuples:
        raise ValueError(
            "Argument `state_name` should be the same type as `cell.state_size`. Received: "
            f"state_name={state_name!s}, cell.state_size={sizes!s}."
        )
    names = nest.flatten(state_name)
    if len(names) != len(nest.flatten(sizes)):
        raise ValueError(
            f"Number of elements in state_name and cell.state_size are mismatched. Received state_name={state_name} "
            f"with {len(names)} elements and cell.state_size={sizes}."
        )
    initial = nest.pack_sequence_as(sizes, [state_saver.state(name) for name in names])
    outputs, state = static_rnn(cell, inputs, initial_state=initial, sequence_length=sequence_length, scope=scope)
    saves = [state_saver.save_state(name, value) for name, value in zip(names, nest.flatten(state), strict=True)]
    with get_default_graph().control_dependencies(saves):
        last = nest.flatten(outputs[-1])
        outputs[-1] = nest.pack_sequence_as(outputs[-1], [identity(value) for value in last])
        if tuples:
            state = nest.pack_sequence_as(state, [identity(value) for value in nest.flatten(state)])
        else:
            state = identity(state)
    return outputs, state


def _reversed(inputs: Sequence[Any], lengths: Any) -> list[Any]:
    """The list backwards; with lengths each sample by itself, within its length."""
    if lengths is None:
        return list(reversed(inputs))
    flat = [nest.flatten(value) for value in inputs]
    turned: list[list[Any]] = [[] for _ in inputs]
    for sequence in zip(*flat, strict=True):
        known = unknown_shape(rank=sequence[0].get_shape().rank)
        for value in sequence:
            known = known.merge_with(value.get_shape())
            value.set_shape(known)
        joint = reverse_sequence(stack(sequence), lengths, 0, 1)
        for place, value in zip(turned, unstack(joint), strict=True):
            value.set_shape(known)
            place.append(value)
    return [nest.pack_sequence_as(value, leaves) for value, leaves in zip(inputs, turned, strict=True)]


def static_bidirectional_rnn(
    cell_fw: Any,
    cell_bw: Any,
    inputs: Sequence[Any],
    initial_state_fw: Any = None,
    initial_state_bw: Any = None,
    dtype: Any = None,
    sequence_length: Any = None,
    scope: Any = None,
) -> tuple[list[Any], Any, Any]:
    """One cell forwards and one backwards over a list of inputs (source: tf.nn.static_bidirectional_rnn).

    Returns:
      The outputs, both side by side, one a step; the last state forwards; the last state backwards.
    """
    check_cell(cell_fw, "cell_fw")
    check_cell(cell_bw, "cell_bw")
    if not nest.is_nested(inputs):
        raise TypeError(f"Argument `inputs` must be a sequence. Received: {inputs}")
    if not inputs:
        raise ValueError("Argument `inputs` must not be empty.")
    with variable_scope(scope or "bidirectional_rnn"):
        with variable_scope("fw") as forwards:
            output_fw, state_fw = static_rnn(cell_fw, inputs, initial_state_fw, dtype, sequence_length, scope=forwards)
        with variable_scope("bw") as backwards:
            found, state_bw = static_rnn(
                cell_bw, _reversed(inputs, sequence_length), initial_state_bw, dtype, sequence_length, scope=backwards
            )
    output_bw = _reversed(found, sequence_length)
    pairs = zip(
        [leaf for output in output_fw for leaf in nest.flatten(output)],
        [leaf for output in output_bw for leaf in nest.flatten(output)],
        strict=True,
    )
    flat = [concat([one, other], 1) for one, other in pairs]
    return nest.pack_sequence_as(output_fw, flat), state_fw, state_bw
