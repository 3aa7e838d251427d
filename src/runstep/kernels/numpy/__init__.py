"""The kernels of the embedded default, numpy on a CPU. `table` imports them all."""
