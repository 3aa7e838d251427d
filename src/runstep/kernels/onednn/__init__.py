"""oneDNN on the memory of numpy arrays, through its C API: optional, and used where it is faster. See `regions`."""
