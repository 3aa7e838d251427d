"""`tf.make_template`: a function whose variables are made by its first call and shared by the others."""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable
from typing import Any

from runstep.graph.collections import GraphKeys
from runstep.graph.graph import get_default_graph
from runstep.variables.collections import global_variables, trainable_variables
from runstep.variables.scope import VariableScope, variable_scope

__all__ = ["make_template"]


def make_template(
    name_: str,
    func_: Callable[..., Any],
    create_scope_now_: bool = False,
    unique_name_: str | None = None,
    custom_getter_: Callable[..., Any] | None = None,
    **kwargs: Any,
) -> Any:
    """A function that shares its variables between calls (source: tf.make_template).

        scale = tf.make_template("scale", lambda x: x * tf.get_variable("factor", []))
        scale(a), scale(b)  # one variable, "scale/factor"

    Args:
      name_: of the variable scope that calls share; made unique where it is opened. func_: makes variables with
        `tf.get_variable`. create_scope_now_: open the scope here, not at the first call. unique_name_: the exact name
        of the scope. custom_getter_: of the scope. kwargs: more arguments of `func_`.

    Raises (when called):
      ValueError: a later call needs a variable that the first did not make.
    """
    if kwargs:
        func_ = functools.partial(func_, **kwargs)
    return Template(name_, func_, create_scope_now_, unique_name_, custom_getter_)


class Template:
    """What `make_template` returns. Its variables are those of its scope."""

    def __init__(
        self,
        name: str,
        function: Callable[..., Any],
        create_scope_now: bool,
        unique_name: str | None,
        custom_getter: Callable[..., Any] | None,
    ) -> None:
        if name is None:
            raise ValueError("name cannot be None.")
        self._name, self._function = name, function
        self._unique_name, self._custom_getter = unique_name, custom_getter
        self._made = "".join(traceback.format_stack()[:-2][-3:])
        self._variable_scope: VariableScope | None = None
        self._called = False
        if create_scope_now:
            with variable_scope(unique_name, name, custom_getter=custom_getter) as scope:
                self._variable_scope = scope

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._variable_scope is not None:
            with variable_scope(self._variable_scope, reuse=self._called):
                return self._call(args, kwargs)
        with variable_scope(self._unique_name, self._name, custom_getter=self._custom_getter) as scope:
            self._variable_scope = scope
            return self._call(args, kwargs)

    def _call(self, args: Any, kwargs: Any) -> Any:
        before = len(trainable_variables()), len(global_variables())
        try:
            result = self._function(*args, **kwargs)
        except Exception as error:
            error.add_note(f"The template was made at:\n{self._made}")
            raise
        if self._called:
            made = trainable_variables()[before[0] :]
            if made:
                raise ValueError(
                    "Trainable variable created when calling a template after the first time, perhaps you used "
                    f"Variable when you meant get_variable: {made}"
                )
            others = global_variables()[before[1] :]
            if others:
                from runstep import logging

                logging.info(
                    "New variables created when calling a template after the first time, perhaps you used Variable "
                    "when you meant get_variable: %s",
                    others,
                )
        self._called = True
        return result

    @property
    def name(self) -> str:
        return self._name

    @property
    def func(self) -> Callable[..., Any]:
        return self._function

    @property
    def variable_scope(self) -> VariableScope | None:
        return self._variable_scope

    @property
    def variable_scope_name(self) -> str | None:
        """The name of the scope; None before it is opened."""
        if self._variable_scope is None:
            return None
        return self._variable_scope.name or None

    @property
    def var_scope(self) -> VariableScope | None:
        return self._variable_scope

    def _of_scope(self, collection: str) -> list[Any]:
        name = self.variable_scope_name
        return [] if name is None else get_default_graph().get_collection(collection, name + "/")

    @property
    def trainable_variables(self) -> list[Any]:
        return self._of_scope(GraphKeys.TRAINABLE_VARIABLES)

    @property
    def trainable_weights(self) -> list[Any]:
        return self.trainable_variables

    @property
    def global_variables(self) -> list[Any]:
        return self._of_scope(GraphKeys.GLOBAL_VARIABLES)

    @property
    def local_variables(self) -> list[Any]:
        return self._of_scope(GraphKeys.LOCAL_VARIABLES)

    @property
    def variables(self) -> list[Any]:
        """Global and local ones."""
        return self.global_variables + self.local_variables

    @property
    def weights(self) -> list[Any]:
        return self.variables

    @property
    def non_trainable_variables(self) -> list[Any]:
        trained = {id(variable) for variable in self.trainable_variables}
        return [variable for variable in self.variables if id(variable) not in trained]

    @property
    def non_trainable_weights(self) -> list[Any]:
        return self.non_trainable_variables
