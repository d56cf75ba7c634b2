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
from ray.train.torch import TorchTrainer
from ray.train.v2._internal.execution.scaling_policy import ElasticScalingPolicy, NoopDecision, ResizeDecision

from orchestrator.sweep.leaving import ask_to_leave
from orchestrator.sweep.patience import FailuresInARow

LOOK_S = 60.0  # between looks whether a gang can grow, which costs it a restart, some 12 s
WAIT_S = 1.0  # between looks whether there is room for any rank


class ElasticPolicy(ElasticScalingPolicy):
    """Starts a gang with as many ranks as there is room for, and lets it grow later.

    Args:
        scaling_config: for the gang's most and fewest ranks, and what each holds.
        sizes: numbers of ranks that it may have.
    """

    def __init__(self, scaling_config: Any, sizes: Sequence[int]) -> None:
        super().__init__(scaling_config)
        self._sizes = sizes
        self._held: Counter[str] = Counter()  # ranks of the gang that runs, or has just failed, by node

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


class GangTrainer(TorchTrainer):
    """A trainer with policies of our own: `FailuresInARow`, and an `ElasticPolicy` where there is a choice.

    Ray Train lets nobody name them.

    Args:
        sizes: numbers of ranks that the gang may have.
        work: how much the gang has done so far.
        options: as `TorchTrainer` takes them.
    """

    def __init__(self, *args: Any, sizes: Sequence[int], work: Callable[[], int], **options: Any) -> None:
        super().__init__(*args, **options)
        self._sizes, self._work = sizes, work

    def _initialize_and_run_controller(self, **parts: Any) -> Any:
        parts["failure_policy"] = FailuresInARow(self.run_config.failure_config, self._work)
        if len(self._sizes) > 1:
            parts["scaling_policy"] = ElasticPolicy(self.scaling_config, self._sizes)
        return super()._initialize_and_run_controller(**parts)  # type: ignore[misc]  # mypy sees V1
