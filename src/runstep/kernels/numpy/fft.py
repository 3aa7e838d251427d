"""Fourier transforms by numpy's pocketfft."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.kernels.numpy.shape_ops import invalid, text
from runstep.kernels.registry import Kernel, Node, numpy_kernel

Array = np.ndarray[Any, Any]


def _axes_of(node: Node) -> tuple[int, ...]:
    count = int(node.type[-2]) if node.type.endswith("D") else 1
    return tuple(range(-count, 0))


def _check_rank(value: Any, axes: tuple[int, ...]) -> None:
    if value.ndim < len(axes):
        invalid(f"Input must have rank of at least {len(axes)} but got: {text(value.shape)}")


@numpy_kernel.make("FFT", "FFT2D", "FFT3D", "IFFT", "IFFT2D", "IFFT3D")
def complex_transform(node: Node) -> Kernel:
    axes, dtype = _axes_of(node), node.output_types[0].np
    transform = np.fft.ifftn if node.type.startswith("I") else np.fft.fftn

    def kernel(value: Any) -> Array:
        _check_rank(value, axes)
        if not value.size:
            return np.empty(value.shape, dtype)
        return transform(value, axes=axes).astype(dtype, copy=False)

    return kernel


@numpy_kernel.make("RFFT", "RFFT2D", "RFFT3D", "IRFFT", "IRFFT2D", "IRFFT3D")
def real_transform(node: Node) -> Kernel:
    axes, dtype = _axes_of(node), node.output_types[0].np
    inverse = node.type.startswith("I")
    if node.attrs["Tcomplex"].real_dtype is not node.attrs["Treal"]:
        kinds = [kind.enum for kind in (*node.input_types[:1], *node.output_types)]
        what = "backward" if inverse else "forward"
        invalid(f"Wrong types for {what} real FFT: in={kinds[0]} out={kinds[1]}")

    def kernel(value: Any, fft_length: Any) -> Array:
        _check_rank(value, axes)
        if fft_length.shape != (len(axes),):
            invalid(f"fft_length must have shape [{len(axes)}]")
        lengths = fft_length.tolist()
        if min(lengths) < 0:
            invalid(f"fft_length[{lengths.index(min(lengths))}] must be >= 0, but got: {min(lengths)}")
        taken = [*lengths[:-1], lengths[-1] // 2 + 1] if inverse else lengths
        for place, (axis, needed) in enumerate(zip(axes, taken, strict=True)):
            if 0 < value.shape[axis] < needed:
                invalid(f"Input dimension {place} must have length of at least {needed} but got: {value.shape[axis]}")
        outer = value.shape[: value.ndim - len(axes)]
        if not value.size or not all(lengths):
            made = lengths if inverse else [*lengths[:-1], lengths[-1] // 2 + 1 if lengths[-1] else 0]
            return np.zeros((*outer, *made), dtype)
        function = np.fft.irfftn if inverse else np.fft.rfftn
        return function(value, s=lengths, axes=axes).astype(dtype, copy=False)

    return kernel
