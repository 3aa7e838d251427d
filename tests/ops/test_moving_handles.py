"""Kernels that only move elements move resources and variants too: Python objects, alone or in object arrays."""

from __future__ import annotations

import types

import numpy as np
import pytest

from runstep.graph import dtypes
from runstep.kernels.numpy import creation, indexing, joining, rearranging, selecting, shape_ops, slicing

INDEX = {"begin_mask": 0, "end_mask": 0, "ellipsis_mask": 0, "new_axis_mask": 0, "shrink_axis_mask": 0}


def made(factory, *, inputs=1, constants=(), **attrs):
    node = types.SimpleNamespace(
        name="n",
        type=attrs.pop("type", ""),
        attrs=attrs,
        input_types=[dtypes.resource] * inputs,
        output_types=[dtypes.resource],
        input_shapes=[None] * 5,
        output_shapes=[None],
        constant=lambda index: constants[index] if index < len(constants) else None,
    )
    return factory(node)


@pytest.fixture
def handles():
    return [object() for _ in range(3)]


@pytest.fixture
def packed(handles):
    return made(joining.pack, inputs=3, axis=0)(*handles)


def test_pack_and_unpack(handles, packed):
    assert packed.shape == (3,) and packed.dtype == object
    assert list(made(joining.unpack, axis=0, num=3)(packed)) == handles


def test_one_element_comes_out_as_the_object(handles, packed):
    one = np.array([1])
    picked = made(slicing.strided_slice_, **{**INDEX, "shrink_axis_mask": 1})(packed, one, one + 1, one)
    assert picked is handles[1]
    assert made(indexing.gather_v2, batch_dims=0)(packed, np.array(2), np.array(0)) is handles[2]
    assert made(indexing.gather_nd)(packed, np.array([0])) is handles[0]
    assert made(shape_ops.squeeze, squeeze_dims=())(packed[:1]) is handles[0]
    assert made(shape_ops.reshape)(packed[1:2], np.zeros(0, int)) is handles[1]


def test_an_object_goes_in_as_a_scalar(handles):
    assert made(shape_ops.reshape)(handles[0], np.array([1, 1])).shape == (1, 1)
    assert made(shape_ops.expand_dims)(handles[0], np.array(0)).shape == (1,)
    assert shape_ops.rank(handles[0]) == 0
    assert made(rearranging.transpose)(handles[0], np.zeros(0, int)) is handles[0]
    assert made(creation.fill)(np.array([2]), handles[0]).tolist() == [handles[0]] * 2
    assert made(creation.fill)(np.zeros(0, int), handles[0]) is handles[0]


def test_select_hands_on_the_chosen_object(handles):
    for factory in (selecting.select, selecting.select_v2):
        chosen = made(factory, inputs=3)
        assert chosen(np.bool_(True), *handles[:2]) is handles[0]
        assert chosen(np.bool_(False), *handles[:2]) is handles[1]
