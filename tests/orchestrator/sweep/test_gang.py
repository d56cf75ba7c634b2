"""A gang: a real Ray Train run in a thread of the driver."""

from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import ray

from orchestrator.results.events import GangUp, Started
from orchestrator.results.verdict import StopReason
from orchestrator.space.load import load_space
from orchestrator.sweep.broker_client import BrokerClient
from orchestrator.sweep.gang import OPENMP_SETTINGS, SHARED_CPUS, Gang, openmp_settings
from orchestrator.sweep.worker import GangSetup
from tests.orchestrator.sweep_helpers import ONE_RANK, begun, events_of, proposal


@pytest.fixture
def setup(ray_instance: None, motorbikes: Path, own_cache: Path, tmp_path: Path) -> GangSetup:
    return GangSetup(
        space=load_space("ralsgan_motorbike"),
        data=motorbikes,
        cache_dir=own_cache,
        directory=begun(tmp_path / "s").directory,
        resources=ONE_RANK,
        broker=BrokerClient.start(tmp_path / "s"),
    )


def ups(setup: GangSetup, gang: Gang, count: int) -> list[GangUp]:
    """Wait until the gang has been up so often; pytest's own timeout is the limit."""
    while len(found := events_of(setup.directory, GangUp)) < count:
        assert gang.is_alive(), gang.error
        gang.join(0.1)
    return found


def test_a_gang_stays_up_until_the_sweep_is_over(setup: GangSetup, tmp_path: Path) -> None:
    gang = Gang(3, setup, tmp_path / "ray")
    gang.start()
    assert [event.gang for event in ups(setup, gang, 1)] == [3]
    ranks = [p for p in psutil.Process().children(recursive=True) if "RayTrainWorker" in "".join(p.cmdline())]
    assert [rank.environ().get("GOMP_SPINCOUNT") for rank in ranks] == ["2000"]
    setup.broker.close(StopReason.OUTRANKED)
    gang.join()
    assert gang.error is None


def test_a_gang_whose_controller_dies_starts_another(setup: GangSetup, tmp_path: Path) -> None:
    """Of all CPUs there are: the dead one's placement group must not keep them."""
    everything = int(ray.cluster_resources()["CPU"])
    gang = Gang(0, replace(setup, resources=replace(ONE_RANK, cpus=everything)), tmp_path / "ray")
    gang.start()
    ups(setup, gang, 1)
    setup.broker.submit(proposal("0000", {"optimizer.lr_g": 1e-3}))
    while not events_of(setup.directory, Started):
        gang.join(0.1)
    (controller,) = [p for p in psutil.Process().children(recursive=True) if "TrainController" in "".join(p.cmdline())]
    controller.kill()
    while len(started := events_of(setup.directory, Started)) < 2:  # by the ranks of the next
        assert gang.is_alive(), gang.error
        gang.join(0.1)
    assert [(event.trial, event.gang) for event in started] == [("0000", 0)] * 2
    setup.broker.close(StopReason.INTERRUPTED)
    gang.join()
    assert gang.error is None


def test_a_gang_whose_ranks_cannot_connect_starts_again(
    setup: GangSetup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of all CPUs there are: Ray Train keeps the placement group of ranks that fail while they connect."""
    settings = iter([{"GLOO_SOCKET_IFNAME": "nowhere"}, {}])
    monkeypatch.setattr("orchestrator.sweep.gang.openmp_settings", lambda: next(settings))
    half = int(ray.cluster_resources()["CPU"]) / 2
    gang = Gang(0, replace(setup, resources=replace(ONE_RANK, workers=2, cpus=half)), tmp_path / "ray")
    gang.start()
    ups(setup, gang, 1)
    assert next(settings, None) is None, "the first start has failed"
    setup.broker.close(StopReason.INTERRUPTED)
    gang.join()
    assert gang.error is None


def test_the_users_own_openmp_settings_win(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in OPENMP_SETTINGS:
        monkeypatch.delenv(name, raising=False)
    assert openmp_settings() == SHARED_CPUS
    for name in OPENMP_SETTINGS:
        with monkeypatch.context() as patch:
            patch.setenv(name, "active")
            assert openmp_settings() == {}


def test_a_gang_that_cannot_go_on_says_why(setup: GangSetup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.sweep.gang.MAX_RESTARTS", 0)
    gang = Gang(0, replace(setup, resources=replace(ONE_RANK, threads=0)), tmp_path / "ray")  # torch wants one at least
    gang.start()
    gang.join()
    assert "set_num_threads" in str(gang.error)
