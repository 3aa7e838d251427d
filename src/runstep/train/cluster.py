"""What programs for clusters say: the jobs of a cluster, this program's server, and on which task variables are."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn

from runstep import errors
from runstep.graph.device import DeviceSpec
from runstep.protos.cluster_pb2 import ClusterDef
from runstep.protos.tensorflow_server_pb2 import ServerDef

__all__ = ["ClusterSpec", "Server", "replica_device_setter"]

_VARIABLES = frozenset(
    (
        "AutoReloadVariable MutableDenseHashTable MutableDenseHashTableV2 MutableHashTable MutableHashTableOfTensors "
        "MutableHashTableOfTensorsV2 MutableHashTableV2 VarHandleOp Variable VariableV2"
    ).split()
)


class ClusterSpec:
    """The addresses of a cluster's tasks, by job (source: tf.train.ClusterSpec).

    Args:
      cluster: a dict from jobs to lists of addresses (or dicts from task numbers to addresses), a `ClusterDef` message,
        or another ClusterSpec.

    Raises:
      TypeError: it is none of these.
    """

    def __init__(self, cluster: Any) -> None:
        if isinstance(cluster, ClusterSpec):
            cluster = cluster.as_cluster_def()
        if isinstance(cluster, Mapping):
            self._jobs = {job: _tasks(job, tasks) for job, tasks in cluster.items()}
        elif hasattr(cluster, "job"):
            self._jobs = {job.name: dict(job.tasks) for job in cluster.job}
        else:
            raise TypeError(
                "`cluster` must be a dictionary mapping one or more job names to lists of network addresses, or a "
                "`ClusterDef` protocol buffer"
            )

    def __bool__(self) -> bool:
        return bool(self._jobs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ClusterSpec) and self._jobs == other._jobs

    def __hash__(self) -> int:
        return hash(tuple(sorted(self._jobs)))

    def __repr__(self) -> str:
        return f"ClusterSpec({self.as_dict()!r})"

    @property
    def jobs(self) -> list[str]:
        return list(self._jobs)

    def as_dict(self) -> dict[str, Any]:
        """Lists of addresses by job; dicts where task numbers are missing."""
        found: dict[str, Any] = {}
        for job, tasks in self._jobs.items():
            whole = sorted(tasks) == list(range(len(tasks)))
            found[job] = [tasks[number] for number in sorted(tasks)] if whole else dict(tasks)
        return found

    def as_cluster_def(self) -> ClusterDef:
        """As a `ClusterDef` message."""
        message = ClusterDef()
        for job in sorted(self._jobs):
            entry = message.job.add(name=job)
            for number, address in sorted(self._jobs[job].items()):
                entry.tasks[number] = address
        return message

    def _job(self, job_name: str) -> dict[int, str]:
        if job_name not in self._jobs:
            raise ValueError(f"No such job in cluster: {job_name!r}")
        return self._jobs[job_name]

    def num_tasks(self, job_name: str) -> int:
        return len(self._job(job_name))

    def task_indices(self, job_name: str) -> list[int]:
        return sorted(self._job(job_name))

    def task_address(self, job_name: str, task_index: int) -> str:
        tasks = self._job(job_name)
        if task_index not in tasks:
            raise ValueError(f"No task with index {task_index!r} in job {job_name!r}")
        return tasks[task_index]

    def job_tasks(self, job_name: str) -> list[str | None]:
        """The addresses of a job; None where a number is missing."""
        tasks = self._job(job_name)
        return [tasks.get(number) for number in range(max(tasks, default=-1) + 1)]


def _tasks(job: str, tasks: Any) -> dict[int, str]:
    if isinstance(tasks, Mapping):
        found = dict(tasks)
    elif isinstance(tasks, Sequence) and not isinstance(tasks, str):
        found = dict(enumerate(tasks))
    else:
        raise TypeError(f"The tasks for job {job!r} must be a list or a dictionary from integers to strings.")
    for number, address in found.items():
        if not isinstance(address, str):
            raise TypeError(f"Task address {address!r} of task {number} must be a string.")
    return found


class Server:
    """The server of this program in a cluster (source: tf.train.Server): for now, of a cluster of one task.

    Sessions with its `target` run in this program.

    Raises:
      UnimplementedError: the cluster has other tasks.
    """

    def __init__(
        self,
        server_or_cluster_def: Any,
        job_name: str | None = None,
        task_index: int | None = None,
        protocol: str | None = None,
        config: Any = None,
        start: bool = True,
    ) -> None:
        if hasattr(server_or_cluster_def, "cluster"):
            self._server_def = ServerDef.FromString(server_or_cluster_def.SerializeToString())
        else:
            self._server_def = ServerDef(cluster=ClusterSpec(server_or_cluster_def).as_cluster_def())
        jobs = self._server_def.cluster.job
        if job_name is not None:
            self._server_def.job_name = job_name
        elif not self._server_def.job_name:
            if len(jobs) != 1:
                raise ValueError("Must specify an explicit job_name.")
            self._server_def.job_name = jobs[0].name
        if task_index is not None:
            self._server_def.task_index = task_index
        self._server_def.protocol = protocol or self._server_def.protocol or "grpc"
        if config is not None:
            self._server_def.default_session_config.MergeFrom(config)
        if sum(len(job.tasks) for job in jobs) > 1:
            raise errors.UnimplementedError(
                None,
                None,
                "Servers of clusters with several tasks are not there: this library runs graphs in one program. Use a "
                "cluster of one task, or no server and tf.Session().",
            )
        self._stopped = threading.Event()

    def start(self) -> None:
        """Does nothing: sessions need no server to run here."""

    def join(self) -> NoReturn:
        """Waits for ever."""
        while True:
            self._stopped.wait()

    @property
    def server_def(self) -> ServerDef:
        return self._server_def

    @property
    def target(self) -> str:
        """For `tf.Session(target)`: this program."""
        return ""

    @staticmethod
    def create_local_server(config: Any = None, start: bool = True) -> Server:
        """A server of a cluster of its own."""
        return Server({"localhost": ["localhost:0"]}, protocol="grpc", config=config, start=start)


def replica_device_setter(
    ps_tasks: int = 0,
    ps_device: str = "/job:ps",
    worker_device: str = "/job:worker",
    merge_devices: bool = True,
    cluster: Any = None,
    ps_ops: Iterable[str] | None = None,
    ps_strategy: Callable[[Any], int] | None = None,
) -> Callable[[Any], str] | None:
    """A device function that puts variables on parameter servers in turn (source: tf.train.replica_device_setter).

    Args:
      ps_tasks: how many there are; or `cluster` says. ps_ops: the op types that go there; those of variables by
        default. ps_strategy: from an operation to the number of its task.

    Returns:
      What `tf.device` takes; None without parameter servers.

    Raises:
      TypeError: `ps_strategy` is not callable.
    """
    if cluster is not None:
        ps_job = DeviceSpec.from_string(ps_device).job
        jobs = ClusterSpec(cluster).as_dict()
        if not ps_job or ps_job not in jobs:
            return None
        ps_tasks = len(jobs[ps_job])
    if ps_tasks == 0:
        return None
    chosen = _VARIABLES if ps_ops is None else frozenset(ps_ops)
    if ps_strategy is not None and not callable(ps_strategy):
        raise TypeError("ps_strategy must be callable")
    count = 0

    def in_turn(op: Any) -> int:
        nonlocal count
        task, count = count, (count + 1) % ps_tasks
        return task

    strategy = ps_strategy or in_turn

    def device_of(op: Any) -> str:
        said = DeviceSpec.from_string(op.device or "")
        if not merge_devices and op.device:
            return op.device
        place = DeviceSpec.from_string(worker_device or "")
        if op.type in chosen and ps_device:
            place = DeviceSpec.from_string(ps_device)
            if place.job and place.task is None and said.task is None:
                place.task = strategy(op)
        return place.make_merged_spec(said).to_string()

    return device_of
