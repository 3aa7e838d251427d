"""`check(row)`: one row against TensorFlow, in every combination of dtypes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from runstep import errors
from runstep.graph.dtypes import DType
from runstep.graph.shapes import RawShape
from runstep.kernels.registry import KernelTable, numpy_kernel
from runstep.testing import graphs, oracle, subject
from runstep.testing.combinations import combinations
from runstep.testing.compare import differences
from runstep.testing.rows import Case, Instance


def check(row: Case, *, table: KernelTable = numpy_kernel) -> None:
    """Raises AssertionError, naming the combination of dtypes, where runstep and TensorFlow differ on `row`.

    Compared are values, dtypes, shapes and number of outputs, or the class of the error; and the static shapes that
    both infer from full, partial and no knowledge of the inputs. The promises of the kernel are checked on the way (see
    `runstep.testing.subject.call`).

    Raises:
      ImportError: TensorFlow is not installed.
      LookupError: no row, no kernel, or no dtypes to try.
      TypeError: the row does not fit the op def.
    """
    op_def = subject.op_def(row.op)
    instances = [Instance(row, op_def, types) for types in combinations(row, op_def)]
    values = [instance.values() for instance in instances]
    building = row.error is not None and not issubclass(row.error, errors.OpError)
    problems: list[str] = []
    if building:
        for instance, inputs in zip(instances, values, strict=True):
            problems += _check_building_fails(row, instance, inputs)
    else:
        outcomes = oracle.run(instances, values)
        if row.error is not None and not any(_same_class(outcome, row.error) for outcome in outcomes):
            problems.append(f"{row}: TensorFlow does not raise {row.error.__name__} but gives {outcomes[0]!r:.300}")
        if row.error is None and all(isinstance(outcome, Exception) for outcome in outcomes):
            problems.append(f"{row}: TensorFlow raises in every dtype, {_brief(outcomes[0])}")
        for instance, inputs, outcome in zip(instances, values, outcomes, strict=True):
            problems += _check_run(instance, inputs, outcome, table)
        if table is numpy_kernel and not problems:
            problems += _check_session(instances, values, outcomes)
    for index in _shape_samples(instances):
        problems += _check_shapes(instances[index], values[index])
    if problems:
        more = f"\n... and {len(problems) - 10} more" if len(problems) > 10 else ""
        raise AssertionError("\n".join(problems[:10]) + more)


def _same_class(outcome: Any, error: type[BaseException]) -> bool:
    return isinstance(outcome, BaseException) and type(outcome).__name__ == error.__name__


def _agree(ours: Exception, theirs: Exception) -> bool:
    # A bare ufunc says ValueError where shapes don't fit; the session turns that into InvalidArgumentError.
    if type(ours) is ValueError and "operands could not be broadcast together" in str(ours):
        return type(theirs).__name__ == "InvalidArgumentError"
    return type(ours).__name__ == type(theirs).__name__


def _check_run(
    instance: Instance, inputs: list[np.ndarray[Any, Any]], outcome: oracle.Outcome, table: KernelTable
) -> Iterator[str]:
    if oracle.no_kernel(outcome) or (table is numpy_kernel and not table.rows(instance.row.op)):
        return  # what has no kernel at all the plan computes itself: the session shows it
    if isinstance(outcome, (ValueError, TypeError)):
        yield f"{instance}: TensorFlow refuses to build this even with unknown shapes: {outcome}"
        return
    for known in (True, False):
        where = f"{instance}, {'constants known' if known else 'nothing known'}"
        try:
            results = subject.call(instance, inputs, known=known, table=table)
        except AssertionError as error:
            yield str(error)
        except LookupError as error:
            if not isinstance(outcome, Exception):
                yield str(error)
        except Exception as error:
            if not isinstance(outcome, Exception):
                yield f"{where}: raised {_brief(error)}, TensorFlow gives {outcome!r:.200}"
            elif not _agree(error, outcome):
                yield f"{where}: raised {_brief(error)}, TensorFlow raises {_brief(outcome)}"
        else:
            if isinstance(outcome, Exception):
                yield f"{where}: gives {results!r:.200}, TensorFlow raises {_brief(outcome)}"
            else:
                yield from _compare(instance, where, results, outcome)


def _check_session(
    instances: Sequence[Instance], values: Sequence[Sequence[Any]], outcomes: Sequence[oracle.Outcome]
) -> Iterator[str]:
    for constants in (False, True):
        results = graphs.run(instances, values, constants=constants)
        for instance, result, outcome in zip(instances, results, outcomes, strict=True):
            where = f"{instance}, in a session, {'constants known' if constants else 'nothing known'}"
            if oracle.no_kernel(outcome):
                continue
            if constants and isinstance(result, ValueError):
                continue  # refused in building; that TensorFlow does so too is checked with the static shapes
            yield from compared(instance, where, result, outcome)


def compared(instance: Instance, where: str, result: graphs.Outcome, outcome: oracle.Outcome) -> Iterator[str]:
    """How what a session made of `instance` differs from what TensorFlow made of it."""
    if not isinstance(result, Exception):
        if isinstance(outcome, Exception):
            yield f"{where}: gives {result!r:.200}, TensorFlow raises {_brief(outcome)}"
        else:
            yield from _compare(instance, where, result, outcome)
    elif not isinstance(outcome, Exception):
        yield f"{where}: raised {_brief(result)}, TensorFlow gives {outcome!r:.200}"
    elif type(result).__name__ != type(outcome).__name__:
        yield f"{where}: raised {_brief(result)}, TensorFlow raises {_brief(outcome)}"


def _brief(error: Any) -> str:
    """The class and what was said, without the node and the stack that TensorFlow puts around it."""
    message = getattr(error, "message", str(error))
    lines = [line for line in message.partition("[[{{node")[0].splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[-1].strip() if lines else ''}"


def _compare(instance: Instance, where: str, results: Sequence[Any], outcome: Sequence[Any]) -> Iterator[str]:
    row = instance.row
    kinds = [*instance.output_types, *(kind for kind in instance.held if kind is not None)]
    for index, (ours, theirs, kind) in enumerate(zip(results, outcome, kinds, strict=True)):
        if theirs is None:
            continue
        if row.stateful:
            theirs = np.asarray(theirs)
            if np.shape(ours) != theirs.shape or np.asarray(ours).dtype != theirs.dtype:
                yield f"{where}: output {index}: {ours.dtype}{ours.shape}, TensorFlow has {theirs.dtype}{theirs.shape}"
            continue
        what = differences(ours, theirs, kind.base_dtype, row.rtol, row.atol)
        if what:
            yield f"{where}: output {index}: {what}"


def _check_building_fails(row: Case, instance: Instance, inputs: list[np.ndarray[Any, Any]]) -> Iterator[str]:
    known = [True if instance.is_literal(index) else spec.shape for index, spec in enumerate(instance.specs)]
    theirs = oracle.static_shapes(instance, inputs, known)
    ours = graphs.static_shapes(instance, inputs, known)
    assert row.error is not None
    if not _same_class(theirs, row.error):
        yield f"{instance}: TensorFlow does not raise {row.error.__name__} in building but gives {theirs!r:.300}"
    if not _same_class(ours, row.error):
        yield f"{instance}: building gives {ours!r}, TensorFlow raises {theirs}"


# --- static shapes ------------------------------------------------------------------------------------------------


def _shape_samples(instances: Sequence[Instance]) -> list[int]:
    """Rules seldom look at dtypes: the first combination, and the first with each dtype of the minor attributes."""
    seen: set[tuple[str, DType]] = set()
    picks: list[int] = []
    for index, instance in enumerate(instances):
        minor = {item for item in list(instance.types.items())[1:] if item not in seen}
        if index == 0 or (minor and len(picks) < 4):
            picks.append(index)
            seen |= minor
    return picks


def _knowledge(instance: Instance) -> Iterator[list[Any]]:
    """What is known of the inputs, from everything to nothing: per input a raw shape, or True for a constant."""
    full: list[RawShape] = [spec.shape for spec in instance.specs]
    data = [index for index in range(len(full)) if not instance.is_literal(index)]
    settings: list[list[RawShape]] = [full]

    def changed(change: Any, places: Sequence[int]) -> list[RawShape]:
        return [change(shape) if index in places else shape for index, shape in enumerate(full)]

    settings.append(changed(lambda shape: (None, *shape[1:]) if shape else shape, data))
    settings.append(changed(lambda shape: (*shape[:-1], None) if shape else shape, data))
    settings.append(changed(lambda shape: (None,) * len(shape), data))
    settings.append(changed(lambda shape: None, data))
    if len(data) > 1:
        settings += [changed(lambda shape: None, [place]) for place in data[:3]]
        settings += [changed(lambda shape: (None,) * len(shape), [place]) for place in data[:3]]
    literals = [index for index in range(len(full)) if instance.is_literal(index)]
    unique = [setting for index, setting in enumerate(settings) if setting not in settings[:index]]
    for setting in unique:
        if literals:
            yield [True if index in literals else shape for index, shape in enumerate(setting)]
        yield list(setting)
    if literals:
        yield [None if index in literals else shape for index, shape in enumerate(full)]
        yield [None] * len(full)
        if len(literals) > 1:
            for place in literals:
                yield [True if index == place else shape for index, shape in enumerate(full)]


def _check_shapes(instance: Instance, inputs: list[np.ndarray[Any, Any]]) -> Iterator[str]:
    for known in _knowledge(instance):
        theirs = oracle.static_shapes(instance, inputs, known)
        ours = graphs.static_shapes(instance, inputs, known)
        if isinstance(theirs, Exception):
            if type(ours).__name__ != type(theirs).__name__:
                yield f"{instance}: static shapes from {_said(known)} are {ours!r}, TensorFlow raises {theirs!r}"
        elif isinstance(ours, Exception):
            yield f"{instance}: static shapes from {_said(known)} raise {ours!r}, TensorFlow says {theirs}"
        elif ours != theirs:
            yield f"{instance}: static shapes from {_said(known)} are {ours}, TensorFlow says {theirs}"


def _said(known: Sequence[Any]) -> str:
    return "(" + ", ".join("constant" if what is True else str(what) for what in known) + ")"
