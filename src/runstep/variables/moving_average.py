"""Exponential moving averages of variables and tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runstep.graph import dtypes
from runstep.graph.collections import GraphKeys
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import get_default_graph, name_scope
from runstep.graph.operation import Operation
from runstep.ops import state
from runstep.ops.arithmetic import minimum, pow
from runstep.ops.basic import group
from runstep.ops.cast import cast
from runstep.variables.collections import global_variables, moving_average_variables, trainable_variables
from runstep.variables.creation import lifted
from runstep.variables.initializers import zeros_initializer
from runstep.variables.scope import get_variable, variable_scope
from runstep.variables.slots import create_slot, create_zeros_slot
from runstep.variables.variable import Variable

__all__ = ["ExponentialMovingAverage", "assign_moving_average"]

_FLOATS = (dtypes.bfloat16, dtypes.float16, dtypes.float32, dtypes.float64)


def assign_moving_average(
    variable: Any, value: Any, decay: Any, zero_debias: bool = True, name: str | None = None
) -> Any:
    """Moves `variable` towards `value`: `variable -= (1 - decay) * (variable - value)`.

    Args:
      zero_debias: the variable started at 0 and is corrected for that (Adam, section 3).
    """
    with name_scope(name, "AssignMovingAvg") as scope:
        step = convert_to_tensor(1.0 - decay, name="decay")
        kind = variable.dtype.base_dtype
        if step.dtype.base_dtype is not kind:
            step = cast(step, kind)
        if zero_debias:
            return state.assign(variable, _debiased(variable, value, step), name=scope)
        return state.assign_sub(variable, (variable - value) * step, name=scope)


def _debiased(variable: Any, value: Any, step: Any) -> Any:
    """The average without its start at 0: a biased average beside `variable`, divided by the weight that values have in
    it."""
    kind = variable.dtype.base_dtype
    with variable_scope(variable.op.name), get_default_graph().colocate_with(variable.op), lifted():
        start = zeros_initializer()
        biased = get_variable("biased", shape=variable.get_shape(), dtype=kind, initializer=start, trainable=False)
        count = get_variable("local_step", shape=[], dtype=kind, initializer=start, trainable=False)
    moved = state.assign_sub(biased, (biased - value) * step)
    counted = state.assign_add(count, 1)
    return moved / (1.0 - pow(1.0 - step, counted))


class ExponentialMovingAverage:
    """Keeps shadows of variables that follow them slowly (source: tf.train.ExponentialMovingAverage).

    Each update does `shadow -= (1 - decay) * (shadow - variable)`.

    Args:
      decay: close to 1. num_updates: a count; the decay is then at most `(1 + num_updates) / (10 + num_updates)`.
      zero_debias: correct averages of tensors for their start at 0.
      name: part of the names of shadows.
    """

    def __init__(
        self, decay: Any, num_updates: Any = None, zero_debias: bool = False, name: str = "ExponentialMovingAverage"
    ) -> None:
        self._decay = decay
        self._num_updates = num_updates
        self._zero_debias = zero_debias
        self._name = name
        self._averages: dict[Any, Any] = {}

    @property
    def name(self) -> str:
        return self._name

    def apply(self, var_list: Sequence[Any] | None = None) -> Operation:
        """Makes the shadows of variables and tensors, and returns the operation that updates them all.

        Args:
          var_list: the trainable variables by default.

        Raises:
          TypeError: one of them is not floating.
        """
        if var_list is None:
            var_list = trainable_variables()
        debiased = set()
        for variable in var_list:
            if variable.dtype.base_dtype not in _FLOATS:
                raise TypeError(f"The variables must be half, float, or double: {variable.name}")
            if variable not in self._averages:
                self._averages[variable] = self._shadow(variable)
                if self._zero_debias and not isinstance(variable, Variable):
                    debiased.add(variable)
        with name_scope(self._name) as scope:
            decay = convert_to_tensor(self._decay, dtypes.float32, name="decay")
            if self._num_updates is not None:
                count = cast(self._num_updates, dtypes.float32, name="num_updates")
                decay = minimum(decay, (1.0 + count) / (10.0 + count))
            updates = [
                assign_moving_average(self._averages[variable], variable, decay, variable in debiased)
                for variable in var_list
            ]
            return group(*updates, name=scope)

    def _shadow(self, variable: Any) -> Any:
        with lifted() as graph:
            if not isinstance(variable, Variable):
                beside = variable.op.type in ("Variable", "VariableV2", "VarHandleOp")
                return create_zeros_slot(variable, self._name, colocate_with_primary=beside)
            with graph.device(variable.device):
                start = variable.initialized_value()
            graph.add_to_collection(GraphKeys.MOVING_AVERAGE_VARIABLES, variable)
            return create_slot(variable, start, self._name)

    def average(self, var: Any) -> Any:
        """The shadow of a variable or tensor; None where there is none."""
        return self._averages.get(var)

    def average_name(self, var: Any) -> str:
        """The name of the shadow, or the one that it would get."""
        if var in self._averages:
            return self._averages[var].op.name
        return get_default_graph().unique_name(f"{var.op.name}/{self._name}", mark_as_used=False)

    def variables_to_restore(self, moving_avg_variables: Sequence[Any] | None = None) -> dict[str, Any]:
        """For a Saver that restores shadows into the variables they follow: from names in the checkpoint to variables.

        Args:
          moving_avg_variables: those that take their shadow's value; the trained and averaged ones by default.
        """
        if moving_avg_variables is None:
            moving_avg_variables = trainable_variables() + moving_average_variables()
        names = {self.average_name(variable): variable for variable in dict.fromkeys(moving_avg_variables)}
        averaged = {variable.op.name for variable in moving_avg_variables}
        for variable in global_variables():
            if variable.op.name not in averaged:
                names.setdefault(variable.op.name, variable)
        return names
