"""What a gang has reserved in Ray, and how that is given back when nobody else does.

Ray keeps the placement group of a controller that has died for as long as the whole sweep runs. Ray Train has an actor
that removes it, but that asks Ray's State API, which is not there without a dashboard. And Ray Train forgets to remove
that of ranks that fail while they connect to each other, as when a host is cut off just then. The gang's next start
would wait for the same CPUs and GPUs for ever.
"""

import os
from typing import Any

import ray
from ray._raylet import PlacementGroupID
from ray.train.v2._internal.execution.callback import WorkerCallback, WorkerGroupCallback
from ray.train.v2._internal.execution.context import get_train_context
from ray.util.placement_group import PlacementGroup, get_current_placement_group, remove_placement_group

from orchestrator.sweep.broker_client import BrokerClient
from orchestrator.sweep.driver_mark import start_ticks
from orchestrator.sweep.messages import Rank

_reserved: str | None = None


class GivesBack(WorkerCallback, WorkerGroupCallback):
    """Tells the broker what each start of a gang has reserved, and gives back what the earlier ones have left.

    Args:
        broker: of the sweep.
        gang: number of the gang.
    """

    def __init__(self, broker: BrokerClient, gang: int) -> None:
        self._broker, self._gang = broker, gang

    def after_init_train_context(self) -> None:
        """Called by Ray Train in every rank's main thread, where alone Ray tells it, before the ranks connect."""
        global _reserved
        group = get_current_placement_group()
        _reserved = None if group is None else group.id.hex()
        node = ray.get_runtime_context().get_node_id()
        self._broker.beat(this_rank(self._gang, get_train_context().get_world_rank(), node))

    def before_worker_group_start(self, worker_group_context: Any) -> None:
        """Called by Ray Train in the controller, before it reserves anything."""
        give_back(self._broker, self._gang)


def give_back(broker: BrokerClient, gang: int) -> None:
    """Remove the placement groups that earlier starts of a gang have left, with whatever still runs in them.

    One that is gone already is no matter.
    """
    for group in {rank.placement_group for rank in broker.ranks(gang)} - {None}:
        remove_placement_group(PlacementGroup(PlacementGroupID(bytes.fromhex(str(group)))))


def this_rank(gang: int, rank: int, node: str) -> Rank:
    """This process.

    Args:
        gang: number of its gang.
        rank: number of the rank in it.
        node: Ray's id of its node.
    """
    pid = os.getpid()
    return Rank(gang=gang, rank=rank, pid=pid, started=start_ticks(pid), node=node, placement_group=_reserved)
