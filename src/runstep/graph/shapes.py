"""Static shapes: the raw form that rules compute with, and TensorFlow's `TensorShape` and `Dimension` over it.

A *raw* shape is a tuple of `int | None` (None: size not known), or None when even the rank is not known. Shape rules
see only raw shapes and raise ValueError with the phrases of TensorFlow's shape functions; the graph adds the node.
`TensorShape` behaves as TensorFlow 1's: indexing and iterating give `Dimension` objects.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias, overload

RawShape: TypeAlias = tuple[int | None, ...] | None


# --- raw shapes ---------------------------------------------------------------------------------------------------


def _size(value: Any) -> int | None:
    if value is None:
        return None
    if type(value) is Dimension:
        return value.value
    try:
        size = operator.index(value)
    except AttributeError:
        size = None
    except TypeError as error:
        if hasattr(type(value), "__index__"):
            raise
        raise TypeError(
            "Dimension value must be integer or None or have an __index__ method, "
            f"got value '{value!r}' with type '{type(value)!r}'"
        ) from error
    if size is not None and size < 0:
        raise ValueError(f"Dimension {size} must be >= 0")
    return size


def as_raw(shape: Any) -> RawShape:
    """The raw form of anything that `TensorShape(...)` takes. TypeError or ValueError as TensorShape raises them."""
    if shape is None:
        return None
    kind = type(shape)
    if kind is TensorShape:
        return shape.raw
    if kind is tuple or kind is list:
        for size in shape:
            if size is not None and (type(size) is not int or size < 0):
                return tuple([_size(size) for size in shape])
        return tuple(shape)
    if hasattr(shape, "unknown_rank"):  # a TensorShapeProto, of any protobuf library
        return from_proto(shape)
    if kind is str:
        for letter in shape:
            raise TypeError(
                f"Failed to convert '{shape!r}' to a shape: '{letter!r}'could not be converted to a dimension. A shape "
                "should either be single dimension (e.g. 10), or an iterable of dimensions (e.g. [1, 10, None])."
            )
    try:
        sizes = iter(shape)
    except TypeError:
        return (_size(shape),)
    return tuple([_size(size) for size in sizes])


def from_proto(proto: Any) -> RawShape:
    """The raw form of a TensorShapeProto. ValueError for a size below -1."""
    if proto.unknown_rank:
        return None
    return tuple([None if dim.size == -1 else _size(dim.size) for dim in proto.dim])


def to_proto(raw: RawShape) -> Any:
    """A TensorShapeProto of `raw`; -1 stands for an unknown size."""
    from runstep.protos import tensor_shape_pb2  # kept lazy: the rules need no protobuf

    if raw is None:
        return tensor_shape_pb2.TensorShapeProto(unknown_rank=True)
    proto = tensor_shape_pb2.TensorShapeProto()
    add = proto.dim.add
    for size in raw:
        add(size=-1 if size is None else size)
    return proto


def text(raw: RawShape) -> str:
    """`raw` as TensorFlow's shape functions print it: `[2,?]`, `?` for unknown rank."""
    if raw is None:
        return "?"
    return "[" + ",".join(["?" if size is None else str(size) for size in raw]) + "]"


def num_elements(raw: RawShape) -> int | None:
    """How many elements, or None when that is not known."""
    if raw is None:
        return None
    count = 1
    for size in raw:
        if size is None:
            return None
        count *= size
    return count


def is_fully_defined(raw: RawShape) -> bool:
    """True if the rank and every size are known."""
    return raw is not None and None not in raw


def is_compatible(a: RawShape, b: RawShape) -> bool:
    """True if one tensor could have both shapes."""
    if a is None or b is None:
        return True
    if len(a) != len(b):
        return False
    for x, y in zip(a, b, strict=True):
        if x is not None and y is not None and x != y:
            return False
    return True


def merge_size(a: int | None, b: int | None) -> int | None:
    """What is known about a size that is both `a` and `b`. ValueError if they differ."""
    if a is None or a == b:
        return b
    if b is None:
        return a
    raise ValueError(f"Dimensions must be equal, but are {a} and {b}")


def merge(a: RawShape, b: RawShape) -> RawShape:
    """What is known about a shape that is both `a` and `b`. ValueError if no tensor can have both."""
    if a is None or a == b:
        return b
    if b is None:
        return a
    if len(a) != len(b):
        raise ValueError(f"Shapes must be equal rank, but are {len(a)} and {len(b)}")
    merged = []
    for axis, (x, y) in enumerate(zip(a, b, strict=True)):
        if x is not None and y is not None and x != y:
            raise ValueError(
                f"Dimension {axis} in both shapes must be equal, but are {x} and {y}. "
                f"Shapes are {text(a)} and {text(b)}."
            )
        merged.append(y if x is None else x)
    return tuple(merged)


def common(raws: Sequence[RawShape]) -> RawShape:
    """The narrowest shape that all of these are cases of: None for a size, or a rank, that they differ in."""
    first = raws[0]
    if any(raw is None or first is None or len(raw) != len(first) for raw in raws):
        return None
    return tuple(sizes[0] if len(set(sizes)) == 1 else None for sizes in zip(*raws, strict=True))


def broadcast(a: RawShape, b: RawShape) -> RawShape:
    """The shape of an elementwise result. ValueError if the shapes do not broadcast."""
    if a is None or b is None:
        return None
    if a == b and None not in a:
        return a
    longer, shorter = (a, b) if len(a) >= len(b) else (b, a)
    lead = len(longer) - len(shorter)
    sizes = list(longer[:lead])
    for x, y in zip(longer[lead:], shorter, strict=True):
        if x == 1:
            sizes.append(y)
        elif y == 1 or x == y:
            sizes.append(x)
        elif x is None:
            # An unknown size can only be 1 or the other size, unless that one is 0.
            sizes.append(y if y else None)
        elif y is None:
            sizes.append(x if x else None)
        else:
            x, y = (x, y) if longer is a else (y, x)
            raise ValueError(f"Dimensions must be equal, but are {x} and {y}")
    return tuple(sizes)


def with_rank(raw: RawShape, rank: int) -> tuple[int | None, ...]:
    """`raw`, known to have `rank` axes. ValueError if it has another number of them."""
    if raw is None:
        return (None,) * rank
    if len(raw) != rank:
        raise ValueError(f"Shape must be rank {rank} but is rank {len(raw)}")
    return raw


def with_rank_at_least(raw: RawShape, rank: int) -> RawShape:
    """`raw`, or ValueError if it has fewer than `rank` axes."""
    if raw is not None and len(raw) < rank:
        raise ValueError(f"Shape must be at least rank {rank} but is rank {len(raw)}")
    return raw


def with_rank_at_most(raw: RawShape, rank: int) -> RawShape:
    """`raw`, or ValueError if it has more than `rank` axes."""
    if raw is not None and len(raw) > rank:
        raise ValueError(f"Shape must be at most rank {rank} but is rank {len(raw)}")
    return raw


# --- TensorFlow's classes -----------------------------------------------------------------------------------------


class Dimension:
    """One size of a TensorShape, `value` an int or None. Mirrors `tf.compat.v1.Dimension`.

    Arithmetic with an unknown size is unknown; a comparison with one is None, neither true nor false.
    """

    __slots__ = ("value",)
    __hash__ = None  # type: ignore[assignment]
    value: int | None

    def __init__(self, value: Any) -> None:
        self.value = _size(value)

    def __repr__(self) -> str:
        return f"Dimension({self.value!r})"

    def __str__(self) -> str:
        return "?" if self.value is None else str(self.value)

    def __reduce__(self) -> tuple[Any, ...]:
        return Dimension, (self.value,)

    def __bool__(self) -> bool:
        return bool(self.value)

    def __int__(self) -> int:
        return self.value  # type: ignore[return-value]  # Python raises the TypeError for None

    def __index__(self) -> int:
        return self.value  # type: ignore[return-value]

    def __eq__(self, other: Any) -> bool | None:  # type: ignore[override]
        try:
            size = _size(other)
        except (TypeError, ValueError):
            return NotImplemented
        return None if self.value is None or size is None else self.value == size

    def __ne__(self, other: Any) -> bool | None:  # type: ignore[override]
        try:
            size = _size(other)
        except (TypeError, ValueError):
            return NotImplemented
        return None if self.value is None or size is None else self.value != size

    def __lt__(self, other: Any) -> bool | None:
        size = _size(other)
        return None if self.value is None or size is None else self.value < size

    def __le__(self, other: Any) -> bool | None:
        size = _size(other)
        return None if self.value is None or size is None else self.value <= size

    def __gt__(self, other: Any) -> bool | None:
        size = _size(other)
        return None if self.value is None or size is None else self.value > size

    def __ge__(self, other: Any) -> bool | None:
        size = _size(other)
        return None if self.value is None or size is None else self.value >= size

    def __add__(self, other: Any) -> Dimension:
        return self._compute(operator.add, other)

    def __radd__(self, other: Any) -> Dimension:
        return self + other

    def __sub__(self, other: Any) -> Dimension:
        return self._compute(operator.sub, other)

    def __rsub__(self, other: Any) -> Dimension:
        return Dimension(other) - self

    def __mul__(self, other: Any) -> Dimension:
        return self._compute(operator.mul, other)

    def __rmul__(self, other: Any) -> Dimension:
        return self * other

    def __floordiv__(self, other: Any) -> Dimension:
        return self._compute(operator.floordiv, other)

    def __rfloordiv__(self, other: Any) -> Dimension:
        return Dimension(other) // self

    __div__ = __floordiv__
    __rdiv__ = __rfloordiv__

    def __mod__(self, other: Any) -> Dimension:
        return self._compute(operator.mod, Dimension(other))

    def __rmod__(self, other: Any) -> Dimension:
        return Dimension(other) % self

    def __truediv__(self, other: Any) -> Dimension:
        raise TypeError(
            f"unsupported operand type(s) for /: 'Dimension' and '{type(other).__name__}', please use // instead"
        )

    def __rtruediv__(self, other: Any) -> Dimension:
        raise TypeError(
            f"unsupported operand type(s) for /: '{type(other).__name__}' and 'Dimension', please use // instead"
        )

    def _compute(self, function: Any, other: Any) -> Dimension:
        try:
            size = _size(other)
        except (TypeError, ValueError):
            return NotImplemented
        return Dimension(None if self.value is None or size is None else function(self.value, size))

    def is_compatible_with(self, other: Any) -> bool:
        """True if the sizes are equal or one is unknown."""
        size = _size(other)
        return self.value is None or size is None or self.value == size

    def assert_is_compatible_with(self, other: Any) -> None:
        """ValueError unless `is_compatible_with(other)`."""
        if not self.is_compatible_with(other):
            raise ValueError(f"Dimensions {self} and {other} are not compatible")

    def merge_with(self, other: Any) -> Dimension:
        """The known one of the two sizes. ValueError if both are known and differ."""
        self.assert_is_compatible_with(other)
        return Dimension(_size(other) if self.value is None else self.value)


class TensorShape:
    """A static shape. Mirrors `tf.compat.v1.TensorShape` with TensorFlow 1 behaviour; immutable.

    `dims` is None for an unknown rank, an iterable of sizes (None: unknown), one size, a TensorShapeProto or a
    TensorShape. Inside runstep use `raw` and `from_raw`.
    """

    __slots__ = ("raw",)
    raw: RawShape

    def __init__(self, dims: Any) -> None:
        self.raw = as_raw(dims)

    @classmethod
    def from_raw(cls, raw: RawShape) -> TensorShape:
        """A TensorShape of a raw shape, unchecked."""
        shape = cls.__new__(cls)
        shape.raw = raw
        return shape

    @property
    def _dims(self) -> RawShape:
        return self.raw

    @property
    def rank(self) -> int | None:
        """The number of axes, or None."""
        return None if self.raw is None else len(self.raw)

    ndims = rank

    @property
    def dims(self) -> list[Dimension] | None:
        """The axes as a list of Dimension, or None."""
        return None if self.raw is None else [Dimension(size) for size in self.raw]

    def __repr__(self) -> str:
        return f"TensorShape({self.dims})"

    def __str__(self) -> str:
        if self.raw is None:
            return "<unknown>"
        sizes = ["?" if size is None else str(size) for size in self.raw]
        return f"({sizes[0]},)" if len(sizes) == 1 else "(" + ", ".join(sizes) + ")"

    def __len__(self) -> int:
        if self.raw is None:
            raise ValueError("Cannot take the length of shape with unknown rank.")
        return len(self.raw)

    def __bool__(self) -> bool:
        return self.raw is not None

    def __iter__(self) -> Iterator[Dimension]:
        if self.raw is None:
            raise ValueError("Cannot iterate over a shape with unknown rank.")
        return iter([Dimension(size) for size in self.raw])

    @overload
    def __getitem__(self, key: slice) -> TensorShape: ...
    @overload
    def __getitem__(self, key: Any) -> Dimension: ...
    def __getitem__(self, key: Any) -> TensorShape | Dimension:
        raw = self.raw
        if raw is not None:
            if isinstance(key, slice):
                return TensorShape.from_raw(raw[key])
            return Dimension(list(raw)[key])
        if not isinstance(key, slice):
            return Dimension(None)
        if key.step is not None:
            raise ValueError("Steps are not yet handled")
        start = 0 if key.start is None else operator.index(key.start)
        stop = -1 if key.stop is None else operator.index(key.stop)
        # An end counted from the back says nothing about the rank.
        return TensorShape.from_raw(None if start < 0 or stop < 0 else (None,) * (stop - start))

    def __add__(self, other: Any) -> TensorShape:
        return self.concatenate(other)

    def __radd__(self, other: Any) -> TensorShape:
        return TensorShape(other).concatenate(self)

    def __eq__(self, other: Any) -> bool:
        try:
            return self.raw == as_raw(other)
        except TypeError:
            return NotImplemented

    def __hash__(self) -> int:
        return hash(self.raw)

    def __reduce__(self) -> tuple[Any, ...]:
        return TensorShape, (self.dims,)

    def num_elements(self) -> int | None:
        """How many elements, or None when that is not known."""
        return num_elements(self.raw)

    def is_fully_defined(self) -> bool:
        """True if the rank and every size are known."""
        return is_fully_defined(self.raw)

    def assert_is_fully_defined(self) -> None:
        """ValueError unless `is_fully_defined()`."""
        if not self.is_fully_defined():
            raise ValueError(f"Shape {self} is not fully defined")

    def as_list(self) -> list[int | None]:
        """The sizes as a list of int or None. ValueError for an unknown rank."""
        if self.raw is None:
            raise ValueError("as_list() is not defined on an unknown TensorShape.")
        return list(self.raw)

    def as_proto(self) -> Any:
        """A TensorShapeProto of this shape."""
        return to_proto(self.raw)

    def is_compatible_with(self, other: Any) -> bool:
        """True if one tensor could have both shapes."""
        return is_compatible(self.raw, as_raw(other))

    def assert_is_compatible_with(self, other: Any) -> None:
        """ValueError unless `is_compatible_with(other)`."""
        if not self.is_compatible_with(other):
            raise ValueError(f"Shapes {self} and {other} are incompatible")

    def merge_with(self, other: Any) -> TensorShape:
        """What is known from either. ValueError if no tensor can have both shapes."""
        other = TensorShape(other)
        if self.raw is None:
            return other
        if other.raw is None:
            return self
        if not is_compatible(self.raw, other.raw):
            raise ValueError(f"Shapes {self} and {other} are not compatible")
        return TensorShape.from_raw(merge(self.raw, other.raw))

    def concatenate(self, other: Any) -> TensorShape:
        """The axes of this shape, then those of `other`; unknown if either rank is."""
        raw = as_raw(other)
        return TensorShape.from_raw(None if self.raw is None or raw is None else self.raw + raw)

    def assert_same_rank(self, other: Any) -> None:
        """ValueError if both ranks are known and differ."""
        other = TensorShape(other)
        if self.raw is not None and other.raw is not None and len(self.raw) != len(other.raw):
            raise ValueError(f"Shapes {self} and {other} must have the same rank")

    def assert_has_rank(self, rank: int | None) -> None:
        """ValueError if the rank is known and is not `rank`."""
        if rank is not None and self.raw is not None and len(self.raw) != rank:
            raise ValueError(f"Shape {self} must have rank {rank}")

    def with_rank(self, rank: int | None) -> TensorShape:
        """This shape, known to have `rank` axes. ValueError if it has another number of them."""
        try:
            return self.merge_with(unknown_shape(rank=rank))
        except ValueError:
            raise ValueError(f"Shape {self} must have rank {rank}") from None

    def with_rank_at_least(self, rank: int) -> TensorShape:
        """This shape, or ValueError if it has fewer than `rank` axes."""
        if self.raw is not None and len(self.raw) < rank:
            raise ValueError(f"Shape {self} must have rank at least {rank}")
        return self

    def with_rank_at_most(self, rank: int) -> TensorShape:
        """This shape, or ValueError if it has more than `rank` axes."""
        if self.raw is not None and len(self.raw) > rank:
            raise ValueError(f"Shape {self} must have rank at most {rank}")
        return self

    def most_specific_compatible_shape(self, other: Any) -> TensorShape:
        """The narrowest shape that both are cases of: sizes that differ become unknown."""
        return TensorShape.from_raw(common([self.raw, as_raw(other)]))

    def most_specific_common_supertype(self, others: Iterable[TensorShape]) -> TensorShape:
        """The narrowest shape that this one and all of `others` are cases of."""
        shape = self
        for other in others:
            shape = shape.most_specific_compatible_shape(other)
        return shape

    def is_subtype_of(self, other: TensorShape) -> bool:
        """True if every tensor of this shape also has the shape `other`."""
        if other.raw is None:
            return True
        if self.raw is None or len(self.raw) != len(other.raw):
            return False
        return all(y is None or x == y for x, y in zip(self.raw, other.raw, strict=True))


def as_shape(shape: Any) -> TensorShape:
    """`shape` as a TensorShape; the same object if it is one."""
    return shape if type(shape) is TensorShape else TensorShape(shape)


def as_dimension(value: Any) -> Dimension:
    """`value` as a Dimension; the same object if it is one."""
    return value if type(value) is Dimension else Dimension(value)


def unknown_shape(rank: int | None = None) -> TensorShape:
    """A shape of unknown sizes, or of unknown rank."""
    return TensorShape.from_raw(None if rank is None else (None,) * rank)


def scalar() -> TensorShape:
    """The shape of a scalar."""
    return TensorShape.from_raw(())


def dimension_value(dimension: Any) -> Any:
    """The int or None of a Dimension; everything else as it is. Mirrors `tf.compat.dimension_value`."""
    return dimension.value if type(dimension) is Dimension else dimension


def dimension_at_index(shape: TensorShape, index: int) -> Dimension:
    """`shape`'s Dimension at `index`, unknown for an unknown rank. Mirrors `tf.compat.dimension_at_index`."""
    return Dimension(None if shape.raw is None else shape.raw[index])
