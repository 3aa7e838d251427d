"""`tf.contrib`: what TF1 programs use most of it. TensorFlow 2 has none of it."""

from runstep.contrib import framework, layers, rnn

__all__ = ["framework", "layers", "rnn"]
