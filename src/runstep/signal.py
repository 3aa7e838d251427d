"""`tf.signal`: signal processing (source: tf.compat.v1.signal)."""

from runstep.ops.fft import (
    fft,
    fft2d,
    fft3d,
    fftshift,
    ifft,
    ifft2d,
    ifft3d,
    ifftshift,
    irfft,
    irfft2d,
    irfft3d,
    rfft,
    rfft2d,
    rfft3d,
)
from runstep.ops.signal_windows import hamming_window, hann_window

__all__ = [
    "fft",
    "fft2d",
    "fft3d",
    "fftshift",
    "hamming_window",
    "hann_window",
    "ifft",
    "ifft2d",
    "ifft3d",
    "ifftshift",
    "irfft",
    "irfft2d",
    "irfft3d",
    "rfft",
    "rfft2d",
    "rfft3d",
]
