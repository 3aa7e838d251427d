"""The update ops of optimizers.

Each optimizer is one function that changes arrays in place; it serves dense and sparse updates, of refs and resources:
a sparse update applies it to the rows that the indices name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import numpy as np

from runstep import errors
from runstep.kernels import parallel
from runstep.kernels.llvm.loop import FULL, ONE, Loop, over
from runstep.kernels.llvm.tracing import loop_of
from runstep.kernels.registry import Kernel, Node, numpy_kernel
from runstep.kernels.resources import IN_PLACE_BYTES, VARIABLE, ResourceVariable, Variable, resource_of, uninitialized
from runstep.kernels.texts import invalid, shape_text, type_text
from runstep.ops.training_ops import OPTIMIZERS, RESOURCE_ONLY, SPARSE

Update = Callable[..., None]

# --- the formulas -------------------------------------------------------------------------------------------------
# Arrays first, then the op's other inputs in order. `one` keeps the arithmetic in the variable's dtype. The commonest
# ones write temporaries over each other: what stays in the cache is half of the time.


def gradient_descent(var: Any, alpha: Any, delta: Any) -> None:
    np.subtract(var, alpha * delta, var)


def _shrink(value: Any, threshold: Any) -> Any:
    """`value` moved toward zero by `threshold`."""
    return np.sign(value) * np.maximum(np.abs(value) - threshold, value.dtype.type(0))


def _proximal(var: Any, rate: Any, l1: Any, l2: Any, grad: Any) -> None:
    one = var.dtype.type(1)
    target = var - rate * grad
    if l1 > 0:
        target = _shrink(target, rate * l1)
    var[...] = target / (one + l2 * rate)


def proximal_gradient_descent(var: Any, alpha: Any, l1: Any, l2: Any, delta: Any) -> None:
    _proximal(var, alpha, l1, l2, delta)


def proximal_adagrad(var: Any, accum: Any, lr: Any, l1: Any, l2: Any, grad: Any) -> None:
    accum += grad * grad
    _proximal(var, lr / np.sqrt(accum), l1, l2, grad)


def momentum(var: Any, accum: Any, lr: Any, grad: Any, momentum: Any, *, use_nesterov: bool) -> None:
    np.multiply(accum, momentum, accum)
    np.add(accum, grad, accum)
    if use_nesterov:
        var -= grad * lr + accum * momentum * lr
    else:
        np.subtract(var, accum * lr, var)


def keras_momentum(var: Any, accum: Any, lr: Any, grad: Any, momentum: Any, *, use_nesterov: bool) -> None:
    accum *= momentum
    accum -= grad * lr
    if use_nesterov:
        var += accum * momentum - grad * lr
    else:
        var += accum


def adagrad(var: Any, accum: Any, lr: Any, grad: Any, *, update_slots: bool) -> None:
    if update_slots:
        accum += grad * grad
    var -= grad * lr / np.sqrt(accum)


def adagrad_v2(var: Any, accum: Any, lr: Any, epsilon: Any, grad: Any, *, update_slots: bool) -> None:
    if update_slots:
        accum += grad * grad
    var -= grad * lr / (np.sqrt(accum) + epsilon)


def adagrad_da(var: Any, total: Any, squares: Any, grad: Any, lr: Any, l1: Any, l2: Any, global_step: Any) -> None:
    total += grad
    squares += grad * grad
    step = var.dtype.type(global_step)
    shrunk = _shrink(total, l1 * step) if l1 > 0 else total
    var[...] = -lr * shrunk / (l2 * step * lr + np.sqrt(squares))


def adadelta(var: Any, accum: Any, accum_update: Any, lr: Any, rho: Any, epsilon: Any, grad: Any) -> None:
    rest = var.dtype.type(1) - rho
    accum *= rho
    accum += grad * grad * rest
    update = np.sqrt(accum_update + epsilon) / np.sqrt(accum + epsilon) * grad
    accum_update *= rho
    accum_update += update * update * rest
    var -= update * lr


def rms_prop(var: Any, ms: Any, mom: Any, lr: Any, rho: Any, momentum: Any, epsilon: Any, grad: Any) -> None:
    ms += (grad * grad - ms) * (var.dtype.type(1) - rho)
    mom *= momentum
    mom += grad * lr / np.sqrt(ms + epsilon)
    var -= mom


def centered_rms_prop(
    var: Any, mg: Any, ms: Any, mom: Any, lr: Any, rho: Any, momentum: Any, epsilon: Any, grad: Any
) -> None:
    rest = var.dtype.type(1) - rho
    ms += (grad * grad - ms) * rest
    mg += (grad - mg) * rest
    mom *= momentum
    mom += grad * lr / np.sqrt(ms - mg * mg + epsilon)
    var -= mom


def _adam_moments(
    m: Any, v: Any, beta1_power: Any, beta2_power: Any, lr: Any, beta1: Any, beta2: Any, grad: Any
) -> Any:
    """Updates the moments; returns the corrected learning rate, and an array to write to."""
    one = m.dtype.type(1)
    change = grad - m
    np.multiply(change, one - beta1, change)
    np.add(m, change, m)
    np.multiply(grad, grad, change)
    np.subtract(change, v, change)
    np.multiply(change, one - beta2, change)
    np.add(v, change, v)
    return lr * np.sqrt(one - beta2_power) / (one - beta1_power), change


def adam(
    var: Any,
    m: Any,
    v: Any,
    beta1_power: Any,
    beta2_power: Any,
    lr: Any,
    beta1: Any,
    beta2: Any,
    epsilon: Any,
    grad: Any,
    *,
    use_nesterov: bool,
) -> None:
    rate, root = _adam_moments(m, v, beta1_power, beta2_power, lr, beta1, beta2, grad)
    np.sqrt(v, root)
    np.add(root, epsilon, root)
    moment = m * beta1 + grad * (var.dtype.type(1) - beta1) if use_nesterov else m
    change = moment * rate
    np.divide(change, root, change)
    np.subtract(var, change, var)


def adam_with_amsgrad(
    var: Any,
    m: Any,
    v: Any,
    vhat: Any,
    beta1_power: Any,
    beta2_power: Any,
    lr: Any,
    beta1: Any,
    beta2: Any,
    epsilon: Any,
    grad: Any,
) -> None:
    rate, _ = _adam_moments(m, v, beta1_power, beta2_power, lr, beta1, beta2, grad)
    np.maximum(vhat, v, out=vhat)
    var -= m * rate / (np.sqrt(vhat) + epsilon)


def ada_max(
    var: Any, m: Any, v: Any, beta1_power: Any, lr: Any, beta1: Any, beta2: Any, epsilon: Any, grad: Any
) -> None:
    one = var.dtype.type(1)
    m += (grad - m) * (one - beta1)
    np.maximum(beta2 * v, np.abs(grad), out=v)
    var -= lr / (one - beta1_power) * (m / (v + epsilon))


def ftrl_v2(
    var: Any,
    accum: Any,
    linear: Any,
    grad: Any,
    lr: Any,
    l1: Any,
    l2: Any,
    l2_shrinkage: Any,
    lr_power: Any,
    *,
    multiply_linear_by_lr: bool,
) -> None:
    two = var.dtype.type(2)
    shrunk = grad + two * l2_shrinkage * var
    total = accum + grad * grad
    root: Callable[[Any], Any] = np.sqrt if lr_power == -0.5 else lambda x: np.power(x, -lr_power)
    new_root = root(total)
    if multiply_linear_by_lr:
        linear += shrunk * lr - (new_root - root(accum)) * var
        limit, quadratic = l1 * lr, new_root + two * l2 * lr
    else:
        linear += shrunk - (new_root - root(accum)) / lr * var
        limit, quadratic = l1, new_root / lr + two * l2
    zero = var.dtype.type(0)
    var[...] = np.where(np.abs(linear) > limit, (limit * np.sign(linear) - linear) / quadratic, zero)
    accum[...] = total


def ftrl(
    var: Any,
    accum: Any,
    linear: Any,
    grad: Any,
    lr: Any,
    l1: Any,
    l2: Any,
    lr_power: Any,
    *,
    multiply_linear_by_lr: bool,
) -> None:
    none = var.dtype.type(0)
    ftrl_v2(var, accum, linear, grad, lr, l1, l2, none, lr_power, multiply_linear_by_lr=multiply_linear_by_lr)


def _signed_moment(m: Any, sign_decay: Any, beta: Any, grad: Any) -> Any:
    """Updates the moment; returns sign_decay where it agrees with the gradient in sign, -sign_decay where not."""
    m *= beta
    m += grad * (m.dtype.type(1) - beta)
    return sign_decay * np.sign(grad) * np.sign(m)


def add_sign(var: Any, m: Any, lr: Any, alpha: Any, sign_decay: Any, beta: Any, grad: Any) -> None:
    agreement = _signed_moment(m, sign_decay, beta, grad)
    var -= lr * (alpha + agreement) * grad


def power_sign(var: Any, m: Any, lr: Any, logbase: Any, sign_decay: Any, beta: Any, grad: Any) -> None:
    agreement = _signed_moment(m, sign_decay, beta, grad)
    var -= lr * np.exp(logbase * agreement) * grad


_UPDATES: dict[str, Update] = {
    "GradientDescent": gradient_descent,
    "ProximalGradientDescent": proximal_gradient_descent,
    "Momentum": momentum,
    "KerasMomentum": keras_momentum,
    "Adagrad": adagrad,
    "AdagradV2": adagrad_v2,
    "AdagradDA": adagrad_da,
    "ProximalAdagrad": proximal_adagrad,
    "Adadelta": adadelta,
    "RMSProp": rms_prop,
    "CenteredRMSProp": centered_rms_prop,
    "Adam": adam,
    "AdamWithAmsgrad": adam_with_amsgrad,
    "AdaMax": ada_max,
    "Ftrl": ftrl,
    "FtrlV2": ftrl_v2,
    "AddSign": add_sign,
    "PowerSign": power_sign,
}

# --- from inputs to arrays ----------------------------------------------------------------------------------------


_TILE = 1 << 16  # elements: what an update needs of them stays in the cache, and its calls are few
_SPLIT = 2  # tiles from which an update is worth a second thread
_COMPILED = 1 << 12  # elements from which a loop of machine code is faster than calls of numpy


def _refs(inputs: Sequence[Any], dtype: Any) -> list[Variable]:
    for ref in inputs:
        if ref.value is None and ref.locked_read() is None:
            raise uninitialized(ref.name)
    return list(inputs)


def _resources(inputs: Sequence[Any], dtype: Any) -> list[Variable]:
    found: list[Variable] = []
    for handle in inputs:
        variable = getattr(getattr(handle, "entry", None), "resource", None)
        if type(variable) is not ResourceVariable:
            if getattr(handle, "type_name", VARIABLE) != VARIABLE:
                resource_of(handle, VARIABLE)  # raises
            raise errors.InternalError(None, None, "Invalid variable reference.")
        if variable.dtype is not dtype:
            raise invalid(
                f"Trying to read variable with wrong dtype. Expected {type_text(dtype)} got {type_text(variable.dtype)}"
            )
        found.append(variable)
    return found


def _locked(variables: list[Variable], mutate: Callable[[list[np.ndarray]], None]) -> None:
    """`mutate` on the own arrays of the variables, under the locks of all."""
    if len(variables) == 1:
        (variable,) = variables
        with variable.lock:
            value = variable.take()
            try:
                mutate([value])
            finally:
                variable.value = value
        return
    ordered = sorted({*variables}, key=id)  # one order for all: no deadlock
    held: list[Variable] = []
    taken: dict[Variable, np.ndarray] = {}
    try:
        for variable in ordered:
            variable.lock.acquire()
            held.append(variable)
        for variable in ordered:
            taken[variable] = variable.take()
        mutate([taken[variable] for variable in variables])
    finally:
        for variable in held:
            if variable in taken:
                variable.value = taken[variable]
            variable.lock.release()


def _check_scalars(names: Sequence[str], values: Sequence[Any]) -> None:
    for name, value in zip(names, values, strict=True):
        if value.ndim and name not in ("grad", "delta", "indices"):
            raise invalid(f"{name} is not a scalar: {shape_text(value.shape)}")


def _check_same(names: Sequence[str], arrays: Sequence[Any]) -> None:
    shape = arrays[0].shape
    for name, array in zip(names[1:], arrays[1:], strict=True):
        if array.shape != shape:
            raise invalid(f"var and {name} do not have the same shape{shape_text(shape)} {shape_text(array.shape)}")


def _dense(
    slots: list[str], rest: list[str], update: Update, find_loop: Callable[[], Loop | None]
) -> Callable[..., None]:
    """`find_loop` is asked for the update as machine code when a variable is large enough for it."""
    grad_at = rest.index("delta" if "delta" in rest else "grad")
    names = [*slots, rest[grad_at]]
    kinds = FULL * len(slots) + "".join(FULL if at == grad_at else ONE for at in range(len(rest)))

    def mutate(values: Sequence[Any], arrays: list[np.ndarray]) -> None:
        grad = values[grad_at]
        shape = grad.shape
        for value in values:
            if value.ndim and value is not grad:
                _check_scalars(rest, values)
        for array in arrays:
            if array.shape != shape:
                _check_same(names, [*arrays, grad])
        size = grad.size
        if size >= _COMPILED and len({id(array) for array in arrays}) == len(arrays):
            loop = find_loop()
            native = None if loop is None else loop.native(kinds, size)
            if native is not None:
                inputs = [np.ascontiguousarray(x) for x in (*arrays, *values)]
                _on_all_cores(size, over(native, kinds, inputs))
                return
        if size <= _TILE and shape:
            update(*arrays, *values)
            return
        before, after = values[:grad_at], values[grad_at + 1 :]
        flat = [array.reshape(-1) for array in (*arrays, grad)]

        def work(first: int, last: int) -> None:
            for start in range(first, last, _TILE):
                *parts, grad = [array[start : min(start + _TILE, last)] for array in flat]
                update(*parts, *before, grad, *after)

        _on_all_cores(size, work)

    return mutate


def _on_all_cores(size: int, work: parallel.Work) -> None:
    """`work` on elements; where there are many, in several threads, each of which gets whole tiles."""
    tiles = -(-size // _TILE)
    if tiles < _SPLIT:
        work(0, size)
    else:
        parallel.split(tiles, lambda first, last: work(first * _TILE, min(last * _TILE, size)))


def _check_sparse(var: np.ndarray, grad: Any, indices: Any) -> None:
    if var.ndim < 1:
        raise invalid("var must be at least 1 dimensional")
    if indices.ndim != 1:
        raise invalid("indices must be one-dimensional")
    if grad.ndim < 1 or grad.shape[0] != indices.shape[0]:
        raise invalid("grad must be the same size as indices in the first dimension.")
    if grad.ndim != var.ndim:
        raise invalid("var and grad must have the same rank")
    for axis in range(1, var.ndim):
        if var.shape[axis] != grad.shape[axis]:
            raise invalid(f"var and grad must match in dimension {axis}")
    outside = (indices < 0) | (indices >= var.shape[0])
    if outside.any():
        at = int(np.argmax(outside))
        raise invalid(f"Index {indices[at]} at offset {at} in indices is out of range")


_ALL = slice(None)


def _rounds(indices: np.ndarray) -> list[Any]:
    """Positions in `indices`, in rounds that name every row at most once, in order of appearance."""
    ordered = np.sort(indices)
    if (ordered[1:] != ordered[:-1]).all():  # as optimizers leave them
        return [_ALL]
    order = np.argsort(indices, kind="stable")
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    counts = np.diff(np.append(starts, len(ordered)))
    return [order[starts[counts > k] + k] for k in range(int(counts.max()))]


def _sparse(slots: list[str], rest: list[str], update: Update) -> Callable[..., None]:
    grad_at = rest.index("grad")

    def mutate(values: Sequence[Any], arrays: list[np.ndarray]) -> None:
        _check_scalars(rest, values)
        _check_same(slots, arrays)
        grad, indices = values[grad_at], values[grad_at + 1]
        _check_sparse(arrays[0], grad, indices)
        if not len(indices):
            return
        before, after = values[:grad_at], values[grad_at + 2 :]
        for chosen in _rounds(indices):
            at = indices[chosen]
            rows = [array.take(at, 0) for array in arrays]
            update(*rows, *before, grad[chosen], *after)
            for array, changed in zip(arrays, rows, strict=True):
                array[at] = changed

    return mutate


def _descent(node: Node, run: Kernel) -> Kernel:
    """Gradient descent on a ref variable. Small values are cheaper to make anew than to write over."""
    known = node.constant(1)
    rate = known if known is not None and not known.ndim else None

    def descend(ref: Any, alpha: Any, delta: Any) -> Any:
        with ref.lock:
            value = ref.value
            if value is not None and value.nbytes < IN_PLACE_BYTES and value.shape == delta.shape and not alpha.ndim:
                ref.value = value - (alpha if rate is None else rate) * delta
                return ref
        return run(ref, alpha, delta)

    return descend


def _register(name: str, sparse: bool, resource: bool) -> None:
    slot_names, rest_names, attr = OPTIMIZERS[name]
    slots, rest = slot_names.split(), rest_names.split()
    if sparse:
        rest = ["grad" if one == "delta" else one for one in rest]
        rest.insert(rest.index("grad") + 1, "indices")
    flag = attr.partition(":")[0]
    count = len(slots)
    find = _resources if resource else _refs

    def make(node: Node) -> Kernel:
        update = partial(_UPDATES[name], **{flag: node.attrs[flag]}) if flag else _UPDATES[name]
        dtype = node.attrs["T"]
        if sparse:
            mutate = _sparse(slots, rest, update)
        else:
            dtypes = [dtype.np] * count + [other.np for other in node.input_types[count:]]
            mutate = _dense(slots, rest, update, cache(partial(loop_of, update, count, dtypes)))

        def run(*inputs: Any) -> Any:
            _locked(find(inputs[:count], dtype), partial(mutate, inputs[count:]))
            return None if resource else inputs[0]

        return _descent(node, run) if name == "GradientDescent" and not resource else run

    numpy_kernel.make(f"{'Resource' if resource else ''}{'Sparse' if sparse else ''}Apply{name}")(make)


for _name in OPTIMIZERS:
    for _resource in (True,) if _name in RESOURCE_ONLY else (False, True):
        _register(_name, False, _resource)
        if _name in SPARSE:
            _register(_name, True, _resource)
