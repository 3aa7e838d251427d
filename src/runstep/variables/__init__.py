"""Variables as users meet them: objects over the state ops, their scopes, initializers, partitions and averages."""
