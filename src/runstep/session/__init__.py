"""Sessions: the thin face over engines. Requests are mapped to tensors here, and errors get their place and cure."""
