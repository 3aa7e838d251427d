"""What building a graph leaves behind: few objects an operation, since each collection of garbage walks them all."""

from __future__ import annotations

import gc
import random
from typing import Any

import pytest


def build(rs: Any, ops: int) -> Any:
    with rs.Graph().as_default() as graph:
        y = x = rs.placeholder("float32", [None, 4])
        for _ in range(ops // 2):
            y = rs.tanh(y + x)
    return graph


def test_an_operation_is_few_objects_for_the_garbage_collector(rs: Any) -> None:
    build(rs, 10)
    gc.collect()  # which also stops watching tuples of plain values
    before = len(gc.get_objects())
    graph = build(rs, 1000)
    gc.collect()
    made = len(gc.get_objects()) - before
    assert len(graph.get_operations()) == 1001
    assert made < 2.6 * 1000  # the operation, its tensor; where there are two inputs, the tuple of these


def test_operations_that_are_alike_share_their_attributes(rs: Any) -> None:
    with rs.Graph().as_default() as graph:
        x = rs.placeholder("float32", [2, 2])
        first, again, other = (rs.matmul(x, x, transpose_b=flag).op for flag in (True, True, False))
        low, high = (rs.nn.leaky_relu(x, alpha).op for alpha in (0.0, -0.0))
        with graph._attr_scope({"_mark": rs.AttrValue(i=3)}):
            marked = rs.matmul(x, x, transpose_b=True).op
    assert first.attrs is again.attrs
    assert first.attrs["transpose_b"] and not other.attrs["transpose_b"]
    assert [str(op.get_attr("alpha")) for op in (low, high)] == ["0.0", "-0.0"]
    assert marked.get_attr("_mark") == 3 and "_mark" not in first.attrs


def test_inputs_and_outputs_are_tuples_however_many_there_are(rs: Any) -> None:
    with rs.Graph().as_default():
        x = rs.placeholder("float32", [4])
        one, two, three = rs.tanh(x).op, (x + x).op, rs.split(x, 2)[0].op
        none = rs.no_op()
        one._update_input(0, two.outputs[0])
    assert (x.op.inputs, none.inputs, none.outputs) == ((), (), ())
    assert (one.inputs, two.inputs) == (two.outputs, (x, x))
    assert [tensor.value_index for tensor in three.outputs] == [0, 1]


@pytest.mark.parametrize("seed", range(3))
def test_names_are_made_unique_as_tensorflow_makes_them(both: Any, seed: int) -> None:
    draw = random.Random(seed)
    asked = []
    for _ in range(300):
        parts = [draw.choice(("0", "1", "2", "3", "01", "c")) for _ in range(draw.randrange(3))]
        asked.append(("_".join([draw.choice("aAbB"), *parts]), draw.random() < 0.8))
    ours, theirs = both(lambda tf: [tf.get_default_graph().unique_name(*each) for each in asked])
    assert ours == theirs


def test_operations_made_in_one_place_share_its_traceback(rs: Any) -> None:
    def place(x: Any) -> Any:
        return rs.tanh(x).op

    with rs.Graph().as_default():
        x = rs.placeholder("float32", [])
        first, again = (rs.tanh(x).op for _ in range(2))
        inside, elsewhere = place(x), place(x)
    assert first._creation is again._creation
    assert inside.traceback[-1] == elsewhere.traceback[-1]
    assert [frame.name for frame in inside.traceback[-2:]] == [
        test_operations_made_in_one_place_share_its_traceback.__name__,
        "place",
    ]
    assert inside.traceback[-2].lineno == first.traceback[-2].lineno + 1


def test_a_bulk_import_leaves_garbage_collection_as_it_was(rs: Any) -> None:
    message = build(rs, 10).as_graph_def()
    for on in (True, False):
        was = gc.isenabled()
        (gc.enable if on else gc.disable)()
        try:
            with rs.Graph().as_default():
                rs.import_graph_def(message)
            assert gc.isenabled() is on
        finally:
            (gc.enable if was else gc.disable)()
