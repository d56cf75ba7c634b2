"""A gang that may have fewer ranks: on a real cluster of two nodes, whose second dies, is replaced, and is drained."""

import itertools
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
import ray
import torch
from ray._private.state import actors
from ray.train import ScalingConfig

from orchestrator.plan.resources import Resources
from orchestrator.results.events import GangUp, Interrupted
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import StopReason
from tests.faults.ray_cluster import Host, ray_cluster
from tests.orchestrator.sweep_helpers import endless, events_of, proposal

RESOURCES = Resources(gangs=1, workers=2, cpus=0.9, gpus=0, threads=1, min_workers=1)


def story(tmp_path: Path, images: Path, cache: Path, address: str, say: Connection) -> None:
    """In a process of its own, since this one's Ray is another: what the gang and its trial do."""
    from orchestrator.sweep import elastic
    from orchestrator.sweep.gang import Gang
    from orchestrator.sweep.ray_session import connected

    elastic.LOOK_S = 1.0
    with connected(address):
        setup = endless(tmp_path / "s", images, cache, RESOURCES, window_first=5000, checkpoint_every=2)
        gang = Gang(0, setup, tmp_path / "ray")
        gang.start()
        setup.broker.submit(proposal("0000", {"optimizer.lr_g": 8e-4}))

        def numbers_of_ranks() -> list[float]:
            history = ResultsStore(setup.directory).read_history("0000")
            return [ranks for ranks, _ in itertools.groupby(report.metrics["workers"] for report in history)]

        def wait_for(there: Callable[[], bool]) -> None:
            while not there():
                assert gang.is_alive(), gang.error
                gang.join(0.1)

        wait_for(lambda: numbers_of_ranks() == [2])
        name = "AutoscalingCoordinator"
        lasts = actors(ray.get_actor(name, namespace=name)._actor_id.hex())
        assert lasts["Address"]["NodeID"] == ray.get_runtime_context().get_node_id(), "its node is never given back"
        say.send("two")
        wait_for(lambda: numbers_of_ranks() == [2, 1])
        say.send("one")
        wait_for(lambda: numbers_of_ranks() == [2, 1, 2])
        drain(address, "127.0.0.3")
        wait_for(lambda: numbers_of_ranks() == [2, 1, 2, 1])
        setup.broker.close(StopReason.INTERRUPTED)
        gang.join()
        assert gang.error is None
    history = ResultsStore(setup.directory).read_history("0000")
    assert [report.epoch for report in history] == list(range(1, len(history) + 1)), "none is missing, none is twice"
    ups = [(event.workers, event.of) for event in events_of(setup.directory, GangUp)]
    assert ups == [(2, 2), (1, 2), (2, 2), (1, 2)]
    died, *left = (event.why.partition(":")[0] for event in events_of(setup.directory, Interrupted))
    assert (died, left) == ("its workers died", ["its workers were asked to leave"] * 2)
    assert [event.attempts for event in events_of(setup.directory, Interrupted)][1:] == [0, 0], "neither is an attempt"
    assert [report.images_seen for report in history] == [48 * report.epoch for report in history]
    saved = torch.load(setup.directory / "trials" / "0000" / "latest.pt", weights_only=True)
    assert saved["config"]["data"]["batch_size"] == 16


def drain(address: str, ip: str) -> None:
    """Tell Ray that a node goes in ten minutes, as a cloud does of a spot machine: until then it lives."""
    from ray.core.generated.autoscaler_pb2 import DrainNodeReason

    (node,) = (one["NodeID"] for one in ray.nodes() if one["Alive"] and one["NodeManagerAddress"] == ip)
    reason = DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION")
    gcs = ray._raylet.GcsClient(address=address)  # type: ignore[attr-defined]
    accepted, why_not = gcs.drain_node(node, reason, "a test", int(time.time() + 600) * 1000)
    assert accepted, why_not


@pytest.mark.parametrize(
    ("free", "ranks"),
    [
        ({}, 0),
        ({"a": {"CPU": 0.32}}, 0),
        ({"a": {"CPU": 0.33}}, 1),
        ({"a": {"CPU": 0.3}, "b": {"CPU": 0.3}}, 0),
        ({"a": {"CPU": 0.99}}, 2),
        ({"a": {"CPU": 0.99}, "b": {"CPU": 0.5}}, 4),
        ({"a": {"CPU": 64.0}}, 4),
        ({"a": {"CPU": 4 * 0.33 - 1e-12}}, 4),
    ],
)
def test_a_gang_has_as_many_ranks_as_there_is_room_for_and_as_share_the_batch(
    free: dict[str, dict[str, float]], ranks: int
) -> None:
    from orchestrator.sweep.elastic import ElasticPolicy

    scaling = ScalingConfig(num_workers=(1, 4), resources_per_worker={"CPU": 0.33})  # type: ignore[arg-type]
    assert ElasticPolicy(scaling, (1, 2, 4))._count_possible_workers(free) == ranks


def test_a_gang_of_a_fixed_size_starts_no_actor_that_outlives_it() -> None:
    """There is no Ray here: whatever asks for such an actor fails."""
    from orchestrator.sweep.elastic import FixedPolicy

    policy: Any = FixedPolicy(ScalingConfig(num_workers=1))
    policy.after_controller_start(None)
    policy._maybe_send_resource_request()
    assert policy._coordinator_client is None


@pytest.mark.slow
def test_a_gang_goes_on_with_one_rank_and_grows_when_a_node_comes(
    motorbikes: Path, own_cache: Path, tmp_path: Path
) -> None:
    # Ray puts sockets below the cluster's folder, whose paths may have 107 characters: pytest's own are too long.
    with tempfile.TemporaryDirectory(prefix="gsr-", dir="/tmp") as short, ray_cluster(Path(short) / "c") as cluster:
        cluster.start_head(Host(ip="127.0.0.1"), cpus=1)
        node = cluster.add_node(Host(ip="127.0.0.2"), cpus=1)
        hear, say = multiprocessing.Pipe(duplex=False)
        with pytest.MonkeyPatch.context() as patch:
            for name, value in {**cluster.wants, "OMP_NUM_THREADS": "1"}.items():
                patch.setenv(name, value)
            arguments = (tmp_path, motorbikes, own_cache, cluster.address, say)
            process = multiprocessing.get_context("spawn").Process(target=story, args=arguments)
            process.start()
        assert process.pid is not None
        cluster.family.add(process.pid)
        say.close()
        assert hear.recv() == "two"
        cluster.kill_node(node)
        assert hear.recv() == "one"
        cluster.add_node(Host(ip="127.0.0.3"), cpus=1)
        process.join()
        assert process.exitcode == 0
        assert cluster.what_is_left() == []
