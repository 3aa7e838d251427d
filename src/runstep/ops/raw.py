"""`tf.raw_ops`: every op by its own name and arguments, read off its row (source: tf.raw_ops)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runstep.graph.apply import apply
from runstep.ops import registry


class _RawOps:
    """`raw_ops.Pack(values=[x, y], axis=1)`: inputs and attributes by keyword."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        op_def = registry.get(name)
        if op_def is None:
            raise AttributeError(f"There is no op {name!r}")
        names = [arg.name for arg in op_def.inputs]

        def raw(*, name: str | None = None, **kwargs: Any) -> Any:
            missing = [arg for arg in names if arg not in kwargs]
            if missing:
                raise TypeError(f"{op_def.name} is missing the argument(s) {', '.join(missing)}")
            inputs = [kwargs.pop(arg) for arg in names]
            return apply(op_def.name, *inputs, name=name, **kwargs)

        raw.__name__ = raw.__qualname__ = op_def.name
        return raw

    def __dir__(self) -> list[str]:
        import runstep.ops.table  # noqa: F401

        return sorted(registry.names())


raw_ops = _RawOps()
