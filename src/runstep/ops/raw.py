"""`tf.raw_ops`: every op by its own name and arguments, read off its row (source: tf.raw_ops)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runstep.graph.apply import apply, apply_named
from runstep.ops import registry

_AXIS = dict.fromkeys("All Any EuclideanNorm Max Mean Min Prod Sum".split(), {"axis": "reduction_indices"})
_OTHER_NAMES: dict[str, dict[str, str]] = _AXIS | {
    "ExpandDims": {"axis": "dim"},
    "Select": {"x": "t", "y": "e"},
    "Split": {"axis": "split_dim"},
    "SplitV": {"axis": "split_dim"},
    "Squeeze": {"axis": "squeeze_dims"},
    "Where": {"condition": "input"},
}
"""Arguments that Python calls otherwise than the op's definition, by op."""


class _RawOps:
    """`raw_ops.Pack(values=[x, y], axis=1)`: inputs and attributes by keyword. Several outputs are a namedtuple."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        op_def = registry.get(name)
        if op_def is None:
            raise AttributeError(f"There is no op {name!r}")
        names = [arg.name for arg in op_def.inputs]

        def raw(*, name: str | None = None, **kwargs: Any) -> Any:
            for argument, defined in _OTHER_NAMES.get(op_def.name, {}).items():
                if argument in kwargs:
                    kwargs[defined] = kwargs.pop(argument)
            missing = [arg for arg in names if arg not in kwargs]
            if missing:
                raise TypeError(f"{op_def.name} is missing the argument(s) {', '.join(missing)}")
            inputs = [kwargs.pop(arg) for arg in names]
            build = apply_named if len(op_def.outputs) > 1 else apply
            return build(op_def.name, *inputs, name=name, **kwargs)

        raw.__name__ = raw.__qualname__ = op_def.name
        return raw

    def __dir__(self) -> list[str]:
        import runstep.ops.table  # noqa: F401

        return sorted(registry.names())


raw_ops = _RawOps()
