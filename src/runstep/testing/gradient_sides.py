"""Differentiating a graph by `tf.gradients`, whichever library `tf` is: the same code asks runstep and TensorFlow."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs
import numpy as np

from runstep.testing import oracle

Array = Any


@attrs.frozen
class Names:
    """What to differentiate: names of tensors, and how often."""

    xs: list[str]
    ys: list[str]
    order: int


@attrs.define(eq=False)
class Gradient:
    """One gradient: `form` is "None", a dtype, or that of IndexedSlices; the values come when it has run."""

    form: str
    shapes: tuple[Any, ...]
    tensors: list[Any]
    values: list[Array] | None = None

    def dense(self, like: Array) -> Array:
        """The value in the shape of `like`, slices added up."""
        assert self.values is not None
        if len(self.values) == 1:
            return self.values[0]
        total = np.zeros(like.shape, self.values[0].dtype)
        np.add.at(total, self.values[1], self.values[0])
        return total


@attrs.define(eq=False)
class Stage:
    """A function that is differentiated: what it takes, what it gives, and the weights (grad_ys) of what it gives."""

    inputs: list[Any]
    outputs: list[Any]
    feeds: dict[Any, Array]
    weights: list[Array] = attrs.field(factory=list)


@attrs.define(eq=False)
class Answer:
    """The gradients by order, as far as they went; what building one more raised, and what running them raised."""

    orders: list[list[Gradient]] = attrs.field(factory=list)
    stages: list[Stage] = attrs.field(factory=list)
    error: Exception | None = None
    failure: Exception | None = None

    @property
    def ran(self) -> bool:
        """Whether there is a value."""
        return any(one.values is not None for order in self.orders for one in order)

    def __str__(self) -> str:
        wrong = self.failure or self.error
        if wrong is not None:
            return brief(wrong)
        return repr([[one.form for one in order] for order in self.orders])


def brief(error: Exception | None) -> str:
    """The class, and the start of what was said."""
    return "nothing" if error is None else f"{type(error).__name__}: {str(getattr(error, 'message', error)):.300}"


def _shape(tensor: Any) -> Any:
    shape = tensor.shape
    return None if shape.rank is None else tuple(shape.as_list())


def _described(found: Any) -> Gradient:
    if found is None:
        return Gradient("None", (), [])
    if hasattr(found, "indices"):
        parts = [found.values, found.indices]
        form = f"slices of {parts[0].dtype.name} at {parts[1].dtype.name}"
        return Gradient(form, tuple(map(_shape, parts)), parts)
    return Gradient(found.dtype.base_dtype.name, (_shape(found),), [found])


def _weight(rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> Array:
    drawn = rng.uniform(-1, 1, shape)
    if np.dtype(dtype).kind == "c":
        drawn = drawn + 1j * rng.uniform(-1, 1, shape)
    return drawn.astype(dtype)


class _Asked:
    def __init__(self, tf: Any, graph: Any, names: Names, feeds: Mapping[str, Array]) -> None:
        self.tf = tf
        self.graph = graph
        self.names = names
        xs = [graph.get_tensor_by_name(name) for name in names.xs]
        ys = [graph.get_tensor_by_name(name) for name in names.ys]
        fed = {graph.get_tensor_by_name(name): value for name, value in feeds.items()}
        self.answer = Answer(stages=[Stage(xs, ys, fed)])
        self.weights: list[list[Any]] = []
        for _ in range(names.order):
            try:
                if not self.build():
                    break
            except Exception as error:  # whatever building raised is the answer
                self.answer.error = error
                break

    def build(self) -> bool:
        """Adds the gradients of the last stage, and the stage after it. False where nothing is left."""
        tf, stage = self.tf, self.answer.stages[-1]
        weights = [tf.placeholder(y.dtype, y.shape) for y in stage.outputs]
        found = tf.gradients(stage.outputs, stage.inputs, weights)
        self.weights.append(weights)
        order = list(map(_described, found))
        self.answer.orders.append(order)
        outputs = [one.tensors[0] for one in order if one.tensors]
        self.answer.stages.append(Stage([*stage.inputs, *weights], outputs, {}))
        return bool(outputs)

    def run(self, session: Any) -> None:
        rng = np.random.default_rng(0)
        for index, (order, weights) in enumerate(zip(self.answer.orders, self.weights, strict=True)):
            stage, after = self.answer.stages[index], self.answer.stages[index + 1]
            wanted = [one.tensors for one in order]
            try:
                if index == 0:
                    outs = session.run(stage.outputs, stage.feeds)
                else:
                    outs = [one.values[0] for one in self.answer.orders[index - 1] if one.values]
                stage.weights = [_weight(rng, np.shape(out), np.asarray(out).dtype) for out in outs]
                after.feeds = {**stage.feeds, **dict(zip(weights, stage.weights, strict=True))}
                values = session.run(wanted, after.feeds)
            except Exception as error:  # whatever running raised is the answer
                self.answer.failure = error
                return
            for one, value in zip(order, values, strict=True):
                if one.tensors:
                    one.values = list(map(np.asarray, value))


def differentiate(
    tf: Any, graph: Any, asked: Sequence[tuple[Names, Mapping[str, Array]]], config: Any = None
) -> list[Answer]:
    """The gradients of each request in `graph`, in one session."""
    with graph.as_default():
        found = [_Asked(tf, graph, names, feeds) for names, feeds in asked]
    with tf.Session(graph=graph, config=config) as session:
        for one in found:
            one.run(session)
    return [one.answer for one in found]


def tensorflows(definition: bytes, asked: Sequence[tuple[Names, Mapping[str, Array]]]) -> list[Answer]:
    """As `differentiate`, by TensorFlow on a serialised GraphDef."""
    tf = oracle.tensorflow().compat.v1
    graph = tf.Graph()
    with graph.as_default(), tf.device("/cpu:0"), _control_flow_of_version_1(tf):
        tf.import_graph_def(tf.GraphDef.FromString(definition), name="")
        return differentiate(tf, graph, asked, oracle.config())


@contextlib.contextmanager
def _control_flow_of_version_1(tf: Any) -> Iterator[None]:
    """Gradients of tensor arrays are wanted as TF1 programs get them: with the other version they fail."""
    enabled = tf.control_flow_v2_enabled()
    tf.disable_control_flow_v2()
    try:
        yield
    finally:
        if enabled:
            tf.enable_control_flow_v2()
