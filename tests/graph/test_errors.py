"""The errors module against TensorFlow's (S180, S181, S182)."""

import inspect
import pickle
import traceback
from typing import Any

import pytest
import tensorflow.compat.v1 as real

from runstep import errors

CLASSES = sorted(name for name, item in vars(real.errors).items() if inspect.isclass(item) and name.endswith("Error"))


def test_s180_names_and_codes() -> None:
    """S180: the classes and the constants are TensorFlow's."""
    constants = {name: value for name, value in vars(real.errors).items() if name.isupper()}
    assert len(constants) == 17
    assert {name: getattr(errors, name) for name in constants} == constants
    assert len(CLASSES) == 17
    for name in set(CLASSES) - {"OpError"}:
        ours, theirs = getattr(errors, name), getattr(real.errors, name)
        error = ours(None, None, "text")
        assert error.error_code == theirs(None, None, "text").error_code
        assert errors.exception_type_from_error_code(error.error_code) is ours
        assert errors.error_code_from_exception_type(ours) == error.error_code


def test_s180_lookups_of_the_unknown() -> None:
    """S180: TensorFlow returns an error object for a class without a code; we return the code UNKNOWN."""
    for code in (0, 99):
        with pytest.raises(KeyError):
            errors.exception_type_from_error_code(code)
    with pytest.warns(UserWarning, match="Unknown class exception"):
        assert errors.error_code_from_exception_type(ValueError) == errors.UNKNOWN
    with pytest.warns(UserWarning, match="Unknown error code: 77"):
        assert type(errors.make_error(None, None, "text", 77)) is errors.UnknownError


def test_s180_raise_exception_on_not_ok_status() -> None:
    """S180: the status set in the body becomes the error of its class; the body's own error wins."""
    with errors.raise_exception_on_not_ok_status() as status:
        assert status.code == errors.OK
    with pytest.raises(errors.NotFoundError, match="no file"), errors.raise_exception_on_not_ok_status() as status:
        status.code, status.message = errors.NOT_FOUND, "no file"
    with pytest.raises(ZeroDivisionError), errors.raise_exception_on_not_ok_status() as status:
        status.code = errors.NOT_FOUND
        raise ZeroDivisionError


@pytest.mark.parametrize("name", CLASSES)
def test_s181_attributes(name: str) -> None:
    """S181: attributes, args, repr, pickle and bases are TensorFlow's."""
    code = (3,) if name == "OpError" else ()
    for arguments in ((None, None, "text", *code), ("node", None, "text", *code, {"a": b"b"})):
        pair = getattr(errors, name)(*arguments), getattr(real.errors, name)(*arguments)
        seen = [
            (e.message, e.op, e.node_def, e.error_code, e.experimental_payloads, e.args, repr(e), str(e)) for e in pair
        ]
        assert seen[0] == seen[1]
        copy = pickle.loads(pickle.dumps(pair[0]))
        assert type(copy) is type(pair[0]) and copy.message == "text" and copy.error_code == pair[0].error_code
        assert isinstance(pair[0], errors.OpError)
    with pytest.raises(TypeError):
        getattr(errors, name)()


class FakeOp:
    def __init__(self, name: str, frames: list[int], original: Any = None) -> None:
        self.name = name
        self.traceback = traceback.StackSummary.from_list([(f"f{i}.py", i, f"g{i}", f"line {i}") for i in frames])
        self._original_op = original


def chains() -> list[Any]:
    made = FakeOp("made", [0, 1, 2, 3, 4])
    return [
        made,
        FakeOp("elsewhere", [5, 6, 7, 8, 9], made),
        FakeOp("nearby", [0, 6, 7, 8, 9], made),
        FakeOp("beside", [0, 1, 2, 7, 8], made),
        FakeOp("after", [0, 1, 7, 8, 9, 10], FakeOp("between", [0, 1, 2, 5, 6], made)),
        FakeOp("twin", [0, 1, 2, 3, 4], made),
    ]


@pytest.mark.parametrize("op", chains(), ids=lambda op: op.name)
def test_s182_stack_traces(op: Any) -> None:
    """S182: str() adds the creation of the op and of those it comes from, shared frames left out."""
    ours = errors.InvalidArgumentError(None, op, "text")
    assert str(ours) == str(real.errors.InvalidArgumentError(None, op, "text"))
    assert str(ours).startswith(f"text\n\nOriginal stack trace for {op.name!r}:\n  File ")


def test_s182_a_longer_original_is_printed_whole() -> None:
    """S182: TensorFlow drops the frames of an original that is deeper than the trace printed before it."""
    op = FakeOp("shallow", [0, 9], FakeOp("deep", [0, 1, 2, 3]))
    assert 'File "f3.py", line 3, in g3' in str(errors.InternalError(None, op, "text"))
