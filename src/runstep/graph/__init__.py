"""Graph, operations, tensors and their types."""
