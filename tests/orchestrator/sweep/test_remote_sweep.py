"""Sweeps that are at home in S3: real processes, a real server, a machine that is lost with its disk."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.results.store import ResultsStore, find_sweep
from tests.orchestrator.sweep.test_resume import LAUNCH, fids, kill_at, run, what_counts
from tests.s3_server import S3Server

TRIALS = "3"


class Machine:
    """A machine with a disk of its own: what it has is in its cache."""

    def __init__(self, cache: Path, s3: S3Server) -> None:
        self.cache = cache
        self.environment = {**os.environ, **s3.environment, "GAN_SWEEP_CACHE": str(cache)}

    def start(self, *words: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "orchestrator.cli", *words]
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=self.environment
        )

    def run(self, *words: str) -> tuple[int, str]:
        process = self.start(*words)
        shown, _ = process.communicate(timeout=200)
        return process.returncode, shown


@pytest.mark.slow
def test_a_sweep_goes_on_where_its_machine_is_lost_with_its_disk(
    motorbikes: Path, tmp_path: Path, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver is killed in the second trial and its working copy removed; another machine ends the sweep."""
    launch = [*LAUNCH, "--trials", TRIALS, "--data", str(motorbikes), "--set", "confirm.top=1"]
    home = f"{s3.bucket('lost')}/sweeps"
    first, second = Machine(tmp_path / "first", s3), Machine(tmp_path / "second", s3)
    kill_at(first.start(*launch, "--sweeps-dir", home, "--name", "killed"), "trial 0001  epoch 4/6")
    shutil.rmtree(first.cache)
    code, shown = second.run("results", "killed", "--sweeps-dir", home)
    assert code == 0 and "its driver died at " in shown, shown
    code, shown = second.run("resume", f"{home}/killed")
    assert code == 0 and "finished: 3 of 3 trials" in shown, shown
    assert "going on: 1 trials are over, 1 go on from their last checkpoint" in shown

    code, shown = run(*launch, "--sweeps-dir", str(tmp_path), "--name", "whole")
    assert code == 0, shown
    monkeypatch.setenv("GAN_SWEEP_CACHE", str(tmp_path / "third"))
    from orchestrator.commands.parameters import SweepsFolder

    store = find_sweep("killed", SweepsFolder().convert(home, None, None), whole=True)
    whole = ResultsStore(tmp_path / "whole")
    assert str(store.directory).startswith(str(tmp_path / "third"))
    assert what_counts(store) == what_counts(whole)
    for trial in whole.read_trials():
        assert fids(store, trial.trial_id) == fids(whole, trial.trial_id)
        kept = {path.name for path in (whole.trials_dir / trial.trial_id).glob("*.pt")}
        assert {path.name for path in (store.trials_dir / trial.trial_id).glob("*.pt")} == kept
    assert not [key for key in s3.keys("lost") if key.endswith(".part")]
