"""A recurrent loop whose every step the caller decides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runstep.graph import dtypes, nest
from runstep.graph.convert import constant
from runstep.graph.shapes import TensorShape
from runstep.graph.tensor import Tensor
from runstep.ops.comparison import logical_not, logical_or
from runstep.ops.creation import zeros
from runstep.ops.looping import while_loop
from runstep.ops.reduction import reduce_all
from runstep.ops.shape_ops import shape
from runstep.ops.tensor_array import TensorArray
from runstep.rnn.cell import check_cell
from runstep.rnn.dynamic import cache_reads, copied_through
from runstep.rnn.state import joined, known_shape
from runstep.variables.scope import variable_scope

__all__ = ["raw_rnn"]


def raw_rnn(
    cell: Any,
    loop_fn: Callable[..., Any],
    parallel_iterations: int | None = None,
    swap_memory: bool = False,
    scope: Any = None,
) -> tuple[TensorArray, Any, Any]:
    """Runs a cell in a loop that `loop_fn` controls (source: tf.nn.raw_rnn).

    Args:
      loop_fn: `f(time, cell_output, cell_state, loop_state)` gives `(finished, next_input, next_state, emit_output,
        next_loop_state)`. It is called once before the loop, with None for output, state and loop state: its
        `next_state` is then the initial state, and its `emit_output` says what is emitted (None: the cell's output).
        `finished` is `[batch]` of bool; the loop ends when all are, and finished samples emit zeros.
      parallel_iterations, swap_memory: of the loop. scope: the variable scope, "rnn" by default.

    Returns:
      A TensorArray of what was emitted (or a structure of them), the last state, and the last loop state.

    Raises:
      TypeError: not a cell, or `loop_fn` can't be called. ValueError: no batch size or input size can be told.
    """
    check_cell(cell)
    if not callable(loop_fn):
        raise TypeError(f"Argument `loop_fn` must be a callable. Received: {loop_fn}.")
    with variable_scope(scope or "rnn") as varscope:
        cache_reads(varscope)
        time = constant(0, dtype=dtypes.int32)
        elements_finished, next_input, state, emit_structure, loop_state = loop_fn(time, None, None, None)
        flat_input = nest.flatten(next_input)
        keeps = loop_state is not None
        loop_state = loop_state if keeps else constant(0, dtype=dtypes.int32)
        sizes = [value.get_shape() for value in flat_input]
        known_batch = sizes[0].dims[0].value if sizes[0].dims else None
        batch_size = known_batch if known_batch is not None else shape(flat_input[0])[0]
        nest.assert_same_structure(state, cell.state_size)
        if emit_structure is not None:
            flat_emit = nest.flatten(emit_structure)
            shapes = [value.shape if value.shape.is_fully_defined() else shape(value) for value in flat_emit]
            kinds = [value.dtype for value in flat_emit]
        else:
            emit_structure = cell.output_size
            shapes = nest.flatten(emit_structure)
            kinds = [nest.flatten(state)[0].dtype] * len(shapes)
        emitted = [
            TensorArray(
                dtype=kind,
                dynamic_size=True,
                element_shape=TensorShape([known_batch]).concatenate(known_shape(size)),
                size=0,
                name=f"rnn_output_{index}",
            )
            for index, (kind, size) in enumerate(zip(kinds, shapes, strict=True))
        ]
        emitted_in = nest.pack_sequence_as(emit_structure, emitted)
        zero_emit = nest.pack_sequence_as(
            emit_structure,
            [zeros(joined(batch_size, size), kind) for size, kind in zip(shapes, kinds, strict=True)],
        )

        def condition(unused_time: Any, finished: Tensor, *_: Any) -> Any:
            return logical_not(reduce_all(finished))

        def body(time: Any, finished: Tensor, value: Any, arrays: Any, state: Any, loop_state: Any) -> Any:
            output, after = cell(value, state)
            nest.assert_same_structure(state, after)
            nest.assert_same_structure(cell.output_size, output)
            next_time = time + 1
            next_finished, next_value, next_state, emit, next_loop_state = loop_fn(next_time, output, after, loop_state)
            nest.assert_same_structure(state, next_state)
            nest.assert_same_structure(value, next_value)
            next_loop_state = loop_state if next_loop_state is None else next_loop_state
            emit = output if emit is None else emit

            def kept(before: Any, now: Any) -> Any:
                return nest.map_structure(lambda old, new: copied_through(finished, old, new), before, now)

            emit = kept(zero_emit, emit)
            next_state = kept(state, next_state)
            arrays = nest.map_structure(lambda array, value: array.write(time, value), arrays, emit)
            return next_time, logical_or(finished, next_finished), next_value, arrays, next_state, next_loop_state

        found = while_loop(
            condition,
            body,
            loop_vars=[time, elements_finished, next_input, emitted_in, state, loop_state],
            parallel_iterations=parallel_iterations or 32,
            swap_memory=swap_memory,
        )
        arrays, state, loop_state = found[-3:]
        return arrays, state, loop_state if keeps else None
