"""Tells the broker of a rank's death, and names the likely cause for the trial that it takes along."""

import re
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import OutOfMemoryError, RayActorError, RayError
from ray.train import UserCallback
from ray.train.v2._internal.exceptions import WorkerHealthCheckFailedError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from orchestrator.sweep.broker_client import BrokerClient
from orchestrator.sweep.messages import Rank

MEMORY_MONITOR = "Ray's memory monitor ended it: its host ran low on memory"
OOM_KILLER = "out of memory, it seems: the kernel's OOM killer ended a process on its host at that time"


class Casualties(UserCallback):
    """Tells the broker, from Ray Train's controller, before the gang starts again.

    Args:
        broker: of the sweep.
        gang: number of the gang.
    """

    def __init__(self, broker: BrokerClient, gang: int) -> None:
        self._broker, self._gang = broker, gang

    def after_exception(self, run_context: Any, worker_exceptions: dict[int, Exception]) -> None:
        """Called by Ray Train; a rank whose process has died comes as a failed health check."""
        deaths = {
            number: error.health_check_failure
            for number, error in worker_exceptions.items()
            if isinstance(error, WorkerHealthCheckFailedError)
        }
        if any(isinstance(error, OutOfMemoryError) for error in deaths.values()):
            self._broker.died(self._gang, MEMORY_MONITOR, blameless=True)
            return
        killed = [number for number, error in deaths.items() if isinstance(error, RayActorError)]
        starved = any(rank.rank in killed and _host_ran_out(rank) for rank in self._broker.ranks(self._gang))
        left = any(map(was_asked, [*worker_exceptions.values(), *deaths.values()]))
        self._broker.died(self._gang, OOM_KILLER if starved else "", blameless=False, left=left)


def was_asked(error: Exception) -> bool:
    """Whether an actor ended because its machine is taken back, or because it was asked to leave."""
    return isinstance(error, RayActorError) and error.preempted


def _host_ran_out(rank: Rank) -> bool:
    """Whether the kernel's count has grown on the rank's node since the rank was heard of last."""
    now = oom_kills_on(rank.node)
    return now is not None and rank.oom_kills is not None and now > rank.oom_kills


def oom_kills_on(node: str) -> int | None:
    """`oom_kills` on a node; None also where the node is gone."""
    if node == ray.get_runtime_context().get_node_id():
        return oom_kills()
    there: Any = NodeAffinitySchedulingStrategy(node, soft=False)
    try:
        kills: int | None = ray.get(ray.remote(num_cpus=0, scheduling_strategy=there)(oom_kills).remote(), timeout=30)
    except RayError:
        return None
    return kills


def oom_kills() -> int | None:
    """How many processes the kernel's OOM killer has ended on this host, containers included, since it was started.

    None where the kernel does not say. Its log would name the process, but is closed to users on many machines.
    """
    try:
        text = Path("/proc/vmstat").read_text()
    except OSError:
        return None
    found = re.search(r"^oom_kill (\d+)$", text, re.MULTILINE)
    return int(found[1]) if found else None
