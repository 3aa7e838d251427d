"""Tensor handles and types that users register (S170-S173)."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

CPU = "/job:localhost/replica:0/task:0/device:CPU:0"


def _stored(session: Any) -> int:
    from runstep.kernels.session_store import store_of

    return len(store_of(session._engine.devices[0].resources)._tensors)


def test_handles(tf: Any) -> None:
    """S170."""
    handle = tf.get_session_handle(tf.constant([1.0, 2.0]) * 2.0)
    with tf.Session() as session:
        found = session.run(handle)
        assert type(found).__name__ == "TensorHandle"
        assert found.handle == f"GetSessionHandle;0;{CPU}" and str(found) == found.handle
        assert found.eval().tolist() == [2.0, 4.0] and found.eval().tolist() == [2.0, 4.0]
        first, again = session.run([handle, handle])
        assert first is again and first.handle == f"GetSessionHandle;1;{CPU}"
        nested = session.run({"k": (handle, handle)})
        assert nested["k"][0] is nested["k"][1]


def test_raw_handles(tf: Any) -> None:
    """S170: whoever takes the raw handle sees to the tensor."""
    handle = tf.get_session_handle(tf.constant(3))
    with tf.Session() as session:
        found = session.run(handle)
        raw = found.get_raw_handle()
        del found
        gc.collect()
        holder, value = tf.get_session_tensor(raw, tf.int32)
        assert session.run(value, {holder: raw}) == 3


def test_handles_as_arrays(rs: Any) -> None:
    """S170: to_numpy_array is what the holder of get_session_tensor takes."""
    handle = rs.get_session_handle(rs.constant(3))
    with rs.Session() as session:
        found = session.run(handle)
        holder, value = rs.get_session_tensor(found.handle, rs.int32)
        assert session.run(value, {holder: found.to_numpy_array()}) == 3


def test_tensors_go_with_their_handles(rs: Any) -> None:
    """S170, S172: at once (TensorFlow: in batches of ten); not while something names them."""
    handle = rs.get_session_handle(rs.constant([1.0]))
    session = rs.Session()
    found = [session.run(handle) for _ in range(3)]
    assert _stored(session) == 3
    found.pop()
    gc.collect()
    assert _stored(session) == 2
    found[0].get_raw_handle()
    found.clear()
    gc.collect()
    assert _stored(session) == 1


def test_handles_outlive_their_session_quietly(rs: Any) -> None:
    """S170: a handle of a closed session raises what a closed session raises."""
    session = rs.Session()
    found = session.run(rs.get_session_handle(rs.constant(1)))
    session.close()
    with pytest.raises(RuntimeError, match="closed Session"):
        found.eval()
    del found
    gc.collect()


def test_session_tensors(same: Any) -> None:
    """S171: a holder on the tensor's device and the tensor; deletion likewise."""

    def program(tf: Any) -> Any:
        handle = tf.get_session_handle(tf.constant([1.0, 2.0]))
        with tf.Session() as session:
            raw = session.run(handle).get_raw_handle()
            holder, value = tf.get_session_tensor(raw, tf.float32)
            gone, deleter = tf.delete_session_tensor(raw)
            found = session.run(value * 3.0, {holder: raw})
            session.run(deleter, {gone: raw})
            try:
                session.run(value, {holder: raw})
            except tf.errors.InvalidArgumentError as error:
                assert f"The tensor with handle '{raw}' is not in the session store." in error.message
                assert error.op is value.op
            else:
                raise AssertionError
            shown = [(t.name, t.op.type, t.dtype.name, t.op.device) for t in (handle, holder, value, gone)]
            return found, shown, deleter.name, deleter.type, deleter.device

    assert same(program)[0] == "returned"


def test_deleted_handles(tf: Any) -> None:
    """S171."""
    handle = tf.get_session_handle(tf.constant(1))
    with tf.Session() as session:
        found = session.run(handle)
        found.delete()
        for use in (found.eval, found.delete):
            with pytest.raises(TypeError, match=f"Persistent tensor {found.handle} may have already been deleted."):
                use()
        other = session.run(handle)
        gone, deleter = tf.delete_session_tensor(other.handle)
        session.run(deleter, {gone: other.handle})
        with pytest.raises(tf.errors.InvalidArgumentError, match="is not in the session store"):
            other.eval()


def test_feeding_handles(tf: Any) -> None:
    """S172, T: session_ops_test: for any tensor of that dtype; fetching what is fed evaluates it."""
    handle = tf.get_session_handle(tf.constant([1.0, 2.0]))
    x = tf.placeholder(tf.float32)
    whole = tf.placeholder(tf.int32)
    c = tf.constant(0.0)
    with tf.Session() as session:
        found = session.run(handle)
        given = {x: found}
        assert session.run(x * 2.0, given).tolist() == [2.0, 4.0] and given == {x: found}
        assert session.run([x, x * 2.0], given)[0].tolist() == [1.0, 2.0]
        fetched = session.run(x, {x: found})
        fetched[...] = 9
        assert session.run(x + c, {x: found, c: 1.0}).tolist() == [2.0, 3.0]
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"Expects arg\[0\] to be int32 but float is provided"):
            session.run(whole * 2, {whole: found})
        other = tf.Session()
        with pytest.raises(tf.errors.InvalidArgumentError, match="is not in the session store"):
            other.run(x * 2.0, {x: found})
        assert session.run(session.graph.get_tensor_by_name(x.name) * 2.0, {x: session.run(handle)}).tolist() == [
            2.0,
            4.0,
        ]
        found.delete()
        with pytest.raises(tf.errors.InvalidArgumentError, match="is not in the session store"):
            session.run(x * 2.0, {x: found})


def test_shapes_of_handles_are_not_checked(tf: Any) -> None:
    """S172."""
    handle = tf.get_session_handle(tf.constant([1.0, 2.0]))
    x = tf.placeholder(tf.float32, [5])
    with tf.Session() as session:
        assert session.run(x, {x: session.run(handle)}).tolist() == [1.0, 2.0]


class Squared:
    def __init__(self, tensor: Any) -> None:
        self.tensor = tensor


@pytest.fixture
def squared(tf: Any) -> Iterator[Any]:
    """`tf` knows the type Squared: it fetches as the square and is fed the root."""
    if tf.__name__ == "runstep":
        from runstep.session import conversions

        registry, register = conversions._registered, tf.register_session_run_conversion_functions
    else:
        from tensorflow.python.client import session

        registry, register = session._REGISTERED_EXPANSIONS, session.register_session_run_conversion_functions
    before = list(registry)
    tf_register = register
    tf_register(
        Squared,
        fetch_function=lambda s: ([s.tensor], lambda values: values[0] ** 2),
        feed_function=lambda s, value: [(s.tensor, value**0.5)],
        feed_function_for_partial_run=lambda s: [s.tensor],
    )
    yield register
    registry[:] = before


def test_registered_types(tf: Any, squared: Any) -> None:
    """S173, S70, S90: in run, in feeds, in make_callable."""
    x = tf.placeholder(tf.float32)
    thing = Squared(x + 0.0)
    with tf.Session() as session:
        assert session.run(thing, {x: 3.0}) == 9.0
        assert session.run([thing, {"k": x}], {x: 3.0}) == [9.0, {"k": 3.0}]
        assert session.run(thing.tensor, {thing: 16.0}) == 4.0
        assert session.make_callable(thing, [x])(3.0) == 9.0
        assert session.make_callable(thing.tensor, [thing])(16.0) == 4.0


def test_registered_types_newest_first(tf: Any, squared: Any) -> None:
    """S173."""

    class Special(Squared):
        pass

    squared(Special, fetch_function=lambda s: ([s.tensor], lambda values: -values[0]))
    c = tf.constant(3.0)
    with tf.Session() as session:
        assert session.run([Special(c), Squared(c)]) == [-3.0, 9.0]


def test_registering_twice(tf: Any, squared: Any) -> None:
    """S173: a type that is, or is above, a registered one."""
    for cls in (Squared, object):
        with pytest.raises(ValueError, match="has already been registered so ignore it"):
            squared(cls, fetch_function=lambda s: ([], lambda values: None))


def test_types_registered_without_a_feed_function(rs: Any) -> None:
    """S173: a clear TypeError ('NoneType' object is not callable in TensorFlow)."""
    from runstep.session import conversions

    class Fetched:
        pass

    before = list(conversions._registered)
    rs.register_session_run_conversion_functions(Fetched, lambda f: ([], lambda values: "fetched"))
    try:
        c = rs.constant(1)
        with rs.Session() as session:
            assert session.run(Fetched()) == "fetched"
            with pytest.raises(TypeError, match="cannot be fed: they were registered without a feed_function"):
                session.run(c, {Fetched(): np.float32(1)})
    finally:
        conversions._registered[:] = before
