"""Device names and the blocks that give them."""

from __future__ import annotations

from typing import Any

import pytest

NAMES = [
    ("", ""),
    ("/cpu:0", "/device:CPU:0"),
    ("cpu:0", "/device:CPU:0"),
    ("/CPU:0", "/device:CPU:0"),
    ("/gpu:1", "/device:GPU:1"),
    ("/tpu:0", "/device:TPU:0"),
    ("/cpu:*", "/device:CPU:*"),
    ("/cpu", "/device:CPU:*"),
    ("/device:CPU:0", "/device:CPU:0"),
    ("/device:cpu:0", "/device:CPU:0"),
    ("/device:XLA_CPU:0", "/device:XLA_CPU:0"),
    ("/device:mine:2", "/device:mine:2"),
    ("/job:worker", "/job:worker"),
    ("/job:worker/task:1", "/job:worker/task:1"),
    ("/job:worker/replica:2/task:1/device:CPU:0", "/job:worker/replica:2/task:1/device:CPU:0"),
    ("/job:a/job:b", "/job:b"),
    ("/job:A", "/job:A"),
]


@pytest.mark.parametrize(("given", "canonical"), NAMES)
def test_names(tf: Any, given: str, canonical: str) -> None:
    with tf.device(given):
        assert tf.no_op().device == canonical


@pytest.mark.parametrize("name", ["/bogus", "/cpu:x", "/device:CPU", "/gpu:0:1", "/JOB:a", "/task:x", "a b"])
def test_no_names(tf: Any, name: str) -> None:
    with pytest.raises(ValueError), tf.device(name):
        tf.no_op()


NESTS: dict[str, tuple[Any, ...]] = {
    "inner parts win": ("/cpu:0", "/cpu:1", "/task:3"),
    "a type keeps the outer index": ("/gpu:1", "/cpu"),
    "a job and a device": ("/job:a/replica:1/task:2", "/cpu:0"),
    "nothing changes nothing": ("/job:a", ""),
    "None forgets": ("/job:z", None, "/cpu:0"),
    "None forgets functions": ("/job:z", lambda op: "/cpu:9", None, "/cpu:0"),
    "a function": (lambda op: "/cpu:3",),
    "a function within a name": ("/job:a", lambda op: "/cpu:1"),
    "a name within a function": (lambda op: "/cpu:1", "/job:a"),
    "a function within two names": ("/job:a", lambda op: "/cpu:1", "/gpu:0"),
    "a function within a function": (lambda op: "/cpu:1", lambda op: "/job:b"),
    "a function sees what was said": (lambda op: op.device or "/cpu:3", "/gpu:0"),
    "a function sees the operation": (lambda op: "/cpu:1" if op.type == "NoOp" else "/cpu:2",),
    "a function that says nothing": (lambda op: "", "/gpu:0"),
    "two functions and a name": (lambda op: op.device + "/task:1", "/job:q", lambda op: "/cpu:0"),
}


@pytest.mark.parametrize("name", NESTS)
def test_blocks_nest(name: str, both: Any) -> None:
    def build(tf: Any) -> Any:
        import contextlib

        with contextlib.ExitStack() as stack:
            for spec in NESTS[name]:
                stack.enter_context(tf.device(spec))
            return tf.no_op().device

    ours, theirs = both(build)
    assert ours == theirs


def test_specs(tf: Any) -> None:
    spec = tf.DeviceSpec(job="w", task=1, device_type="CPU", device_index=0)
    assert spec.to_string() == "/job:w/task:1/device:CPU:0"
    assert tf.DeviceSpec.from_string("/job:w/task:1/cpu:0") == spec
    assert (spec.job, spec.replica, spec.task, spec.device_type, spec.device_index) == ("w", None, 1, "CPU", 0)
    with tf.device(spec):
        assert tf.no_op().device == "/job:w/task:1/device:CPU:0"


def test_soft_names_are_kept_in_the_graph(tf: Any) -> None:
    """A device that no session has is no error while the graph is built."""
    with tf.device("/job:worker/task:7/gpu:3"):
        x = tf.constant(1.0)
    assert x.device == "/job:worker/task:7/device:GPU:3"
    assert tf.get_default_graph().as_graph_def().node[0].device == x.device
