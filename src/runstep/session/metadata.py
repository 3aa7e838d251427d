"""RunOptions in, RunMetadata out: step statistics, partition graphs, cost graphs, session metadata (S110-S121)."""

from __future__ import annotations

import copy
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from runstep import errors
from runstep.graph import dtypes, shapes
from runstep.graph.exporter import write_node
from runstep.graph.tensor import Tensor
from runstep.observe.trace import TracedStep, Tracer, active
from runstep.plan.compile import Plan
from runstep.plan.idioms import through
from runstep.plan.node import PlanNode
from runstep.step import Record, StepContext

_claimed: set[tuple[str, int]] = set()
_claims = threading.Lock()


def claim_session_metadata(config: Any) -> tuple[str, int] | None:
    """Takes the name and version that a config gives to its session (S120); None when it gives none.

    Raises:
      InvalidArgumentError: a live session has them already, or the version is negative.
    """
    if config is None or not config.experimental.HasField("session_metadata"):
        return None
    data = config.experimental.session_metadata
    if data.version < 0:
        raise errors.InvalidArgumentError(None, None, f"Session version shouldn't be negative: {data}")
    key = (data.name, data.version)
    with _claims:
        if key in _claimed:
            raise errors.InvalidArgumentError(
                None,
                None,
                f"A session with the same name and version has already been created: {data.name} version "
                f"{data.version}",
            )
        _claimed.add(key)
    return key


def release_session_metadata(key: tuple[str, int] | None) -> None:
    """Lets other sessions have the name and version again."""
    with _claims:
        if key is not None:
            _claimed.discard(key)


def checked_options(options: Any) -> Any:
    """Our RunOptions message of what a user passes; None when there is nothing in it.

    Raises:
      TypeError: it is not a RunOptions.
    """
    if not options and options is None:
        return None
    if not hasattr(options, "SerializeToString") or options.DESCRIPTOR.name != "RunOptions":
        raise TypeError(f'Argument `options` must be a tf.RunOptions, but got "{type(options).__name__}"')
    from runstep.protos import config_pb2

    return config_pb2.RunOptions.FromString(options.SerializeToString())


def checked_run_metadata(run_metadata: Any) -> None:
    """Raises TypeError when `run_metadata` is given but is no RunMetadata."""
    if run_metadata is not None and (
        not hasattr(run_metadata, "ParseFromString") or run_metadata.DESCRIPTOR.name != "RunMetadata"
    ):
        raise TypeError(f'Argument `run_metadata` must be a tf.RunMetadata, but got "{type(run_metadata).__name__}"')


class Collector:
    """Decides for each step of one session what to record."""

    def __init__(self, config: Any) -> None:
        self._config = config
        self._steps = 0
        graph_options = None if config is None else config.graph_options
        self._cost_every = 0 if graph_options is None else graph_options.build_cost_model
        self._cost_after = 0 if graph_options is None else graph_options.build_cost_model_after

    def begin(self, options: Any, run_metadata: Any, engine: Any) -> Recording:
        """Starts the recording of a step.

        Raises:
          InvalidArgumentError: the options ask for what the config forbids, or for a thread pool that isn't there.
        """
        self._steps += 1
        config = self._config
        cost = False
        if self._cost_every:
            steps = self._steps - 1 - self._cost_after
            cost = steps >= 0 and (steps + 1) % self._cost_every == 0
        trace = cost
        partitions = False
        if options is not None:
            pools = 1 if config is None else max(1, len(config.session_inter_op_thread_pool))
            if not -1 <= options.inter_op_thread_pool < pools:
                raise errors.InvalidArgumentError(
                    None, None, f"Invalid inter_op_thread_pool: {options.inter_op_thread_pool}"
                )
            if (
                options.output_partition_graphs
                and config is not None
                and config.experimental.disable_output_partition_graphs
            ):
                raise errors.InvalidArgumentError(
                    None,
                    None,
                    "RunOptions.output_partition_graphs() is not supported when disable_output_partition_graphs is "
                    "true.",
                )
            trace = trace or options.trace_level > 0 or options.report_tensor_allocations_upon_oom
            partitions = options.output_partition_graphs
        tracer = active()
        if run_metadata is None:
            trace = partitions = False
        recording = Recording(run_metadata, trace or tracer is not None, partitions, cost, config, tracer)
        if options is not None:
            recording.context.pool = options.inter_op_thread_pool
        return recording


class Recording:
    """What is recorded of one step.

    Attributes:
      trace: whether the plan must report its kernel calls. context: the step's context, which collects them.
    """

    def __init__(
        self, target: Any, trace: bool, partitions: bool, cost: bool, config: Any, tracer: Tracer | None = None
    ) -> None:
        self.trace = trace
        self.tracer = tracer
        self.context = StepContext()
        if trace:
            self.context.records = []
        self._target = target
        self._partitions = partitions
        self._cost = cost
        self._config = config
        self._wall = time.time_ns()
        self._clock = time.perf_counter_ns()
        self._arguments: dict[Tensor, str] = {}

    def fork(self) -> Recording:
        """One for a step that goes on from where this one's is."""
        twin = copy.copy(self)
        twin.context = StepContext()
        if self.context.records is not None:
            twin.context.records = list(self.context.records)
        return twin

    def finish(self, plan: Plan | None, target: Any = None) -> None:
        """Fills the caller's RunMetadata with what was seen, also when the step failed (S111); nothing, without a plan.

        Args:
          target: another RunMetadata to fill: each call of a partial run may bring its own.
        """
        if self.tracer is not None and plan is not None:
            self._report(plan)
        target = self._target if target is None else target
        if target is None:
            return
        from runstep.protos import config_pb2

        found = config_pb2.RunMetadata()
        if plan is None:
            target.Clear()
            return
        if self.trace:
            self._step_stats(plan, found.step_stats)
        if self._partitions:
            partition_graphs(plan, found.partition_graphs)
        if self._cost:
            cost_graph(plan, self.context.records or (), found.cost_graph)
        if self._config is not None and self._config.experimental.HasField("session_metadata"):
            found.session_metadata.CopyFrom(self._config.experimental.session_metadata)
        target.ParseFromString(found.SerializeToString())

    def _report(self, plan: Plan) -> None:
        """Gives the step to the trace that is on, once."""
        from runstep.protos import step_stats_pb2

        tracer, self.tracer = self.tracer, None
        stats = step_stats_pb2.StepStats()
        self._step_stats(plan, stats)
        error = sys.exc_info()[1]
        code = "" if error is None else type(error).__name__
        now = self._wall + time.perf_counter_ns() - self._clock
        assert tracer is not None
        tracer.add(TracedStep(stats, self._wall, now, code))

    def _step_stats(self, plan: Plan, stats: Any) -> None:
        by_device: dict[str, Any] = {}
        for task in plan.tasks:
            by_device.setdefault(task.device.name, None)
        for name in by_device:
            by_device[name] = stats.dev_stats.add(device=name)
        first = next(iter(by_device))
        end = time.perf_counter_ns()
        self._edge(by_device[first], "_SOURCE", "_SOURCE = NoOp()", self._clock)
        for position, tensor in enumerate(plan.feeds):
            name = f"_arg_{tensor.op.name}_{tensor.value_index}_{position}"
            self._edge(by_device[first], name, f"{name} = _Arg()", self._clock)
        for node in placed_nodes(plan):
            if node.type == "Const" and node.known is not None:
                self._edge(
                    by_device.get(node.device) or by_device[first], node.name, f"{node.name} = Const()", self._clock
                )
        self._arguments = {t: f"_arg_{t.op.name}_{t.value_index}_{i}" for i, t in enumerate(plan.feeds)}
        nodes = {node.number: node for node in plan.nodes}
        records = list(self.context.records or ())
        # What has begun and not ended: the kernel that failed, and those that wait.
        records += [Record(node, begun, max(end, begun), ()) for node, begun in self.context.begun.copy().items()]
        ready = _ready_times(plan, records, self._clock)
        for record in records:
            recorded = nodes.get(record.node)
            if recorded is not None:
                device = by_device.get(recorded.device) or by_device[first]
                self._node(device, recorded, record, min(ready[record.node], record.started))
        for position, tensor in enumerate(plan.fetches):
            name = f"_retval_{tensor.op.name}_{tensor.value_index}_{position}"
            self._edge(by_device[first], name, f"{name} = _Retval({tensor.op.name})", end)

    def _edge(self, device: Any, name: str, label: str, clock: int) -> None:
        stats = device.node_stats.add(node_name=name, timeline_label=label)
        self._times(stats, clock, clock, clock)

    def _times(self, stats: Any, started: int, ended: int, ready: int) -> None:
        start = self._wall + started - self._clock
        length = ended - started
        stats.all_start_micros, stats.all_start_nanos = start // 1000, start
        stats.op_start_rel_micros, stats.op_start_rel_nanos = 0, 0
        stats.op_end_rel_micros = stats.all_end_rel_micros = -(-length // 1000)
        stats.op_end_rel_nanos = stats.all_end_rel_nanos = length
        scheduled = self._wall + ready - self._clock
        stats.scheduled_micros, stats.scheduled_nanos = scheduled // 1000, scheduled
        stats.thread_id = threading.get_native_id() & 0xFFFFFFFF

    def _node(self, device: Any, node: PlanNode, record: Record, ready: int) -> None:
        op = node.op
        assert op is not None
        inputs = ", ".join(self._arguments.get(t) or (t.op.name if t.value_index == 0 else t.name) for t in op.inputs)
        stats = device.node_stats.add(node_name=node.name, timeline_label=f"{node.name} = {node.type}({inputs})")
        self._times(stats, record.started, record.ended, ready)
        if record.thread:
            stats.thread_id = record.thread & 0xFFFFFFFF
        total = 0
        for slot, value in enumerate(record.outputs):
            size = int(getattr(value, "nbytes", 0))
            total += size
            output = stats.output.add(slot=slot)
            description = output.tensor_description
            description.dtype = op.outputs[slot].dtype.enum
            description.shape.CopyFrom(
                shapes.to_proto(np.shape(value) if isinstance(value, np.ndarray | np.generic) else ())
            )
            allocation = description.allocation_description
            allocation.requested_bytes = allocation.allocated_bytes = size
            allocation.allocator_name = "cpu"
            allocation.allocation_id = id(value) & 0x7FFFFFFF
            allocation.has_single_reference = True
            if isinstance(value, np.ndarray):
                allocation.ptr = value.__array_interface__["data"][0]
        memory = stats.memory.add(allocator_name="cpu", total_bytes=total, peak_bytes=total, live_bytes=total)
        memory.allocation_records.add(alloc_micros=stats.all_start_micros, alloc_bytes=total)
        stats.memory_stats.persistent_memory_size = 0


def _ready_times(plan: Plan, records: Sequence[Record], clock: int) -> dict[int, int]:
    """For each node, when the last of its inputs was there; `clock` without any."""
    ended: dict[int, int] = {}
    for record in records:
        ended.setdefault(record.node, record.ended)
    return {
        node.number: max([clock, *(ended.get(source.number, clock) for source, _ in node.inputs if source.feed < 0)])
        for node in plan.nodes
    }


def partition_graphs(plan: Plan, out: Any) -> None:
    """One GraphDef per device: what is left of the graph for this plan, feeds as `_Arg`, fetches as `_Retval` nodes.

    A value that another device needs leaves by `_Send` and comes in by `_Recv`.
    """
    graphs: dict[str, Any] = {}
    names: dict[tuple[str, Any], str] = {}

    def graph_of(device: str) -> Any:
        if device not in graphs:
            graphs[device] = out.add()
            graphs[device].versions.CopyFrom(plan.graph.graph_def_versions)
        return graphs[device]

    home = plan.tasks[0].device.name
    placed = {node: node.device or home for node in placed_nodes(plan)}
    feed_names = {tensor.name: f"_arg_{tensor.op.name}_{tensor.value_index}_{i}" for i, tensor in enumerate(plan.feeds)}
    for position, tensor in enumerate(plan.feeds):
        node = graph_of(home).node.add(name=feed_names[tensor.name], op="_Arg", device=home)
        node.attr["T"].type = tensor.dtype.base_dtype.enum
        node.attr["index"].i = position
    present = set(placed)

    def name_on(device: str, source: PlanNode, output: int) -> str:
        if source.feed >= 0:
            name, where = feed_names[source.name], home
        else:
            name, where = source.name, placed[source]
        full = name if output == 0 else f"{name}:{output}"
        if where == device:
            return full
        key = (device, (source, output))
        if key not in names:
            edge = f"{name}_{output}".replace("/", "_")
            dtype = dtypes.variant if source.op is None else source.op.outputs[output].dtype
            if source.op is None:
                dtype = plan.feeds[source.feed].dtype
            send = graph_of(where).node.add(name=f"{edge}/_send_{len(names)}", op="_Send", input=[full], device=where)
            receive = graph_of(device).node.add(name=f"{edge}/_recv_{len(names)}", op="_Recv", device=device)
            send.attr["T"].type = receive.attr["tensor_type"].type = dtype.base_dtype.enum
            for end in (send, receive):
                end.attr["tensor_name"].s = f"edge_{len(names)}_{full}".encode()
                end.attr["send_device"].s, end.attr["recv_device"].s = where.encode(), device.encode()
                end.attr["send_device_incarnation"].i = 1
                end.attr["client_terminated"].b = False
            names[key] = receive.name
        return names[key]

    for item, device in placed.items():
        message = graph_of(device).node.add(name=item.name, op=item.type, device=device)
        if item.op is None:  # a constant that a rewrite made
            _as_constant(item, message)
            continue
        write_node(item.op, message)
        message.op = item.type
        del message.input[:]
        message.input.extend(
            name_on(device, source, output)
            for source, output in map(through, item.inputs)
            if source in present or source.feed >= 0
        )
        message.input.extend(f"^{control.name}" for control in item.controls if placed.get(control) == device)
        if item.known is not None and item.type != "Const":
            _as_constant(item, message)
    for position, (tensor, (source, output)) in enumerate(zip(plan.fetches, plan.sources, strict=True)):
        if source not in placed:
            continue
        device = placed[source]
        name = f"_retval_{tensor.op.name}_{tensor.value_index}_{position}"
        node = graph_of(device).node.add(
            name=name, op="_Retval", input=[name_on(device, source, output)], device=device
        )
        node.attr["T"].type = tensor.dtype.base_dtype.enum
        node.attr["index"].i = position


def _as_constant(item: PlanNode, message: Any) -> None:
    from runstep.graph.tensor_proto import make_tensor_proto

    if len(item.known or ()) != 1:
        return
    message.op = "Const"
    message.attr.clear()
    dtype = item.output_types[0] if item.op is not None else dtypes.as_dtype(item.known[0].dtype)  # type: ignore[index]
    message.attr["dtype"].type = dtype.enum
    message.attr["value"].tensor.CopyFrom(make_tensor_proto(item.known[0], dtype=dtype))  # type: ignore[index]


def placed_nodes(plan: Plan) -> list[PlanNode]:
    """The nodes that run with the known values and structural nodes that they hang on, producers first."""
    found: dict[PlanNode, None] = {}
    stack = [(node, False) for node in reversed(plan.nodes)]
    seen: set[PlanNode] = set()
    while stack:
        node, done = stack.pop()
        if done:
            found[node] = None
            continue
        if node in seen or node.feed >= 0:
            continue
        seen.add(node)
        stack.append((node, True))
        stack.extend((through(ref)[0], False) for ref in node.inputs)
        stack.extend((control, False) for control in node.controls)
    return list(found)


def cost_graph(plan: Plan, records: Any, out: Any) -> None:
    """The cost model of a step: per node its time and the sizes of its outputs (S119)."""
    spent: dict[int, int] = {}
    sizes: dict[int, list[int]] = {}
    for record in records:
        spent[record.node] = spent.get(record.node, 0) + record.ended - record.started
        sizes[record.node] = [int(getattr(value, "nbytes", 0)) for value in record.outputs]
    numbers = {node: position for position, node in enumerate(plan.nodes)}
    for node, position in numbers.items():
        message = out.node.add(name=node.name, device=node.device, id=position)
        for source, output in node.inputs:
            if source in numbers:
                message.input_info.add(preceding_node=numbers[source], preceding_port=output)
        message.control_input.extend(numbers[control] for control in node.controls if control in numbers)
        for size, tensor in zip(sizes.get(node.number, ()), node.op.outputs, strict=False):  # type: ignore[union-attr]
            message.output_info.add(size=size, dtype=tensor.dtype.enum)
        message.compute_cost = message.compute_time = spent.get(node.number, 0) // 1000
