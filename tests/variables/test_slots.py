"""Slots: the variables that optimizers keep beside variables."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from runstep.variables import slots as our_slots

Same = Callable[..., None]


def _slots(tf: Any) -> Any:
    ours = not getattr(tf, "__name__", "").startswith("tensorflow")
    return our_slots if ours else importlib.import_module("tensorflow.python.training.slot_creator")


def test_slots(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        slots = _slots(tf)
        a = tf.Variable([1.0, 2.0], name="a")
        b = tf.Variable([1.0, 2.0], name="b", use_resource=True)
        tensor = a * 2.0
        log(slots.create_zeros_slot(a, "m"), slots.create_zeros_slot(b, "m"), slots.create_zeros_slot(tensor, "t"))
        log(slots.create_slot(a, tf.ones([2]), "q", colocate_with_primary=False))
        shape = tf.TensorShape([2])
        log(slots.create_slot_with_initializer(b, tf.ones_initializer(), shape, tf.float32, "z"))
        with tf.variable_scope("o"):
            log(slots.create_zeros_slot(a, "m"), slots.create_zeros_slot(a, "m", colocate_with_primary=False))
            log(slots.create_slot(b, tf.ones([2]), "k"))
        log(slots.create_zeros_slot(a, "d", dtype=tf.float64), slots.create_zeros_slot(tf.placeholder(tf.float32), "p"))
        part = list(tf.get_variable("v", [4], partitioner=tf.fixed_size_partitioner(2)))[1]
        info = slots.create_zeros_slot(part, "Momentum")._get_save_slice_info()
        log(info.full_name, info.spec, tf.trainable_variables(), tf.global_variables())

    same(program)


def test_slots_of_variables_of_unknown_shape(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        for resource in (False, True):
            v = tf.Variable(tf.placeholder(tf.float32, name="start"), validate_shape=False, use_resource=resource)
            slot = _slots(tf).create_zeros_slot(v, "m")
            log(slot.shape, slot.dtype.name)

    same(program, ordered=False)
