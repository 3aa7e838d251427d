"""`tf.train.SyncReplicasOptimizer`: several workers' gradients make one update.

worker: gradient -> accumulators, then waits for a token          a stale gradient is dropped
chief:  takes the mean of enough gradients -> update -> as many tokens as there are workers, each the new step
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from runstep.graph.composite import IndexedSlices
from runstep.graph.graph import get_default_graph
from runstep.ops.accumulators import ConditionalAccumulator, SparseConditionalAccumulator
from runstep.ops.basic import group, no_op
from runstep.ops.creation import fill
from runstep.ops.data_flow import FIFOQueue
from runstep.ops.state import assign
from runstep.train.optimizer import Optimizer
from runstep.train.queue_runner import QueueRunner
from runstep.train.session_manager import SessionManager
from runstep.train.session_run_hook import SessionRunHook
from runstep.variables.collections import global_variables, report_uninitialized_variables
from runstep.variables.variable import Variable

__all__ = ["SyncReplicasOptimizer"]


class SyncReplicasOptimizer(Optimizer):
    """Applies another optimizer to the means of several replicas' gradients (source: tf.train.SyncReplicasOptimizer).

    `apply_gradients` returns what a worker runs: it hands in its gradients and waits for a token of the chief. What
    the chief runs beside it, and what starts both, comes with `make_session_run_hook`.

    Args:
      opt: computes and applies the gradients.
      replicas_to_aggregate: how many gradients make an update. total_num_replicas: how many workers there are; by
        default as many.
      variable_averages: an ExponentialMovingAverage, updated for `variables_to_average` after each update.
    """

    def __init__(
        self,
        opt: Optimizer,
        replicas_to_aggregate: int,
        total_num_replicas: int | None = None,
        variable_averages: Any = None,
        variables_to_average: Any = None,
        use_locking: bool = False,
        name: str = "sync_replicas",
    ) -> None:
        super().__init__(use_locking, name)
        self._opt = opt
        self._replicas_to_aggregate = replicas_to_aggregate
        self._total_num_replicas = replicas_to_aggregate if total_num_replicas is None else total_num_replicas
        self._tokens_per_step = max(self._total_num_replicas, replicas_to_aggregate)
        self._variable_averages = variable_averages
        self._variables_to_average = variables_to_average
        self._gradients_applied = False
        self._global_step: Any = None
        self._queue: Any = None
        self._chief_queue_runner: QueueRunner | None = None
        self.local_step_init_op: Any = None
        self.chief_init_op: Any = None
        self.ready_for_local_init_op: Any = None

    def compute_gradients(self, *args: Any, **kwargs: Any) -> Any:
        """As that of the optimizer inside."""
        return self._opt.compute_gradients(*args, **kwargs)

    def apply_gradients(self, grads_and_vars: Iterable[Any], global_step: Any = None, name: str | None = None) -> Any:
        """What a worker runs: hands in the gradients, and waits until the chief has made an update of enough of them.

        Args:
          global_step: counts the updates. name: not used.

        Raises:
          ValueError: there are no pairs, or no global step.
        """
        pairs = list(grads_and_vars)
        if not pairs:
            raise ValueError("Must supply at least one variable")
        if global_step is None:
            raise ValueError("Global step is required to check staleness")
        self._global_step = global_step
        graph = get_default_graph()
        with graph.colocate_with(no_op()):  # on the worker, wherever other variables are
            local_step = Variable(
                0,
                trainable=False,
                collections=["local_variables"],
                dtype=global_step.dtype.base_dtype,
                name="sync_rep_local_step",
            )
        self.local_step_init_op = assign(local_step, global_step)
        self.ready_for_local_init_op = report_uninitialized_variables(global_variables())
        with graph.name_scope(self._name) as scope:
            accumulators, handed_in, taken = self._accumulated(pairs, local_step)
        with graph.device(global_step.device), graph.name_scope(""):
            update = self._opt.apply_gradients(taken, global_step)
            kind = global_step.dtype.base_dtype
            queue = FIFOQueue(-1, kind, shapes=[()], name="sync_token_q", shared_name="sync_token_q")
            self._queue = queue
            with graph.control_dependencies(handed_in):
                token = queue.dequeue()
            train = assign(local_step, token)
            with graph.control_dependencies([update]):
                synced = queue.enqueue_many((fill([self._tokens_per_step], global_step),))
            if self._variable_averages is not None:
                with graph.control_dependencies([synced]):
                    synced = self._variable_averages.apply(self._variables_to_average)
            self._chief_queue_runner = QueueRunner(queue, [synced])
        with graph.name_scope(scope):
            started = [self.local_step_init_op]
            for accumulator, device in accumulators:
                with graph.device(device):
                    started.append(accumulator.set_global_step(global_step, name="SetGlobalStep"))
            self.chief_init_op = group(*started)
        self._gradients_applied = True
        return train

    def _accumulated(self, pairs: list[Any], local_step: Any) -> tuple[list[Any], list[Any], list[Any]]:
        """The accumulators with their devices, what hands gradients in, and pairs of means and variables."""
        accumulators: list[Any] = []
        handed_in, taken = [], []
        for grad, variable in pairs:
            with get_default_graph().device(variable.device):
                if grad is None:
                    taken.append((None, variable))
                    continue
                found: Any
                shared = f"{variable.name}/grad_accum"
                if isinstance(grad, IndexedSlices):
                    found = SparseConditionalAccumulator(grad.dtype, shape=(), shared_name=shared)
                    handed_in.append(found.apply_indexed_slices_grad(grad, local_step))
                    taken.append((found.take_indexed_slices_grad(self._replicas_to_aggregate), variable))
                else:
                    found = ConditionalAccumulator(grad.dtype, shape=variable.get_shape(), shared_name=shared)
                    handed_in.append(found.apply_grad(grad, local_step))
                    taken.append((found.take_grad(self._replicas_to_aggregate), variable))
                accumulators.append((found, variable.device))
        return accumulators, handed_in, taken

    def get_chief_queue_runner(self) -> QueueRunner:
        """What runs the updates, in a thread of the chief.

        Raises:
          ValueError: it comes before `apply_gradients`.
        """
        if self._chief_queue_runner is None:
            raise ValueError("Should be called after apply_gradients().")
        return self._chief_queue_runner

    def get_init_tokens_op(self, num_tokens: int = -1) -> Any:
        """What puts tokens into the queue at the start, `replicas_to_aggregate` by default.

        Raises:
          ValueError: it comes before `apply_gradients`, or these are too few for the first step.
        """
        if not self._gradients_applied:
            raise ValueError("get_init_tokens_op() should be called after apply_gradients().")
        needed = self._replicas_to_aggregate - self._total_num_replicas
        if num_tokens == -1:
            num_tokens = self._replicas_to_aggregate
        elif num_tokens < needed:
            raise ValueError(f"Too few tokens to finish the first step: {num_tokens} (given) vs {needed} (needed)")
        if num_tokens <= 0:
            return no_op(name="no_init_tokens")
        graph = get_default_graph()
        with graph.device(self._global_step.device), graph.name_scope(""):
            return self._queue.enqueue_many((fill([num_tokens], self._global_step),))

    def make_session_run_hook(self, is_chief: bool, num_tokens: int = -1) -> SessionRunHook:
        """A hook that starts what a worker, or the chief, needs. Arguments as those of `get_init_tokens_op`."""
        return _Hook(self, is_chief, num_tokens)

    def get_slot(self, *args: Any, **kwargs: Any) -> Any:
        """As that of the optimizer inside."""
        return self._opt.get_slot(*args, **kwargs)

    def get_slot_names(self, *args: Any, **kwargs: Any) -> list[str]:
        """As those of the optimizer inside."""
        return self._opt.get_slot_names(*args, **kwargs)

    def variables(self) -> list[Any]:
        """As those of the optimizer inside."""
        return self._opt.variables()


class _Hook(SessionRunHook):
    """Starts the local step, and on the chief the accumulators, the first tokens and the thread of updates."""

    def __init__(self, optimizer: SyncReplicasOptimizer, is_chief: bool, num_tokens: int) -> None:
        self._optimizer = optimizer
        self._is_chief = is_chief
        self._num_tokens = num_tokens
        self._start: list[Any] = []
        self._runner: QueueRunner | None = None

    def begin(self) -> None:
        optimizer = self._optimizer
        if not optimizer._gradients_applied:
            raise ValueError("SyncReplicasOptimizer.apply_gradient should be called before using the hook.")
        if self._is_chief:
            self._start = [optimizer.chief_init_op, optimizer.get_init_tokens_op(self._num_tokens)]
            self._runner = optimizer.get_chief_queue_runner()
        else:
            self._start = [optimizer.local_step_init_op]

    def after_create_session(self, session: Any, coord: Any) -> None:
        """Raises RuntimeError where global variables aren't initialized."""
        ready, message = SessionManager._ready(self._optimizer.ready_for_local_init_op, session)
        if not ready:
            raise RuntimeError(
                "Init operations did not make model ready for SyncReplicasOptimizer local_init. Init op: "
                f"{self._start[0].name}, error: {message}"
            )
        for op in self._start:  # one after the other
            session.run(op)
        if self._runner is not None:
            self._runner.create_threads(session, coord=coord, daemon=True, start=True)
