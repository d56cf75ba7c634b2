"""Gangs that may have fewer ranks than planned while machines are away (``--min-workers-per-trial``).

Ray Train's elastic policy decides how many; this module has what a sweep needs otherwise (ray 2.60):

- It counts what the cluster's living nodes have, as of up to 20 s ago, whoever uses it. Then the gang waits 60 s at a
  time for a node that is dead, drained, or taken. Here counts what is free, or held by the gang, on nodes that stay.
- It divides floats (0.99 // 0.33 is 2), and takes any number of ranks. Here only those that share the batch count.
- It resizes by killing the ranks in mid-epoch. Here they are asked to leave: see `orchestrator.sweep.leaving`.
- While there is too little for any rank, its controller never pauses. Here it looks once a second.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from ray._private.state import available_resources_per_node, state
from ray.data._internal.cluster_autoscaler.default_autoscaling_coordinator import get_or_create_autoscaling_coordinator
from ray.train.torch import TorchTrainer
from ray.train.v2._internal.callbacks import DatasetsCallback
from ray.train.v2._internal.execution.scaling_policy import (
    ElasticScalingPolicy,
    FixedScalingPolicy,
    NoopDecision,
    ResizeDecision,
)

from orchestrator.sweep.leaving import ask_to_leave
from orchestrator.sweep.patience import FailuresInARow
from orchestrator.sweep.placing import Reservation, run_controller

LOOK_S = 60.0  # between looks whether a gang can grow, which costs it a restart, some 12 s
WAIT_S = 1.0  # between looks whether there is room for any rank


class ElasticPolicy(ElasticScalingPolicy):
    """Starts a gang with as many ranks as there is room for, and lets it grow later.

    Args:
        scaling_config: for the gang's most and fewest ranks, and what each holds.
        sizes: numbers of ranks that it may have.
        nodes: of each rank that has room already, as in a `Reservation`.
    """

    def __init__(self, scaling_config: Any, sizes: Sequence[int], nodes: Sequence[str] = ()) -> None:
        super().__init__(scaling_config)
        self._sizes = sizes
        self._held = Counter(nodes)  # ranks of the gang that starts, runs, or has just failed, by node

    def make_decision_for_non_running_worker_group(self) -> Any:
        """Called by Ray Train's controller until it gets a number of ranks to start."""
        decision = super().make_decision_for_non_running_worker_group()
        if isinstance(decision, NoopDecision):
            time.sleep(WAIT_S)
        return decision

    def make_decision_for_running_worker_group(self, worker_group_state: Any, worker_group_status: Any) -> Any:
        """Called after every poll of the ranks; they are never resized at once."""
        workers = worker_group_state.workers
        self._held = Counter(worker.metadata.node_id for worker in workers)
        decision = super().make_decision_for_running_worker_group(worker_group_state, worker_group_status)
        if isinstance(decision, ResizeDecision) and decision.num_workers > len(workers):
            for worker in workers:
                worker.execute_async(ask_to_leave)
        return NoopDecision()

    def before_controller_execute_resize_decision(self, resize_decision: Any) -> None:
        """Called before Ray Train ends what is left of the ranks and starts others."""
        self._held = Counter()

    def _get_reserved_resources(self) -> dict[str, dict[str, float]]:
        """What the gang may use, by node: what is free there, and what it holds already."""
        leaving = state.get_draining_nodes()
        needed = self.scaling_config._resources_per_worker_not_none
        return {
            node: {name: free.get(name, 0.0) + self._held[node] * amount for name, amount in needed.items()}
            for node, free in available_resources_per_node().items()
            if node not in leaving
        }

    def _count_possible_workers(self, reserved_resources: dict[str, dict[str, float]]) -> int:
        """The most ranks that the gang may have, and that there is room for; 0 where there is room for none."""
        needed = self.scaling_config._resources_per_worker_not_none
        room = sum(
            min(int(has[name] / amount + 1e-6) for name, amount in needed.items() if amount)
            for has in reserved_resources.values()
        )
        return max((size for size in self._sizes if size <= room), default=0)


class FixedPolicy(FixedScalingPolicy):
    """Tells an autoscaler no more than what the gang waits for to reserve.

    Ray Train has a detached actor for more, which starts on the node of the first controller that asks for it and stays
    there for ever (ray 2.60): that node would never be idle, and so never given back. It also takes 2 s to start.
    """

    def after_controller_start(self, train_run_context: Any) -> None:
        """Called before the first ranks."""

    def _maybe_send_resource_request(self) -> None:
        """Called again and again while the gang runs."""


class GangTrainer(TorchTrainer):
    """A trainer with policies of our own: `FailuresInARow`, and an `ElasticPolicy` where there is a choice.

    Ray Train lets nobody name them. It also starts an actor for Ray Data's datasets, of which a gang has none: that one
    is left out, and with it 3 s before the first step.

    Args:
        sizes: numbers of ranks that the gang may have.
        work: how much the gang has done so far.
        room: where the first ranks start; None: Ray was started for this sweep alone.
        options: as `TorchTrainer` takes them.
    """

    def __init__(
        self, *args: Any, sizes: Sequence[int], work: Callable[[], int], room: Reservation | None, **options: Any
    ) -> None:
        super().__init__(*args, **options)
        self._sizes, self._work, self._room = sizes, work, room

    def _create_default_callbacks(self) -> list[Any]:
        callbacks = super()._create_default_callbacks()  # type: ignore[misc]  # mypy sees V1
        return [callback for callback in callbacks if not isinstance(callback, DatasetsCallback)]

    def _initialize_and_run_controller(self, **parts: Any) -> Any:
        parts["failure_policy"] = FailuresInARow(self.run_config.failure_config, self._work)
        if len(self._sizes) > 1:
            nodes = () if self._room is None else self._room.nodes
            parts["scaling_policy"] = ElasticPolicy(self.scaling_config, self._sizes, nodes)
            get_or_create_autoscaling_coordinator()  # here, on the driver's node: see `FixedPolicy`
        else:
            parts["scaling_policy"] = FixedPolicy(self.scaling_config)  # type: ignore[arg-type]
        if self._room is not None:
            return run_controller(self._room, parts)
        return super()._initialize_and_run_controller(**parts)  # type: ignore[misc]  # mypy sees V1
