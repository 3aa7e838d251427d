"""Accumulators: values and texts against TensorFlow, and who waits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from runstep import errors
from runstep.graph import composite, dtypes
from runstep.ops import accumulators
from runstep.ops.accumulators import ConditionalAccumulator, SparseConditionalAccumulator
from runstep.testing.bench import Bench, compare
from runstep.testing.building import compare_graphs

F, L = "float32", "int64"


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    with bench.graph.as_default():
        yield bench


@pytest.mark.parametrize("reduction", ["MEAN", "SUM"])
@pytest.mark.parametrize("kind", ["", "Resource"])
def test_dense_against_tensorflow(reduction: str, kind: str) -> None:
    def program(api: Any) -> None:
        a = api.op(kind + "ConditionalAccumulator", dtype=F, shape=[2], shared_name="a", reduction_type=reduction)

        def apply(gradient: Any, step: int) -> None:
            api.run(api.op(kind + "AccumulatorApplyGradient", a, api.hidden(step, L), api.hidden(gradient)))
            api.run(api.op(kind + "AccumulatorNumAccumulated", a))

        def take(count: int) -> None:
            api.run(api.op(kind + "AccumulatorTakeGradient", a, api.hidden(count), dtype=F))
            api.run(api.op(kind + "AccumulatorNumAccumulated", a))

        apply([1.0, 2.0], 0)
        apply([3.0, 4.5], 0)
        take(1)
        apply([1.0, 1.0], 0)
        apply([1.0, 1.0], 1)
        apply([1.0, 2.0], 5)
        api.run(api.op(kind + "AccumulatorSetGlobalStep", a, api.hidden(3, L)))
        apply([9.0, 9.0], 2)
        take(2)
        apply([1.0, 2.0, 3.0], 9)
        loose = api.op(kind + "ConditionalAccumulator", dtype=F, shape=[None], shared_name="loose")
        for gradient in ([1.0, 2.0], [1.0]):
            api.run(api.op(kind + "AccumulatorApplyGradient", loose, api.hidden(0, L), api.hidden(gradient)))
        api.run(api.op(kind + "AccumulatorTakeGradient", loose, api.hidden(1), dtype=F))
        for op, inputs in (
            (kind + "AccumulatorApplyGradient", [api.placeholder(L, [2]), api.constant(1.0)]),
            (kind + "AccumulatorSetGlobalStep", [api.placeholder(L, [2])]),
        ):
            api.build(op, a, *inputs)

    compare(program)


@pytest.mark.parametrize("reduction", ["MEAN", "SUM"])
def test_sparse_against_tensorflow(reduction: str) -> None:
    def program(api: Any) -> None:
        attrs = {"shared_name": "s", "reduction_type": reduction}
        a = api.op("SparseConditionalAccumulator", dtype=F, shape=[None, 2], **attrs)

        def apply(indices: Any, values: Any, shape: Any, step: int, known: bool = True) -> None:
            inputs = [api.hidden(np.array(part, np.int64)) for part in (step, indices, shape)]
            inputs.insert(2, api.hidden(np.array(values, np.float32)))
            api.run(api.op("SparseAccumulatorApplyGradient", a, *inputs, has_known_shape=known))
            api.run(api.op("AccumulatorNumAccumulated", a))

        def take(count: int) -> None:
            api.run(api.op("SparseAccumulatorTakeGradient", a, api.hidden(count), dtype=F))

        apply([1, 4], [[1, 1], [2, 2]], [6, 2], 0)
        apply([4, 0], [[3, 3], [5, 5]], [6, 2], 0)
        take(1)
        apply([1, 1], [[1, 1], [2, 2]], [6, 2], 1)
        take(1)
        apply([3], [[1, 2]], [6, 2], 2)
        apply([1, 3, 0], [[1, 2], [1, 1], [8, 8]], [6, 2], 2)
        apply([2, 3], [[1, 2], [1, 1]], [6, 2], 2)
        take(3)
        apply([], np.zeros((0, 2)), [6, 2], 3)
        take(1)
        apply([1], [[1, 1]], [6], 5)
        apply([1], [[1, 1], [2, 2]], [6, 2], 5)
        apply([1], [[1, 1, 1]], [6, 3], 5)
        apply([1], [[1, 1, 1]], [6, 2], 5)
        apply([[1]], [[1, 1]], [6, 2], 5)
        apply([1], 1.0, [6, 2], 5)
        apply([1], [[1, 1]], [], 5, known=False)
        apply([1], [[1, 1]], [6, 2], 1)
        take(1)

    compare(program)


def test_take_waits_for_enough_fresh_gradients(bench: Bench) -> None:
    a = ConditionalAccumulator(dtypes.float32, ())
    take = bench.start(a.take_grad(2))
    bench.run(a.apply_grad(1.0))
    assert not take.woken and "1 gradients at step 0, 2 to take" in take.waiter.reason  # type: ignore[union-attr]
    bench.run(a.apply_grad(3.0))
    assert take.resume() == 2.0
    bench.run(a.apply_grad(9.0))
    assert bench.run(a.num_accumulated()) == 0


@pytest.mark.parametrize("sparse", [False, True])
def test_cancelled_take_gives_back(sparse: bool, bench: Bench) -> None:
    if sparse:
        a: Any = SparseConditionalAccumulator(dtypes.float32, (3, 1), reduction_type="SUM")
        put = lambda x: a.apply_grad([1], [[x]])  # noqa: E731
        total = lambda: bench.run(a.take_grad(1)[1]).tolist()  # noqa: E731
        take = bench.start(a.take_grad(2)[0])
    else:
        a = ConditionalAccumulator(dtypes.float32, (1, 1), reduction_type="SUM")
        put = lambda x: a.apply_grad([[x]])  # noqa: E731
        total = lambda: bench.run(a.take_grad(1)).tolist()  # noqa: E731
        take = bench.start(a.take_grad(2))
    bench.run(put(1.0))
    bench.run(put(3.0))
    assert take.woken
    take.cancel(errors.CancelledError(None, None, ""))
    with pytest.raises(errors.CancelledError, match="TakeGrad operation was cancelled"):
        take.result()
    assert bench.run(a.num_accumulated()) == 2 and bench.resources.nbytes > 0
    bench.run(put(5.0))
    assert total() == [[9.0]] and bench.resources.nbytes == 0


def test_wrong_use(bench: Bench) -> None:
    a = ConditionalAccumulator(dtypes.float32, (), shared_name="a")
    for call, text in (
        (lambda: a.take_grad(0), "num_required must be positive, but was 0"),
        (lambda: ConditionalAccumulator(dtypes.float64, (), shared_name="a").num_accumulated(), "has type float and"),
    ):
        bench.run(a.num_accumulated())
        with pytest.raises(errors.InvalidArgumentError, match=text):
            bench.run(call())
    with pytest.raises(ValueError, match="are incompatible"):
        a.apply_grad([1.0])


def _dense(tf: Any) -> None:
    a = tf.ConditionalAccumulator(tf.float32, shape=(2,))
    a.apply_grad([1.0, 2.0], local_step=3)
    a.take_grad(2)
    a.set_global_step(4)
    a.num_accumulated()


def _sparse(tf: Any) -> None:
    a = tf.SparseConditionalAccumulator(tf.float32, shape=(3, 2), reduction_type="SUM", name="named")
    a.apply_grad([0], [[1.0, 2.0]], [3, 2])
    a.apply_indexed_slices_grad(tf.IndexedSlices(tf.constant([[1.0, 2.0]]), tf.constant([1], tf.int64)))
    a.take_grad(2)
    a.take_indexed_slices_grad(1)
    a.num_accumulated()
    a.set_global_step(1)


@pytest.mark.parametrize("build", [_dense, _sparse])
def test_graph_is_tensorflows(build: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accumulators, "__all__", [*accumulators.__all__, "IndexedSlices"])
    assert accumulators.IndexedSlices is composite.IndexedSlices  # type: ignore[attr-defined]
    compare_graphs(build, [accumulators])
