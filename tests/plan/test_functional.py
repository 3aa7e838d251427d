"""Ops that call functions of the library: If, While, Case, For, calls, one function inside another."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

import runstep as tf
from runstep import errors
from runstep.graph.attr_value import NameAttrs
from runstep.graph.functions import FunctionGraph, define
from runstep.graph.graph import Graph
from runstep.graph.importer import import_graph_def
from runstep.session.session import Session
from runstep.testing.oracle import tensorflow

PROGRAMS: dict[str, Any] = {}


def program(function: Any) -> Any:
    PROGRAMS[function.__name__] = function
    return function


def defun(*types: Any, **options: Any) -> Any:
    """TensorFlow's `Defun`: a function with its own arguments and nothing else."""
    from tensorflow.python.framework import function

    return function.Defun(*types, **options)


def functional() -> Any:
    from tensorflow.python.ops import functional_ops

    return functional_ops


def scalar(tf: Any, name: str, dtype: str = "int32") -> Any:
    return tf.placeholder(dtype, [], name=name)


@program
def function_call(tf: Any) -> Any:
    @tensorflow().function
    def square(x: Any) -> Any:
        return x * x, x + 1.0

    x = scalar(tf, "x", "float32")
    a, b = square(x)
    return [a, b, square(a)[0]], [{"x": 3.0}]


@program
def function_of_functions(tf: Any) -> Any:
    @tensorflow().function
    def inner(x: Any) -> Any:
        return x * 2.0

    @tensorflow().function
    def outer(x: Any) -> Any:
        return inner(x) + inner(x + 1.0)

    x = scalar(tf, "x", "float32")
    return outer(x), [{"x": 3.0}]


@program
def function_over_rows(tf: Any) -> Any:
    kinds = [tf.TensorSpec([None], "float32"), tf.TensorSpec([], "string"), tf.TensorSpec([], "float32")]

    @tensorflow().function(input_signature=kinds)
    def scale(x: Any, text: Any, by: Any) -> Any:
        return x * by, tf.strings.join([text, "!"]), tf.reduce_sum(x)

    scale = scale.get_concrete_function()
    scale.add_to_graph(tf.get_default_graph())
    x, text, by = (
        tf.placeholder("float32", name="x"),
        tf.placeholder("string", name="text"),
        scalar(tf, "by", "float32"),
    )
    mapped = tf.raw_ops.MapDefun(
        arguments=[x, text],
        captured_inputs=[by],
        f=scale,
        output_types=["float32", "string", "float32"],
        output_shapes=[[2], [], []],
    )
    rows, texts = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], ["a", "", "c"]
    return mapped, [{"x": rows, "text": texts, "by": 3.0}, {"x": np.zeros((0, 2)), "text": [], "by": 1.0}]


@program
def function_with_a_loop_and_a_branch(tf: Any) -> Any:
    @tensorflow().function
    def collatz(n: Any) -> Any:
        count = 0
        while n > 1:
            n = n // 2 if n % 2 == 0 else 3 * n + 1
            count += 1
        return count

    n = scalar(tf, "n")
    return collatz(n), [{"n": v} for v in (1, 2, 7, 27)]


@program
def function_that_captures(tf: Any) -> Any:
    y = scalar(tf, "y", "float32")

    @tensorflow().function
    def add(x: Any) -> Any:
        return x + y

    x = scalar(tf, "x", "float32")
    return add(x), [{"x": 3.0, "y": 4.0}]


@program
def function_with_a_variable(tf: Any) -> Any:
    v = tf.Variable(1.0, use_resource=True, name="v")
    tf.group(v.initializer, name="init")

    @tensorflow().function
    def more(x: Any) -> Any:
        v.assign_add(x)
        return v.read_value()

    x = scalar(tf, "x", "float32")
    return more(x), [{"x": 3.0}, {"x": 4.0}]


@program
def function_whose_effect_alone_matters(tf: Any) -> Any:
    v = tf.Variable(1.0, use_resource=True, name="v")
    tf.group(v.initializer, name="init")

    @tensorflow().function
    def more(x: Any) -> Any:
        v.assign_add(x)
        return x

    x = scalar(tf, "x", "float32")
    with tf.control_dependencies([more(x)]):
        return [v.read_value()], [{"x": 3.0}, {"x": 4.0}]


@program
def function_that_fails(tf: Any) -> Any:
    @tensorflow().function
    def divide(x: Any) -> Any:
        return 10 // x

    x = scalar(tf, "x")
    return divide(x), [{"x": 3}, {"x": 0}]


@program
def assertion_in_a_function(tf: Any) -> Any:
    @tensorflow().function
    def positive(x: Any) -> Any:
        tf.debugging.assert_positive(x)
        return x

    x = scalar(tf, "x")
    return positive(x), [{"x": 3}, {"x": -1}]


@program
def function_of_lists(tf: Any) -> Any:
    @defun("float32", "float32")
    def both(x: Any, y: Any) -> Any:
        return tf.split(tf.stack([x, y]), 2)

    x = scalar(tf, "x", "float32")
    return list(both(x, x + 1.0)), [{"x": 3.0}]


@program
def legacy_call_by_name(tf: Any) -> Any:
    @defun("float32", func_name="Twice")
    def twice(x: Any) -> Any:
        return x * 2.0

    x = scalar(tf, "x", "float32")
    return twice(twice(x)), [{"x": 3.0}]


@program
def if_(tf: Any) -> Any:
    @defun("float32")
    def then(x: Any) -> Any:
        return x + 1.0

    @defun("float32")
    def other(x: Any) -> Any:
        return x * 10.0

    x, p = scalar(tf, "x", "float32"), scalar(tf, "p", "bool")
    return functional().If(p, [x], then, other), [{"x": 2.0, "p": v} for v in (True, False)]


@program
def if_on_other_types(tf: Any) -> Any:
    @defun("float32")
    def then(x: Any) -> Any:
        return x + 1.0

    @defun("float32")
    def other(x: Any) -> Any:
        return x * 10.0

    x, n, s = scalar(tf, "x", "float32"), scalar(tf, "n"), scalar(tf, "s", "string")
    v = tf.placeholder("float32", [None], name="v")
    found = [functional().If(value, [x], then, other)[0] for value in (n, s, v)]
    return found, [
        {"x": 2.0, "n": a, "s": b, "v": c} for a, b, c in ((0, "", []), (3, "no", [0.0]), (-1, "0", [0.0, 1.0]))
    ]


@program
def while_(tf: Any) -> Any:
    @defun("int32", "float32")
    def goes_on(i: Any, x: Any) -> Any:
        return i < 5

    @defun("int32", "float32")
    def turn(i: Any, x: Any) -> Any:
        return i + 1, x * 2.0

    n, x = scalar(tf, "n"), scalar(tf, "x", "float32")
    return functional().While([n, x], goes_on, turn), [{"n": v, "x": 1.0} for v in (0, 4, 5, 9)]


@program
def for_(tf: Any) -> Any:
    @defun("int32", "float32")
    def turn(i: Any, x: Any) -> Any:
        return x + tf.cast(i, tf.float32)

    a, b, d = scalar(tf, "a"), scalar(tf, "b"), scalar(tf, "d")
    found = functional().For(a, b, d, [tf.constant(0.0)], turn)
    return found, [
        {"a": 0, "b": 5, "d": 1},
        {"a": 5, "b": 0, "d": -2},
        {"a": 3, "b": 3, "d": 1},
        {"a": 0, "b": 9, "d": 4},
    ]


@program
def case_(tf: Any) -> Any:
    def times(step: float) -> Any:
        @defun("float32")
        def branch(x: Any) -> Any:
            return x * step

        return branch

    branches = [times(step) for step in (1.0, 2.0, 3.0)]
    x, i = scalar(tf, "x", "float32"), scalar(tf, "i")
    from tensorflow.python.ops import gen_functional_ops

    found = gen_functional_ops.case(branch_index=i, input=[x], Tout=["float32"], branches=branches)
    return found, [{"x": 5.0, "i": v} for v in (0, 1, 2, 3, -1)]


@program
def loop_of_a_loop(tf: Any) -> Any:
    n = scalar(tf, "n")
    tf1 = tf

    @tensorflow().function
    def total(n: Any) -> Any:
        def body(i: Any, s: Any) -> Any:
            return i + 1, tf1.while_loop(lambda j, t: j < i, lambda j, t: (j + 1, t + j), [0, s])[1]

        return tf1.while_loop(lambda i, s: i < n, body, [0, 0])[1]

    return total(n), [{"n": v} for v in (0, 1, 6)]


@program
def gradient_of_a_function(tf: Any) -> Any:
    @tensorflow().function
    def cube(x: Any) -> Any:
        return x * x * x

    x = scalar(tf, "x", "float32")
    return [tf.gradients(cube(x), x)[0]], [{"x": 3.0}]


@pytest.mark.parametrize("v2", [False, True], ids=["v1", "v2"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_same_as_tensorflow(name: str, v2: bool, same: Any) -> None:
    same(PROGRAMS[name], v2)


@pytest.mark.parametrize(
    ("x", "text", "match"),
    [
        (np.zeros((3, 2), np.float32), ["a"], "same dimension 0"),
        (np.float32(1), ["a"], "rank at least 1"),
        (np.zeros((1, 5), np.float32), ["a"], r"\[5\].*expected output"),
    ],
)
def test_rows_that_do_not_fit(x: Any, text: Any, match: str) -> None:
    theirs = tensorflow().compat.v1
    with theirs.Graph().as_default() as graph:
        mapped = [tensor.name for tensor in PROGRAMS["function_over_rows"](theirs)[0]]
    ours = Graph()
    with ours.as_default():
        import_graph_def(graph.as_graph_def().SerializeToString(), name="")
    feeds = {"x:0": x, "text:0": np.array(text, object), "by:0": 1.0}
    for session, error in (
        (theirs.Session(graph=graph), tensorflow().errors.InvalidArgumentError),
        (Session(graph=ours), errors.InvalidArgumentError),
    ):
        with session, pytest.raises(error, match=match):
            session.run(mapped, feeds)


def factorial(limit: int) -> Graph:
    """n! by a function that calls itself through StatelessIf."""
    from runstep.graph.apply import apply
    from runstep.ops.basic import constant, identity, placeholder

    graph = Graph()
    with graph.as_default():
        done = FunctionGraph("done", graph)
        with done.as_default():
            done.add_input("n", constant(0).dtype, ())
            done.outputs.append(constant(1))
        more, whole = FunctionGraph("more", graph), FunctionGraph("factorial", graph)
        types: Any = {"Tin": ["int32"], "Tout": ["int32"]}
        with more.as_default():
            n = more.add_input("n", constant(0).dtype, ())
            (rest,) = apply("PartitionedCall", [apply("Sub", n, 1)], f=NameAttrs("factorial"), **types)
            more.outputs.append(apply("Mul", n, rest))
        with whole.as_default():
            n = whole.add_input("n", constant(0).dtype, ())
            branches: Any = {"then_branch": NameAttrs("done"), "else_branch": NameAttrs("more")}
            (found,) = apply("StatelessIf", apply("LessEqual", n, limit), [n], Tout=["int32"], **branches)
            whole.outputs.append(identity(found))
        for body in (done, more, whole):
            define(graph, body, body.name)
        n = placeholder("int32", [], name="n")
        apply("PartitionedCall", [n], f=NameAttrs("factorial"), name="found", **types)
    return graph


def test_recursion() -> None:
    graph = factorial(1)
    with Session(graph=graph) as session:
        assert [session.run("found:0", {"n:0": n}) for n in (1, 5, 10)] == [1, 120, 3628800]


def test_threads_that_compile_one_function_wait_for_each_other() -> None:
    """The second does not take for recursion what the first has only begun."""
    begun, go_on = threading.Event(), threading.Event()
    found: list[Any] = []
    with Graph().as_default() as graph:
        call = tf.function(lambda x: x + 1.0)
        ends = [call(tf.constant(value)) for value in (1.0, 2.0)]
        (function,) = graph._functions.values()
        body = function.body

        def slow(attrs: Any) -> Any:
            begun.set()
            assert go_on.wait(30)
            return body(attrs)

        function.body = slow
        with Session() as session:
            threads = [threading.Thread(target=lambda end: found.append(session.run(end)), args=(end,)) for end in ends]
            threads[0].start()
            assert begun.wait(30)
            threads[1].start()
            threads[1].join(0.05)
            assert not found
            go_on.set()
            for thread in threads:
                thread.join(30)
    assert sorted(found) == [2, 3]


def test_recursion_without_end_is_an_error() -> None:
    with Session(graph=factorial(-(2**31))) as session:
        with pytest.raises(errors.OpError):
            session.run("found:0", {"n:0": 1})
        with Session(graph=factorial(1)) as other:
            assert other.run("found:0", {"n:0": 3}) == 6


def test_unknown_function_is_an_error() -> None:
    graph = Graph()
    from runstep.graph.apply import apply
    from runstep.ops.basic import constant

    with graph.as_default():
        apply("PartitionedCall", [constant(1)], f=NameAttrs("nobody"), Tin=["int32"], Tout=["int32"], name="call")
        constant(2, name="fine")
    with Session(graph=graph) as session:
        with pytest.raises(errors.InvalidArgumentError, match=r"Function nobody is not defined.*call") as caught:
            session.run("call:0")
        assert caught.value.op is graph.get_operation_by_name("call")
        assert session.run("fine:0") == 2


def test_bodies_are_compiled_once() -> None:
    """A hundred calls of one function share one compiled body."""
    tf = tensorflow()

    @tf.function
    def twice(x: Any) -> Any:
        return x * 2.0

    with tf.Graph().as_default() as original:
        x = tf.compat.v1.placeholder(tf.float32, [], name="x")
        y = x
        for _ in range(100):
            y = twice(y)
        name = y.name
    graph = Graph()
    with graph.as_default():
        import_graph_def(original.as_graph_def(), name="")
    with Session(graph=graph) as session:
        assert session.run(name, {"x:0": 0.5}) == 2.0**99
        engine: Any = session._engine
        assert len(engine.compiler._bodies) == 1
