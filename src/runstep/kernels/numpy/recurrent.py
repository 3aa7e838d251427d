"""Whole LSTM and GRU cells, over one step or a sequence, and their gradients. All compute in float32."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from runstep.errors import InvalidArgumentError
from runstep.kernels.registry import Kernel, Node, numpy_kernel

Array = Any


def _sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


class Cell(NamedTuple):
    """What an LSTM node's attributes and weights say. `order` names the gates along the columns of `w`."""

    w: Array
    b: Array
    peepholes: tuple[Array, Array, Array] | None
    forget_bias: float
    clip: float
    order: str

    def step(self, x: Array, state: Array, h: Array) -> tuple[Array, ...]:
        """i, cs, f, o, ci, co, h of one step: `x` [batch, in], `state` and `h` [batch, cell]."""
        size = state.shape[1]
        gates = np.concatenate([x, h], axis=1) @ self.w + self.b
        part = {name: gates[:, place * size : (place + 1) * size] for place, name in enumerate(self.order)}
        i, ci, f, o = part["i"], part["c"], part["f"] + self.forget_bias, part["o"]
        if self.peepholes:
            i, f = i + state * self.peepholes[0], f + state * self.peepholes[1]
        i, f, ci = _sigmoid(i), _sigmoid(f), np.tanh(ci)
        cs = ci * i + state * f
        if self.clip > 0:
            cs = np.clip(cs, -self.clip, self.clip)
        if self.peepholes:
            o = o + cs * self.peepholes[2]
        o, co = _sigmoid(o), np.tanh(cs)
        return i, cs, f, o, ci, co, co * o

    def back(
        self, state: Array, i: Array, cs: Array, f: Array, o: Array, ci: Array, co: Array, cs_grad: Array, h_grad: Array
    ) -> tuple[Array, Array, tuple[Array, ...]]:
        """The gradients of the state before, of the gates [batch, 4 * cell], and of the peepholes."""
        do = o * (1 - o) * h_grad * co
        dcs = (1 - co * co) * h_grad * o + cs_grad
        if self.peepholes:
            dcs = dcs + do * self.peepholes[2]
        dci = (1 - ci * ci) * dcs * i
        df = f * (1 - f) * dcs * state
        di = i * (1 - i) * dcs * ci
        before = dcs * f
        if self.peepholes:
            before = before + di * self.peepholes[0] + df * self.peepholes[1]
        part = {"i": di, "c": dci, "f": df, "o": do}
        gates = np.concatenate([part[name] for name in self.order], axis=1)
        if not self.peepholes:
            return before, gates, (np.zeros(state.shape[1], np.float32),) * 3
        sums = tuple((gate * value).sum(axis=0) for gate, value in ((di, state), (df, state), (do, cs)))
        return before, gates, sums


def _wide(*values: Array) -> list[Array]:
    return [value.astype(np.float32, copy=False) for value in values]


def _check(x: Array, state: Array, h: Array, w: Array, b: Array) -> None:
    batch, inputs = x.shape[-2:]
    size = state.shape[-1]
    if state.shape[0] != batch:
        raise InvalidArgumentError(None, None, f"cs_prev.dims(0) != batch_size: {state.shape[0]} vs. {batch}")
    if h.shape[0] != batch:
        raise InvalidArgumentError(None, None, f"h_prev.dims(0) != batch_size: {h.shape[0]} vs. {batch}")
    if h.shape[1] != size:
        raise InvalidArgumentError(None, None, f"h_prev.dims(1) != cell_size: {h.shape[1]} vs. {size}")
    if w.shape[0] != inputs + size:
        raise InvalidArgumentError(
            None, None, f"w.dim_size(0) != input_size + cell_size: {w.shape[0]} vs. {inputs + size}"
        )
    if w.shape[1] != 4 * size:
        raise InvalidArgumentError(None, None, f"w.dim_size(1) != cell_size * 4: {w.shape[1]} vs. {4 * size}")
    if b.shape[0] != 4 * size:
        raise InvalidArgumentError(None, None, f"b.dim_size(0) != cell_size * 4: {b.shape[0]} vs. {4 * size}")


def _check_size(name: str, value: Array, axis: int, what: str, size: int) -> None:
    if value.shape[axis] != size:
        raise InvalidArgumentError(None, None, f"{name}.dim_size({axis}) != {what}: {value.shape[axis]} vs. {size}")


def _check_peepholes(wci: Array, wcf: Array, wco: Array, size: int) -> None:
    for name, value in (("wci", wci), ("wcf", wcf), ("wco", wco)):
        if value.ndim != 1:
            raise InvalidArgumentError(None, None, f"{name} must be rank 1 but is rank {value.ndim}")
        _check_size(name, value, 0, "cell_size", size)


def _check_cell_ranks(x: Array, state: Array, h: Array, w: Array, b: Array) -> None:
    for name, value in (("x", x), ("cs_prev", state), ("h_prev", h), ("w", w)):
        if value.ndim != 2:
            raise InvalidArgumentError(None, None, f"{name} must be rank 2 but is rank {value.ndim}")
    if b.ndim != 1:
        raise InvalidArgumentError(None, None, f"b_tensor must be rank 1 but is rank {b.ndim}.")


def _check_sequence_ranks(x: Array, state: Array, h: Array, w: Array, b: Array) -> None:
    for name, value, rank in (("x", x, 3), ("cs_prev", state, 2), ("h_prev", h, 2), ("w", w, 2), ("b", b, 1)):
        if value.ndim != rank:
            raise InvalidArgumentError(None, None, f"{name} must be {rank}D")


def _cell(node: Node, w: Array, wci: Array, wcf: Array, wco: Array, b: Array, order: str) -> Cell:
    attrs = node.attrs
    peepholes = (wci, wcf, wco) if attrs["use_peephole"] else None
    return Cell(w, b, peepholes, attrs.get("forget_bias", 0.0), attrs.get("cell_clip", 0.0), order)


@numpy_kernel.make("LSTMBlockCell")
def lstm_cell(node: Node) -> Kernel:
    dtype = node.output_types[0].np

    def kernel(x: Array, state: Array, h: Array, w: Array, wci: Array, wcf: Array, wco: Array, b: Array) -> Any:
        _check_cell_ranks(x, state, h, w, b)
        _check(x, state, h, w, b)
        x, state, h, w, wci, wcf, wco, b = _wide(x, state, h, w, wci, wcf, wco, b)
        results = _cell(node, w, wci, wcf, wco, b, "icfo").step(x, state, h)
        return tuple(value.astype(dtype, copy=False) for value in results)

    return kernel


@numpy_kernel.make("LSTMBlockCellGrad")
def lstm_cell_gradient(node: Node) -> Kernel:
    dtype = node.output_types[0].np

    def kernel(*inputs: Array) -> Any:
        x, state, h, w, wci, wcf, wco, b, i, cs, f, o, ci, co, cs_grad, h_grad = _wide(*inputs)
        _check_cell_ranks(x, state, h, w, b)
        _check(x, state, h, w, b)
        grads = {"i": i, "cs": cs, "f": f, "o": o, "ci": ci, "co": co, "cs_grad": cs_grad, "h_grad": h_grad}
        for name, value in grads.items():
            if value.ndim != 2:
                raise InvalidArgumentError(None, None, f"{name} must be rank 2 but is rank {value.ndim}")
            _check_size(name, value, 0, "batch_size", x.shape[0])
            _check_size(name, value, 1, "cell_size", state.shape[1])
        cell = _cell(node, w, wci, wcf, wco, b, "icfo")
        before, gates, peepholes = cell.back(state, i, cs, f, o, ci, co, cs_grad, h_grad)
        return tuple(np.array(value, dtype) for value in (before, gates, *peepholes))

    return kernel


def _length(seq_len_max: Array, steps: int) -> int:
    if np.ndim(seq_len_max):
        why = f"`seq_len_max_tensor` must be rank 0 but is rank {np.ndim(seq_len_max)}"
        raise InvalidArgumentError(None, None, why)
    return max(0, min(int(seq_len_max), steps))


@numpy_kernel.make("BlockLSTM", "BlockLSTMV2")
def block_lstm(node: Node) -> Kernel:
    """The cell over the first `seq_len_max` steps of `x` [time, batch, in]; zeros after them."""
    dtype = node.output_types[0].np
    order = "icfo" if node.type == "BlockLSTM" else "ifco"

    def kernel(length: Array, *inputs: Array) -> Any:
        x, state, h, w, wci, wcf, wco, b = _wide(*inputs)
        _check_sequence_ranks(x, state, h, w, b)
        _check(x, state, h, w, b)
        _check_peepholes(wci, wcf, wco, state.shape[1])
        cell = _cell(node, w, wci, wcf, wco, b, order)
        results = [np.zeros((*x.shape[:2], state.shape[1]), dtype) for _ in range(7)]
        for step in range(_length(length, x.shape[0])):
            found = cell.step(x[step], state, h)
            for result, value in zip(results, found, strict=True):
                result[step] = value
            state, h = found[1], found[6]
        return tuple(results)

    return kernel


@numpy_kernel.make("BlockLSTMGrad", "BlockLSTMGradV2")
def block_lstm_gradient(node: Node) -> Kernel:
    dtype = node.output_types[0].np
    order = "icfo" if node.type == "BlockLSTMGrad" else "ifco"

    def kernel(length: Array, *inputs: Array) -> Any:
        x, first_state, first_h, w, wci, wcf, wco, b, i, cs, f, o, ci, co, h, cs_grad, h_grad = _wide(*inputs)
        _check_sequence_ranks(x, first_state, first_h, w, b)
        _check(x, first_state, first_h, w, b)
        _check_peepholes(wci, wcf, wco, first_state.shape[1])
        shape = (*x.shape[:2], first_state.shape[1])
        grads = {"i": i, "cs": cs, "f": f, "o": o, "ci": ci, "co": co, "h": h, "cs_grad": cs_grad, "h_grad": h_grad}
        for name, value in grads.items():
            if value.ndim != 3:
                raise InvalidArgumentError(None, None, f"{name} must be rank 3. Received: {value.ndim}")
            for axis, (what, size) in enumerate(zip(("timelen", "batch_size", "cell_size"), shape, strict=True)):
                _check_size(name, value, axis, what, size)
        cell = _cell(node, w, wci, wcf, wco, b, order)
        width = x.shape[2]
        x_grad, w_grad, b_grad = np.zeros_like(x), np.zeros_like(w), np.zeros_like(b)
        peepholes = [np.zeros(first_state.shape[1], np.float32) for _ in range(3)]
        state_grad, output_grad = np.zeros_like(first_state), np.zeros_like(first_h)
        for step in reversed(range(_length(length, x.shape[0]))):
            state = cs[step - 1] if step else first_state
            output = h[step - 1] if step else first_h
            state_grad, gates, sums = cell.back(
                state, i[step], cs[step], f[step], o[step], ci[step], co[step],
                cs_grad[step] + state_grad, h_grad[step] + output_grad,
            )  # fmt: skip
            both = gates @ w.T
            x_grad[step], output_grad = both[:, :width], both[:, width:]
            w_grad += np.concatenate([x[step], output], axis=1).T @ gates
            b_grad += gates.sum(axis=0)
            peepholes = [total + part for total, part in zip(peepholes, sums, strict=True)]
        results = (x_grad, state_grad, output_grad, w_grad, *peepholes, b_grad)
        return tuple(np.array(value, dtype) for value in results)

    return kernel


_GRU_SIZES: dict[str, tuple[str, ...]] = {
    "h_prev": ("dims", "batch_size", "cell_size"),
    "w_ru": ("dim_size", "input_size + cell_size", "cell_size * 2"),
    "w_c": ("dim_size", "input_size + cell_size", "cell_size"),
    "b_ru": ("dim_size", "cell_size * 2"),
    "b_c": ("dim_size", "cell_size"),
    "r": ("dims", "batch_size", "cell_size"),
    "u": ("dims", "batch_size", "cell_size"),
    "c": ("dims", "batch_size", "cell_size"),
    "d_h": ("dims", "batch_size", "cell_size"),
}
"""Of what follows `x`: TensorFlow's word for a size, the sizes."""
_GRU_RANK_NAMES = {"w_ru": "w_ru_", "c": "w_c"}


def _check_gru(x: Array, *values: Array) -> None:
    found = dict(zip(_GRU_SIZES, values, strict=False))
    for name, value in {"x": x, **found}.items():
        rank = len(_GRU_SIZES[name]) - 1 if name != "x" else 2
        if value.ndim != rank:
            name = _GRU_RANK_NAMES.get(name, name)
            raise InvalidArgumentError(None, None, f"Rank of {name} must be {rank}, got {value.ndim}")
    batch, inputs = x.shape
    size = values[0].shape[1]
    sizes = {
        "batch_size": batch, "cell_size": size, "cell_size * 2": 2 * size, "input_size + cell_size": inputs + size
    }  # fmt: skip
    for name, value in found.items():
        word, *wanted = _GRU_SIZES[name]
        for axis, (have, want) in enumerate(zip(value.shape, wanted, strict=True)):
            if have != sizes[want]:
                raise InvalidArgumentError(None, None, f"{name}.{word}({axis}) != {want}: {have} vs. {sizes[want]}")


@numpy_kernel("GRUBlockCell")
def gru_cell(x: Array, h: Array, w_ru: Array, w_c: Array, b_ru: Array, b_c: Array) -> tuple[Array, ...]:
    """Reset gate, update gate, candidate and new state of one step."""
    _check_gru(x, h, w_ru, w_c, b_ru, b_c)
    size = h.shape[1]
    gates = _sigmoid(np.concatenate([x, h], axis=1) @ w_ru + b_ru)
    r, u = gates[:, :size].copy(), gates[:, size:].copy()
    c = np.tanh(np.concatenate([x, h * r], axis=1) @ w_c + b_c)
    return r, u, c, u * h + (1 - u) * c


@numpy_kernel("GRUBlockCellGrad")
def gru_cell_gradient(
    x: Array, h: Array, w_ru: Array, w_c: Array, b_ru: Array, b_c: Array, r: Array, u: Array, c: Array, d_h: Array
) -> tuple[Array, ...]:
    """The gradients of x and the state before, and of the gates before their activations."""
    _check_gru(x, h, w_ru, w_c, b_ru, b_c, r, u, c, d_h)
    width = x.shape[1]
    d_c = d_h * (1 - u) * (1 - c * c)
    d_u = d_h * (h - c) * u * (1 - u)
    through_c = d_c @ w_c.T
    d_hr = through_c[:, width:]
    d_gates = np.concatenate([d_hr * h * r * (1 - r), d_u], axis=1)
    through_gates = d_gates @ w_ru.T
    d_x = through_gates[:, :width] + through_c[:, :width]
    return d_x, through_gates[:, width:] + d_hr * r + d_h * u, d_c, d_gates
