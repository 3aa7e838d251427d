"""Errors: classes, texts, where they come from (S180-S191)."""

from __future__ import annotations

import logging
import pickle
import re
from typing import Any

import numpy as np
import pytest

import runstep

CODES = [
    "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED",
]  # fmt: skip


def test_classes_and_codes(tf: Any) -> None:
    """S180, T: errors_test."""
    assert tf.errors.OK == 0
    for code, name in enumerate(CODES, 1):
        cls = getattr(tf.errors, "".join(part.title() for part in name.split("_")) + "Error")
        assert getattr(tf.errors, name) == code
        error = cls(None, None, "text", {"key": b"payload"})
        assert (
            error.error_code == code and error.message == "text" and error.experimental_payloads == {"key": b"payload"}
        )
        assert tf.errors.exception_type_from_error_code(code) is cls
        assert tf.errors.error_code_from_exception_type(cls) == code
    assert tf.errors.OpError(None, None, "text", 13).error_code == 13
    with pytest.raises(tf.errors.NotFoundError, match="gone"):
        if tf is runstep:
            with tf.errors.raise_exception_on_not_ok_status() as status:
                status.code, status.message = tf.errors.NOT_FOUND, "gone"
        else:
            raise tf.errors.NotFoundError(None, None, "gone")


def test_attributes(tf: Any) -> None:
    """S181."""
    op = tf.constant(1, name="c").op
    error = tf.errors.InvalidArgumentError(op.node_def, op, "text")
    assert error.op is op and error.node_def.name == "c" and error.experimental_payloads == {}
    assert error.args == () and repr(error) == "InvalidArgumentError()"
    named = [cls.__name__ for cls in type(error).__mro__ if not cls.__name__.startswith("_")]
    assert named[:3] == ["InvalidArgumentError", "OpError", "Exception"]
    again = pickle.loads(pickle.dumps(tf.errors.InvalidArgumentError(None, None, "text")))
    assert type(again) is type(error) and again.message == "text"


def _fails(tf: Any, fetch: Any, feed_dict: Any = None) -> Any:
    with tf.Session() as session:
        with pytest.raises(tf.errors.OpError) as caught:
            session.run(fetch, feed_dict)
    return caught.value


def test_text_of_kernel_errors(tf: Any) -> None:
    """S182: where it was made, the kernel's words, the node; str() adds the stack."""
    bad = tf.check_numerics(tf.constant(np.nan), "mine", name="my")
    error = _fails(tf, bad)
    assert error.message.startswith(
        "Graph execution error:\n\nDetected at node 'my' defined at (most recent call last):\n"
    )
    assert f'File "{__file__}", line ' in error.message and ", in test_text_of_kernel_errors\n" in error.message
    assert "Node: 'my'\nmine : Tensor had NaN values\n\t [[{{node my}}]]" in error.message
    assert error.op is bad.op and error.node_def.name == "my"
    assert str(error).startswith(error.message) and "\n\nOriginal stack trace for 'my':\n" in str(error)
    if tf is runstep:  # TensorFlow's goes on with its own frames, and loses the caller's line under pytest
        assert "bad = tf.check_numerics(" in str(error)


def test_text_without_a_node(tf: Any) -> None:
    """S182."""
    _, dead = tf.raw_ops.Switch(data=tf.constant(1), pred=tf.constant(False))
    error = _fails(tf, dead)
    assert error.message == "Graph execution error:\n\nRetval[0] does not have value" and error.op is None


def test_original_operations(tf: Any) -> None:
    """S182, T: testErrorBasedOn: what a gradient's op was made for."""
    x = tf.placeholder(tf.float32, name="x")
    original = tf.square(x, name="original")
    with tf.get_default_graph()._original_op(original.op):
        derived = tf.check_numerics(original, "bad", name="derived")
    error = _fails(tf, derived, {x: np.nan})
    assert error.op is derived.op
    assert "...which was originally created as op 'original', defined at:" in str(error)
    if tf is runstep:
        assert "original = tf.square(" in str(error)


def test_the_operation_is_passed_on(rs: Any) -> None:
    """S183: found without reading the text: also where the text names other nodes."""
    text = "[[{{node other}}]] [[Node: another = Op]] "
    rs.constant(1, name="other")
    failing = rs.check_numerics(rs.constant(np.nan), text, name="failing")
    error = _fails(rs, failing)
    assert error.op is failing.op


KERNEL_ERRORS: dict[str, Any] = {
    "Integer division by zero": lambda tf: tf.floordiv(tf.constant([1]), tf.placeholder_with_default([0], [1])),
    r"indices = 7 is not in \[0, 2\)": lambda tf: tf.gather(tf.constant([1, 2]), tf.placeholder_with_default(7, [])),
    r"Matrix size-incompatible: In\[0\]: \[1,2\], In\[1\]: \[1,2\]": lambda tf: tf.matmul(
        tf.placeholder_with_default([[1.0, 2.0]], [None, None]), tf.placeholder_with_default([[1.0, 2.0]], [None, None])
    ),
    "StringToNumberOp could not correctly convert string: x": lambda tf: tf.string_to_number("x"),
    r"assertion failed: \[boo\] \[1 2\]": lambda tf: tf.Assert(tf.placeholder_with_default(False, []), ["boo", [1, 2]]),
    "neg value : Tensor had NaN values": lambda tf: tf.check_numerics(tf.log(tf.constant(-1.0)), "neg value"),
    "Input to reshape is a tensor with 4 values, but the requested shape has 21": lambda tf: tf.reshape(
        tf.placeholder_with_default([1, 2, 3, 4], [None]), tf.placeholder_with_default([3, 7], [2])
    ),
}


@pytest.mark.parametrize("text", KERNEL_ERRORS)
def test_kernel_errors(tf: Any, text: str) -> None:
    """S184, S190: 'Input to reshape is a tensor with 4 values, but the requested shape has 21' among them."""
    error = _fails(tf, KERNEL_ERRORS[text](tf))
    assert type(error) is tf.errors.InvalidArgumentError and re.search(text, error.message), error.message


def test_missing_files(tf: Any) -> None:
    """S184."""
    if not hasattr(tf.raw_ops, "ReadFile"):
        pytest.skip("reading files has an issue of its own")
    error = _fails(tf, tf.raw_ops.ReadFile(filename="/nope/x"))
    assert type(error) is tf.errors.NotFoundError and "/nope/x; No such file or directory" in error.message


def test_closed_queues(tf: Any) -> None:
    """S184."""
    queue = tf.FIFOQueue(2, tf.float32, name="q")
    with tf.Session() as session:
        session.run(queue.close())
        with pytest.raises(
            tf.errors.OutOfRangeError,
            match=r"FIFOQueue '.*q' is closed and has insufficient elements \(requested 1, current size 0\)",
        ):
            session.run(queue.dequeue())
        with pytest.raises(tf.errors.CancelledError, match=r"'.*q' is closed\."):
            session.run(queue.enqueue(1.0))


class Mine(Exception):
    pass


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (ValueError, "InvalidArgumentError"),
        (TypeError, "InvalidArgumentError"),
        (StopIteration, "OutOfRangeError"),
        (MemoryError, "ResourceExhaustedError"),
        (NotImplementedError, "UnimplementedError"),
        (Mine, "UnknownError"),
        (KeyError, "UnknownError"),
        (ZeroDivisionError, "UnknownError"),
    ],
)
def test_errors_of_python_functions(tf: Any, raised: type[Exception], expected: str) -> None:
    """S185."""

    def fail() -> Any:
        raise raised("inside pyfunc")

    call = tf.py_func(fail, [], tf.float32)
    error = _fails(tf, call)
    assert type(error).__name__ == expected and error.op is call.op
    assert f"{raised.__name__}: " in error.message and "inside pyfunc" in error.message
    assert "Traceback (most recent call last):" in error.message and "in fail" in error.message


def test_wrong_results_of_python_functions(tf: Any) -> None:
    """S185."""
    error = _fails(tf, tf.py_func(lambda: "text", [], tf.float32))
    assert type(error) is tf.errors.InvalidArgumentError
    assert re.search(r"0-th value returned by pyfunc_\d+ is string, but expects float", error.message)


def test_exceptions_of_python_functions_are_chained(rs: Any) -> None:
    """S185: the exception itself is the cause."""
    mine = ValueError("mine")

    def fail() -> Any:
        raise mine

    assert _fails(rs, rs.py_func(fail, [], rs.float32)).__cause__ is mine


def test_notes_tell_the_shapes_that_inputs_had(rs: Any) -> None:
    x, y = rs.placeholder(rs.float32, name="x"), rs.placeholder(rs.int32, [None], name="y")
    grown = [rs.exp(x, name="a")]
    for _ in range(100):  # long code is walked first, then compiled
        grown.append(rs.exp(grown[-1]))
    queue = rs.FIFOQueue(3, [rs.float32], [[4]])
    looped = rs.while_loop(lambda i: i < 9, lambda i: rs.gather(y, i, name="g"), [rs.constant(0)])
    feeds = {x: np.ones((2, 3)), y: np.array([1, 2, 7])}
    cases = {
        "BatchMatMulV2": (rs.matmul(x, rs.ones([5, 5], name="b")), "x:0: float32[2,3], b:0: float32[5,5]"),
        "Reshape": (rs.reshape(grown[-1], [7]), "Exp_99:0: float32[2,3], Reshape/shape:0: int32[1]"),
        "QueueEnqueueV2": (queue.enqueue(x), "fifo_queue:0: resource[], x:0: float32[2,3]"),
        "GatherV2": (looped, "while/g/Enter:0: int32[3], while/Identity:0: int32[], while/g/axis:0: int32[]"),
        "Transpose": (rs.transpose(x, y), "x:0: float32[2,3], y:0: int32[3]"),
    }
    with rs.Session() as session:
        for kind, (fetch, inputs) in cases.items():
            for _ in range(2):
                with pytest.raises(rs.errors.InvalidArgumentError) as caught:
                    session.run(fetch, feeds)
                (note,) = caught.value.__notes__
                assert note == f"{kind} on /job:localhost/replica:0/task:0/device:CPU:0 with inputs {inputs}"


def test_unknown_devices(tf: Any) -> None:
    """S186."""
    with tf.device("/gpu:7"):
        c = tf.constant(1.0, name="there")
    with tf.Session() as session:
        with pytest.raises(tf.errors.InvalidArgumentError) as caught:
            session.run(c)
        assert (
            "Cannot assign a device for operation there: {{node there}} was explicitly assigned to /device:GPU:7 "
            "but available devices are [ /job:localhost/replica:0/task:0/device:CPU:0 ]. "
            "Make sure the device specification refers to a valid device."
        ) in caught.value.message
    with tf.Session(config=tf.ConfigProto(allow_soft_placement=True)) as session:
        assert session.run(c) == 1.0


def test_unknown_devices_say_where_kernels_are(rs: Any) -> None:
    with rs.device("/gpu:7"):
        root = rs.sqrt(rs.placeholder(rs.float32, name="x"))
    error = _fails(rs, root, {"x:0": 1.0})
    assert "Kernels for Sqrt exist on /job:localhost/replica:0/task:0/device:CPU:0; asked for /device:GPU:7" in (
        error.__notes__
    )


def test_all_unknown_ops_are_named(rs: Any) -> None:
    message = rs.GraphDef()
    for name, op, inputs in (("a", "Foo", []), ("b", "Foo", ["a"]), ("c", "Bar", ["b"]), ("d", "Other", [])):
        message.node.add(name=name, op=op, input=inputs)
    rs.import_graph_def(message, name="")
    error = _fails(rs, "c")
    assert isinstance(error, rs.errors.NotFoundError) and "Op type not registered 'Foo'" in error.message
    assert error.__notes__ == ["Of the ops that this run needs, these are not registered: Foo (a and 1 more), Bar (c)"]


def test_uninitialized_variables_are_counted(rs: Any) -> None:
    made = [rs.get_variable(f"v{i}", initializer=1.0, use_resource=bool(i % 2)) for i in range(8)]
    total = rs.add_n([variable + 0.0 for variable in made])
    with rs.Session() as session:
        for run in (session.run, lambda fetch: session.make_callable(fetch)()):
            with pytest.raises(rs.errors.FailedPreconditionError) as caught:
                run(total)
            assert (
                "8 of 8 variables are uninitialized: v0, v1, v2, v3, v4, .... Run tf.global_variables_init"
                in (caught.value.__notes__[-1])
            )
        session.run([variable.initializer for variable in made[:7]])
        with pytest.raises(rs.errors.FailedPreconditionError) as caught:
            session.run(total)
        assert caught.value.__notes__[-1].startswith("1 of 8 variables are uninitialized: v7. Run ")
        session.run(made[7].initializer)
        assert session.run(total) == 8.0


def test_unknown_jobs(tf: Any) -> None:
    """S186: no soft placement helps."""
    with tf.device("/job:elsewhere/cpu:0"):
        c = tf.constant(1.0)
    for soft in (False, True):
        with tf.Session(config=tf.ConfigProto(allow_soft_placement=soft)) as session:
            with pytest.raises(tf.errors.InvalidArgumentError, match="Cannot assign a device for operation"):
                session.run(c)


def test_only_what_runs_is_placed(tf: Any) -> None:
    """S186, T: testInteractivePlacePrunedGraph."""
    with tf.device("/gpu:7"):
        tf.constant(1.0)
    c = tf.constant(2.0)
    session = tf.InteractiveSession()
    assert session.run(c) == 2.0
    session.close()


def test_a_plain_session_too_places_what_runs(rs: Any) -> None:
    """S186, T: testDefaultSessionPlacePrunedGraph: TensorFlow fails here, an unrelated op being in the way."""
    with rs.device("/gpu:7"):
        rs.constant(1.0)
    assert rs.Session().run(rs.constant(2.0)) == 2.0


def test_further_devices(rs: Any) -> None:
    """S186: /cpu:1 is there when device_count says so."""
    with rs.device("/cpu:1"):
        c = rs.constant(1.0) + rs.py_func(lambda: np.float32(2), [], rs.float32)
    with pytest.raises(rs.errors.InvalidArgumentError, match="explicitly assigned to /device:CPU:1"):
        rs.Session().run(c)
    with rs.Session(config=rs.ConfigProto(device_count={"CPU": 2})) as session:
        assert session.run(c) == 3.0


def test_look_ups(tf: Any) -> None:
    """S187."""
    graph = tf.get_default_graph()
    a = tf.constant(1, name="a")
    assert graph.get_tensor_by_name("a:0") is a and graph.get_operation_by_name("a") is a.op
    for call, error, text in (
        (
            lambda: graph.get_tensor_by_name("a"),
            ValueError,
            "The name 'a' refers to an Operation, not a Tensor. Tensor names must be of the form "
            '"<op_name>:<output_index>".',
        ),
        (
            lambda: graph.get_operation_by_name("a:0"),
            ValueError,
            "Name 'a:0' appears to refer to a Tensor, not a Operation.",
        ),
        (lambda: graph.get_tensor_by_name("b:0"), KeyError, "The name 'b:0' refers to a Tensor which does not exist."),
        (lambda: graph.get_operation_by_name("b"), KeyError, "The name 'b' refers to an Operation not in the graph."),
        (lambda: graph.get_tensor_by_name(3), TypeError, "Tensor names are strings (or similar), not int."),
        (lambda: graph.get_operation_by_name(3), TypeError, "Operation names are strings (or similar), not int."),
    ):
        with pytest.raises(error) as caught:
            call()
        assert text in str(caught.value)


def test_static_shapes(tf: Any) -> None:
    """S188: a ValueError when the graph is made, with the node."""
    with pytest.raises(ValueError) as caught:
        tf.matmul(tf.constant([[1.0, 2.0]]), tf.constant([[1.0, 2.0]]))
    text = str(caught.value)
    assert "Dimensions must be equal, but are 2 and 1 for '{{node MatMul}} = MatMul[" in text
    assert "](Const, Const_1)' with input shapes: [1,2], [1,2]." in text


def test_sessions_that_close_for_an_error(rs: Any, caplog: pytest.LogCaptureFixture) -> None:
    """S189: at ERROR, on the logger `runstep`."""
    bad = rs.check_numerics(rs.constant(np.nan), "mine")
    with caplog.at_level(logging.ERROR):
        with pytest.raises(rs.errors.InvalidArgumentError):
            with rs.Session() as session:
                session.run(bad)
        assert [r.levelno for r in caplog.records] == [logging.ERROR]
        assert caplog.records[0].getMessage().startswith("Session closing due to OpError: ")
        caplog.clear()
        with pytest.raises(KeyError):
            with rs.Session():
                raise KeyError
        assert not caplog.records


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # TensorFlow's half-made sessions
def test_texts_that_tensorflows_tests_match(tf: Any) -> None:
    """S190: each of these here; those of partial runs come with partial runs."""
    x = tf.placeholder(tf.int32, [2], name="x")
    c = tf.constant([1, 2])
    closed = tf.Session()
    closed.close()
    session = tf.Session()
    entered = tf.Session()
    found: list[str] = []

    def reenter() -> None:
        with entered, entered:
            pass

    for call in (
        lambda: closed.run(c),
        lambda: tf.Session(graph=tf.Graph()).run([]),
        lambda: c.eval(),
        lambda: session.run(x, {x: c}),
        lambda: session.run(x, {x: 2**40}),
        lambda: tf.Session("INVALID"),
        lambda: session.run(x, {"nope": 1}),
        lambda: session.run(x, {x: [1]}),
        lambda: tf.Session(1),
        lambda: tf.Session(config=1),
        lambda: tf.Session(graph=1),
        lambda: session.run(x + 1),
        reenter,
    ):
        with pytest.raises((RuntimeError, ValueError, TypeError, tf.errors.OpError)) as caught:
            call()
        found.append(str(caught.value))
    for text, pattern in zip(
        found,
        [
            r"Attempted to use a closed Session\.",
            r"The Session graph is empty\.",
            r"No default session is registered\.",
            "cannot be a tf.Tensor object",
            "is not compatible with Tensor type",
            "No session factory registered for the given session options",
            "Cannot interpret feed_dict",
            "Cannot feed value of shape",
            "Argument `target` must be a string",
            "Argument `config` must be a tf.ConfigProto",
            "Argument `graph` must be a tf.Graph",
            "You must feed a value for placeholder",
            "not re-entrant",
        ],
        strict=True,
    ):
        assert re.search(pattern, text), text


def test_frames_that_mix(tf: Any) -> None:
    """S191, S190, T: testBuildGraphErrorDirect: an OpError of the run, not of the graph's making."""
    one, two = tf.constant(1), tf.constant(2)
    inside = tf.raw_ops.Enter(data=one, frame_name="frame_1", is_constant=False)
    mixed = tf.add(inside, two)
    with tf.Session() as session:
        with pytest.raises(tf.errors.OpError, match="has inputs from different frames"):
            session.run(mixed)
