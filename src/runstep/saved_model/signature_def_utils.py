"""`tf.saved_model.signature_def_utils`: what a model can be asked (source: tf.compat.v1.saved_model)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runstep.graph import dtypes
from runstep.graph.convert import convert_to_tensor
from runstep.protos.meta_graph_pb2 import SignatureDef
from runstep.protos.types_pb2 import DT_STRING
from runstep.saved_model import signature_constants as names
from runstep.saved_model.utils import build_tensor_info

__all__ = [
    "build_signature_def",
    "classification_signature_def",
    "is_valid_signature",
    "predict_signature_def",
    "regression_signature_def",
]


def build_signature_def(
    inputs: Mapping[str, Any] | None = None,
    outputs: Mapping[str, Any] | None = None,
    method_name: str | None = None,
    defaults: Mapping[str, Any] | None = None,
) -> SignatureDef:
    """A `SignatureDef` of `TensorInfo`s by name.

    Args:
      defaults: values of inputs that may be left out: TensorProtos, or what converts to tensors.
    """
    from runstep.graph.tensor_proto import make_tensor_proto

    signature = SignatureDef()
    for name, info in (inputs or {}).items():
        signature.inputs[name].CopyFrom(info)
    for name, info in (outputs or {}).items():
        signature.outputs[name].CopyFrom(info)
    if method_name is not None:
        signature.method_name = method_name
    for name, value in (defaults or {}).items():
        proto = value if hasattr(value, "SerializeToString") else make_tensor_proto(value)
        signature.defaults[name].CopyFrom(proto)
    return signature


def _infos(tensors: Mapping[str, Any]) -> dict[str, Any]:
    return {name: build_tensor_info(tensor) for name, tensor in tensors.items()}


def _kind(inputs: dict[str, Any]) -> int:
    (info,) = inputs.values()
    return info.dtype


def regression_signature_def(examples: Any, predictions: Any) -> SignatureDef:
    """From serialized Examples to floats.

    Raises:
      ValueError: one is missing, or not of that type.
    """
    if examples is None:
        raise ValueError("Regression `examples` cannot be None.")
    if predictions is None:
        raise ValueError("Regression `predictions` cannot be None.")
    inputs = _infos({names.REGRESS_INPUTS: convert_to_tensor(examples)})
    if inputs[names.REGRESS_INPUTS].dtype != DT_STRING:
        raise ValueError(f"Regression input tensors must be of type string. Found tensors with type {_kind(inputs)}.")
    output = convert_to_tensor(predictions)
    if output.dtype.base_dtype is not dtypes.float32:
        raise ValueError(
            f"Regression output tensors must be of type float. Found tensors with type {output.dtype.as_datatype_enum}."
        )
    return build_signature_def(inputs, _infos({names.REGRESS_OUTPUTS: output}), names.REGRESS_METHOD_NAME)


def classification_signature_def(examples: Any, classes: Any, scores: Any) -> SignatureDef:
    """From serialized Examples to classes (strings), scores (floats), or both.

    Raises:
      ValueError: one is missing, or not of that type.
    """
    if examples is None:
        raise ValueError("Classification `examples` cannot be None.")
    if classes is None and scores is None:
        raise ValueError("Classification `classes` and `scores` cannot both be None.")
    inputs = _infos({names.CLASSIFY_INPUTS: convert_to_tensor(examples)})
    if inputs[names.CLASSIFY_INPUTS].dtype != DT_STRING:
        found = _kind(inputs)
        raise ValueError(f"Classification input tensors must be of type string. Found tensors with type {found}.")
    outputs: dict[str, Any] = {}
    for key, value, kind in (
        (names.CLASSIFY_OUTPUT_CLASSES, classes, dtypes.string),
        (names.CLASSIFY_OUTPUT_SCORES, scores, dtypes.float32),
    ):
        if value is None:
            continue
        tensor = convert_to_tensor(value)
        if tensor.dtype.base_dtype is not kind:
            what = "string" if kind is dtypes.string else "float"
            raise ValueError(
                f"Classification {key} tensor must be of type {what}. Found tensor of type {tensor.dtype}."
            )
        outputs[key] = tensor
    return build_signature_def(inputs, _infos(outputs), names.CLASSIFY_METHOD_NAME)


def predict_signature_def(inputs: Mapping[str, Any] | None, outputs: Mapping[str, Any] | None) -> SignatureDef:
    """From any tensors to any tensors.

    Raises:
      ValueError: there are none.
    """
    if not inputs:
        raise ValueError("Prediction `inputs` cannot be None or empty.")
    if not outputs:
        raise ValueError("Prediction `outputs` cannot be None or empty.")
    return build_signature_def(_infos(inputs), _infos(outputs), names.PREDICT_METHOD_NAME)


def is_valid_signature(signature_def: Any) -> bool:
    """Whether a signature has what its method needs."""
    if signature_def is None:
        return False
    method, inputs, outputs = signature_def.method_name, signature_def.inputs, signature_def.outputs
    if method == names.PREDICT_METHOD_NAME:
        return bool(inputs) and bool(outputs)
    if not _string_input(inputs, names.CLASSIFY_INPUTS):
        return False
    if method == names.REGRESS_METHOD_NAME:
        return set(outputs) == {names.REGRESS_OUTPUTS} and outputs[names.REGRESS_OUTPUTS].dtype == _FLOAT
    if method == names.CLASSIFY_METHOD_NAME:
        kinds = {names.CLASSIFY_OUTPUT_CLASSES: DT_STRING, names.CLASSIFY_OUTPUT_SCORES: _FLOAT}
        return bool(outputs) and all(kinds.get(name) == info.dtype for name, info in outputs.items())
    return False


_FLOAT = dtypes.float32.as_datatype_enum


def _string_input(inputs: Any, name: str) -> bool:
    return set(inputs) == {name} and inputs[name].dtype == DT_STRING
