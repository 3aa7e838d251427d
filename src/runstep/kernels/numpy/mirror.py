"""Mirrored padding and its gradient, and the permutations between data formats."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.errors import InvalidArgumentError, UnimplementedError
from runstep.graph import shapes
from runstep.kernels.numpy.windows import compute_type
from runstep.kernels.registry import Kernel, Node, numpy_kernel

Array = Any


def _paddings(x: Array, paddings: Array, gradient: bool, reflect: bool) -> list[tuple[int, int]]:
    """The (before, after) pairs, which must not reach past the far side of what they mirror."""
    if paddings.ndim != 2 or paddings.shape[1] != 2:
        raise InvalidArgumentError(
            None, None, f"paddings must be a matrix with 2 columns: {shapes.text(paddings.shape)}"
        )
    if x.ndim > 5:
        raise UnimplementedError(None, None, f"inputs rank not in [0,5]: {x.ndim}")
    if paddings.shape[0] != x.ndim:
        raise InvalidArgumentError(
            None,
            None,
            "The first dimension of paddings must be the rank of inputs"
            f"{shapes.text(paddings.shape)}, {shapes.text(x.shape)}",
        )
    if gradient and not x.ndim:
        return []
    pairs = [(before, after) for before, after in paddings.tolist()]
    for size, (before, after) in zip(x.shape, pairs, strict=True):
        if before < 0 or after < 0:
            raise InvalidArgumentError(None, None, f"paddings must be non-negative: {before} {after}")
        inner = size - before - after if gradient else size
        if gradient and inner < 0:
            raise InvalidArgumentError(
                None, None, f"Total paddings must be less than the input dimension size: {before + after} > {size}"
            )
        if reflect and (before >= inner or after >= inner):
            raise InvalidArgumentError(
                None, None, f"paddings must be less than the dimension size: {before}, {after} not less than {inner}"
            )
        if not reflect and (before > inner or after > inner):
            raise InvalidArgumentError(
                None,
                None,
                f"paddings must be no greater than the dimension size: {before}, {after} greater than {inner}",
            )
    return pairs


def mirrored(x: Array, pairs: list[tuple[int, int]], reflect: bool) -> Array:
    """`x` continued beyond its borders by what a mirror there shows; the border itself is not shown twice in
    reflect."""
    return np.pad(x, pairs, mode="reflect" if reflect else "symmetric")


@numpy_kernel.make("MirrorPad")
def mirror_pad(node: Node) -> Kernel:
    reflect = node.attrs["mode"] == b"REFLECT"

    def kernel(x: Array, paddings: Array) -> Array:
        pairs = _paddings(x, paddings, False, reflect)
        if not x.ndim:
            return x.copy() if isinstance(x, np.ndarray) else x
        return mirrored(x, pairs, reflect)

    return kernel


@numpy_kernel.make("MirrorPadGrad")
def mirror_pad_gradient(node: Node) -> Kernel:
    """Folds the borders back onto what they mirror."""
    offset = 1 if node.attrs["mode"] == b"REFLECT" else 0
    dtype = node.output_types[0]
    compute = compute_type(dtype)

    def kernel(g: Array, paddings: Array) -> Array:
        pairs = _paddings(g, paddings, True, offset == 1)
        total = g.astype(compute)
        for axis, (before, after) in enumerate(pairs):
            lead = (slice(None),) * axis
            inner = total.shape[axis] - before - after
            body = total[(*lead, slice(before, before + inner))].copy()
            if before:
                body[(*lead, slice(offset, offset + before))] += np.flip(total[(*lead, slice(0, before))], axis)
            if after:
                end = inner - offset
                body[(*lead, slice(end - after, end))] += np.flip(total[(*lead, slice(before + inner, None))], axis)
            total = body
        return total.astype(dtype.np, copy=False)

    return kernel


def _formats(node: Node) -> tuple[bytes, bytes]:
    source, target = node.attrs["src_format"], node.attrs["dst_format"]
    if len(source) not in (4, 5):
        raise InvalidArgumentError(
            None, None, f"Source format must be of length 4 or 5, received src_format = {source.decode()}"
        )
    if len(target) not in (4, 5):
        raise InvalidArgumentError(
            None, None, f"Destination format must be of length 4 or 5, received dst_format = {target.decode()}"
        )
    if sorted(source) != sorted(target):
        raise InvalidArgumentError(
            None,
            None,
            f"Destination and source format must determine a permutation, got {source.decode()} and {target.decode()}",
        )
    return source, target


@numpy_kernel.make("DataFormatDimMap")
def dim_map(node: Node) -> Kernel:
    source, target = _formats(node)
    table = np.array([target.index(letter) for letter in source], node.output_types[0].np)

    return lambda x: table[x % len(source)]


@numpy_kernel.make("DataFormatVecPermute")
def vec_permute(node: Node) -> Kernel:
    source, target = _formats(node)

    def kernel(x: Array) -> Array:
        rank = len(source)
        if x.ndim not in (1, 2):
            raise InvalidArgumentError(
                None, None, f"input must be a vector or 2D tensor, but got shape {shapes.text(x.shape)}"
            )
        old, new = source, target
        if x.shape[0] != rank:
            if x.shape[0] != rank - 2:
                raise InvalidArgumentError(
                    None, None, f"1D input must be of size {rank - 2} or {rank}, but got shape {shapes.text(x.shape)}"
                )
            old, new = (bytes(letter for letter in name if letter not in b"NC") for name in (source, target))
        if x.ndim == 2 and x.shape[1] != 2:
            raise InvalidArgumentError(
                None, None, f"Second dimension of 2D input must be of size 2, but got shape {shapes.text(x.shape)}"
            )
        return x[[old.index(letter) for letter in new]]

    return kernel
