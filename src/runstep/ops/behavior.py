"""The switches between TensorFlow's old and new ways. This library has the old ones: graphs, run in Sessions."""

from __future__ import annotations

from typing import Any

from runstep.variables.creation import disable_resource_variables

__all__ = [
    "control_flow_v2_enabled",
    "disable_control_flow_v2",
    "disable_eager_execution",
    "disable_tensor_equality",
    "disable_v2_behavior",
    "disable_v2_tensorshape",
    "enable_control_flow_v2",
    "enable_eager_execution",
    "enable_tensor_equality",
    "enable_v2_behavior",
    "enable_v2_tensorshape",
    "executing_eagerly",
    "executing_eagerly_outside_functions",
]


def executing_eagerly() -> bool:
    """False: operations are put into graphs, and run in Sessions."""
    return False


def executing_eagerly_outside_functions() -> bool:
    """False, as `executing_eagerly`."""
    return False


def enable_eager_execution(config: Any = None, device_policy: Any = None, execution_mode: Any = None) -> None:
    """Raises RuntimeError: operations cannot be executed eagerly."""
    raise RuntimeError(
        "runstep runs graphs only: there is no eager execution. Build the operations in a tf.Graph and run them in a "
        "tf.Session."
    )


def disable_eager_execution() -> None:
    """Does nothing: there is none."""


def enable_v2_behavior() -> None:
    """Raises RuntimeError: the new behaviour includes eager execution."""
    enable_eager_execution()


def disable_v2_behavior() -> None:
    """Variables are ref variables where nothing else is said; all else is in the old way already."""
    disable_resource_variables()


def disable_control_flow_v2() -> None:
    """Does nothing: branches and loops are made of Switch and Merge anyway."""


def control_flow_v2_enabled() -> bool:
    """False: `tf.cond` and `tf.while_loop` make Switch and Merge, not If and While."""
    return False


def disable_v2_tensorshape() -> None:
    """Does nothing: the items of a TensorShape are Dimensions anyway."""


def disable_tensor_equality() -> None:
    """Does nothing: `==` on Tensors compares objects anyway."""


def enable_control_flow_v2() -> None:
    """Does nothing: branches and loops give the same values whatever they are made of."""


def enable_v2_tensorshape() -> None:
    """Raises RuntimeError: the items of a TensorShape are Dimensions, as programs of version 1 expect."""
    raise RuntimeError(
        "The items of a runstep TensorShape are Dimensions, always. Use shape.as_list() for plain numbers."
    )


def enable_tensor_equality() -> None:
    """Raises RuntimeError: `==` on Tensors compares objects, so that they can be keys of a feed_dict."""
    raise RuntimeError("`==` on runstep Tensors compares objects, always. Use tf.equal to compare values.")
