"""Functions that say their own gradient: `tf.custom_gradient` and what is built on it."""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable, Sequence
from typing import Any

from runstep.gradients.backprop import gradients
from runstep.gradients.registry import RegisterGradient
from runstep.gradients.trainable import variables_read
from runstep.graph import nest
from runstep.graph.apply import apply
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import Graph, get_default_graph
from runstep.ops.basic import identity

__all__ = ["custom_gradient", "grad_pass_through", "recompute_grad"]

_numbers = itertools.count()
_KEYWORDS = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def custom_gradient(f: Any = None) -> Any:
    """Decorates a function that returns its result and the function of its gradient (source: tf.custom_gradient).

        @tf.custom_gradient
        def log1pexp(x):
            e = tf.exp(x)
            return tf.log(1 + e), lambda upstream: upstream * (1 - 1 / (1 + e))

    The gradient function takes one gradient per result and returns one per argument. Where `f` uses trainable
    variables that it is not given, it also takes them as `variables=` and returns a pair: the gradients of the
    arguments, and a list of those of the variables.

    Raises:
      ValueError: on calling it with keyword arguments; on differentiating, when a variable's gradient is missing.
      TypeError: it uses variables, and its gradient function takes no `variables`; or it makes ref variables.
    """
    if f is None:
        return custom_gradient

    @functools.wraps(f)
    def decorated(*args: Any, **kwargs: Any) -> Any:
        if kwargs:
            raise ValueError(
                "The custom_gradient decorator currently supports keywords arguments only when eager execution is "
                "enabled."
            )
        return _call(f, args)

    return decorated


def _call(f: Callable[..., Any], args: Sequence[Any]) -> Any:
    graph = get_default_graph()
    args = nest.map_structure(convert_to_tensor, tuple(args))
    before = graph.version
    result, grad_fn = f(*args)
    flat_args, flat_result = nest.flatten(args), [convert_to_tensor(item) for item in nest.flatten(result)]
    variables = _variables_used(graph, before, flat_args)
    if variables and not _takes_variables(grad_fn):
        raise TypeError(
            "@tf.custom_gradient grad_fn must accept keyword argument 'variables', since function uses variables: "
            f"{variables}"
        )

    def gradient(op: Any, *upstream: Any) -> list[Any]:
        upstream = upstream[: len(flat_result)]
        if not variables:
            return [None] * len(flat_result) + nest.flatten(grad_fn(*upstream))
        to_args, to_variables = grad_fn(*upstream, variables=variables)
        if len(to_variables) != len(variables):
            raise ValueError("Must return gradient for each variable from @custom_gradient grad_fn.")
        return [None] * len(flat_result) + nest.flatten(to_args) + list(to_variables)

    # One op that has all results, arguments and variables: what takes a result is differentiated through it.
    name = f"CustomGradient-{next(_numbers)}"
    RegisterGradient(name)(gradient)
    with graph.gradient_override_map({"IdentityN": name}):
        passed = apply("IdentityN", [*flat_result, *flat_args, *map(convert_to_tensor, variables)])
    return nest.pack_sequence_as(result, passed[: len(flat_result)])


def _variables_used(graph: Graph, before: int, args: Sequence[Any]) -> list[Any]:
    """The trainable variables that operations made since read, other than those that were given.

    Raises:
      TypeError: one is a ref variable that was made since.
    """
    made = graph.get_operations()[before:]
    if any(op.type in ("VariableV2", "Variable") for op in made):
        raise TypeError(
            "All variables used by a function wrapped with @custom_gradient must be `ResourceVariable`s. Ensure that "
            "no `variable_scope` is created with `use_resource=False`."
        )
    given = {tensor.op.inputs[0] for tensor in args if tensor.op.type in ("ReadVariableOp", "Identity")}
    return [v for v in variables_read(graph, made) if v._handle_tensor() not in given]


def _takes_variables(function: Callable[..., Any]) -> bool:
    parameters = inspect.signature(function).parameters.values()
    return any(
        parameter.kind is inspect.Parameter.VAR_KEYWORD
        or (parameter.name == "variables" and parameter.kind in _KEYWORDS)
        for parameter in parameters
    )


def grad_pass_through(f: Callable[..., Any]) -> Callable[..., Any]:
    """`f` with the gradient of the identity (source: tf.grad_pass_through); variables in it get none."""

    @functools.wraps(f)
    def passing(*args: Any, **kwargs: Any) -> Any:
        def gradient(*upstream: Any, variables: Any = None) -> Any:
            return upstream if variables is None else (upstream, [None] * len(variables))

        return f(*args, **kwargs), gradient

    return functools.wraps(f)(custom_gradient(passing))


def recompute_grad(f: Callable[..., Any]) -> Callable[..., Any]:
    """`f`, which the gradient computes anew instead of keeping what is in between (source: tf.recompute_grad)."""

    @functools.wraps(f)
    def recomputed(*args: Any) -> Any:
        def gradient(*upstream: Any, variables: Any = None) -> Any:
            with get_default_graph().control_dependencies([grad for grad in upstream if grad is not None]):
                again = [identity(arg) for arg in args]
                result = nest.flatten(f(*again))
                found = gradients(result, [*again, *(variables or ())], list(upstream))
            return found if variables is None else (found[: len(args)], found[len(args) :])

        return f(*args), gradient

    return functools.wraps(f)(custom_gradient(recomputed))
