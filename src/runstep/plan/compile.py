"""A request becomes a plan: prune, rewrite, place, find kernels, order, cut into tasks, emit."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import attrs

from runstep import errors
from runstep.garbage import uncollected
from runstep.graph import shapes
from runstep.graph.attr_value import NameAttrs
from runstep.graph.functions import FunctionGraph
from runstep.graph.graph import Graph
from runstep.graph.operation import Operation
from runstep.graph.shapes import RawShape
from runstep.graph.tensor import Tensor
from runstep.plan import calls, elementwise, regions
from runstep.plan.alike import stack_alike
from runstep.plan.cost import TURNS, may_take_any_time
from runstep.plan.crossing import unmixed
from runstep.plan.device import Placement, PlanDevice
from runstep.plan.dimensions import shorten
from runstep.plan.emit import Emitter, Segment
from runstep.plan.estimate import LITTLE, SHARE, TINY, Estimate, Glance, Need, sizes_of
from runstep.plan.fold import NO_REWRITES, Rewriter, Rewrites, inherit_waits, resolve
from runstep.plan.foresight import Feedings, Foresight, Foresights, is_within
from runstep.plan.frames import NEVER, ControlFlow, Item, Tangled
from runstep.plan.fuse import fuse
from runstep.plan.idioms import idioms, through
from runstep.plan.idle import drop_idle
from runstep.plan.inside import Inside
from runstep.plan.node import (
    ALWAYS,
    ENTERS,
    EXITS,
    MERGES,
    NEXTS,
    PASS,
    SWITCHES,
    Guard,
    PlanNode,
    Ref,
    root,
)
from runstep.plan.pieces import collected, needs_of, needs_of_some, parts_of
from runstep.plan.piles import watch_loops, watch_writes
from runstep.plan.prune import PASS as PASS_TYPES, PLACEHOLDERS, Pruned, prune
from runstep.plan.refusals import is_unknown, placeholder_error, unknown_function, unknown_ops
from runstep.plan.remap import remap
from runstep.plan.reread import reread
from runstep.plan.simplify import simplify
from runstep.plan.sizes import Fed, Seen
from runstep.plan.stacks import find_stacks
from runstep.plan.stages import Stages, needs
from runstep.plan.tasks import Task, readers
from runstep.plan.tokens import ByTokens
from runstep.plan.turn_sums import sum_after_loops
from runstep.plan.watch import Projections, may_grow, watch, watch_body
from runstep.plan.weigh import Scales

_STRUCTURE = ENTERS | EXITS | MERGES | NEXTS | SWITCHES


@attrs.frozen(eq=False)
class Plan:
    """A compiled request. Immutable, may run in any number of steps at once.

    Attributes:
      graph, feeds, fetches, targets: the request.
      nodes: what runs, by number (for tracing).
      tasks: the units that devices execute, producers first.
      collect: makes the fetched values out of what the tasks returned; None when the one task does it itself.
      collect_slots: the slots that `collect` takes.
      slots: how many values a step holds; the first are the feeds.
      stages: how the fetches leave one by one, when their feeds come at different times.
      sources: the outputs that the fetches are, behind nodes that only pass them on.
      kept_feeds: positions of feeds that something may keep after the step; they are copied when fed.
      edits: the state of the graph that it was made for.
      readers: for each slot how many tasks and collectors read it.
      may_wait: any of its kernels may have to wait for something.
      estimate: what it is thought to take in time and memory. projections: what more, by what a step finds out; None
        where there is nothing to find out. foresights: what instead, by what is fed; None where that doesn't change.
      feedings: what its tasks take, by what has come before them; of a staged plan. ordered: for sizes that don't fit
        in its own order, by their bits: the sizes that one is made for, and that.
      remake: compiles it for feeds of other shapes, or values; None where these are fixed. variants: what has been made
        so, by the bits of the number of bytes fed.
    """

    graph: Graph
    feeds: tuple[Tensor, ...]
    fetches: tuple[Tensor, ...]
    targets: tuple[Operation, ...]
    nodes: tuple[PlanNode, ...]
    tasks: tuple[Task, ...]
    collect: Segment | None
    collect_slots: tuple[int, ...]
    slots: int
    stages: Stages | None
    sources: tuple[Ref, ...]
    kept_feeds: frozenset[int]
    edits: int
    readers: tuple[int, ...] = ()
    may_wait: bool = False
    estimate: Estimate = Estimate()
    projections: Projections | None = None
    foresights: Foresights | None = None
    feedings: Feedings | None = None
    remake: Callable[..., Plan] | None = None
    variants: dict[int, Plan] = attrs.field(factory=dict)
    ordered: dict[Any, tuple[list[Any], Plan]] = attrs.field(factory=dict)

    def fitted(self, values: Sequence[Any]) -> tuple[Plan, Foresight | None]:
        """This plan, or one like it that is estimated, or ordered, for feeds of the size of these; and what it takes
        beyond its estimate, as far as these tell."""
        plan = self if self.estimate.is_fixed else self._of_size(values)
        if plan.foresights is None:
            return plan, None
        foresight = plan.foresights.of(values)
        if foresight is not None and not foresight.fits and plan.remake is not None:
            size = tuple([int(abs(number)).bit_length() for number in foresight.measure])
            most, found = plan.ordered.get(size, ((), plan))
            if not is_within(foresight.measure, most):
                found = plan.remake([value.shape for value in values], foresight.fed)
                plan.ordered[size] = foresight.measure, found
            if found.foresights is not None:
                return found, found.foresights.of(values)
        return plan, foresight

    def _of_size(self, values: Sequence[Any]) -> Plan:
        if self.remake is None:
            return self
        fed = 0
        for value, limit in zip(values, self.estimate.limits, strict=True):
            if limit is not None:
                fed += value.nbytes
        floor = self.estimate.floor
        size = max(fed, floor).bit_length()
        found = self.variants.get(size)
        if found is None:
            if size == max(self.estimate.fed, floor).bit_length():
                found = self
            else:
                found = self.remake([value.shape for value in values])
            self.variants[size] = found
        return found

    @property
    def inline(self) -> Segment | None:
        """The whole plan as one synchronous function of the step and the feeds, when it is one."""
        if self.collect is None and not self.tasks[0].segment.is_async:
            return self.tasks[0].segment
        return None

    @property
    def straight(self) -> Callable[..., tuple[Any, ...]] | None:
        """That function when nothing in it could be cancelled or asks for the step, which may then be None, and when
        it takes so little memory that nobody needs to know."""
        segment = self.inline
        if segment is None or segment.needs_step or self.estimate.needs:
            return None
        return segment.run


class Compiler:
    """Compiles requests for one session's devices; for as many threads as will work on one step."""

    def __init__(
        self,
        devices: Sequence[PlanDevice],
        *,
        soft_placement: bool = False,
        rewrites: Rewrites | None = None,
        threads: int = 1,
    ) -> None:
        self._devices = tuple(devices)
        self._threads = threads
        self._little = min([LITTLE, *(device.memory_limit >> SHARE for device in devices)])
        self._soft = soft_placement
        self._rewrites = rewrites if rewrites is not None else Rewrites()
        self._bodies: dict[Any, Segment | None] = {}
        self._compiling = threading.RLock()

    def compile(
        self,
        graph: Graph,
        feeds: Sequence[Tensor],
        fetches: Sequence[Tensor],
        targets: Sequence[Operation],
        *,
        trace: bool = False,
        staged: bool = False,
        links: Mapping[Tensor, Tensor] | None = None,
        given: Sequence[RawShape] | None = None,
        rewritten: bool = False,
        fed: Fed | None = None,
    ) -> Plan:
        """The plan of one request.

        Args:
          rewritten: rewrites as if nothing were traced: what is reported are the kernels that really run.
          given: the shapes of the values that will be fed, for what the graph leaves open; it decides nothing about
            results, only what is worth a thread or a reservation of memory. fed: of these values, those that sizes are
            made of; they decide about the order of nodes, and nothing else.
          trace: every kernel call reports to the step; nothing is rewritten away.
          staged: feeds arrive at different times (partial runs): every feed can start tasks of its own.
          links: tensors that others of the same step stand in for (CallableOptions.tensor_connection).

        Raises:
          OpError: with the node: an unknown op, no kernel, no such device, a placeholder that isn't fed, bad frames.
        """
        with uncollected():
            return self._compile(graph, feeds, fetches, targets, trace, staged, links, given, rewritten, fed)

    def _compile(
        self,
        graph: Graph,
        feeds: Sequence[Tensor],
        fetches: Sequence[Tensor],
        targets: Sequence[Operation],
        trace: bool,
        staged: bool,
        links: Mapping[Tensor, Tensor] | None,
        given: Sequence[RawShape] | None,
        rewritten: bool,
        sizes_fed: Fed | None,
    ) -> Plan:
        edits = graph._edits
        pruned = prune(feeds, fetches, targets, links)
        needed = needs(pruned, fetches, targets) if staged else ()
        if not staged:  # there, the placeholder says so when it runs (S149)
            self._check_placeholders(pruned, feeds, fetches)
        work = _Work(self, pruned, NO_REWRITES if trace and not rewritten else self._rewrites)
        work.prepare([tensor for tensor in fetches], targets, staged)
        results = _apart([(work.ref(tensor), *work.leaving(tensor)) for tensor in fetches])
        ends = [ref[0] for ref, _, _ in results] + [work.node(op) for op in targets]
        fed_sizes = sizes_of(feeds, given)
        fed = sum(size or 0 for size in fed_sizes)
        scales = projections = None
        shape = [_shape(t, given, i) for i, t in enumerate(feeds)]
        glance = Glance(work.nodes)
        if sizes_fed or not glance.looks_tiny(fed, _open_size(feeds, given), self._little):
            scales = work.scales(shape, fed=sizes_fed)
        if sizes_fed or (scales.sizes.sources if scales is not None else may_grow(work.nodes, staged)):
            whole = [position for position, tensor in enumerate(feeds) if tensor.dtype.is_integer]
            projections = watch(work.nodes, shape, whole, staged)  # before code is emitted that calls the kernels
        if work.flow is not None and (scales is not None or projections is not None):
            sizes = (scales or work.scales(shape)).sizes
            watch_loops(work.flow.frames.values(), sizes)
            watch_writes([node for node in work.kernels if node.frame is not None], sizes.nbytes)
        parts, needs_memory = parts_of(
            work, pruned, results, scales, ends, needed, trace, staged, self._devices, self._threads
        )
        if sizes_fed:  # the order is for these sizes, and others will be fed
            needs_memory = needs_of(parts, results, work.scales(shape), self._threads)
        told = [] if projections is None else projections.told
        sizing = () if projections is None else projections.sizing
        open_feeds = [position for position, size in enumerate(fed_sizes) if size is not None]

        def project(
            seen: Seen, fed: Fed, given: Sequence[RawShape] | None, tasks: tuple[int, ...] | None
        ) -> tuple[tuple[Need, ...], Seen]:
            there = work.scales(shape if given is None else given, seen, fed)
            if tasks is None:
                found = needs_of(parts, results, there, self._threads)
            else:
                found = needs_of_some(parts, tasks, there, self._threads)
            known = set(told).difference(there.sizes.sources)
            return found, {node: there.sizes.kinds[node].shapes for node in known}

        foresights = feedings = None
        if staged:
            feedings = Feedings(feeds, sizing, parts.refs, project)
        elif sizing or (open_feeds and needs_memory):
            foresights = Foresights(sizing, open_feeds if needs_memory else (), project)
        if projections is not None:
            projections.of_plan(needs_memory, project)
        floor = TINY if fed >= TINY else glance.floor(feeds, fed_sizes, self._little)
        estimate = Estimate(
            0.0 if scales is None else scales.time(),
            may_take_any_time(work.items),
            needs_memory,
            fed,
            tuple([None if size is None else max(floor, 2 * size) for size in fed_sizes]),
            floor,
            projections is not None,
            sizing,
        )
        return Plan(
            graph,
            tuple(feeds),
            tuple(fetches),
            tuple(targets),
            tuple(work.kernels),
            parts.tasks,
            parts.collect,
            parts.collect_slots,
            parts.slots,
            parts.stages,
            tuple(through(ref) for ref, _, _ in results),
            work.retained_feeds(),
            edits,
            readers(parts.tasks, collected(parts), parts.slots),
            any(task.segment.is_async for task in parts.tasks),
            estimate,
            projections,
            foresights,
            feedings,
            None
            if staged or not estimate.is_elastic
            else partial(self._remade, (graph, feeds, fetches, targets), trace, links),
        )

    def _remade(self, request: Any, trace: bool, links: Any, given: Sequence[RawShape], fed: Fed | None = None) -> Plan:
        return self.compile(*request, trace=trace, links=links, given=given, fed=fed)

    def body(self, graph: Graph, name: NameAttrs, device: PlanDevice, node: PlanNode) -> Segment:
        """The compiled body of a library function, to be called by `node`; cached. A function may call itself."""
        function = graph._functions.get(name.name)
        if function is None:
            raise unknown_function(node, name.name, graph)
        key = (function, device.name, repr(sorted((k, repr(v)) for k, v in name.attrs.items())))
        if self._bodies.get(key) is None:
            with self._compiling:  # by another thread, perhaps: what is only begun is this thread's own
                return self._bodies.get(key) or self._compiled(function, name, key, device, node)
        return self._bodies[key]  # type: ignore[return-value]

    def _compiled(self, function: Any, name: NameAttrs, key: Any, device: PlanDevice, node: PlanNode) -> Segment:
        try:
            body = function.body(name.attrs)
        except ValueError as error:
            raise errors.InvalidArgumentError(None, node.op, f"Function {name.name}: {error}") from None
        if key in self._bodies:
            return _signed(self._recursive(key), name.name, body)
        self._bodies[key] = None
        try:
            pruned = prune(body.inputs, body.outputs, body.control_outputs)
            self._check_placeholders(pruned, body.inputs, body.outputs)
            work = _Work(self, pruned, self._rewrites, device)
            work.prepare(body.outputs, body.control_outputs)
            results = [(work.ref(tensor), "", work.alive(tensor)) for tensor in body.outputs]
            scales = None
            if not Glance(work.nodes).looks_tiny(0, _OPEN, self._little):
                scales = work.scales([tensor.raw_shape for tensor in body.inputs])
            pauses = frozenset() if scales is None else scales.pauses(work.items)
            args = [(feed, 0) for feed in pruned.feeds]
            roots = {root(ref) for ref, _, _ in results}
            inside = Inside([tensor.raw_shape for tensor in body.inputs], work, roots, work.called)
            watch_body(work.nodes, inside)
            if scales is not None and work.flow is not None:
                watch_loops(work.flow.frames.values(), scales.sizes)
            if scales is not None:  # a loop may call it
                watch_writes(work.kernels, scales.sizes.nbytes)
            found = Emitter(work.flow, pauses=pauses).emit(work.items, args, results, "body")
            _signed(found, name.name, body)
            found.inside = inside
            found.endless = may_take_any_time(work.items)
            if scales is not None:
                found.cost = scales.cost(work.items)
                found.bytes = scales.size(work.items, roots)
            self._bodies[key] = found
            return found
        except BaseException:
            del self._bodies[key]
            raise

    def _recursive(self, key: Any) -> Segment:
        def run(step: Any, *inputs: Any) -> Any:
            if step.cancelled:
                step.stop()
            return self._bodies[key].run(step, *inputs)  # type: ignore[union-attr]

        return Segment(run, False, False, "", [])

    @staticmethod
    def _check_placeholders(pruned: Pruned, feeds: Sequence[Tensor], fetches: Sequence[Tensor]) -> None:
        missing = [
            node.op
            for node in pruned.nodes
            if node.type in PLACEHOLDERS and not node.controls and node.kernel is not PASS
        ]
        if missing:
            raise placeholder_error(missing, feeds, pruned)  # type: ignore[arg-type]


def _signed(segment: Segment, name: str, body: FunctionGraph) -> Segment:
    segment.name = name
    segment.takes = [tensor.dtype.base_dtype for tensor in body.inputs]
    segment.gives = [tensor.dtype.base_dtype for tensor in body.outputs]
    return segment


class _Work:
    """One compilation in progress."""

    def __init__(self, compiler: Compiler, pruned: Pruned, rules: Rewrites, home: PlanDevice | None = None) -> None:
        self._compiler = compiler
        self._pruned = pruned
        self._rewriter = Rewriter(rules)
        self._rules = rules
        self._home = home
        self._placement = Placement(compiler._devices if home is None else (home, *compiler._devices), compiler._soft)
        self._alike: dict[Any, PlanNode] = {}  # of each kind the first node
        self._functions = self._function
        self.flow: ControlFlow | None = None
        self.items: list[Item] = []
        self.nodes: list[PlanNode] = []
        self.called: list[Inside] = []
        self.by_tokens: list[PlanNode] = []  # those with kernels that run by tokens
        self._tokens: ByTokens | None = None

    @property
    def kernels(self) -> list[PlanNode]:
        """All nodes with kernels."""
        return [*self.nodes, *self.by_tokens]

    def prepare(self, fetches: Sequence[Tensor], targets: Sequence[Operation], staged: bool = False) -> None:
        """Rewrites, places, orders, and makes the kernels of what is left."""
        for node in self._pruned.nodes:
            self._rewrite(node)
        self._rewriter.done()
        live = self._live(fetches, targets)
        ends = [self.ref(tensor) for tensor in fetches] + [(self.node(op), 0) for op in targets]
        while self._rules.fold and self._pruned.has_control_flow and find_stacks(live, ends):
            live = self._live(fetches, targets)
        if self._pruned.has_control_flow:
            live = unmixed(live, Rewriter(self._compiler._rewrites).fold)  # traced plans, too
        live = reread(live)
        inherit_waits(live)
        if self._rules.simplify:
            live = simplify(live, ends)
            if not staged:  # there, what waits for an idle node waits for its feeds
                live = drop_idle(live, ends, self._pruned.has_control_flow)
        self._find_kept(live)
        if self._rules.fuse and self._pruned.has_control_flow:
            live, sums, collected = sum_after_loops(live)
            self._rewriter.replace(sums)
            self._keep(collected)
            ends = [(sums.get(node, node), output) for node, output in ends]
        if self._rules.remap:
            live = remap(live, ends)
        if self._rules.fuse:
            needed = ends + [(node, 0) for node in self._kept]
            live = idioms(live, needed)
            live = self._join_regions(live, needed)
            live = shorten(live, needed)
            live = stack_alike(live, needed)
            live = fuse(live, needed)
            live = elementwise.join(live, needed)
        if self._pruned.has_control_flow:
            for node in live:
                if node.type == "LoopCond":
                    passes = self._rules.fold and node.known is None and root(node.inputs[0])[0].known is None
                    node.kernel = PASS if passes else None
                elif node.type == "ControlTrigger" and self._rules.fold:
                    node.kernel = PASS
            try:
                self.flow = ControlFlow(live, [self.ref(tensor) for tensor in fetches])
            except Tangled as tangled:
                self._tokens = ByTokens(tangled.nodes, ends)
                live = self._tokens.nodes
                self.flow = ControlFlow(live)
            self.items = self.flow.top.items
        else:
            self.items = list(live)
        for node in live:
            if node.known is None and node.kernel is None and node.type not in _STRUCTURE and node.guard is not NEVER:
                self._make(node)
                self.nodes.append(node)
            elif node.type == "LoopCond" and node.known is None and node.kernel is None:
                self._make(node)
            elif (
                node.known is None
                and node.kernel is not None
                and node.kernel is not PASS
                and node.guard is not NEVER
                and node.type not in _STRUCTURE
            ):
                self.nodes.append(node)  # made already, by a rewrite
        if self._tokens is not None:
            self.by_tokens = [
                node for node in self._tokens.inside if node.type not in _STRUCTURE and node.known is None
            ]
            for node in self.by_tokens:
                if node.kernel is None:
                    self._make(node)
            self._tokens.made()

    def _join_regions(self, live: list[PlanNode], needed: list[Ref]) -> list[PlanNode]:
        """With the parts that oneDNN computes, where it is installed, as single nodes."""
        if not self._rules.regions:
            return live
        from runstep.kernels.onednn import provider  # kernels are imported when a session first needs them

        found = provider.get()
        if found is None or not found.is_wanted(live):
            return live
        live = regions.join(live, needed, found, self._node_by_node)
        # Who holds on to one output of a region holds on to memory that the region gave out.
        self._kept.update(through((node, 0))[0] for node in live if node in self._kept)
        return live

    def _node_by_node(
        self, nodes: Sequence[PlanNode], inputs: Sequence[Ref], outputs: Sequence[PlanNode]
    ) -> Callable[..., tuple[Any, ...]]:
        """The function of these nodes, each with a kernel of its own: it takes the step and `inputs`."""
        for node in nodes:
            if node.kernel is None:
                self._make(node)
        segment = Emitter(None).emit(nodes, inputs, [((node, 0), "", ALWAYS) for node in outputs], "region")
        return lambda *args: segment.run(*args)  # keeps the segment, which knows the node of each line

    def ref(self, tensor: Tensor) -> Ref:
        node, output = self._pruned.ref(tensor)
        ref = self._rewriter.replaced.get(node, node), output
        return ref if self._tokens is None else self._tokens.ref(ref)

    def node(self, op: Operation) -> PlanNode:
        node = self._pruned.by_op[op]
        node = self._rewriter.replaced.get(node, node)
        return node if self._tokens is None else self._tokens.node(node)

    def alive(self, tensor: Tensor) -> Guard:
        return ALWAYS if self.flow is None else self.flow.guard_after(self.ref(tensor))

    def leaving(self, tensor: Tensor) -> tuple[str, Guard]:
        """How a fetched tensor leaves the step: "own" if nothing else refers to its memory, else "private"."""
        node, _ = root(self.ref(tensor))
        fresh = (
            node.row is not None
            and not node.row.view
            and node.type not in _STRUCTURE
            and not tensor.dtype.is_ref
            and node.known is None
            and node not in self._kept
        )
        return "own" if fresh else "private", self.alive(tensor)

    def _rewrite(self, node: PlanNode) -> None:
        rewriter = self._rewriter
        if rewriter.replaced:
            resolve(node, rewriter.replaced)
        op = node.op
        assert op is not None
        if op.type == "Const":
            node.known = [op.attrs["value"]]
            if op.device:
                self._placement.place(node)  # there must be such a device (S186)
            rewriter.is_duplicate(node)
            return
        for tensor in op.inputs:
            if tensor.dtype.is_opaque:  # whose device may be that of the node
                self._rewrite_alone(node)
                return
        # Nodes made alike share their attributes: what is the same for all of them is found out once.
        key = (op.type, id(op.attrs), op.device)
        like = self._alike.get(key)
        if like is not None:
            node.where, node.device, node.row = like.where, like.device, like.row
            node._is_pure = like.is_pure
            if not rewriter.is_duplicate(node):
                rewriter.fold(node)
        elif self._rewrite_alone(node):
            self._alike[key] = node

    def _rewrite_alone(self, node: PlanNode) -> bool:
        """Rewrites a node, whatever it is; whether all there is to say of it is its device, its row and its purity."""
        rewriter, op = self._rewriter, node.op
        assert op is not None
        node.where = self._placement.place(node)
        node.device = node.where.name
        if op.type in _STRUCTURE or calls.is_call(node):
            return False
        if is_unknown(op):
            raise unknown_ops(op, self._pruned)
        if self._rules.deduplicate and node.type in PASS_TYPES and rewriter.passes(node):
            return False
        if node.type in PLACEHOLDERS:
            return False
        node.row = node.where.kernels.find(op.type, op.attrs)
        if not rewriter.is_duplicate(node):
            rewriter.fold(node)
        return node.type not in PASS_TYPES

    def _live(self, fetches: Sequence[Tensor], targets: Sequence[Operation]) -> list[PlanNode]:
        """The nodes still needed once constants are folded; of those, only what they must wait for."""
        if not self._rewriter.changed and not self._pruned.has_control_flow:
            return list(self._pruned.nodes)
        replaced = self._rewriter.replaced
        stack = [self.ref(tensor)[0] for tensor in fetches]
        stack += [replaced.get(node, node) for node in (self._pruned.by_op[op] for op in targets)]
        live: set[PlanNode] = set()
        while stack:
            node = stack.pop()
            if node in live or node.feed >= 0:
                continue
            live.add(node)
            if self._pruned.has_control_flow:  # elsewhere, producers were rewritten before their consumers
                resolve(node, replaced)
            if node.known is None:
                for source, _ in node.inputs:
                    if source not in live:
                        stack.append(source)
            else:
                node.inputs = []
            if node.controls:
                stack.extend(node.controls)
        return [node for node in self._pruned.nodes if node in live]

    def _find_kept(self, live: Iterable[PlanNode]) -> None:
        """Which outputs something may hold on to after its kernel returned: a variable, a queue, a list of tensors."""
        keepers = [
            node
            for node in live
            if not (node._is_pure or node.is_pure) and node.op is not None and node.type not in _STRUCTURE
        ]
        self._kept: set[PlanNode] = set()
        self._keep([source for node in keepers for source, _ in node.inputs])

    def _keep(self, stack: list[PlanNode]) -> None:
        kept = self._kept
        while stack:
            node = stack.pop()
            if node in kept:
                continue
            kept.add(node)
            if node.feed < 0 and (
                node.type in _STRUCTURE or node.kernel is PASS or (node.row is not None and node.row.view)
            ):
                stack.extend(source for source, _ in node.inputs)

    def retained_feeds(self) -> frozenset[int]:
        return frozenset(node.feed for node in self._kept if node.feed >= 0)

    def _make(self, node: PlanNode) -> None:
        """Finds and makes the kernel of a node."""
        op = node.op
        assert op is not None
        if op.op_def is None or op.op_def.takes_function:
            node.functions = self._functions  # which keeps all that is here for as long as the plan is
        try:
            if node.row is None and calls.is_call(node):
                node.uses_step = True
                node.kernel, node.is_async = calls.make_call(node, lambda name: self._body(node, name))
                return
            if node.type in PLACEHOLDERS:  # on a branch that may not be taken
                node.kernel = _refusing(placeholder_error([op], self._pruned_feeds(), self._pruned))
                return
            row = node.row or node.where.kernels.find(op.type, op.attrs)  # type: ignore[union-attr]
            if row is None:
                raise _no_kernel(node)
            node.row = row
            node.is_async, node.uses_step = row.is_async, row.uses_step
            node.kernel = row.make(node)
        except errors.OpError as error:
            # Whatever a kernel refuses when it is made, it refuses when it runs: a branch not taken hurts nobody.
            if error.op is not None:
                raise
            node.kernel = _refusing(error)
            node.is_async = False

    def _pruned_feeds(self) -> list[Tensor]:
        return list(self._pruned._fed)

    def _body(self, node: PlanNode, name: NameAttrs) -> Segment:
        found = self._compiler.body(node.op.graph, name, node.where, node)  # type: ignore[union-attr, arg-type]
        loops = calls.is_loop(node)
        node.inner_cost += found.cost * (TURNS if loops else 1)
        node.inner_bytes = max(node.inner_bytes, found.bytes)
        if found.inside is not None:
            node.bodies += (found.inside,)
            self.called.append(found.inside)
        node.endless = node.endless or loops or found.endless
        return found

    def scales(self, feeds: Sequence[RawShape], seen: Seen | None = None, fed: Fed | None = None) -> Scales:
        """What weighs this plan, for feeds of these shapes and values, and results that a step has seen."""
        return Scales(self.items, self.nodes, feeds, Emitter(self.flow).reads, seen, fed)

    def _function(self, node: PlanNode, name: NameAttrs) -> Any:
        node.uses_step = True
        return self._body(node, name).run

    def predecessors(self) -> dict[Item, set[Item]]:
        """For each item of the top level, those that must run before it."""
        if self.flow is not None:
            return self.flow.top.predecessors
        return {
            node: {*(source for source, _ in node.inputs if source.feed < 0), *node.controls}
            for node in self.items
            if isinstance(node, PlanNode)
        }


_OPEN = 32
"""What a size is taken for that neither the graph nor a feed tells."""


def _open_size(feeds: Sequence[Tensor], given: Sequence[RawShape] | None) -> int:
    if given is None:
        return _OPEN
    sizes = [size for shape in given for size in shape or () if size is not None]
    return max(sizes, default=1)


def _shape(tensor: Tensor, given: Sequence[RawShape] | None, position: int) -> RawShape:
    raw = tensor.raw_shape
    if shapes.num_elements(raw) is not None:
        return raw
    if given is not None:
        return given[position]
    return None if raw is None else tuple(_OPEN if size is None else size for size in raw)


def _apart(results: list[tuple[Ref, str, Guard]]) -> list[tuple[Ref, str, Guard]]:
    """What is fetched twice, by an alias say, leaves as a copy the second time: no two results share memory (S76)."""
    seen: set[Ref] = set()
    apart = []
    for ref, how, guard in results:
        apart.append((ref, "private" if root(ref) in seen else how, guard))
        seen.add(root(ref))
    return apart


def _refusing(error: errors.OpError) -> Any:
    cls: Any = type(error)
    message = error.message

    def refuse(*inputs: Any) -> Any:
        raise cls(None, None, message)

    return refuse


def _no_kernel(node: PlanNode) -> errors.OpError:
    op, where = node.op, node.where
    assert op is not None and where is not None
    asked = ", ".join(
        f"{name}={getattr(value, 'name', value)}"
        for name, value in op.attrs.items()
        if hasattr(value, "as_numpy_dtype")
    )
    rows = where.kernels.rows(op.type)
    if rows:
        have = "; ".join(
            ", ".join(f"{name} in [{', '.join(t.name for t in types)}]" for name, types in row.types.items())
            or "any dtype"
            for row in rows
        )
        tail = f"Registered on {where.name}: {have}."
    else:
        tail = f"No kernel is registered for it on {where.name}."
    return errors.InvalidArgumentError(
        op.node_def,
        op,
        f"No OpKernel was registered to support Op '{op.type}' used by {{{{node {op.name}}}}} with these attrs: "
        f"[{asked}]. {tail}"
        f"\n\t [[{{{{node {op.name}}}}}]]",
    )
