"""runstep: TensorFlow-1-style graphs, run in Sessions, without TensorFlow."""
