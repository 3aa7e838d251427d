"""Long short-term memory (source: Hochreiter and Schmidhuber 1997; Sak et al., arXiv 1402.1128)."""

from __future__ import annotations

import collections
from typing import Any

from runstep.graph import dtypes
from runstep.graph.convert import constant
from runstep.graph.tensor import Tensor
from runstep.layers.input_spec import InputSpec
from runstep.ops.arithmetic import add, multiply
from runstep.ops.elementwise import sigmoid, tanh
from runstep.ops.joining import concat, split
from runstep.ops.matmul import matmul
from runstep.ops.nn_statistics import bias_add
from runstep.ops.norms import clip_by_value
from runstep.ops.slicing import slice
from runstep.rnn.cell import LayerRNNCell, activation_of
from runstep.variables.initializers import zeros_initializer
from runstep.variables.partition import fixed_size_partitioner

__all__ = ["BasicLSTMCell", "LSTMCell", "LSTMStateTuple"]

_Pair = collections.namedtuple("_Pair", ("c", "h"))


class LSTMStateTuple(_Pair):
    """The state of an LSTM: `c` the memory, `h` the output (source: tf.nn.rnn_cell.LSTMStateTuple)."""

    __slots__ = ()

    @property
    def dtype(self) -> Any:
        """Raises TypeError where the two differ."""
        if self.c.dtype != self.h.dtype:
            raise TypeError(f"Inconsistent dtypes for internal state: {self.c.dtype} vs {self.h.dtype}")
        return self.c.dtype


class BasicLSTMCell(LayerRNNCell):
    """An LSTM without peepholes, clipping or projection (source: tf.nn.rnn_cell.BasicLSTMCell).

    Args:
      num_units: the size of memory and output. forget_bias: added to the forget gate. state_is_tuple: the state is an
        `LSTMStateTuple`, else one tensor with both side by side. activation: tanh by default. reuse: find the variables
        rather than make them.
    """

    def __init__(
        self,
        num_units: int,
        forget_bias: Any = 1.0,
        state_is_tuple: bool = True,
        activation: Any = None,
        reuse: bool | None = None,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(_reuse=reuse, name=name, dtype=dtype, **kwargs)
        self.input_spec = InputSpec(ndim=2)
        self._num_units, self._forget_bias, self._state_is_tuple = num_units, forget_bias, state_is_tuple
        self._activation = activation_of(activation, tanh)

    @property
    def state_size(self) -> Any:
        return LSTMStateTuple(self._num_units, self._num_units) if self._state_is_tuple else 2 * self._num_units

    @property
    def output_size(self) -> Any:
        return self._num_units

    def build(self, inputs_shape: Any) -> None:
        depth, units = self.depth(inputs_shape), self._num_units
        self._kernel = self.add_weight("kernel", shape=[depth + units, 4 * units])
        self._bias = self.add_weight(
            "bias", shape=[4 * units], initializer=zeros_initializer(dtype=self.dtype or dtypes.float32)
        )
        self.built = True

    def call(self, inputs: Tensor, state: Any) -> tuple[Tensor, Any]:
        one = constant(1, dtype=dtypes.int32)
        c, h = state if self._state_is_tuple else split(value=state, num_or_size_splits=2, axis=one)
        gates = bias_add(matmul(concat([inputs, h], 1), self._kernel), self._bias)
        i, j, f, o = split(value=gates, num_or_size_splits=4, axis=one)
        forget = sigmoid(add(f, constant(self._forget_bias, dtype=f.dtype)))
        new_c = add(multiply(c, forget), multiply(sigmoid(i), self._activation(j)))
        new_h = multiply(self._activation(new_c), sigmoid(o))
        return new_h, LSTMStateTuple(new_c, new_h) if self._state_is_tuple else concat([new_c, new_h], 1)


class LSTMCell(LayerRNNCell):
    """An LSTM with optional peepholes, clipping and projection (source: tf.nn.rnn_cell.LSTMCell).

    Args:
      num_units: the size of the memory. use_peepholes: the gates see the memory. cell_clip: the memory is kept within
        plus and minus this. initializer: of the matrices. num_proj: the output is projected to this size; proj_clip
        keeps it within bounds. num_unit_shards, num_proj_shards: the parts of the partitioned matrices.
      The others: as `BasicLSTMCell`.
    """

    def __init__(
        self,
        num_units: int,
        use_peepholes: bool = False,
        cell_clip: Any = None,
        initializer: Any = None,
        num_proj: int | None = None,
        proj_clip: Any = None,
        num_unit_shards: int | None = None,
        num_proj_shards: int | None = None,
        forget_bias: Any = 1.0,
        state_is_tuple: bool = True,
        activation: Any = None,
        reuse: bool | None = None,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(_reuse=reuse, name=name, dtype=dtype, **kwargs)
        self.input_spec = InputSpec(ndim=2)
        self._num_units, self._num_proj = num_units, num_proj
        self._use_peepholes, self._initializer = use_peepholes, initializer
        self._cell_clip, self._proj_clip = cell_clip, proj_clip
        self._num_unit_shards, self._num_proj_shards = num_unit_shards, num_proj_shards
        self._forget_bias, self._state_is_tuple = forget_bias, state_is_tuple
        self._activation = activation_of(activation, tanh)

    @property
    def state_size(self) -> Any:
        if self._state_is_tuple:
            return LSTMStateTuple(self._num_units, self.output_size)
        return self._num_units + self.output_size

    @property
    def output_size(self) -> Any:
        return self._num_proj if self._num_proj else self._num_units

    def build(self, inputs_shape: Any) -> None:
        depth, units = self.depth(inputs_shape), self._num_units

        def parts(count: int | None) -> Any:
            return fixed_size_partitioner(count) if count is not None else None

        self._kernel = self.add_weight(
            "kernel",
            shape=[depth + self.output_size, 4 * units],
            initializer=self._initializer,
            partitioner=parts(self._num_unit_shards),
        )
        initializer = zeros_initializer if self.dtype is None else zeros_initializer(dtype=self.dtype)
        self._bias = self.add_weight("bias", shape=[4 * units], initializer=initializer)
        if self._use_peepholes:
            self._f_diagonal = self.add_weight("w_f_diag", shape=[units], initializer=self._initializer)
            self._i_diagonal = self.add_weight("w_i_diag", shape=[units], initializer=self._initializer)
            self._o_diagonal = self.add_weight("w_o_diag", shape=[units], initializer=self._initializer)
        if self._num_proj is not None:
            self._projection = self.add_weight(
                "projection/kernel",
                shape=[units, self._num_proj],
                initializer=self._initializer,
                partitioner=parts(self._num_proj_shards),
            )
        self.built = True

    def call(self, inputs: Tensor, state: Any) -> tuple[Tensor, Any]:
        if self._state_is_tuple:
            c_before, m_before = state
        else:
            c_before = slice(state, [0, 0], [-1, self._num_units])
            m_before = slice(state, [0, self._num_units], [-1, self.output_size])
        gates = bias_add(matmul(concat([inputs, m_before], 1), self._kernel), self._bias)
        i, j, f, o = split(value=gates, num_or_size_splits=4, axis=1)
        act = self._activation
        if self._use_peepholes:
            kept = sigmoid(f + self._forget_bias + self._f_diagonal * c_before) * c_before
            c = kept + sigmoid(i + self._i_diagonal * c_before) * act(j)
        else:
            c = sigmoid(f + self._forget_bias) * c_before + sigmoid(i) * act(j)
        if self._cell_clip is not None:
            c = clip_by_value(c, -self._cell_clip, self._cell_clip)
        m = sigmoid(o + self._o_diagonal * c) * act(c) if self._use_peepholes else sigmoid(o) * act(c)
        if self._num_proj is not None:
            m = matmul(m, self._projection)
            if self._proj_clip is not None:
                m = clip_by_value(m, -self._proj_clip, self._proj_clip)
        return m, LSTMStateTuple(c, m) if self._state_is_tuple else concat([c, m], 1)
