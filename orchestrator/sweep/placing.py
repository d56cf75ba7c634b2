"""Which node a gang's controller runs on: that of the gang's first rank.

Ray Train starts it on the node of the driver, and only then reserves what the ranks need (ray 2.60). Resident it has
0.7 GB, since it imports torch: a hundred gangs would take 70 GB of a head that trains nothing. Here the driver reserves
first, starts the controller there, and hands the reservation over. A controller that came without one would find its
node taken by the next gang that waits.
"""

from collections.abc import Callable
from typing import Any

import ray
from ray.train.v2._internal.constants import get_env_vars_to_propagate
from ray.train.v2._internal.execution.controller import TrainController as RayTrainController
from ray.train.v2._internal.execution.worker_group import WorkerGroup
from ray.train.v2._internal.execution.worker_group.placement_group_handle import DefaultPlacementGroupHandle
from ray.util.placement_group import PlacementGroup, placement_group, placement_group_table, remove_placement_group
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

LOOK_S = 1.0  # between looks whether a gang that waits for room is still wanted


class Reservation:
    """Room for a gang's first ranks, given back at the end of a `with` block.

    Args:
        needed: resources of one rank.
        ranks: how many, the fewest with which the gang starts.
        wanted: whether the gang is still wanted; asked while there is no room.

    Attributes:
        group: Ray's placement group.
        nodes: Ray's id of the node of each rank; empty where the gang was no longer wanted.
    """

    def __init__(self, needed: dict[str, float], ranks: int, wanted: Callable[[], bool]) -> None:
        self._wanted = wanted
        self.nodes: list[str] = []
        self.group: PlacementGroup = placement_group([needed] * ranks)

    def __enter__(self) -> "Reservation":
        while self._wanted():
            if self.group.wait(LOOK_S):
                bundles = placement_group_table(self.group)["bundles_to_node_id"]
                self.nodes = [bundles[number] for number in sorted(bundles)]
                break
        return self

    def __exit__(self, *_: object) -> None:
        remove_placement_group(self.group)  # with what has started in it; gone already is no matter


class _OnReservation(WorkerGroup):
    """Starts in what was reserved; later, and with another number of ranks, in what it reserves itself."""

    reserved: PlacementGroup | None = None

    def _create_placement_group(self, scaling_config: Any, worker_group_context: Any) -> Any:
        group, _OnReservation.reserved = _OnReservation.reserved, None
        if group is not None and group.bundle_count == worker_group_context.num_workers:
            return DefaultPlacementGroupHandle(group)
        if group is not None:
            remove_placement_group(group)
        return super()._create_placement_group(scaling_config, worker_group_context)


class TrainController(RayTrainController):
    """Ray Train's controller, for a gang whose first ranks have room already."""

    worker_group_cls = _OnReservation

    def __init__(self, *, reserved: PlacementGroup, **parts: Any) -> None:
        super().__init__(**parts)
        _OnReservation.reserved = reserved


def run_controller(reservation: Reservation, parts: dict[str, Any]) -> Any:
    """What Ray Train's trainer does, on the reservation's first node; returns the run's result.

    Args:
        reservation: with its nodes.
        parts: of a controller.

    Raises:
        RayActorError: the controller has died.
        ActorUnschedulableError: the node has, before it started.
    """
    there = NodeAffinitySchedulingStrategy(reservation.nodes[0], soft=False)  # a soft one is not heeded (ray 2.60)
    env = {"env_vars": get_env_vars_to_propagate()}
    placed: Any = ray.remote(num_cpus=0, scheduling_strategy=there, runtime_env=env)  # type: ignore[call-overload]
    controller = placed(TrainController).remote(reserved=reservation.group, **parts)
    ray.get(controller.run.remote())
    return ray.get(controller.get_result.remote())
