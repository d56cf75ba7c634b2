"""What is said of a rank that has died: with the errors that Ray raises, made here, and a real broker."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
import ray
from ray.exceptions import ActorDiedError, OutOfMemoryError, RayActorError
from ray.train.v2._internal.exceptions import WorkerHealthCheckFailedError

from orchestrator.results.events import Ended, GangDown, Interrupted
from orchestrator.space.load import build_space
from orchestrator.sweep.broker_client import BrokerClient
from orchestrator.sweep.casualties import MEMORY_MONITOR, OOM_KILLER, Casualties, oom_kills, oom_kills_on
from orchestrator.sweep.gang import Gang
from orchestrator.sweep.leaving import LeftError
from orchestrator.sweep.messages import Lease, Rank
from orchestrator.sweep.retry_queue import MAX_ATTEMPTS, MAX_EXCUSED
from orchestrator.sweep.worker import GangSetup
from tests.orchestrator.sweep_helpers import ONE_RANK, begun, events_of, proposal


@pytest.fixture
def broker(ray_instance: None, tmp_path: Path) -> BrokerClient:
    begun(tmp_path / "s")
    client = BrokerClient.start(tmp_path / "s")
    client.submit(proposal("0000"))
    assert client.lease(0) == Lease("0000", {})
    return client


def dies(broker: BrokerClient, failure: Exception) -> None:
    """Rank 1 of gang 0, and the gang comes back."""
    error = WorkerHealthCheckFailedError("A worker health check failed.", failure)
    broker.complain("0000", "RuntimeError: connection closed by peer")  # by rank 0
    Casualties(broker, 0).after_exception(None, {0: RuntimeError("closed by peer"), 1: error})
    broker.lease(0)


def test_rays_memory_monitor_is_named_and_does_not_count(broker: BrokerClient, tmp_path: Path) -> None:
    for _ in range(MAX_EXCUSED):
        dies(broker, OutOfMemoryError("killed due to the node running low on memory"))
    interrupted = events_of(tmp_path / "s", Interrupted)
    assert {(event.why, event.attempts) for event in interrupted} == {(f"its workers died: {MEMORY_MONITOR}", 0)}
    broker.submit(proposal("0001"))  # for the gang that has given the first up
    for _ in range(MAX_ATTEMPTS):
        assert not events_of(tmp_path / "s", Ended)
        dies(broker, OutOfMemoryError("killed due to the node running low on memory"))
    (ended,) = events_of(tmp_path / "s", Ended)
    times = MAX_ATTEMPTS + MAX_EXCUSED
    said = f"its workers died {times} times in a row without progress, last: {MEMORY_MONITOR}"
    assert (ended.outcome["verdict"], ended.outcome["detail"]) == ("lost", said)


class DiesOfLowMemory(Gang):
    """Its first controller ends as Ray's memory monitor ends it, together with the ranks; the second has no work."""

    def _run_once(self, start: int) -> None:
        if start == 1:
            raise OutOfMemoryError("8 worker(s) were killed due to the node running low on memory")


def test_the_memory_monitor_may_end_a_gangs_controller_too(broker: BrokerClient, tmp_path: Path) -> None:
    space = build_space("x", {"base": {}, "search": {"optimizer.lr_g": {"choice": [8e-4]}}})
    folders = {"data": tmp_path, "cache_dir": tmp_path, "directory": tmp_path / "s"}
    setup = GangSetup(space=space, resources=ONE_RANK, broker=broker, **folders)
    gang = DiesOfLowMemory(0, setup, tmp_path / "ray")
    gang.run()
    assert gang.error is None, "it was started again"
    assert broker.lease(0) == Lease("0000", {})
    (interrupted,) = events_of(tmp_path / "s", Interrupted)
    assert (interrupted.why, interrupted.attempts) == (f"its workers died: {MEMORY_MONITOR}", 0)


@pytest.mark.parametrize("killed", [True, False])
def test_the_kernels_oom_killer_is_named_where_its_count_has_grown(
    broker: BrokerClient, tmp_path: Path, killed: bool
) -> None:
    now = oom_kills()
    assert now is not None, "this kernel counts"
    here = Rank(
        gang=0,
        rank=1,
        pid=os.getpid(),
        started=1,
        node=ray.get_runtime_context().get_node_id(),
        oom_kills=now - killed,
    )
    broker.beat(here)
    while not broker.ranks(0):  # a beat is not waited for
        pass
    broker.beat(replace(here, rank=0, oom_kills=now - 1))  # not the one that has died
    broker.submit(proposal("0001"))
    for _ in range(MAX_ATTEMPTS):
        dies(broker, ActorDiedError())
    (ended,) = events_of(tmp_path / "s", Ended)
    cause = OOM_KILLER if killed else "RuntimeError: connection closed by peer"
    said = f"its workers died {MAX_ATTEMPTS} times in a row without progress, last: {cause}"
    assert ended.outcome["detail"] == said


def test_a_node_that_is_gone_says_nothing(ray_instance: None) -> None:
    assert oom_kills_on(ray.get_runtime_context().get_node_id()) == oom_kills()
    assert oom_kills_on("0" * 56) is None


@pytest.mark.parametrize(
    ("failure", "left"),
    [
        (LeftError(), True),
        (RayActorError(error_msg="its node was preempted", preempted=True), True),
        (RayActorError(), False),
    ],
)
def test_a_machine_that_is_taken_back_is_told_from_one_that_dies(
    broker: BrokerClient, tmp_path: Path, failure: Exception, left: bool
) -> None:
    dies(broker, failure)
    assert [event.left for event in events_of(tmp_path / "s", GangDown)] == [left]
