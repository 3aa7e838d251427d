"""Who runs after a change of a reference variable sees the change, though he takes a read that came first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest

import runstep as tf
from runstep.testing.oracle import tensorflow


def after_add(t: Any, v: Any) -> Any:
    with t.control_dependencies([v.assign_add(v * 0.0 + 10.0)]):
        return v * 2.0


def after_assign(t: Any, v: Any) -> Any:
    with t.control_dependencies([v.assign(v + 4.0)]):
        return t.exp(v) + v


def after_two_changes(t: Any, v: Any) -> Any:
    with t.control_dependencies([v.assign_add(v * 0.0 + 1.0)]):
        second = v.assign_sub(v * 3.0)
    with t.control_dependencies([second]):
        return v + 0.5


def through_identities(t: Any, v: Any) -> Any:
    early = t.identity(t.identity(v))
    with t.control_dependencies([v.assign_add(v * 0.0 + 1.0)]):
        return early * 2.0


def by_data(t: Any, v: Any) -> Any:
    changed = v.assign_add(v * 0.0 + 1.0)
    return v * t.identity(changed)


def into_a_loop(t: Any, v: Any) -> Any:
    with t.control_dependencies([v.assign_add(v * 0.0 + 1.0)]):
        start = v + 0.0
        return t.while_loop(lambda i, s: i < 3, lambda i, s: (i + 1, s * 2.0), [0, start])[1]


def of_a_training_step(t: Any, v: Any) -> Any:
    loss = t.reduce_sum(t.square(v))
    step = t.train.GradientDescentOptimizer(0.25).minimize(loss)
    with t.control_dependencies([step]):
        return t.reduce_sum(t.square(v))


def after(t: Any, change: Any, use: Callable[[], Any]) -> Any:
    with t.control_dependencies([change]):
        return use()


def in_a_branch(t: Any, v: Any) -> Any:
    grown = t.reduce_sum(v) < 10.0
    return t.cond(grown, lambda: after(t, v.assign_add(v * 4.0), lambda: t.identity(v) * 2.0), lambda: t.identity(v))


def in_a_branch_of_a_branch(t: Any, v: Any) -> Any:
    def inner() -> Any:
        return t.cond(t.reduce_sum(v) > 1.0, lambda: after(t, v.assign_add(v * 0.0 + 9.0), lambda: v * 2.0), lambda: v)

    return t.cond(t.reduce_sum(v) < 5000.0, inner, lambda: v - 1.0)


def chosen_by_a_branch(t: Any, v: Any) -> Any:
    changed = v.assign_add(v * 0.0 + 1.0)
    with t.control_dependencies([changed]):
        return t.cond(t.reduce_sum(v * 0.0) > 1.0, lambda: v + 1.0, lambda: v)


def as_a_loop_variable(t: Any, v: Any) -> Any:
    return t.while_loop(lambda i, s: i < 3, lambda i, s: (i + 1, s + 1.0), [0, v])[1]


def within_a_loop(t: Any, v: Any) -> Any:
    def turn(i: Any, s: Any) -> Any:
        return i + 1, after(t, v.assign_add(s * 0.5), lambda: s + v)

    return t.while_loop(lambda i, s: i < 3, turn, [0, t.ones_like(v)])[1]


def within_a_branch_of_an_inner_loop(t: Any, v: Any) -> Any:
    def inner(j: Any, s: Any) -> Any:
        return j + 1, t.cond(j < 1, lambda: after(t, v.assign_add(s * 0.5), lambda: s + v), lambda: s * v)

    def outer(i: Any, s: Any) -> Any:
        return i + 1, t.while_loop(lambda j, s: j < 2, inner, [0, s])[1] * 0.25

    return t.while_loop(lambda i, s: i < 2, outer, [0, t.ones_like(v)])[1]


def a_reference_through_a_switch_of_values(t: Any, v: Any) -> Any:
    out = t.raw_ops.Switch(data=v._ref(), pred=t.reduce_sum(v) > 0.0)
    merged = t.raw_ops.Merge(inputs=[out.output_false * 2.0, out.output_true])
    return merged.output + t.cast(merged.value_index, t.float32)


PROGRAMS: Sequence[Callable[[Any, Any], Any]] = (
    after_add,
    after_assign,
    after_two_changes,
    through_identities,
    by_data,
    into_a_loop,
    of_a_training_step,
    in_a_branch,
    in_a_branch_of_a_branch,
    chosen_by_a_branch,
    as_a_loop_variable,
    within_a_loop,
    within_a_branch_of_an_inner_loop,
    a_reference_through_a_switch_of_values,
)


@pytest.fixture(autouse=True)
def _old_control_flow() -> Iterator[None]:
    """TensorFlow's branches and loops are Switch and Merge, as ours."""
    v1 = tensorflow().compat.v1
    was = v1.control_flow_v2_enabled()
    v1.disable_control_flow_v2()
    yield
    if was:
        v1.enable_control_flow_v2()


def result(t: Any, program: Callable[[Any, Any], Any], size: int, level: int = 0) -> list[Any]:
    """What the program gives in two runs, and the variable's value at the end."""
    config = t.ConfigProto()
    config.graph_options.optimizer_options.opt_level = level
    with t.Graph().as_default(), t.Session(config=config) as session:
        v = t.Variable(np.linspace(1, 2, size, dtype=np.float32), use_resource=False)
        fetched = program(t, v)
        session.run(t.global_variables_initializer())
        return [session.run(fetched), session.run(fetched), session.run(v)]


@pytest.mark.parametrize("size", (2, 5000), ids=("small", "large"))  # large variables are changed in place
@pytest.mark.parametrize("program", PROGRAMS)
def test_as_tensorflow(program: Callable[[Any, Any], Any], size: int) -> None:
    wanted = result(tensorflow().compat.v1, program, size)
    for level in (0, -1):
        for found, value in zip(result(tf, program, size, level), wanted, strict=True):
            np.testing.assert_allclose(found, value, rtol=1e-6)


def test_a_use_whose_order_is_open_keeps_the_read() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        v: Any = tf.Variable(1.0, use_resource=False)
        use, change = v * 2.0, v.assign_add(1.0)
        session.run(tf.global_variables_initializer())
        session._cache.clear()
        session.run([use, change.op])
        (request,) = session._cache.values()
        assert [node.name for node in request.plan.nodes].count("Variable/read") == 1


def test_a_value_computed_before_a_change_stays() -> None:
    """TensorFlow's optimizer loses this order, and gives exp(2)."""
    with tf.Graph().as_default(), tf.Session() as session:
        v: Any = tf.Variable(1.0, use_resource=False)
        early = tf.exp(v)
        with tf.control_dependencies([early]):
            change = v.assign_add(1.0)
        with tf.control_dependencies([change]):
            late = early + 0.0
        session.run(tf.global_variables_initializer())
        assert session.run(late) == np.exp(np.float32(1.0))
        assert session.run(v) == 2.0
