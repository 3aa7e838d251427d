"""What the graph knows of what a resource or variant tensor holds."""

from __future__ import annotations

from collections.abc import Sequence

from runstep.graph.dtypes import DType
from runstep.graph.shapes import RawShape, common
from runstep.graph.tensor import Tensor

HandleData = tuple[tuple[RawShape, DType], ...]
"""What the resource of a handle holds: (raw shape, dtype) of each value; one pair for a variable or a list."""

_PASSING = frozenset(
    ("Identity", "Enter", "Exit", "RefIdentity", "Switch", "Merge", "PreventGradient", "StopGradient", "IdentityN")
)


def handle_data(tensor: Tensor) -> HandleData | None:
    """What is known statically about what `tensor` holds; None where nothing is.

    Looks through the ops that pass a value on. Of a Merge the first input counts: the other may be a loop's back edge.
    """
    data: HandleData | None = tensor._handle_data
    while data is None and tensor.op.type in _PASSING:
        position = tensor.value_index if tensor.op.type == "IdentityN" else 0
        tensor = tensor.op.inputs[position]
        data = tensor._handle_data
    return data


def common_data(tensors: Sequence[Tensor]) -> HandleData | None:
    """What is known of a tensor that is one of these."""
    found = [tensor._handle_data for tensor in tensors]
    first = found[0]
    if first is None or any(data is None or len(data) != len(first) for data in found):
        return None
    pairs = list(zip(*(data for data in found if data is not None), strict=True))
    if any(dtype is not alike[0][1] for alike in pairs for _, dtype in alike):
        return None
    return tuple((common([raw for raw, _ in alike]), alike[0][1]) for alike in pairs)


def type_text(dtype: DType) -> str:
    """A dtype as TensorFlow's shape functions print it: `float` for float32."""
    return {"float32": "float", "float64": "double", "float16": "half"}.get(dtype.name, dtype.name)
