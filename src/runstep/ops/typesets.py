"""Type attributes that many rows share, in the notation of `runstep.ops.registry.op`."""

from __future__ import annotations

FLOAT = "T: {bfloat16, float16, float32, float64}"
FLOAT_COMPLEX = "T: {bfloat16, float16, float32, float64, complex64, complex128}"
SIGNED = "T: {bfloat16, float16, float32, float64, int8, int16, int32, int64}"
SIGNED_COMPLEX = "T: {bfloat16, float16, float32, float64, int8, int16, int32, int64, complex64, complex128}"
INTEGER = "T: {int8, int16, int32, int64, uint8, uint16, uint32, uint64}"
COMPLEX = "T: {complex64, complex128} = complex64"
REAL_OF_COMPLEX = "Tout: {float32, float64} = float32"
INDEX = "Tidx: {int32, int64} = int32"
