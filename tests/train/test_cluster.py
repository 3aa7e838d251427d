"""Clusters as far as one program goes: specifications, a server of its own, devices of variables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import runstep
from runstep import device_lib

Same = Callable[..., None]


def test_specifications(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        spec = tf.train.ClusterSpec({"ps": ["a:1", "b:2"], "worker": {1: "c:3", 4: "d:4"}})
        log(spec.as_dict(), sorted(spec.jobs), spec.num_tasks("ps"), spec.task_indices("worker"))
        log(spec.task_address("worker", 4), spec.job_tasks("worker"), str(spec.as_cluster_def()))
        log(spec == tf.train.ClusterSpec(spec.as_cluster_def()), spec == tf.train.ClusterSpec({}), bool(spec))
        log.tried(lambda: tf.train.ClusterSpec(3))
        log.tried(lambda: spec.task_address("ps", 7))
        log.tried(lambda: spec.num_tasks("none"))

    same(program, texts=False)


def test_variables_go_to_parameter_servers(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        setter = tf.train.replica_device_setter
        cluster = {"ps": ["a:1", "b:2"], "worker": ["c:3"]}
        for options in ({"ps_tasks": 2}, {"cluster": cluster}, {"ps_tasks": 2, "merge_devices": False}):
            with tf.Graph().as_default() as graph, tf.device(setter(**options)):
                tf.get_variable("a", [2])
                tf.get_variable("b", [2], use_resource=True)
                with tf.device("/cpu:0"):
                    tf.get_variable("c", [2])
                log([(op.name, op.device) for op in graph.get_operations()])
        log(setter(), setter(cluster={"worker": ["c:3"]}))
        log.tried(lambda: setter(ps_tasks=1, ps_strategy=3))

    same(program, graph=False)


def test_a_server_of_its_own() -> None:
    tf: Any = runstep
    server = tf.train.Server.create_local_server()
    server.start()
    with tf.Session(server.target) as sess:
        assert sess.run(tf.constant(3)) == 3
    assert server.server_def.job_name == "localhost"
    with pytest.raises(tf.errors.UnimplementedError, match="one program"):
        tf.train.Server({"ps": ["a:1"], "worker": ["b:2"]}, job_name="ps", task_index=0)
    with pytest.raises(ValueError, match="explicit job_name"):
        tf.train.Server({"ps": ["a:1"], "worker": ["b:2"]})


def test_devices() -> None:
    tf: Any = runstep
    (device,) = device_lib.list_local_devices()
    assert device.name == "/device:CPU:0" and device.device_type == "CPU" and device.memory_limit > 0
    assert len(device_lib.list_local_devices(tf.ConfigProto(device_count={"CPU": 2}))) == 2
