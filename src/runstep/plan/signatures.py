"""Whether a function of the library fits the node that calls it, looked at once, when the node's kernel is made.

What doesn't fit is refused when it would be called, and not before: a branch that isn't taken hurts nobody. Errors are
of TensorFlow's class and begin with its words.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from runstep import errors
from runstep.graph.dtypes import DType
from runstep.plan.emit import Segment
from runstep.plan.node import PlanNode
from runstep.plan.refusals import word

Types = Sequence[DType]
Refusal = type[errors.InvalidArgumentError] | type[errors.InternalError]
Misgiven = Callable[[Types, Types], str]
"""What is said of outputs that a function returns, where others are wanted."""


def fitting(
    node: PlanNode,
    segment: Segment,
    takes: Types,
    gives: Types,
    misgiven: Misgiven,
    error: Refusal = errors.InternalError,
) -> Segment:
    """`segment`, or what refuses to be called in its place.

    takes, gives: the dtypes that `node` calls it with and wants back. error: the class for outputs that don't fit; for
    inputs it is InvalidArgumentError.
    """
    takes = [dtype.base_dtype for dtype in takes]
    gives = [dtype.base_dtype for dtype in gives]
    if not _same(segment.takes, takes):
        wrong, error = _mistaken(segment.takes, takes), errors.InvalidArgumentError
    elif not _same(segment.gives, gives):
        wrong = misgiven(segment.gives, gives)
    else:
        return segment
    text = (
        f"{wrong}. Function {segment.name} takes {_words(segment.takes)} and returns {_words(segment.gives)}; node "
        f"{node.name} ({node.type}) gives it {_words(takes)} and wants {_words(gives)}: make one like the other."
    )

    def refuse(step: Any, *inputs: Any) -> Any:
        raise error(None, None, text)

    return Segment(refuse, False, False, "", [])


def of_a_call(got: Types, wanted: Types) -> str:
    if len(got) < len(wanted):
        return f"Missing {len(got)}-th output"
    if len(got) > len(wanted):
        return _of_count(got, wanted)
    i = _difference(got, wanted)
    return f"Output {i} of type {word(got[i])} does not match declared output type {word(wanted[i])}"


def of_a_branch(got: Types, wanted: Types) -> str:
    if len(got) != len(wanted):
        return _of_count(got, wanted)
    i = _difference(got, wanted)
    return f"Expect {i}-th output is of type {word(wanted[i])} but get {word(got[i])}"


def of_a_turn(got: Types, wanted: Types) -> str:
    if len(got) != len(wanted):
        return f"While loop body returned {len(got)} arguments. Expected: {len(wanted)}"
    i = _difference(got, wanted)
    return f"Expected type {word(wanted[i])} for return value {i} but got {word(got[i])}"


def of_a_count(got: Types, wanted: Types) -> str:
    """As `of_a_turn`, of a For loop, whose body takes its number first."""
    if len(got) > len(wanted):
        return f"For loop body returned {len(got)} arguments. Expected: {len(wanted)}"
    if len(got) < len(wanted):
        return _of_count(got, wanted)
    i = _difference(got, wanted)
    return f"Expects arg[{i + 1}] to be {word(wanted[i])} but {word(got[i])} is provided"


def of_a_condition(got: Types, wanted: Types) -> str:
    return f"Expected a single scalar return value from WhileOp cond, got {len(got)} tensors"


def of_a_gradient(got: Types, wanted: Types) -> str:
    if len(got) != len(wanted):
        return f"SymGrad expects to return {len(wanted)} tensor(s), but get {len(got)} tensor(s) instead"
    return of_a_call(got, wanted)


def _of_count(got: Types, wanted: Types) -> str:
    return f"Expect to produce {len(wanted)} tensors, but only get {len(got)}"


def _mistaken(wanted: Types, given: Types) -> str:
    if len(wanted) != len(given):
        return f"Expects {len(wanted)} arguments, but {len(given)} is provided"
    i = _difference(wanted, given)
    return f"Expects arg[{i}] to be {word(wanted[i])} but {word(given[i])} is provided"


def _same(one: Types, other: Types) -> bool:
    return len(one) == len(other) and all(a is b for a, b in zip(one, other, strict=True))


def _difference(one: Types, other: Types) -> int:
    """The first position at which two lists of one length differ."""
    return next(i for i, (a, b) in enumerate(zip(one, other, strict=True)) if a is not b)


def _words(types: Types) -> str:
    return f"({', '.join(map(word, types))})"
