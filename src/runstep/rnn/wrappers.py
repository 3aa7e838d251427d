"""Cells made of cells: stacked, with dropout, with a shortcut, on a device."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

from runstep.graph import dtypes, nest
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import get_default_graph, name_scope
from runstep.graph.shapes import TensorShape
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.arithmetic import divide
from runstep.ops.elementwise import floor
from runstep.ops.joining import concat
from runstep.ops.nn_statistics import dropout
from runstep.ops.random import random_uniform
from runstep.ops.slicing import slice
from runstep.ops.tensor_array import TensorArray
from runstep.rnn.cell import RNNCell, check_cell
from runstep.rnn.lstm import LSTMStateTuple
from runstep.variables.scope import variable_scope

__all__ = ["DeviceWrapper", "DropoutWrapper", "MultiRNNCell", "ResidualWrapper"]


class MultiRNNCell(RNNCell):
    """Cells on top of each other: each takes the output of the one before (source: tf.nn.rnn_cell.MultiRNNCell).

    Args:
      cells: from the first to the last. state_is_tuple: the state is a tuple of theirs, else one tensor with all
        side by side.

    Raises:
      ValueError: no cells, or cells with nested states beside `state_is_tuple=False`. TypeError: not a list.
    """

    def __init__(self, cells: Sequence[Any], state_is_tuple: bool = True) -> None:
        super().__init__()
        if not cells:
            raise ValueError("Must specify at least one cell for MultiRNNCell.")
        if not nest.is_nested(cells):
            raise TypeError(f"cells must be a list or tuple, but saw: {cells}.")
        self._cells, self._state_is_tuple = list(cells), state_is_tuple
        if not state_is_tuple and any(nest.is_nested(cell.state_size) for cell in cells):
            raise ValueError(
                "Some cells return tuples of states, but the flag state_is_tuple is not set. State sizes are: "
                f"{[cell.state_size for cell in cells]}"
            )

    def _held(self) -> dict[str, Any]:
        return {f"cell-{index}": cell for index, cell in enumerate(self._cells)}

    @property
    def state_size(self) -> Any:
        if self._state_is_tuple:
            return tuple(cell.state_size for cell in self._cells)
        return sum(cell.state_size for cell in self._cells)

    @property
    def output_size(self) -> Any:
        return self._cells[-1].output_size

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        with name_scope(type(self).__name__ + "ZeroState", values=[batch_size]):
            if self._state_is_tuple:
                return tuple(cell.zero_state(batch_size, dtype) for cell in self._cells)
            return super().zero_state(batch_size, dtype)

    def call(self, inputs: Any, state: Any) -> tuple[Any, Any]:
        if self._state_is_tuple and not nest.is_nested(state):
            raise ValueError(f"Expected state to be a tuple of length {len(self.state_size)}, but received: {state}")
        position, states = 0, []
        for index, cell in enumerate(self._cells):
            with variable_scope(f"cell_{index}"):
                if self._state_is_tuple:
                    before = state[index]
                else:
                    before = slice(state, [0, position], [-1, cell.state_size])
                    position += cell.state_size
                inputs, after = cell(inputs, before)
                states.append(after)
        return inputs, tuple(states) if self._state_is_tuple else concat(states, 1)


class Wrapper(RNNCell):
    """A cell around another. It has no scope of its own: variables are named as those of the cell inside."""

    def __init__(self, cell: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_cell(cell)
        self.cell = cell

    @property
    def wrapped_cell(self) -> Any:
        return self.cell

    @property
    def state_size(self) -> Any:
        return self.cell.state_size

    @property
    def output_size(self) -> Any:
        return self.cell.output_size

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        with name_scope(type(self).__name__ + "ZeroState", values=[batch_size]):
            return self.cell.zero_state(batch_size, dtype)

    def around(self, inputs: Any, state: Any, step: Callable[..., Any]) -> tuple[Any, Any]:
        """What the wrapper makes of `step(inputs, state)`, the step of the cell inside."""
        raise NotImplementedError

    def __call__(self, inputs: TensorLike, state: Any, scope: Any = None) -> Any:
        return self.around(inputs, state, lambda inputs, state: self.cell(inputs, state, scope=scope))

    def call(self, inputs: Any, state: Any) -> tuple[Any, Any]:
        return self.around(inputs, state, self.cell.call)


def _memory_is_kept(substate: Any) -> Any:
    """Which parts of a state are dropped by default: not the memory of an LSTM, and no array of tensors."""
    if isinstance(substate, LSTMStateTuple):
        return LSTMStateTuple(c=False, h=True)
    return not isinstance(substate, TensorArray)


class DropoutWrapper(Wrapper):
    """Dropout of inputs, outputs and states of a cell (source: tf.nn.rnn_cell.DropoutWrapper).

    Args:
      input_keep_prob, output_keep_prob, state_keep_prob: numbers or tensors; 1 keeps all. The memory of an LSTM
        is kept.
      variational_recurrent: the same elements are dropped in every step (arXiv 1512.05287); needs `dtype`, and
        `input_size` where inputs are dropped.
      seed: of the random numbers. dropout_state_filter_visitor: `f(state)` says which parts are dropped.

    Raises:
      TypeError: not a cell, or a filter that can't be called. ValueError: a number outside of [0, 1], or what
        variational dropout needs is missing.
    """

    def __init__(
        self,
        cell: Any,
        input_keep_prob: Any = 1.0,
        output_keep_prob: Any = 1.0,
        state_keep_prob: Any = 1.0,
        variational_recurrent: bool = False,
        input_size: Any = None,
        dtype: Any = None,
        seed: int | None = None,
        dropout_state_filter_visitor: Callable[[Any], Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(cell, dtype=dtype, **kwargs)
        if dropout_state_filter_visitor is not None and not callable(dropout_state_filter_visitor):
            raise TypeError(f"dropout_state_filter_visitor must be callable. Received: {dropout_state_filter_visitor}")
        self._filter = dropout_state_filter_visitor or _memory_is_kept
        with name_scope("DropoutWrapperInit"):
            self._input_keep_prob = _checked("input_keep_prob", input_keep_prob)
            self._state_keep_prob = _checked("state_keep_prob", state_keep_prob)
            self._output_keep_prob = _checked("output_keep_prob", output_keep_prob)
        self._variational_recurrent, self._input_size, self._seed = variational_recurrent, input_size, seed
        self._noise: dict[str, Any] = {}
        if variational_recurrent:
            self._make_noise(dtype)

    def _make_noise(self, dtype: Any) -> None:
        if dtype is None:
            raise ValueError("When variational_recurrent=True, dtype must be provided")

        def noise(kind: str, sizes: Any) -> list[Tensor]:
            return [
                random_uniform(
                    concat(([1], TensorShape(size).as_list()), 0), seed=self._seed_of(kind, index), dtype=dtype
                )
                for index, size in enumerate(nest.flatten(sizes))
            ]

        if not isinstance(self._input_keep_prob, float) or self._input_keep_prob < 1.0:
            if self._input_size is None:
                raise ValueError(
                    "When variational_recurrent=True and input_keep_prob < 1.0 or is unknown, input_size must be "
                    "provided"
                )
            self._noise["input"] = noise("input", self._input_size)
        self._noise["state"] = noise("state", self.cell.state_size)
        self._noise["output"] = noise("output", self.cell.output_size)

    def _seed_of(self, kind: str, index: int) -> int | None:
        """A seed for each tensor, from the one given."""
        if self._seed is None:
            return None
        text = f"{self._seed}{kind}_{index}".encode()
        return int(hashlib.md5(text).hexdigest()[:8], 16) & 0x7FFFFFFF

    def around(self, inputs: Any, state: Any, step: Callable[..., Any]) -> tuple[Any, Any]:
        if _drops(self._input_keep_prob):
            inputs = self._dropped(inputs, "input", self._input_keep_prob)
        output, state = step(inputs, state)
        if _drops(self._state_keep_prob):
            state = self._dropped(state, "state", self._state_keep_prob, self._filter)
        if _drops(self._output_keep_prob):
            output = self._dropped(output, "output", self._output_keep_prob)
        return output, state

    def _dropped(self, values: Any, kind: str, keep_prob: Any, which: Callable[[Any], Any] | None = None) -> Any:
        flat = nest.flatten(values)
        chosen = [True] * len(flat) if which is None else _spread(which, values)
        found = [
            self._one(index, value, kind, keep_prob) if drop else value
            for index, (value, drop) in enumerate(zip(flat, chosen, strict=True))
        ]
        return nest.pack_sequence_as(values, found)

    def _one(self, index: int, value: Tensor, kind: str, keep_prob: Any) -> Tensor:
        if not self._variational_recurrent:
            return dropout(value, rate=1.0 - keep_prob, seed=self._seed_of(kind, index))
        kept = floor(keep_prob + self._noise[kind][index])
        found = divide(value, keep_prob) * kept
        found.set_shape(value.get_shape())
        return found


def _spread(which: Callable[[Any], Any], values: Any) -> list[bool]:
    """The answers of a filter, one a leaf; an answer for a whole structure holds for all in it."""
    answer = which(values)
    if nest.is_nested(answer):
        return [bool(leaf) for leaf in nest.flatten(answer)]
    if nest.is_nested(values) and answer:
        parts = values.values() if isinstance(values, dict) else values
        return [leaf for part in parts for leaf in _spread(which, part)]
    return [bool(answer)] * len(nest.flatten(values))


def _drops(keep_prob: Any) -> bool:
    return not isinstance(keep_prob, float) or keep_prob < 1


def _checked(name: str, keep_prob: Any) -> Any:
    """A number as a float; a tensor as it is."""
    from runstep.graph.constant_value import constant_value

    tensor = convert_to_tensor(keep_prob, dtype=dtypes.float32) if not isinstance(keep_prob, Tensor) else keep_prob
    value = constant_value(tensor)
    if value is None:
        return keep_prob
    if not 0 <= value <= 1:
        raise ValueError(f"Parameter {name} must be between 0 and 1. Received {float(value)}")
    return float(value)


class ResidualWrapper(Wrapper):
    """Adds the inputs of a cell to its outputs (source: tf.nn.rnn_cell.ResidualWrapper).

    Args:
      residual_fn: `f(inputs, outputs)` gives the outputs; their sum by default.
    """

    def __init__(self, cell: Any, residual_fn: Callable[[Any, Any], Any] | None = None, **kwargs: Any) -> None:
        super().__init__(cell, **kwargs)
        self._residual_fn = residual_fn

    def around(self, inputs: Any, state: Any, step: Callable[..., Any]) -> tuple[Any, Any]:
        outputs, state = step(inputs, state)
        return (self._residual_fn or _added)(inputs, outputs), state


def _added(inputs: Any, outputs: Any) -> Any:
    nest.assert_same_structure(inputs, outputs)
    for value, output in zip(nest.flatten(inputs), nest.flatten(outputs), strict=True):
        value.get_shape().assert_is_compatible_with(output.get_shape())
    return nest.map_structure(lambda value, output: value + output, inputs, outputs)


class DeviceWrapper(Wrapper):
    """Runs a cell on a device (source: tf.nn.rnn_cell.DeviceWrapper)."""

    def __init__(self, cell: Any, device: Any, **kwargs: Any) -> None:
        super().__init__(cell, **kwargs)
        self._device = device

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        with name_scope(type(self).__name__ + "ZeroState", values=[batch_size]):
            with get_default_graph().device(self._device):
                return self.cell.zero_state(batch_size, dtype)

    def around(self, inputs: Any, state: Any, step: Callable[..., Any]) -> tuple[Any, Any]:
        with get_default_graph().device(self._device):
            return step(inputs, state)
