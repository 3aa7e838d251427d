"""Switch, Merge, Enter, Exit and NextIteration by hand, in forms that no Python function writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

PROGRAMS: dict[str, Any] = {}


def program(function: Any) -> Any:
    PROGRAMS[function.__name__] = function
    return function


def scalar(tf: Any, name: str, dtype: str = "int32") -> Any:
    return tf.placeholder(dtype, [], name=name)


def switch(tf: Any, data: Any, pred: Any) -> tuple[Any, Any]:
    found = tf.raw_ops.Switch(data=data, pred=pred)
    return found.output_false, found.output_true


def merge(tf: Any, *inputs: Any) -> tuple[Any, Any]:
    found = tf.raw_ops.Merge(inputs=list(inputs))
    return found.output, found.value_index


def enter(tf: Any, data: Any, frame: str, constant: bool = False) -> Any:
    return tf.raw_ops.Enter(data=data, frame_name=frame, is_constant=constant, parallel_iterations=10)


def variable(tf: Any, start: Any, frame: str) -> tuple[Any, Callable[[Any], None]]:
    """A loop variable: its Merge, and what to call with its next value."""
    entered = enter(tf, start, frame)
    merged, _ = merge(tf, entered, entered)

    def close(value: Any) -> None:
        merged.op._update_input(1, tf.raw_ops.NextIteration(data=value))

    return merged, close


def plus(tf: Any, tensor: Any, by: int) -> Any:
    """`tensor + by` in the frame of `tensor`, where a bare constant is outside of it."""
    with tf.control_dependencies([tensor]):
        return tensor + by


def below(tf: Any, tensor: Any, limit: int) -> Any:
    with tf.control_dependencies([tensor]):
        return tensor < limit


def times(tf: Any, tensor: Any, by: float) -> Any:
    with tf.control_dependencies([tensor]):
        return tensor * by


EVERY = [{"p": a, "q": b, "x": 5.0} for a in (True, False) for b in (True, False)]


def two(tf: Any) -> tuple[Any, Any, Any]:
    return scalar(tf, "p", "bool"), scalar(tf, "q", "bool"), scalar(tf, "x", "float32")


@program
def switch_and_merge(tf: Any) -> Any:
    p, _, x = two(tf)
    false, true = switch(tf, x, p)
    return list(merge(tf, false + 1.0, true * 2.0)), EVERY


@program
def fetch_of_a_dead_value(tf: Any) -> Any:
    p, _, x = two(tf)
    _, true = switch(tf, x, p)
    return [tf.identity(true)], EVERY


@program
def fetch_of_a_dead_value_beside_others(tf: Any) -> Any:
    p, _, x = two(tf)
    false, true = switch(tf, x, p)
    return [x, true * 2.0], EVERY


@program
def target_that_is_dead(tf: Any) -> Any:
    p, _, x = two(tf)
    _, true = switch(tf, x, p)
    return [tf.add(true, 1.0).op, x], EVERY


@program
def merge_of_either(tf: Any) -> Any:
    p, q, x = two(tf)
    a, b = switch(tf, x, p)[1], switch(tf, x * 3.0, q)[1]
    merged, _ = merge(tf, a, b)
    return [tf.identity(merged) + 1.0], [fed for fed in EVERY if not (fed["p"] and fed["q"])]


@program
def either_and_a_third(tf: Any) -> Any:
    p, q, x = two(tf)
    r = x > 3.0
    either, _ = merge(tf, switch(tf, x, p)[1], switch(tf, x * 3.0, tf.logical_and(q, tf.logical_not(p)))[1])
    both = either + switch(tf, x, r)[1]
    return [merge(tf, both, switch(tf, -x, tf.logical_or(p, q))[0])[0]], EVERY


@program
def merge_of_one_input(tf: Any) -> Any:
    p, _, x = two(tf)
    return list(merge(tf, switch(tf, x, p)[0])), EVERY


@program
def merge_of_three(tf: Any) -> Any:
    p, q, x = two(tf)
    false, true = switch(tf, x, p)
    b = switch(tf, false, q)
    return list(merge(tf, true * 2.0, b[0] * 3.0, b[1] * 5.0)), EVERY


@program
def unfinished_diamond(tf: Any) -> Any:
    p, q, x = two(tf)
    false, true = switch(tf, x, p)
    inner = switch(tf, true, q)
    return [merge(tf, false, inner[1])[0]], EVERY


@program
def predicate_that_is_dead(tf: Any) -> Any:
    p, q, x = two(tf)
    live_q = switch(tf, q, p)[1]
    a, b = switch(tf, x, live_q)
    return [merge(tf, a * 2.0, b * 3.0, switch(tf, x, p)[0])[0]], EVERY


@program
def switch_on_its_own_data(tf: Any) -> Any:
    p, _, _ = two(tf)
    return list(merge(tf, *switch(tf, p, p))), [{"p": v} for v in (True, False)]


@program
def control_edge_from_a_dead_node(tf: Any) -> Any:
    p, _, x = two(tf)
    true = tf.identity(switch(tf, x, p)[1])
    with tf.control_dependencies([true]):
        after = x + 1.0
    return [merge(tf, after, switch(tf, x, p)[0])[0]], EVERY


@program
def control_edge_into_a_merge(tf: Any) -> Any:
    p, q, x = two(tf)
    with tf.control_dependencies([switch(tf, x, q)[1]]):
        merged, _ = merge(tf, *switch(tf, x, p))
    return [merged], EVERY


@program
def waiting_for_what_is_fed(tf: Any) -> Any:
    p, q, x = two(tf)
    with tf.control_dependencies([x, q]):
        found = [tf.constant(2.0), tf.identity(p)]
    with tf.control_dependencies([switch(tf, tf.constant(1), p)[1].op, x]):
        return [*found, merge(tf, *switch(tf, tf.constant(3), q))[0]], EVERY


@program
def control_trigger(tf: Any) -> Any:
    p, _, x = two(tf)
    with tf.control_dependencies([tf.identity(switch(tf, x, p)[1])]):
        trigger = tf.raw_ops.ControlTrigger()
    with tf.control_dependencies([trigger]):
        return [x + 1.0], EVERY


@program
def switch_n(tf: Any) -> Any:
    x, i = scalar(tf, "x", "float32"), scalar(tf, "i")
    attrs = {"T": tf.AttrValue(type=x.dtype.as_datatype_enum), "num_outs": tf.AttrValue(i=3)}
    a, b, c = tf.get_default_graph().create_op("_SwitchN", [x, i], [x.dtype] * 3, name="switch", attrs=attrs).outputs
    return list(merge(tf, a + 1.0, b * 2.0, -c)), [{"x": 5.0, "i": v} for v in (0, 1, 2)]


@program
def fed_in_a_branch(tf: Any) -> Any:
    p, _, x = two(tf)
    false, true = switch(tf, x, p)
    tf.identity(true, name="inside")
    return [merge(tf, false, tf.get_default_graph().get_tensor_by_name("inside:0") * 2.0)[0]], [
        {"p": False, "x": 5.0},
        {"p": True, "x": 5.0},
    ]


@program
def loop(tf: Any) -> Any:
    n = scalar(tf, "n")
    limit = enter(tf, n, "f", True)
    i, close = variable(tf, tf.constant(0), "f")
    false, true = switch(tf, i, tf.raw_ops.LoopCond(input=i < limit))
    close(plus(tf, true, 1))
    return [tf.raw_ops.Exit(data=false)], [{"n": v} for v in (0, 1, 5)]


@program
def loop_with_two_exits_of_one_variable(tf: Any) -> Any:
    n = scalar(tf, "n")
    limit = enter(tf, n, "f", True)
    i, close = variable(tf, tf.constant(0), "f")
    false, true = switch(tf, i, tf.raw_ops.LoopCond(input=i < limit))
    close(plus(tf, true, 1))
    return [tf.raw_ops.Exit(data=false), tf.raw_ops.Exit(data=times(tf, false, 10))], [{"n": v} for v in (0, 1, 5)]


@program
def loop_left_in_the_middle(tf: Any) -> Any:
    """Two conditions: each leaves by an Exit of its own, and only one of them is reached."""
    n, m = scalar(tf, "n"), scalar(tf, "m")
    limit, other = enter(tf, n, "f", True), enter(tf, m, "f", True)
    i, close = variable(tf, tf.constant(0), "f")
    done, on = switch(tf, i, tf.raw_ops.LoopCond(input=i < limit))
    broken, onward = switch(tf, on, on < other)
    close(plus(tf, onward, 1))
    first, second = tf.raw_ops.Exit(data=done), tf.raw_ops.Exit(data=broken)
    return list(merge(tf, first * 2, second * 3)), [
        {"n": a, "m": b} for a, b in ((3, 9), (9, 3), (0, 0), (4, 4), (4, 3))
    ]


@program
def exit_that_is_not_reached(tf: Any) -> Any:
    n, m = scalar(tf, "n"), scalar(tf, "m")
    limit, other = enter(tf, n, "f", True), enter(tf, m, "f", True)
    i, close = variable(tf, tf.constant(0), "f")
    done, on = switch(tf, i, tf.raw_ops.LoopCond(input=i < limit))
    broken, onward = switch(tf, on, on < other)
    close(plus(tf, onward, 1))
    return [tf.raw_ops.Exit(data=broken)], [{"n": a, "m": b} for a, b in ((3, 9), (9, 3))]


@program
def variable_that_ends_early(tf: Any) -> Any:
    """One variable stops going round while the other goes on."""
    n = scalar(tf, "n")
    limit = enter(tf, n, "f", True)
    i, close_i = variable(tf, tf.constant(0), "f")
    j, close_j = variable(tf, tf.constant(100), "f")
    done, on = switch(tf, i, tf.raw_ops.LoopCond(input=i < limit))
    close_i(plus(tf, on, 1))
    out, more = switch(tf, j, below(tf, i, 2))
    close_j(plus(tf, more, 1))
    return [tf.raw_ops.Exit(data=done), tf.raw_ops.Exit(data=out)], [{"n": v} for v in (5, 9)]


@program
def loop_without_a_loop_cond(tf: Any) -> Any:
    n = scalar(tf, "n")
    limit = enter(tf, n, "f", True)
    i, close = variable(tf, tf.constant(0), "f")
    false, true = switch(tf, i, i < limit)
    close(plus(tf, true, 1))
    return [tf.raw_ops.Exit(data=false)], [{"n": v} for v in (0, 1, 5)]


@program
def condition_after_the_body(tf: Any) -> Any:
    n = scalar(tf, "n")
    limit = enter(tf, n, "f", True)
    i, close = variable(tf, tf.constant(0), "f")
    after = plus(tf, i, 1)
    false, true = switch(tf, after, tf.raw_ops.LoopCond(input=after < limit))
    close(true)
    return [tf.raw_ops.Exit(data=false)], [{"n": v} for v in (0, 1, 5)]


@program
def value_index_of_a_loop_variable(tf: Any) -> Any:
    n = scalar(tf, "n")
    limit = enter(tf, n, "f", True)
    entered = enter(tf, tf.constant(0), "f")
    i, index = merge(tf, entered, entered)
    false, true = switch(tf, i, tf.raw_ops.LoopCond(input=i < limit))
    i.op._update_input(1, tf.raw_ops.NextIteration(data=plus(tf, true, 2)))
    kept = switch(tf, index, tf.raw_ops.LoopCond(input=i < limit))[0]
    return [tf.raw_ops.Exit(data=false), tf.raw_ops.Exit(data=kept)], [{"n": v} for v in (0, 1, 5)]


@program
def loop_in_a_raw_branch(tf: Any) -> Any:
    n, p = scalar(tf, "n"), scalar(tf, "p", "bool")
    off, on = switch(tf, n, p)
    limit = enter(tf, on, "f", True)
    i, close = variable(tf, on * 0, "f")
    false, true = switch(tf, i, tf.raw_ops.LoopCond(input=i < limit))
    close(plus(tf, true, 3))
    return list(merge(tf, off, tf.raw_ops.Exit(data=false))), [{"n": 7, "p": v} for v in (True, False)]


@program
def loop_with_a_start_that_may_be_dead(tf: Any) -> Any:
    n, p = scalar(tf, "n"), scalar(tf, "p", "bool")
    limit = enter(tf, n, "f", True)
    i, close_i = variable(tf, tf.constant(0), "f")
    j, close_j = variable(tf, switch(tf, n, p)[1], "f")
    cond = tf.raw_ops.LoopCond(input=i < limit)
    false, true = switch(tf, i, cond)
    close_i(plus(tf, true, 1))
    out, more = switch(tf, j, cond)
    close_j(plus(tf, more, 10))
    left = tf.raw_ops.Exit(data=out)
    return [tf.raw_ops.Exit(data=false), merge(tf, left, switch(tf, -n, p)[0])[0]], [
        {"n": 3, "p": v} for v in (True, False)
    ]


@program
def frames_of_one_name_in_two_branches(tf: Any) -> Any:
    n, p = scalar(tf, "n"), scalar(tf, "p", "bool")
    found = []
    for side, step in zip(switch(tf, n, p), (1, 2), strict=True):
        limit = enter(tf, side, f"f{step}", True)
        i, close = variable(tf, side * 0, f"f{step}")
        false, true = switch(tf, i, tf.raw_ops.LoopCond(input=i < limit))
        close(plus(tf, true, step))
        found.append(tf.raw_ops.Exit(data=false))
    return list(merge(tf, *found)), [{"n": 5, "p": v} for v in (True, False)]


def counted(tf: Any, start: Any, limit: Any, frame: str, loop_cond: bool = False) -> Any:
    """Where a loop that counts from `start` up to `limit` ends. TensorFlow takes one LoopCond of each frame name."""
    limit = enter(tf, limit, frame, True)
    i, close = variable(tf, start, frame)
    more = i < limit
    false, true = switch(tf, i, tf.raw_ops.LoopCond(input=more) if loop_cond else more)
    close(plus(tf, true, 1))
    return tf.raw_ops.Exit(data=false)


# Loops that share the name of a frame. TensorFlow keeps all turns of the first until the last has been entered, so that
# they must be fewer than parallel_iterations.


@program
def loops_of_one_name_one_after_the_other(tf: Any) -> Any:
    n = scalar(tf, "n")
    first = counted(tf, tf.constant(0), n, "f")
    second = counted(tf, first, n * 2, "f", loop_cond=True)
    return [first, second, counted(tf, second + 1, n + second, "f")], [{"n": v} for v in (0, 1, 4)]


@program
def passing_through_one_frame_twice(tf: Any) -> Any:
    n = scalar(tf, "n")
    first = tf.raw_ops.Exit(data=plus(tf, enter(tf, n, "f"), 1))
    return [tf.raw_ops.Exit(data=plus(tf, enter(tf, first * 10, "f"), 2))], [{"n": 3}]


@program
def loops_of_one_name_beside_each_other(tf: Any) -> Any:
    n = scalar(tf, "n")
    return [counted(tf, tf.constant(0), n, "f"), counted(tf, n, n * 3, "f")], [{"n": v} for v in (0, 4)]


@program
def loops_of_one_name_share_what_enters(tf: Any) -> Any:
    """One constant Enter, a value, a control edge from it."""
    n = scalar(tf, "n")
    limit, start = enter(tf, n, "f", True), tf.constant(0)
    found = []
    for factor in (1, 2, 3):
        i, close = variable(tf, start, "f")
        false, true = switch(tf, i, i < times(tf, limit, factor))
        close(plus(tf, true, 1))
        start = tf.raw_ops.Exit(data=false)
        found.append(start)
    return found, [{"n": v} for v in (0, 1, 3)]


@program
def second_loop_of_one_name_in_a_branch(tf: Any) -> Any:
    n = scalar(tf, "n")
    first = counted(tf, tf.constant(0), n, "f")
    low, high = switch(tf, first, first > 2)
    second = counted(tf, high, tf.identity(high) * 2, "f")
    return [first, merge(tf, low, second)[0]], [{"n": v} for v in (0, 2, 3, 5)]


@program
def inner_loops_of_one_name(tf: Any) -> Any:
    """Two one after the other in the body of each of two outer ones, which share a name too."""
    n = scalar(tf, "n")
    total = tf.constant(0)
    for _ in range(2):
        limit = enter(tf, n, "outer", True)
        i, close = variable(tf, tf.constant(0), "outer")
        s, close_s = variable(tf, total, "outer")
        more = i < limit
        _, turn = switch(tf, i, more)
        done, before = switch(tf, s, more)
        with tf.control_dependencies([turn]):
            zero = tf.constant(0)
        first = counted(tf, zero, turn, "inner")
        close_s(before + counted(tf, first, times(tf, turn, 2), "inner"))
        close(plus(tf, turn, 1))
        total = tf.raw_ops.Exit(data=done)
    return [total], [{"n": v} for v in (0, 1, 4)]


@program
def stack_pushed_and_popped_in_frames_of_one_name(tf: Any) -> Any:
    n, x = scalar(tf, "n"), scalar(tf, "x", "float32")
    stack = tf.raw_ops.StackV2(max_size=-1, elem_type=tf.float32)

    def walk(start: Any, values: Any, step: Any, limit: Any) -> tuple[Any, Any]:
        handle, bound = enter(tf, stack, "f", True), enter(tf, limit, "f", True)
        i, close = variable(tf, start, "f")
        v, close_v = variable(tf, values, "f")
        more = i < bound
        done, turn = switch(tf, i, more)
        last, value = switch(tf, v, more)
        close_v(step(handle, value))
        close(plus(tf, turn, 1))
        return tf.raw_ops.Exit(data=done), tf.raw_ops.Exit(data=last)

    def push(handle: Any, value: Any) -> Any:
        return times(tf, tf.raw_ops.StackPushV2(handle=handle, elem=value), 3.0)

    def pop(handle: Any, value: Any) -> Any:
        with tf.control_dependencies([tf.identity(value)]):
            return value * 2.0 + tf.raw_ops.StackPopV2(handle=handle, elem_type=tf.float32)

    end, forward = walk(tf.constant(0), x, push, n)
    return [forward, walk(end, forward * 0.0, pop, n * 2)[1]], [{"n": v, "x": 2.0} for v in (0, 1, 4)]


# Loops of one frame name that start with what others end with, and read their turns: these run by tokens.


def reading(tf: Any, start: Any, limit: Any, turn_of: Any = None) -> tuple[Any, Any, Any]:
    """Where a loop ends that goes up by one, or by a value of another loop in the same turn; its values in a turn."""
    bound = enter(tf, limit, "f", True)
    i, close = variable(tf, start, "f")
    done, more = switch(tf, i, i < bound)
    close(plus(tf, more, 1) if turn_of is None else more + turn_of)
    return tf.raw_ops.Exit(data=done), i, more


@program
def loop_reads_the_turns_of_one_that_it_starts_after(tf: Any) -> Any:
    """Dead where it takes more turns than that one."""
    n, limit = scalar(tf, "n"), scalar(tf, "limit")
    first, i, _ = reading(tf, tf.constant(0), n)
    second, j, _ = reading(tf, first + 1, limit, i)
    third, _, _ = reading(tf, second, limit + second, j)
    fed = [{"n": a, "limit": b} for a, b in ((3, 5), (2, 3), (3, 10), (5, 5))]
    return [first, second, third * 2, tf.add(third, first).op], [*fed, {"n": 0, "limit": 3}, {"n": 3, "limit": 12}]


@program
def more_turns_than_may_be_open_before_all_has_entered(tf: Any) -> Any:
    n = scalar(tf, "n")
    first, _, more = reading(tf, tf.constant(0), n)
    second, _, _ = reading(tf, first - n, first + 1 - n, more)
    return [second], [{"n": 4}, {"n": 9}, {"n": 12}]


@program
def loop_reads_turns_in_a_branch(tf: Any) -> Any:
    """A dead start, a Merge behind, control edges into the loop and out of it, a switched limit."""
    n = scalar(tf, "n")
    first, i, _ = reading(tf, tf.constant(1), n)
    low, high = switch(tf, first, first > 3)
    with tf.control_dependencies([first]):
        limit = tf.identity(n)
    second, _, _ = reading(tf, high, high + switch(tf, limit, first > 3)[1], i)
    with tf.control_dependencies([second]):
        after = tf.identity(n)
    merged, index = merge(tf, low * 2, second)
    return [merged, index, merge(tf, after, low)[0]], [{"n": v} for v in (1, 3, 4, 6)]


@program
def loops_read_turns_inside_of_a_loop(tf: Any) -> Any:
    n = scalar(tf, "n")
    limit = enter(tf, n, "outer", True)
    k, close_k = variable(tf, tf.constant(0), "outer")
    s, close_s = variable(tf, tf.constant(0), "outer")
    more = tf.raw_ops.LoopCond(input=k < limit)
    _, turn = switch(tf, k, more)
    done, total = switch(tf, s, more)
    with tf.control_dependencies([turn]):
        zero = tf.constant(0)
    first, i, _ = reading(tf, zero, plus(tf, turn, 2))
    second, _, _ = reading(tf, plus(tf, first, 1), plus(tf, first, 2), i)
    close_s(total + second)
    close_k(plus(tf, turn, 1))
    return [tf.raw_ops.Exit(data=done) + 1], [{"n": v} for v in (0, 1, 4)]


@program
def loop_reads_turns_and_a_queue(tf: Any) -> Any:
    """Kernels that wait, and a branch that is never taken around one."""
    n = scalar(tf, "n")
    queue = tf.FIFOQueue(10, "int32", [], shared_name="q")
    tf.group(queue.enqueue_many([[4, 5, 6, 7, 8]]), name="init")
    first, i, _ = reading(tf, tf.constant(0), n)
    bound = enter(tf, first + n, "f", True)
    handle = enter(tf, queue.queue_ref, "f", True)
    j, close = variable(tf, first, "f")
    done, more = switch(tf, j, j < bound)
    with tf.control_dependencies([tf.identity(switch(tf, i, tf.equal(more, bound))[1])]):
        never = tf.raw_ops.QueueDequeueV2(handle=handle, component_types=["int32"])[0]
    with tf.control_dependencies([more]):
        close(merge(tf, more + tf.raw_ops.QueueDequeueV2(handle=handle, component_types=["int32"])[0], never)[0])
    return [tf.raw_ops.Exit(data=done)], [{"n": 1}, {"n": 3}, {"n": 0}]


@program
def gradient_of_loops_in_frames_of_one_name(tf: Any) -> Any:
    """All frames of a graph of TensorFlow's gradients, nested ones by depth, called the same."""
    with tf.Graph().as_default():
        x, n = scalar(tf, "x", "float32"), scalar(tf, "n")

        def inner(y: Any) -> Any:
            return tf.while_loop(lambda j, _: j < 2, lambda j, z: (j + 1, z * z * x), [tf.constant(0), y])[1]

        y = tf.while_loop(lambda i, _: i < n, lambda i, y: (i + 1, inner(y) + y), [tf.constant(0), x])[1]
        names = [y.name, tf.gradients(y, x)[0].name]
        definition = tf.get_default_graph().as_graph_def()
    for node in definition.node:
        if node.op == "LoopCond":
            node.op = "Identity"
            node.attr["T"].type = tf.bool.as_datatype_enum
        elif node.op == "Enter":
            depth = node.attr["frame_name"].s.count(b"while/")
            node.attr["frame_name"].s = f"f{depth}".encode()
    fetches = tf.import_graph_def(definition, return_elements=names, name="")
    return fetches, [{"n": v, "x": 0.5} for v in (0, 1, 3)]


@program
def gradient_that_asks_for_nothing_kept_in_a_branch(tf: Any) -> Any:
    """The branch of the backward loop pops for a gradient that nobody wants, and the next turn waits for that."""
    x, start = scalar(tf, "x", "float32"), scalar(tf, "start", "float32")

    def turn(i: Any, s: Any) -> Any:
        return i + 1, tf.cond(s > 0.5, lambda: s * x, lambda: s + 1.0)

    y = tf.while_loop(lambda i, _: i < 3, turn, [0, start])[1]
    return [y, tf.gradients(y, start)[0]], [{"x": 0.7, "start": v} for v in (-1.0, 0.4, 2.0)]


@program
def control_edge_out_of_a_loop(tf: Any) -> Any:
    n = scalar(tf, "n")
    limit = enter(tf, n, "f", True)
    i, close = variable(tf, tf.constant(0), "f")
    false, true = switch(tf, i, tf.raw_ops.LoopCond(input=i < limit))
    close(plus(tf, true, 1))
    with tf.control_dependencies([tf.raw_ops.Exit(data=false)]):
        return [n * 2], [{"n": v} for v in (0, 5)]


@program
def constant_inside_a_loop(tf: Any) -> Any:
    n = scalar(tf, "n")
    limit = enter(tf, n, "f", True)
    i, close = variable(tf, tf.constant(0), "f")
    false, true = switch(tf, i, tf.raw_ops.LoopCond(input=i < limit))
    with tf.control_dependencies([true]):
        two_ = tf.constant(2)
    close(true + two_)
    return [tf.raw_ops.Exit(data=false)], [{"n": v} for v in (0, 1, 5)]


@program
def reference_in_a_branch(tf: Any) -> Any:
    p, x = scalar(tf, "p", "bool"), scalar(tf, "x", "float32")
    v = tf.Variable(1.0, use_resource=False, name="v")
    with tf.control_dependencies([v.initializer]):
        start = tf.identity(p)
    found = tf.cond(start, lambda: tf.assign(v, x), lambda: tf.assign_add(v, x * 10.0))
    with tf.control_dependencies([found]):
        return [tf.identity(found), v.read_value()], [{"p": a, "x": 2.0} for a in (True, False)]


@program
def reference_through_switch_and_merge(tf: Any) -> Any:
    p, x = scalar(tf, "p", "bool"), scalar(tf, "x", "float32")
    v = tf.Variable(1.0, use_resource=False, name="v")
    with tf.control_dependencies([v.initializer]):
        start = tf.identity(p)
    sides = tf.raw_ops.RefSwitch(data=v._ref(), pred=start)
    merged = tf.raw_ops.RefMerge(inputs=[sides.output_false, sides.output_true])
    changed = tf.raw_ops.AssignAdd(ref=merged.output, value=x)
    return [tf.identity(changed), merged.value_index], [{"p": a, "x": 2.0} for a in (True, False)]


@program
def reference_changed_in_a_loop(tf: Any) -> Any:
    n = scalar(tf, "n")
    v = tf.Variable(1, use_resource=False, name="v")
    tf.group(v.initializer, name="init")

    def body(i: Any) -> Any:
        with tf.control_dependencies([tf.assign_add(v, i * 10)]):
            return i + 1

    last = tf.while_loop(lambda i: i < n, body, [tf.constant(0)])
    with tf.control_dependencies([last]):
        return [last, v.read_value()], [{"n": k} for k in (0, 4)]


@program
def variable_changed_in_a_loop(tf: Any) -> Any:
    n = scalar(tf, "n")
    v = tf.Variable(1, use_resource=True, name="v")
    tf.group(v.initializer, name="init")

    def body(i: Any) -> Any:
        with tf.control_dependencies([v.assign_add(i * 10)]):
            return i + 1

    last = tf.while_loop(lambda i: i < n, body, [tf.constant(0)])
    with tf.control_dependencies([last]):
        return [last, v.read_value()], [{"n": k} for k in (0, 4)]


@program
def enters_of_two_frames_meet(tf: Any) -> Any:
    x = scalar(tf, "x", "float32")
    return [tf.raw_ops.Exit(data=enter(tf, x, "a") + enter(tf, x, "b"))], [{"x": 1.0}]


@program
def inside_and_outside_meet(tf: Any) -> Any:
    x = scalar(tf, "x", "float32")
    return [tf.raw_ops.Exit(data=enter(tf, x, "a") + x)], [{"x": 1.0}]


@program
def enter_and_exit_without_a_loop(tf: Any) -> Any:
    x = scalar(tf, "x", "float32")
    return [tf.raw_ops.Exit(data=times(tf, enter(tf, x, "a"), 2.0)) + 1.0], [{"x": 1.0}]


@program
def frame_in_a_frame_without_a_loop(tf: Any) -> Any:
    x = scalar(tf, "x", "float32")
    inner = tf.raw_ops.Exit(data=times(tf, enter(tf, enter(tf, x, "a"), "b"), 2.0))
    return [tf.raw_ops.Exit(data=times(tf, inner, 3.0))], [{"x": 1.0}]


@pytest.mark.parametrize("name", PROGRAMS)
def test_same_as_tensorflow(name: str, same: Any) -> None:
    same(PROGRAMS[name])
