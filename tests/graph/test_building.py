"""What building a graph leaves behind: few objects an operation, since each collection of garbage walks them all."""

from __future__ import annotations

import gc
from typing import Any


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
    assert made < 3.6 * 1000  # the operation, its tensor, two tuples; "tanh" shares one with its input


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
