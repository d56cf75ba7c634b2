"""Which gangs hang: on a clock of the test's own, and one that really does."""

import os
import signal
from pathlib import Path

import psutil
import pytest

from orchestrator.results.events import Started
from orchestrator.results.verdict import StopReason
from orchestrator.sweep import watchdog
from orchestrator.sweep.gang import Gang
from orchestrator.sweep.messages import Rank
from orchestrator.sweep.pulses import EPOCHS, SHORTEST_S, Pulses
from orchestrator.sweep.watchdog import Watchdog
from tests.orchestrator.sweep_helpers import endless, events_of, proposal


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def rank(gang: int, number: int) -> Rank:
    return Rank(gang=gang, rank=number, pid=100 * gang + number, started=1, node="n")


def test_a_gang_hangs_when_none_of_its_ranks_gets_on() -> None:
    clock = Clock()
    pulses = Pulses(clock)
    for one in (rank(0, 0), rank(0, 1), rank(1, 0)):
        pulses.beat(one)
    clock.now = SHORTEST_S
    pulses.beat(rank(0, 1))  # it decodes the images, and rank 0 waits for it
    clock.now += 1
    assert pulses.hung({0, 1}, None) == [1]
    assert pulses.hung({0}, None) == [], "gang 1 has nothing to do"
    clock.now += SHORTEST_S
    assert pulses.hung({0}, None) == [0]
    assert pulses.all_ranks() == [rank(0, 0), rank(0, 1), rank(1, 0)]
    pulses.began(0)
    assert pulses.hung({0}, None) == []


def test_a_gang_that_died_and_hangs_before_it_asks_for_work_is_found() -> None:
    clock = Clock()
    pulses = Pulses(clock)
    pulses.beat(rank(0, 0))
    clock.now = 10.0
    pulses.died(0)
    clock.now += 10 * SHORTEST_S
    assert pulses.hung({0}, None) == [], "it waits for room"
    pulses.beat(rank(0, 0))
    clock.now += SHORTEST_S + 1
    assert pulses.hung({0}, None) == [0]


def test_the_limit_grows_with_the_epochs_unless_it_is_given() -> None:
    pulses = Pulses(Clock())
    pulses.epoch(1.0)
    assert pulses.limit(None) == SHORTEST_S
    pulses.epoch(SHORTEST_S)
    pulses.epoch(2.0)
    assert pulses.limit(None) == EPOCHS * SHORTEST_S
    assert pulses.limit(25.0) == 25.0


@pytest.mark.slow
def test_a_stopped_rank_is_ended_and_its_trial_goes_on(
    ray_instance: None, motorbikes: Path, own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real gang whose only rank gets SIGSTOP in mid-trial; then the broker dies, and the new one knows no rank."""
    monkeypatch.setattr(watchdog, "LOOK_S", 0.0)
    setup = endless(tmp_path / "s", motorbikes, own_cache, window_first=2, checkpoint_every=1)
    said: list[str] = []
    gang = Gang(0, setup, tmp_path / "ray")
    gang.start()
    setup.broker.submit(proposal("0000", {"optimizer.lr_g": 8e-4}))
    history = setup.directory / "trials" / "0000" / "history.jsonl"
    while not history.exists() or len(history.read_bytes().splitlines()) < 2:  # pytest's own timeout is the limit
        assert gang.is_alive(), gang.error
        gang.join(0.1)
    (stopped,) = [p for p in psutil.Process().children(recursive=True) if "RayTrainWorker" in "".join(p.cmdline())]
    dog = Watchdog(setup.broker, 12.0, said.append)
    dog.look()
    os.kill(stopped.pid, signal.SIGSTOP)
    os.kill(setup.broker.pid(), signal.SIGKILL)
    while len(started := events_of(setup.directory, Started)) < 2:
        dog.look()
        gang.join(0.5)
    assert said == ["gang 0 hangs: its workers are started again"]
    assert [event.trial for event in started] == ["0000", "0000"] and not stopped.is_running()
    setup.broker.close(StopReason.INTERRUPTED)
    gang.join()
    assert gang.error is None
