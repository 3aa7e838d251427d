"""Variables as `VariableDef` messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import runstep

Same = Callable[..., None]


def test_messages(same: Same) -> None:
    """The bytes are TensorFlow's."""

    def program(tf: Any, log: Any) -> None:
        for resource in (False, True):
            v = tf.Variable([1.0, 2.0], name="v", use_resource=resource)
            v._set_save_slice_info(tf.Variable.SaveSliceInfo("whole", [4], [2], [2]))
            log(v.to_proto().SerializeToString())
            with tf.name_scope("s"):
                w = tf.Variable(
                    lambda: tf.ones([]), trainable=False, name="w", caching_device="/cpu:0", use_resource=resource
                )
            log(w.to_proto().SerializeToString(), w.to_proto("s").SerializeToString(), w.to_proto("other"))
        x = tf.Variable(
            3.0, aggregation=tf.VariableAggregation.MEAN, synchronization=tf.VariableSynchronization.ON_WRITE
        )
        log(x.to_proto().SerializeToString())
        info = tf.Variable.SaveSliceInfo(save_slice_info_def=v.to_proto().save_slice_info_def)
        log(info.spec, info.full_name, info.to_proto().SerializeToString())

    same(program)


@pytest.mark.parametrize("resource", [False, True])
def test_a_variable_found_again(resource: bool) -> None:
    tf: Any = runstep
    with tf.Graph().as_default(), tf.Session() as session:
        with tf.name_scope("s"):
            v = tf.Variable([1.0, 2.0], name="v", trainable=False, use_resource=resource)
        before = tf.get_default_graph().version
        for proto, scope in ((v.to_proto(), None), (v.to_proto("s"), "s")):
            again = tf.Variable.from_proto(proto, scope)
            assert type(again) is type(v) and again is not v
            assert (again.name, again.dtype, again.shape.as_list()) == (v.name, v.dtype, [2])
            assert again.initializer is v.initializer and again.initial_value is v.initial_value
            assert again._as_graph_element() is v._as_graph_element() and not again.trainable
        assert tf.get_default_graph().version == before
        session.run(again.initializer)
        session.run(again.assign_add([1.0, 1.0]))
        assert session.run(v).tolist() == [2.0, 3.0]
        with pytest.raises(KeyError):
            tf.Variable.from_proto(v.to_proto("s"), "elsewhere")
