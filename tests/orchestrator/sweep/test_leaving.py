"""A rank that is asked to leave, in a real gang of two."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import torch

from orchestrator.results.events import Ended, Interrupted, Started
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import StopReason
from orchestrator.sweep.gang import Gang
from tests.orchestrator.sweep_helpers import ONE_RANK, endless, events_of, proposal


@pytest.mark.slow
def test_a_gang_one_of_whose_ranks_gets_sigterm_leaves_and_goes_on_from_there(
    ray_instance: None, motorbikes: Path, own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.sweep.gang.MAX_RESTARTS", 0)  # leaving counts as no failure
    two = replace(ONE_RANK, workers=2)
    setup = endless(tmp_path / "s", motorbikes, own_cache, two, window_first=5000, checkpoint_every=5000)
    gang = Gang(0, setup, tmp_path / "ray")
    gang.start()
    setup.broker.submit(proposal("0000", {"optimizer.lr_g": 8e-4}))

    def epochs() -> int:
        history = ResultsStore(setup.directory).read_history("0000")
        return history[-1].epoch if history else 0

    def wait_for_epoch(number: int) -> None:  # pytest's own timeout is the limit
        while epochs() < number:
            assert gang.is_alive(), gang.error
            gang.join(0.1)

    wait_for_epoch(2)
    ranks = [p for p in psutil.Process().children(recursive=True) if "RayTrainWorker" in "".join(p.cmdline())]
    assert len(ranks) == 2
    before = epochs()
    os.kill(ranks[1].pid, signal.SIGTERM)
    while not (interrupted := events_of(setup.directory, Interrupted)):
        assert gang.is_alive(), gang.error
        gang.join(0.1)
    assert (interrupted[0].why, interrupted[0].attempts) == ("its workers were asked to leave", 0)
    left_at = torch.load(setup.directory / "trials" / "0000" / "latest.pt", weights_only=True)["progress"]["epoch"]
    assert left_at >= before, "no checkpoint was due by then but the one for leaving"
    assert epochs() == left_at, "nothing is trained after the checkpoint"
    wait_for_epoch(left_at + 1)
    history = ResultsStore(setup.directory).read_history("0000")
    assert [report.epoch for report in history] == list(range(1, len(history) + 1))
    assert [event.attempt for event in events_of(setup.directory, Started)] == [1, 1]
    assert not events_of(setup.directory, Ended) and not any(rank.is_running() for rank in ranks)
    setup.broker.close(StopReason.INTERRUPTED)
    gang.join()
    assert gang.error is None
