"""Starting a model's variables from those of another one, whose vocabularies may differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.graph.collections import GraphKeys
from runstep.graph.graph import get_default_graph
from runstep.graph.tensor import Tensor
from runstep.ops.joining import concat
from runstep.ops.shape_ops import reshape
from runstep.ops.state import assign
from runstep.train.checkpoint_utils import init_from_checkpoint, latest_file
from runstep.variables.initializers import Zeros
from runstep.variables.partition import PartitionedVariable
from runstep.variables.variable import Variable

__all__ = ["VocabInfo", "warm_start"]


class _VocabInfo(NamedTuple):
    new_vocab: str
    new_vocab_size: int
    num_oov_buckets: int
    old_vocab: str
    old_vocab_size: int
    backup_initializer: Any
    axis: int


class VocabInfo(_VocabInfo):
    """How the rows (or columns) of a variable belong to words, now and in the checkpoint (source: tf.train.VocabInfo).

    Args:
      new_vocab: a file with a word a line; word k belongs to row k. new_vocab_size: how many of them are used.
      num_oov_buckets: rows for other words, after those of the vocabulary.
      old_vocab: the file of the checkpoint. old_vocab_size: how many of them it used; -1 for all.
      backup_initializer: gives the values of words that the old vocabulary lacks; zeros by default.
      axis: 0 where rows belong to words, 1 where columns do.

    Raises:
      ValueError: another axis.
    """

    __slots__ = ()

    def __new__(
        cls,
        new_vocab: str,
        new_vocab_size: int,
        num_oov_buckets: int,
        old_vocab: str,
        old_vocab_size: int = -1,
        backup_initializer: Any = None,
        axis: int = 0,
    ) -> VocabInfo:
        if axis not in (0, 1):
            raise ValueError(f"The only supported values for the axis argument are 0 and 1.  Provided axis: {axis}")
        return super().__new__(
            cls, new_vocab, new_vocab_size, num_oov_buckets, old_vocab, old_vocab_size, backup_initializer, axis
        )


def warm_start(
    ckpt_to_initialize_from: str,
    vars_to_warm_start: Any = ".*",
    var_name_to_vocab_info: Mapping[str, VocabInfo] | None = None,
    var_name_to_prev_var_name: Mapping[str, str] | None = None,
) -> None:
    """Makes the initializers of variables load them from a checkpoint (source: tf.train.warm_start).

    Args:
      ckpt_to_initialize_from: a checkpoint, or a folder with some.
      vars_to_warm_start: a regular expression of trainable variables; a list of those of any variables; a list of
        variables; or None, for those that `var_name_to_vocab_info` names.
      var_name_to_vocab_info: the vocabularies of matrices (float32) whose rows or columns have moved, by the name of
        the (whole) variable.
      var_name_to_prev_var_name: how variables that are called otherwise now are called in the checkpoint.

    Raises:
      ValueError: the checkpoint lacks one or has it in another shape; a dict names what isn't started.
    """
    infos = var_name_to_vocab_info or {}
    previous = var_name_to_prev_var_name or {}
    started = _by_name(_chosen(vars_to_warm_start))
    if vars_to_warm_start is None:
        started = {name: parts for name, parts in started.items() if name in infos}
    plain: list[tuple[str, Any]] = []  # pairs: two variables may start from one
    for name, parts in started.items():
        saved = previous.get(name, name)
        if name in infos:
            for part in parts:
                _start_with_words(part, latest_file(ckpt_to_initialize_from), saved, infos[name])
        else:
            plain.append((saved, parts if len(parts) > 1 else parts[0]))
    init_from_checkpoint(ckpt_to_initialize_from, plain)
    for what, given in (("var_name_to_prev_var_name", previous), ("var_name_to_vocab_info", infos)):
        unused = set(given) - set(started)
        if unused:
            raise ValueError(
                f"You provided the following variables in {what} that were not used: {unused}.  Perhaps you misspelled "
                f"them?  Here is the list of viable variable names: {started.keys()}"
            )


def _chosen(which: Any) -> list[Any]:
    collection = get_default_graph().get_collection
    if which is None:
        return collection(GraphKeys.TRAINABLE_VARIABLES)
    if isinstance(which, str):
        return collection(GraphKeys.TRAINABLE_VARIABLES, scope=which)
    if not isinstance(which, list):
        raise ValueError(f"`vars_to_warm_start must be a `list` or `str`.  Given type is {type(which)}")
    if all(isinstance(each, str) for each in which):
        return [found for scope in which for found in collection(GraphKeys.GLOBAL_VARIABLES, scope=scope)]
    if all(isinstance(each, Variable | PartitionedVariable) for each in which):
        return which
    raise ValueError(
        "If `vars_to_warm_start` is a list, it must be all `Variable` or all `str`.  Given types are "
        f"{[type(each) for each in which]}"
    )


def _by_name(variables: list[Any]) -> dict[str, list[Any]]:
    """The variables, the parts of one together, by the name of the whole."""
    found: dict[str, list[Any]] = {}
    for variable in variables:
        for part in variable if isinstance(variable, PartitionedVariable) else [variable]:
            info = part._get_save_slice_info()
            parts = found.setdefault(part.op.name if info is None else info.full_name, [])
            if not any(part is known for known in parts):
                parts.append(part)
    return found


def _start_with_words(variable: Any, file: str, saved: str, info: VocabInfo) -> None:
    value = _remapped(variable, file, saved, info)
    value.set_shape(variable.shape)
    done = assign(variable, value)
    variable._initializer_op = getattr(done, "op", done)
    variable._initial_value = value


def _remapped(variable: Any, file: str, saved: str, info: VocabInfo) -> Tensor:
    """What the checkpoint has for the words of this part of a variable, and initial values for other words."""
    shape = variable.shape.as_list()
    if len(shape) != 2:
        raise ValueError(f"Expected 2-dim shape, but received: {shape}")
    part = variable._get_save_slice_info()
    whole, first = (shape, 0) if part is None else (part.full_shape, part.var_offset[0])
    sizes = [(whole[0], 0), (shape[1], 0)]
    sizes[info.axis] = (info.new_vocab_size, info.num_oov_buckets)
    (words, others), (width, more) = sizes
    if shape[1] != width + more:
        raise ValueError(
            f"Expected 2nd dim of shape to be new_col_vocab_size ({width}) + num_col_oov_buckets ({more}) = "
            f"{width + more}, but received shape: {shape}"
        )
    if first + shape[0] > words + others:
        raise ValueError(
            f"Trying to initialize {shape[0]} additional rows after {first} rows have already been initialized, which "
            f"would exceed expected total row count of new_row_vocab_size ({words}) + num_row_oov_buckets ({others}) = "
            f"{words + others}."
        )
    rows = max(0, min(shape[0], words - first))  # those of words; the rest are for others
    initializer = info.backup_initializer or Zeros()
    columns: Any = np.zeros(0, np.int64)
    places: Any
    if info.axis == 0:
        places, present = _places(info, first, rows)
        missing = (rows - present) * width
    else:
        columns, present = _places(info, 0, width)
        places, missing = np.arange(first, first + rows), rows * (width - present)
    initial = reshape(initializer([rows, width], dtype=dtypes.float32), [-1])[:missing]
    value = apply(
        "LoadAndRemapMatrix",
        file,
        saved,
        places,
        columns,
        initial,
        num_rows=rows,
        num_cols=width,
        max_rows_in_memory=-1,
    )
    for axis, count in ((0, shape[0] - rows), (1, more)):
        if count:
            extra = [count, width] if axis == 0 else [rows, count]
            value = concat([value, initializer(extra, dtype=dtypes.float32)], axis)
    return value


def _places(info: VocabInfo, first: int, count: int) -> tuple[Tensor, Tensor]:
    """Where the checkpoint has some of the new words (-1: nowhere), and how many it has."""
    return apply(
        "GenerateVocabRemapping",
        info.new_vocab,
        info.old_vocab,
        new_vocab_offset=first,
        num_new_vocab=count,
        old_vocab_size=info.old_vocab_size,
    )
