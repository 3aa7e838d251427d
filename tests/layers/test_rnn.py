"""Recurrent cells and the loops over them: nodes, variables, values and errors against TensorFlow with Keras 2."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import runstep

Same = Callable[..., None]


def x(tf: Any, *shape: int | None, dtype: str = "float32") -> Any:
    return tf.placeholder(dtype, shape, name="x")


def stepped(make: Callable[[Any, Any], Any], wraps: bool = False) -> Callable[[Any], Any]:
    """A program that calls a cell once. Wrappers know the variables of the cell inside here; TensorFlow's don't."""

    def build(tf: Any) -> Any:
        cell = make(tf, tf.nn.rnn_cell)
        found = cell(x(tf, 2, 4), cell.zero_state(2, tf.float32))
        return found, cell.state_size, cell.output_size, *([] if wraps else [cell.trainable_weights, cell.variables])

    return build


CELLS = [
    stepped(lambda tf, cells: cells.BasicRNNCell(3, activation=tf.nn.relu)),
    stepped(lambda tf, cells: cells.BasicRNNCell(3, activation="sigmoid", name="n")),
    stepped(lambda tf, cells: cells.GRUCell(3)),
    stepped(lambda tf, cells: cells.GRUCell(3, bias_initializer=tf.zeros_initializer(), name="g")),
    stepped(lambda tf, cells: cells.BasicLSTMCell(3)),
    stepped(lambda tf, cells: cells.BasicLSTMCell(3, forget_bias=0.5, state_is_tuple=False)),
    stepped(lambda tf, cells: cells.LSTMCell(3)),
    stepped(lambda tf, cells: cells.LSTMCell(3, state_is_tuple=False, num_proj=2)),
    stepped(
        lambda tf, cells: cells.LSTMCell(
            3, use_peepholes=True, cell_clip=1.0, num_proj=2, proj_clip=0.5, initializer=tf.ones_initializer()
        )
    ),
    stepped(lambda tf, cells: cells.LSTMCell(4, num_proj=2, num_unit_shards=2, num_proj_shards=2), True),
    stepped(lambda tf, cells: cells.MultiRNNCell([cells.BasicLSTMCell(3), cells.GRUCell(3)])),
    stepped(lambda tf, cells: cells.MultiRNNCell([cells.GRUCell(3), cells.BasicRNNCell(2)], state_is_tuple=False)),
    stepped(lambda tf, cells: cells.ResidualWrapper(cells.GRUCell(4)), True),
    stepped(lambda tf, cells: cells.ResidualWrapper(cells.GRUCell(3), lambda inputs, outputs: outputs * 2), True),
    stepped(lambda tf, cells: cells.DeviceWrapper(cells.GRUCell(3), "/cpu:0"), True),
    stepped(
        lambda tf, cells: cells.DropoutWrapper(
            cells.BasicLSTMCell(3), output_keep_prob=0.5, input_keep_prob=0.4, state_keep_prob=0.3, seed=2
        ),
        True,
    ),
    stepped(lambda tf, cells: cells.DropoutWrapper(cells.GRUCell(3), tf.placeholder(tf.float32, [])), True),
    stepped(
        lambda tf, cells: cells.DropoutWrapper(
            cells.BasicLSTMCell(3), 0.4, 0.5, 0.3, variational_recurrent=True, input_size=4, dtype=tf.float32
        ),
        True,
    ),
]


@pytest.mark.parametrize("build", CELLS)
def test_a_cell_makes_the_nodes_of_tensorflows(same: Same, build: Any) -> None:
    def program(tf: Any, log: Any) -> None:
        tf.set_random_seed(1)
        log(build(tf), tf.global_variables())

    same(program)


class Saver:
    """A state saver that keeps states in variables."""

    def __init__(self, tf: Any) -> None:
        self.tf = tf
        self.states = {name: tf.get_variable(name, [5, 3], trainable=False) for name in "abc"}

    def state(self, name: str) -> Any:
        return self.states[name].value()

    def save_state(self, name: str, value: Any) -> Any:
        return self.tf.assign(self.states[name], value)


def lengths(tf: Any, *shape: int | None, dtype: str = "int32") -> Any:
    return tf.placeholder(dtype, shape or [None], name="lengths")


def steps(tf: Any, count: int = 2, batch: int | None = 5) -> list[Any]:
    return [x(tf, batch, 4) for _ in range(count)]


LOOPS = [
    lambda tf, c: tf.nn.dynamic_rnn(c.BasicLSTMCell(3), x(tf, 2, 5, 4), dtype=tf.float32),
    lambda tf, c: tf.nn.dynamic_rnn(c.GRUCell(3), x(tf, None, None, 4), lengths(tf), dtype=tf.float32),
    lambda tf, c: tf.nn.dynamic_rnn(
        c.BasicRNNCell(3), x(tf, 5, 2, 4), initial_state=x(tf, 2, 3), time_major=True, scope="s"
    ),
    lambda tf, c: tf.nn.dynamic_rnn(
        c.MultiRNNCell([c.DropoutWrapper(c.LSTMCell(3, num_proj=4), output_keep_prob=0.5), c.GRUCell(2)]),
        x(tf, None, None, 4),
        dtype=tf.float32,
        parallel_iterations=3,
        swap_memory=True,
    ),
    lambda tf, c: tf.nn.bidirectional_dynamic_rnn(c.GRUCell(3), c.LSTMCell(2), x(tf, 6, 5, 4), dtype=tf.float32),
    lambda tf, c: tf.nn.static_rnn(c.BasicLSTMCell(3), steps(tf, 3, None), dtype=tf.float32),
    lambda tf, c: tf.nn.static_rnn(c.GRUCell(3), steps(tf), dtype=tf.float32, sequence_length=lengths(tf, 5)),
    lambda tf, c: tf.nn.static_bidirectional_rnn(c.GRUCell(3), c.GRUCell(3), steps(tf, 3), dtype=tf.float32),
    lambda tf, c: tf.nn.static_bidirectional_rnn(
        c.GRUCell(3), c.GRUCell(3), steps(tf), dtype=tf.float32, sequence_length=lengths(tf, 5), scope="t"
    ),
    lambda tf, c: tf.nn.static_state_saving_rnn(c.GRUCell(3), steps(tf), Saver(tf), "a"),
    lambda tf, c: tf.nn.static_state_saving_rnn(c.BasicLSTMCell(3), steps(tf), Saver(tf), ("b", "c")),
]


@pytest.mark.parametrize("build", LOOPS)
def test_a_recurrent_network_makes_the_nodes_of_tensorflows(same: Same, build: Any) -> None:
    def program(tf: Any, log: Any) -> None:
        tf.set_random_seed(1)
        log(build(tf, tf.nn.rnn_cell), tf.global_variables())

    same(program, ordered=False)


def raw(tf: Any, steps: int = 5, loop_state: bool = False) -> Any:
    """The example of TensorFlow's page."""
    inputs = tf.placeholder(tf.float32, [steps, 2, 4])
    sizes = tf.placeholder(tf.int32, [2])
    array = tf.TensorArray(dtype=tf.float32, size=steps).unstack(inputs)
    cell = tf.nn.rnn_cell.LSTMCell(3)

    def loop(time: Any, output: Any, state: Any, count: Any) -> Any:
        state = cell.zero_state(2, tf.float32) if output is None else state
        over = time >= sizes
        value = tf.cond(tf.reduce_all(over), lambda: tf.zeros([2, 4]), lambda: array.read(time))
        if loop_state:
            count = tf.constant(0) if output is None else count + 1
        return over, value, state, output, count

    emitted, state, count = tf.nn.raw_rnn(cell, loop)
    return emitted.stack(), state, count, inputs, sizes


@pytest.mark.parametrize("loop_state", [False, True])
def test_raw_rnn(same: Same, loop_state: bool) -> None:
    def program(tf: Any, log: Any) -> None:
        tf.set_random_seed(1)
        emitted, state, count, inputs, sizes = raw(tf, loop_state=loop_state)
        log(emitted, state, count)
        fed = np.random.RandomState(0).rand(5, 2, 4)
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            log(session.run([emitted, state, *([] if count is None else [count])], {inputs: fed, sizes: [5, 3]}))

    same(program, ordered=False)


def test_cells_of_ones_own(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        class Mine(tf.nn.rnn_cell.RNNCell):  # type: ignore[misc]
            state_size = output_size = 3

            def call(self, inputs: Any, state: Any) -> Any:
                found = tf.matmul(tf.concat([inputs, state], 1), tf.get_variable("w", [7, 3]))
                return found, found

        class Older(tf.nn.rnn_cell.RNNCell):  # type: ignore[misc]
            state_size = output_size = 3

            def __call__(self, inputs: Any, state: Any, scope: Any = None) -> Any:
                with tf.variable_scope(scope or type(self).__name__):
                    found = tf.matmul(tf.concat([inputs, state], 1), tf.get_variable("w", [7, 3]))
                    return found, found

        cell = Mine()
        log(tf.nn.dynamic_rnn(cell, x(tf, 2, 5, 4), dtype=tf.float32), cell.trainable_variables, cell.scope_name)
        log(tf.nn.dynamic_rnn(Older(), x(tf, 2, 5, 4), dtype=tf.float32, scope="o"), tf.global_variables())

    same(program, ordered=False)


def test_values(same: Same) -> None:
    """With equal seeds the same outputs and states, over sequences of several lengths."""
    fed = np.random.RandomState(0).rand(3, 6, 4).astype(np.float32)

    def program(tf: Any, log: Any) -> None:
        tf.set_random_seed(5)
        cells = tf.nn.rnn_cell
        inputs, sizes = tf.constant(fed), tf.placeholder(tf.int32, [3])
        found = [
            tf.nn.dynamic_rnn(cells.BasicLSTMCell(3), inputs, sizes, dtype=tf.float32, scope="a"),
            tf.nn.dynamic_rnn(
                cells.LSTMCell(3, use_peepholes=True, num_proj=2, cell_clip=0.3), inputs, dtype=tf.float32, scope="b"
            ),
            tf.nn.bidirectional_dynamic_rnn(cells.GRUCell(3), cells.BasicRNNCell(2), inputs, sizes, dtype=tf.float32),
            tf.nn.static_rnn(cells.GRUCell(3), tf.unstack(inputs, axis=1), None, tf.float32, sizes, scope="c"),
            tf.nn.static_bidirectional_rnn(
                cells.GRUCell(3), cells.GRUCell(2), tf.unstack(inputs, axis=1), None, None, tf.float32, sizes, "e"
            ),
            tf.nn.dynamic_rnn(
                cells.DropoutWrapper(cells.GRUCell(3), 0.5, 0.5, 0.5, True, 4, tf.float32, seed=4),
                inputs,
                dtype=tf.float32,
                scope="d",
            ),
        ]
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            log(session.run(found, {sizes: [6, 1, 4]}))

    same(program, graph=False)


def test_lengths_that_are_not_one_for_each_sample() -> None:
    with runstep.Graph().as_default():
        sizes = runstep.placeholder(runstep.int32, [None])
        cell = runstep.nn.rnn_cell.GRUCell(2)
        outputs, _ = runstep.nn.dynamic_rnn(cell, runstep.zeros([3, 2, 4]), sizes, dtype=runstep.float32)
        with runstep.Session() as session:
            session.run(runstep.global_variables_initializer())
            with pytest.raises(runstep.errors.InvalidArgumentError, match="Expected shape for Tensor rnn/sequence_l"):
                session.run(outputs, {sizes: [1, 2]})


def test_errors(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        cells, inputs = tf.nn.rnn_cell, x(tf, 2, 5, 4)
        dynamic, static = tf.nn.dynamic_rnn, tf.nn.static_rnn
        log.tried(lambda: dynamic(cells.GRUCell(3), inputs))
        log.tried(lambda: dynamic(None, inputs, dtype=tf.float32))
        log.tried(lambda: dynamic(cells.GRUCell(3), inputs, sequence_length=[[1]], dtype=tf.float32))
        log.tried(lambda: dynamic(cells.GRUCell(3), x(tf, 2), dtype=tf.float32))
        log.tried(lambda: static(cells.GRUCell(3), inputs[:, 0], dtype=tf.float32))
        log.tried(lambda: static(cells.GRUCell(3), [], dtype=tf.float32))
        log.tried(lambda: static(cells.GRUCell(3), [x(tf, 2, 3)]))
        log.tried(lambda: tf.nn.static_state_saving_rnn(cells.GRUCell(3), [x(tf, 2, 3)], None, ("a", "b")))
        log.tried(lambda: tf.nn.raw_rnn(cells.GRUCell(3), 3))
        log.tried(lambda: cells.MultiRNNCell([]))
        log.tried(lambda: cells.MultiRNNCell([cells.LSTMCell(3)], state_is_tuple=False))
        log.tried(lambda: cells.DropoutWrapper(cells.GRUCell(3), input_keep_prob=1.5))
        log.tried(lambda: cells.DropoutWrapper(cells.GRUCell(3), variational_recurrent=True))
        log.tried(lambda: cells.DropoutWrapper(3))
        log.tried(lambda: cells.GRUCell(3)(x(tf, 2, 3, 4), tf.zeros([2, 3])))
        log.tried(lambda: cells.GRUCell(3)(x(tf, 2, None), tf.zeros([2, 3])))
        log.tried(lambda: cells.LSTMStateTuple(tf.zeros([2]), tf.zeros([2], tf.int32)).dtype)
        log.tried(lambda: cells.RNNCell().state_size)
        log.tried(lambda: cells.GRUCell(3).get_initial_state())
        log(cells.GRUCell(3).get_initial_state(x(tf, 2, 4)), cells.LSTMStateTuple(1, 2))

    same(program, graph=False)
