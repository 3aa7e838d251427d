"""`check_grads(row)`: the gradient of one row against TensorFlow's and against finite differences.

    ROWS = [grad_case("Conv2D", real(1, 5, 5, 2), real(3, 3, 2, 4), strides=[1, 1, 1, 1], padding="SAME")]

    @pytest.mark.parametrize("row", ROWS, ids=str)
    def test_gradients(row): check_grads(row)

The forward graph is built by runstep and exported, TensorFlow imports it, and both differentiate it: of one graph the
gradients must have the same static shapes, dtypes and values, first and second order. In float64 and complex128 they
are also compared with central differences, which know nothing of TensorFlow.
"""

from __future__ import annotations

import itertools
import types as python_types
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import attrs
import numpy as np

from runstep.gradients import backprop
from runstep.graph import dtypes
from runstep.graph.convert import constant_node
from runstep.graph.dtypes import DType
from runstep.graph.graph import Graph
from runstep.graph.tensor import Tensor
from runstep.ops.basic import placeholder
from runstep.session.session import Session
from runstep.testing import gradient_sides as sides, oracle, subject
from runstep.testing.combinations import combinations
from runstep.testing.compare import differences
from runstep.testing.rows import Case, Instance, Tolerance, case
from runstep.testing.values import as_spec

Array = Any
DIFFERENTIABLE = tuple(map(dtypes.as_dtype, "float32 float64 complex64 complex128 float16 bfloat16".split()))
"""What can have a gradient at all."""
_USUAL = DIFFERENTIABLE[:4]
_OURS = python_types.SimpleNamespace(gradients=backprop.gradients, placeholder=placeholder, Session=Session)
_STEP = 1e-6
_CLOSE = 2e-6


class GradCase:
    """One row. Made by `grad_case`, whose docstring describes the fields."""

    def __init__(
        self,
        row: Case,
        function: Callable[..., Any] | None,
        *,
        wrt: Sequence[int] | None,
        outputs: Sequence[int] | None,
        order: int,
        numeric: bool | int,
        beyond: bool,
        known: Sequence[bool],
    ) -> None:
        self.row = row
        self.function = function
        self.wrt = wrt
        self.outputs = outputs
        self.order = order
        self.numeric = int(order if numeric is True else numeric)
        self.beyond = beyond
        self.known = tuple(known)

    def __str__(self) -> str:
        places = "" if self.wrt is None else f"-wrt{','.join(map(str, self.wrt))}"
        return f"{self.row}{places}"

    __repr__ = __str__


def grad_case(
    what: str | Callable[..., Any] | Case,
    /,
    *inputs: Any,
    wrt: Sequence[int] | None = None,
    outputs: Sequence[int] | None = None,
    order: int = 2,
    numeric: bool | int = True,
    beyond: bool = False,
    known: Sequence[bool] = (True, False),
    types: Mapping[str, Sequence[Any]] | None = None,
    rtol: Tolerance = None,
    atol: Tolerance = None,
    error: type[BaseException] | None = None,
    name: str | None = None,
    **attrs: Any,
) -> GradCase:
    """A row: the gradient of `what` is TensorFlow's, and true.

    Args:
      what: an op type; a forward row (`case(...)`), which then says inputs and attributes; or a function of tensors
        that returns a tensor or several, in the graph that it is called in.
      inputs: as for `case`: descriptions (`real(2, 3)`) and literals (`[0, 1]`), lists of them for list arguments.
      wrt: places in the flat list of inputs to differentiate in; all that are floating or complex and no literal.
      outputs: places of the outputs whose gradient is given; all that are floating or complex.
      order: 1, or 2 for the gradient of the gradient too.
      numeric: whether central differences are compared; a number for only as many orders.
      beyond: TensorFlow has no gradient here (or a wrong one): central differences alone decide.
      known: whether static shapes and literals are known; by default both ways, the second in the first dtype only.
      types: by type attribute, the dtypes to try; of an op all of its kernels' that can be differentiated but half and
        bfloat16. For a function, `{"T": [...]}` says the dtypes of all inputs that have none of their own.
      rtol, atol: as for `case`.
      error: what building the gradient raises in both (LookupError where nobody has said what it is).
      name: replaces inputs and attributes in the row's id.
      attrs: attributes of the op.
    """
    function = None
    if isinstance(what, Case):
        row = what
        if types or attrs or inputs:
            raise TypeError(f"{row}: a forward row has its inputs, attributes and types already")
    elif isinstance(what, str):
        row = case(what, *inputs, rtol=rtol, atol=atol, error=error, types=types, name=name, **attrs)
    else:
        function = what
        label = name or getattr(what, "__name__", "function").strip("_<>")
        row = case(label, *inputs, rtol=rtol, atol=atol, error=error, types=types, name=name and "function")
    return GradCase(row, function, wrt=wrt, outputs=outputs, order=order, numeric=numeric, beyond=beyond, known=known)


@attrs.define(eq=False)
class _Trial:
    """A row in one combination of dtypes, with or without static knowledge: its nodes, its values."""

    row: GradCase
    text: str
    values: list[Array]
    kinds: list[DType]
    xs: list[Tensor] = attrs.field(factory=list)
    ys: list[Tensor] = attrs.field(factory=list)
    feeds: dict[str, Array] = attrs.field(factory=dict)

    def named(self) -> sides.Names:
        return sides.Names([x.name for x in self.xs], [y.name for y in self.ys], self.row.order)


def check_grads(row: GradCase | Case, **options: Any) -> None:
    """Raises AssertionError, naming the combination of dtypes, where the gradient of `row` is not TensorFlow's.

    Compared are, of first and second order: what is None and what is IndexedSlices, static shapes, dtypes and values;
    in float64 and complex128 also the directional derivatives by central differences.

    Args:
      row: of `grad_case`; or a forward row, with what else `grad_case` takes as `options`.

    Raises:
      ImportError: TensorFlow is not installed.
      LookupError: no row for the op, or no dtypes to try.
    """
    if isinstance(row, Case):
        row = grad_case(row, **options)
    problems: list[str] = []
    trials: list[_Trial] = []
    graph = Graph()
    with graph.as_default():
        for known in row.known:
            found = _trials(row, graph, known)
            # What is done about unknown shapes does not depend on dtypes: one will do.
            trials += found if known or len(row.known) == 1 else itertools.islice(found, 1)
    definition = graph.as_graph_def().SerializeToString()
    ours = sides.differentiate(_OURS, graph, [(trial.named(), trial.feeds) for trial in trials])
    theirs: Sequence[sides.Answer | None] = [None] * len(trials)
    if not row.beyond:
        theirs = sides.tensorflows(definition, [(trial.named(), trial.feeds) for trial in trials])
    for trial, mine, want in zip(trials, ours, theirs, strict=True):
        problems += _compare(trial, mine, want)
    if not any(answer is None or answer.ran for answer in theirs) and row.row.error is None:
        problems.append(f"{row}: TensorFlow has no value in any dtype: {theirs[0]}")
    if not problems:
        for trial, mine in zip(trials, ours, strict=True):
            problems += _against_differences(trial, mine, graph)
    if problems:
        more = f"\n... and {len(problems) - 10} more" if len(problems) > 10 else ""
        raise AssertionError("\n".join(problems[:10]) + more)


# --- building -----------------------------------------------------------------------------------------------------


def _trials(row: GradCase, graph: Graph, known: bool) -> Iterator[_Trial]:
    said = "shapes known" if known else "nothing known"
    if row.function is not None:
        specs = [as_spec(value) for value in row.row.inputs]
        for kind in row.row.types.get("T", dtypes_of_function(row)):
            rng = np.random.default_rng(row.row.seed)
            kinds = [spec.dtype or (spec.natural if spec.is_literal else kind) for spec in specs]
            values = [spec(kind, rng) for spec, kind in zip(specs, kinds, strict=True)]
            trial = _Trial(row, f"{row} [{kind.name}], {said}", values, kinds)
            literal = [spec.is_literal for spec in specs]
            tensors = _inputs(trial, graph, known, literal)
            made = row.function(*tensors)
            yield _finish(trial, tensors, made if isinstance(made, (list, tuple)) else [made], literal)
        return
    op_def = subject.op_def(row.row.op)
    for types in combinations(_narrowed(row.row, op_def), op_def):
        instance = Instance(row.row, op_def, types)
        trial = _Trial(row, f"{instance}, {said}", instance.values(), instance.input_types)
        literal = [instance.is_literal(index) for index in range(len(instance.specs))]
        tensors = _inputs(trial, graph, known, literal)
        op = graph.create_op(row.row.op, tensors, attrs=instance.attrs)
        yield _finish(trial, tensors, op.outputs, literal)


def dtypes_of_function(row: GradCase) -> Sequence[DType]:
    """Those in which a function is tried: one if its inputs all say their own, else float32 and float64."""
    free = any(spec.dtype is None and not spec.is_literal for spec in map(as_spec, row.row.inputs))
    return _USUAL[:2] if free else _USUAL[:1]


def _narrowed(row: Case, op_def: Any) -> Case:
    """The row without half and bfloat16, where it does not ask for them: their rounding hides what is compared."""
    types = dict(row.types)
    for name, attr in op_def.attrs.items():
        if attr.kind != "type" or name in types or name in row.attrs:
            continue
        floats = [kind for kind in _USUAL if attr.allowed is None or kind in attr.allowed]
        if floats and _is_data(op_def, name):
            types[name] = tuple(floats)
    return Case(
        row.op,
        row.inputs,
        row.attrs,
        rtol=row.rtol,
        atol=row.atol,
        error=row.error,
        types=types,
        name=row.name,
        stateful=row.stateful,
    )


def _is_data(op_def: Any, name: str) -> bool:
    return any(arg.type_attr == name for arg in (*op_def.inputs, *op_def.outputs))


def _inputs(trial: _Trial, graph: Graph, known: bool, literal: Sequence[bool]) -> list[Tensor]:
    tensors = []
    for index, (value, kind, fixed) in enumerate(zip(trial.values, trial.kinds, literal, strict=True)):
        if fixed and known and index not in (trial.row.wrt or ()):
            tensors.append(constant_node(value.copy(), kind))
            continue
        shape = value.shape if known else None
        tensor = graph.create_op("Placeholder", [], attrs={"dtype": kind, "shape": shape}).outputs[0]
        trial.feeds[tensor.name] = value
        tensors.append(tensor)
    return tensors


def _finish(trial: _Trial, tensors: Sequence[Tensor], made: Sequence[Tensor], literal: Sequence[bool]) -> _Trial:
    row = trial.row
    wrt = row.wrt
    if wrt is None:
        wrt = [place for place, t in enumerate(tensors) if t.dtype.base_dtype in DIFFERENTIABLE and not literal[place]]
    outputs = row.outputs
    if outputs is None:
        outputs = [place for place, t in enumerate(made) if t.dtype.base_dtype in DIFFERENTIABLE]
    trial.xs = [tensors[place] for place in wrt]
    trial.ys = [made[place] for place in outputs]
    return trial


# --- comparing ----------------------------------------------------------------------------------------------------


def _compare(trial: _Trial, ours: sides.Answer, theirs: sides.Answer | None) -> Iterator[str]:
    row = trial.row.row
    wanted = row.error.__name__ if row.error is not None else None
    if theirs is None:
        if (wrong := ours.error or ours.failure) is not None:
            yield f"{trial.text}: raised {sides.brief(wrong)}"
        return
    for what, one, other in (
        ("building", ours.error, theirs.error),
        ("running", ours.failure, None if oracle.no_kernel(theirs.failure) else theirs.failure),
    ):
        if type(one).__name__ != type(other).__name__:
            yield f"{trial.text}: {what} raised {sides.brief(one)}, TensorFlow raised {sides.brief(other)}"
    if wanted is not None and wanted not in (type(theirs.error).__name__, type(theirs.failure).__name__):
        yield f"{trial.text}: TensorFlow does not raise {wanted}: {theirs}"
    for order, (mine, want) in enumerate(zip(ours.orders, theirs.orders, strict=False), 1):
        for index, (a, b) in enumerate(zip(mine, want, strict=True)):
            where = f"{trial.text}: gradient {index} of order {order}"
            if a.form != b.form:
                yield f"{where} is {a.form}, TensorFlow's {b.form}"
            elif a.shapes != b.shapes:
                yield f"{where} has static shape {a.shapes}, TensorFlow's {b.shapes}"
            elif a.values is not None and b.values is not None:
                for x, y in zip(a.values, b.values, strict=True):
                    if found := differences(x, y, dtypes.as_dtype(np.asarray(y).dtype), row.rtol, row.atol):
                        yield f"{where}: {found}"


def _against_differences(trial: _Trial, answer: sides.Answer, graph: Graph) -> Iterator[str]:
    wide = {dtypes.float64, dtypes.complex128}
    if not all(tensor.dtype.base_dtype in wide for tensor in (*trial.xs, *trial.ys)):
        return
    for order in range(1, min(trial.row.numeric, len(answer.orders)) + 1):
        at = answer.stages[order - 1]
        found = answer.orders[order - 1]
        if any(one.values is None for one in found if one.form != "None"):
            continue
        with Session(graph=graph) as session:
            yield from _directions(trial, order, at, found, session)


def _directions(
    trial: _Trial, order: int, at: sides.Stage, found: Sequence[sides.Gradient], session: Any
) -> Iterator[str]:
    rng = np.random.default_rng(trial.row.row.seed)

    def weighed(feeds: Mapping[Any, Array]) -> float:
        outs = session.run(at.outputs, feeds)
        pairs = zip(at.weights, outs, strict=True)
        return float(sum(np.sum(np.conj(weight) * np.asarray(out)).real for weight, out in pairs))

    for index, (place, one) in enumerate(zip(at.inputs, found, strict=True)):
        value = at.feeds[place]
        direction = _drawn(rng, value)
        with np.errstate(all="ignore"):
            ahead = weighed({**at.feeds, place: value + _STEP * direction})
            behind = weighed({**at.feeds, place: value - _STEP * direction})
            slope = (ahead - behind) / (2 * _STEP)
            said = 0.0 if one.form == "None" else float(np.sum(np.conj(one.dense(value)) * direction).real)
        size = max(1.0, abs(slope), abs(said))
        if np.isfinite(slope) and not abs(slope - said) <= _CLOSE * size:
            yield (
                f"{trial.text}: gradient {index} of order {order}: along a random direction it is {said}, central "
                f"differences say {slope}"
            )


def _drawn(rng: np.random.Generator, like: Array) -> Array:
    drawn = rng.uniform(-1, 1, like.shape)
    return drawn + 1j * rng.uniform(-1, 1, like.shape) if like.dtype.kind == "c" else drawn
