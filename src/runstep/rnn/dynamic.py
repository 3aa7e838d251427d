"""Recurrent networks as loops: as many steps as the inputs have when the graph runs."""

from __future__ import annotations

from typing import Any

from runstep.graph import dtypes, nest
from runstep.graph.control_flow import WhileContext
from runstep.graph.convert import constant, convert_to_tensor
from runstep.graph.graph import get_default_graph, name_scope
from runstep.graph.shapes import TensorShape
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.arithmetic import maximum, minimum
from runstep.ops.basic import identity
from runstep.ops.cast import cast
from runstep.ops.comparison import equal, greater_equal
from runstep.ops.creation import range, zeros
from runstep.ops.joining import concat, stack
from runstep.ops.logging import Assert
from runstep.ops.looping import while_loop
from runstep.ops.rearranging import reverse, reverse_sequence, transpose
from runstep.ops.reduction import reduce_all, reduce_max, reduce_min
from runstep.ops.selecting import where
from runstep.ops.shape_ops import rank, shape
from runstep.ops.tensor_array import TensorArray
from runstep.rnn.cell import check_cell
from runstep.rnn.state import joined, known_shape
from runstep.variables.scope import VariableScope, variable_scope

__all__ = ["bidirectional_dynamic_rnn", "dynamic_rnn"]


def cache_reads(scope: VariableScope) -> None:
    """Variables that are made in a loop's body are read once, outside of it."""
    context = get_default_graph()._scope.control_flow_context
    while context is not None and not isinstance(context, WhileContext):
        context = context.outer
    if context is None and scope.caching_device is None:
        scope.set_caching_device(lambda op: op.device)


def batch_and_time_swapped(x: Tensor) -> Tensor:
    """`[time, batch, ...]` from `[batch, time, ...]`, and back. Unknown ranks and vectors stay as they are.

    Raises:
      ValueError: known to be of rank 0 or 1.
    """
    sizes = x.get_shape()
    if sizes.rank is not None and sizes.rank < 2:
        raise ValueError(f"Input tensor should have rank >= 2. Received input={x} of rank {sizes.rank}")
    swapped = transpose(x, concat(([1, 0], range(2, rank(x))), axis=0))
    if sizes.rank is not None:
        known = sizes.as_list()
        swapped.set_shape([known[1], known[0], *known[2:]])
    return swapped


def batch_size_of(flat_input: Any) -> Any:
    """The batch size as a number where any input knows it, else as a tensor."""
    for value in flat_input:
        known = value.shape
        if known.rank is not None and known.rank >= 2 and known.as_list()[1] is not None:
            return known.as_list()[1]
    return shape(flat_input[0])[1]


def state_dtype(explicit: Any, state: Any) -> Any:
    """The dtype of a state: the one given, or that of its parts.

    Raises:
      ValueError: an empty state. TypeError: parts of several dtypes.
    """
    if explicit is not None:
        return explicit
    if not nest.is_nested(state):
        return state.dtype
    found = [part.dtype for part in nest.flatten(state)]
    if not found:
        raise ValueError(f"Unable to infer dtype from argument state={state}.")
    if any(kind != found[0] for kind in found):
        raise ValueError(
            f"Argument state={state} has tensors of different inferred dtypes. Unable to infer a single representative "
            f"dtype. Dtypes received: {found}"
        )
    return found[0]


def checked_lengths(sequence_length: Any) -> Tensor:
    """The lengths as int32.

    Raises:
      ValueError: not a vector.
    """
    sequence_length = cast(sequence_length, dtypes.int32)
    if sequence_length.get_shape().rank not in (None, 1):
        raise ValueError(
            f"Argument sequence_length must be a vector of length batch_size. Received sequence_length="
            f"{sequence_length} of shape: {sequence_length.get_shape()}"
        )
    return identity(sequence_length, name="sequence_length")


def _with_checked_size(sequence_length: Tensor, batch_size: Any) -> Tensor:
    found, wanted = shape(sequence_length), stack([batch_size])
    check = Assert(
        reduce_all(equal(found, wanted)),
        [f"Expected shape for Tensor {sequence_length.name} is ", wanted, " but saw shape: ", found],
    )
    with get_default_graph().control_dependencies([check]):
        return identity(sequence_length, name="CheckSeqLen")


def copied_through(over: Tensor, before: Any, after: Any) -> Any:
    """`after`, but `before` for samples that are over. Arrays and scalars are always `after`."""
    if isinstance(before, TensorArray) or before.shape.rank == 0:
        return after
    with get_default_graph().colocate_with(after.op):
        return where(over, before, after)


def dynamic_rnn(
    cell: Any,
    inputs: Any,
    sequence_length: Any = None,
    initial_state: Any = None,
    dtype: Any = None,
    parallel_iterations: int | None = None,
    swap_memory: bool = False,
    time_major: bool = False,
    scope: Any = None,
) -> tuple[Any, Any]:
    """Runs a cell over the steps of its inputs, in a loop (source: tf.nn.dynamic_rnn).

    Args:
      inputs: `[batch, time, ...]`, or with `time_major` `[time, batch, ...]`; or a structure of those.
      sequence_length: `[batch]`; after it outputs are zero and the state stays. initial_state: zeros by default, which
        need `dtype`. parallel_iterations, swap_memory: of the loop. scope: the variable scope, "rnn" by default.

    Returns:
      The outputs, shaped as the inputs, and the last state.

    Raises:
      TypeError: not a cell. ValueError: no initial state and no dtype; inputs whose sizes after time and batch are
      unknown.
    """
    check_cell(cell)
    with variable_scope(scope or "rnn") as varscope:
        cache_reads(varscope)
        flat_input = nest.flatten(inputs)
        if not time_major:
            flat_input = [convert_to_tensor(value) for value in flat_input]
            flat_input = [batch_and_time_swapped(value) for value in flat_input]
        if sequence_length is not None:
            sequence_length = checked_lengths(sequence_length)
        batch_size = batch_size_of(flat_input)
        state = initial_state
        if state is None:
            if not dtype:
                raise ValueError("If no initial_state is provided, argument `dtype` must be specified")
            if getattr(cell, "get_initial_state", None) is not None:
                state = cell.get_initial_state(inputs=None, batch_size=batch_size, dtype=dtype)
            else:
                state = cell.zero_state(batch_size, dtype)
        if sequence_length is not None:
            sequence_length = _with_checked_size(sequence_length, batch_size)
        inputs = nest.pack_sequence_as(inputs, flat_input)
        outputs, state = _loop(cell, inputs, state, parallel_iterations or 32, swap_memory, sequence_length, dtype)
        if not time_major:
            outputs = nest.map_structure(batch_and_time_swapped, outputs)
        return outputs, state


def _checked_shapes(flat_input: list[Tensor]) -> tuple[int | None, int | None]:
    """The number of steps and the batch size, where known."""
    shapes = [value.shape.with_rank_at_least(3).as_list() for value in flat_input]
    steps, batch = shapes[0][:2]
    for sizes, value in zip(shapes, flat_input, strict=True):
        if None in sizes[2:]:
            raise ValueError(
                "Input size (depth of inputs) must be accessible via shape inference, but saw value None for "
                f"input={value}."
            )
        if sizes[0] != steps:
            raise ValueError(
                f"Time steps is not the same for all the elements in the input in a batch: {sizes[0]} and {steps}."
            )
        if sizes[1] != batch:
            raise ValueError("Batch_size is not the same for all the elements in the input.")
    return steps, batch


def _loop(
    cell: Any,
    inputs: Any,
    initial_state: Any,
    parallel_iterations: int,
    swap_memory: bool,
    sequence_length: Any,
    dtype: Any,
) -> tuple[Any, Any]:
    flat_input = nest.flatten(inputs)
    output_sizes = nest.flatten(cell.output_size)
    steps = shape(flat_input[0])[0]
    batch_size = batch_size_of(flat_input)
    known_steps, known_batch = _checked_shapes(flat_input)
    kind = state_dtype(dtype, initial_state)
    zero_outputs = [zeros(stack(joined(batch_size, size)), kind) for size in output_sizes]
    last = steps
    if sequence_length is not None:
        reduce_min(sequence_length)
        last = reduce_max(sequence_length)
    time = constant(0, dtype=dtypes.int32, name="time")
    with name_scope("dynamic_rnn") as base:
        pass

    def array(name: str, element_shape: Any, dtype: Any) -> TensorArray:
        return TensorArray(dtype=dtype, size=steps, element_shape=element_shape, tensor_array_name=base + name)

    written = tuple(
        array(f"output_{index}", TensorShape([known_batch]).concatenate(known_shape(size)), kind)
        for index, size in enumerate(output_sizes)
    )
    read = tuple(array(f"input_{index}", value.shape[1:], value.dtype) for index, value in enumerate(flat_input))
    read = tuple(source.unstack(value) for source, value in zip(read, flat_input, strict=True))

    def step(time: Any, written: Any, state: Any) -> Any:
        taken = [source.read(time) for source in read]
        for value, whole in zip(taken, flat_input, strict=True):
            value.set_shape(whole.shape[1:])
        output, after = cell(nest.pack_sequence_as(inputs, taken), state)
        flat_output = nest.flatten(output)
        if sequence_length is not None:
            flat_output, after = _masked(time, sequence_length, zero_outputs, flat_output, state, after)
        written = tuple(out.write(time, value) for out, value in zip(written, flat_output, strict=True))
        return time + 1, written, after

    bound = minimum(steps, maximum(1, last))
    _, written, state = while_loop(
        cond=lambda time, *_: time < bound,
        body=step,
        loop_vars=(time, written, initial_state),
        parallel_iterations=parallel_iterations,
        maximum_iterations=steps,
        swap_memory=swap_memory,
    )
    stacked = [out.stack() for out in written]
    for value, size in zip(stacked, output_sizes, strict=True):
        value.set_shape(joined([known_steps, known_batch], size, static=True))
    return nest.pack_sequence_as(cell.output_size, stacked), state


def _masked(
    time: Any,
    sequence_length: Tensor,
    zero_outputs: list[Tensor],
    flat_output: list[Any],
    state: Any,
    after: Any,
) -> tuple[list[Any], Any]:
    """Zeros and the state before, for samples whose sequence is over."""
    nest.assert_same_structure(state, after)
    flat_state, flat_after = nest.flatten(state), nest.flatten(after)
    over = greater_equal(time, sequence_length)
    outputs = [copied_through(over, zero, value) for zero, value in zip(zero_outputs, flat_output, strict=True)]
    states = [copied_through(over, before, value) for before, value in zip(flat_state, flat_after, strict=True)]
    for value, like in zip(outputs + states, flat_output + flat_after, strict=True):
        if not isinstance(value, TensorArray):
            value.set_shape(like.get_shape())
    return outputs, nest.pack_sequence_as(state, states)


def bidirectional_dynamic_rnn(
    cell_fw: Any,
    cell_bw: Any,
    inputs: Any,
    sequence_length: Any = None,
    initial_state_fw: Any = None,
    initial_state_bw: Any = None,
    dtype: Any = None,
    parallel_iterations: int | None = None,
    swap_memory: bool = False,
    time_major: bool = False,
    scope: Any = None,
) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """One cell forwards and one backwards over the same inputs (source: tf.nn.bidirectional_dynamic_rnn).

    Args:
      As `dynamic_rnn`, for two cells. The one backwards begins at the end of each sequence.

    Returns:
      `(outputs forwards, outputs backwards)`, both in the order of the inputs, and `(last state of each)`.
    """
    check_cell(cell_fw, "cell_fw")
    check_cell(cell_bw, "cell_bw")
    time_axis, batch_axis = (0, 1) if time_major else (1, 0)

    def turned(value: TensorLike) -> Any:
        if sequence_length is not None:
            return reverse_sequence(input=value, seq_lengths=sequence_length, seq_axis=time_axis, batch_axis=batch_axis)
        return reverse(value, axis=[time_axis])

    with variable_scope(scope or "bidirectional_rnn"):
        how = {
            "sequence_length": sequence_length,
            "dtype": dtype,
            "parallel_iterations": parallel_iterations,
            "swap_memory": swap_memory,
            "time_major": time_major,
        }
        with variable_scope("fw") as forwards:
            output_fw, state_fw = dynamic_rnn(cell_fw, inputs, initial_state=initial_state_fw, scope=forwards, **how)
        with variable_scope("bw") as backwards:
            output_bw, state_bw = dynamic_rnn(
                cell_bw, nest.map_structure(turned, inputs), initial_state=initial_state_bw, scope=backwards, **how
            )
    return (output_fw, nest.map_structure(turned, output_bw)), (state_fw, state_bw)
