"""`tf.signal`: signal processing (source: tf.compat.v1.signal)."""

from runstep.ops.fft import (
    fft as fft,
)
from runstep.ops.fft import (
    fft2d as fft2d,
)
from runstep.ops.fft import (
    fft3d as fft3d,
)
from runstep.ops.fft import (
    fftshift as fftshift,
)
from runstep.ops.fft import (
    ifft as ifft,
)
from runstep.ops.fft import (
    ifft2d as ifft2d,
)
from runstep.ops.fft import (
    ifft3d as ifft3d,
)
from runstep.ops.fft import (
    ifftshift as ifftshift,
)
from runstep.ops.fft import (
    irfft as irfft,
)
from runstep.ops.fft import (
    irfft2d as irfft2d,
)
from runstep.ops.fft import (
    irfft3d as irfft3d,
)
from runstep.ops.fft import (
    rfft as rfft,
)
from runstep.ops.fft import (
    rfft2d as rfft2d,
)
from runstep.ops.fft import (
    rfft3d as rfft3d,
)
