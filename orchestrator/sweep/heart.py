"""Tells the broker that a rank gets on: a thread of every rank that reports its pulse."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from orchestrator.sweep.beside import beside
from orchestrator.sweep.broker_client import BrokerClient
from orchestrator.sweep.casualties import oom_kills
from orchestrator.sweep.reserved import this_rank
from trainers.pulse import beats

BEAT_S = 5.0  # between reports


@contextmanager
def heart(broker: BrokerClient, gang: int, rank: int, node: str) -> Iterator[None]:
    """Report, until the block ends, whenever this process's pulse has gone on, and once at the start.

    Args:
        broker: of the sweep.
        gang: number of this rank's gang.
        rank: number of this rank in it.
        node: Ray's id of its node.
    """
    here = this_rank(gang, rank, node)

    def run(stop: threading.Event) -> None:
        broker.beat(replace(here, oom_kills=oom_kills()))
        last = beats()
        while not stop.wait(BEAT_S):
            if (now := beats()) != last:
                broker.beat(replace(here, oom_kills=oom_kills()))
                last = now

    with beside("heart", run):
        yield
