"""`tf.test`: checking gradients (source: tf.compat.v1.test)."""

from runstep.gradients.numeric import compute_gradient, compute_gradient_error

__all__ = ["compute_gradient", "compute_gradient_error"]
