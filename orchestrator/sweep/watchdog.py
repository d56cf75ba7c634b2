"""Ends the ranks of gangs that hang; Ray Train starts the gang again, and its trial goes on from its checkpoint."""

import logging
import time
from collections.abc import Callable

import psutil
import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from orchestrator.sweep.broker_client import BrokerClient
from orchestrator.sweep.messages import Rank

log = logging.getLogger(__name__)

LOOK_S = 5.0  # between looks


class Watchdog:
    """Asks the broker from time to time which gangs hang; called by the recorder's thread.

    It remembers the ranks: one that is stopped tells nothing to a broker that was started again meanwhile.

    Args:
        broker: of the sweep.
        limit_s: seconds of silence after which a gang hangs; None: by the sweep's epochs, see `Pulses`.
        say: shows a line to the user.
    """

    def __init__(self, broker: BrokerClient, limit_s: float | None, say: Callable[[str], None]) -> None:
        self._broker, self._limit_s, self._say = broker, limit_s, say
        self._looked = time.monotonic()
        self._ranks: dict[tuple[int, int], Rank] = {}
        self._ended: set[Rank] = set()

    def look(self) -> None:
        """End the ranks of every gang that hangs."""
        if time.monotonic() - self._looked < LOOK_S:
            return
        self._looked = time.monotonic()
        gangs, ranks = self._broker.hung(self._limit_s)
        self._ranks |= {(rank.gang, rank.rank): rank for rank in ranks}
        for gang in gangs:
            hung = [rank for rank in self._ranks.values() if rank.gang == gang and rank not in self._ended]
            if hung:
                self._say(f"gang {gang} hangs: its workers are started again")
            for rank in hung:
                log.warning("ending %s, whose gang hangs", rank)
                self._ended.add(rank)
                _end(rank)


def _end(rank: Rank) -> None:
    """SIGKILL, which ends a stopped process too, on the rank's own node."""
    if rank.node == ray.get_runtime_context().get_node_id():
        _kill(rank)
        return
    there = NodeAffinitySchedulingStrategy(rank.node, soft=True)  # a node that is gone has taken the rank along
    ray.remote(num_cpus=0, scheduling_strategy=there, max_retries=0)(_kill_on).remote(rank)  # type: ignore[call-overload]


def _kill_on(rank: Rank) -> None:
    if ray.get_runtime_context().get_node_id() == rank.node:
        _kill(rank)


def _kill(rank: Rank) -> None:
    try:
        process = psutil.Process(rank.pid)
        if process.create_time() == rank.started:
            process.kill()
    except psutil.NoSuchProcess:
        log.info("%s has ended by itself", rank)
