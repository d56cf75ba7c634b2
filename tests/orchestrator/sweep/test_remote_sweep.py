"""Sweeps that are at home in S3: real processes, a real server, a machine that is lost with its disk."""

import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from orchestrator.results.places import sweeps_root
from orchestrator.results.store import ResultsStore, find_sweep
from tests.orchestrator.sweep.test_resume import LAUNCH, fids, run, what_counts
from tests.s3_server import S3Server
from trainers.remote import local_copy, open_folder

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


def lose_at(driver: "subprocess.Popen[str]", line: str) -> None:
    """SIGKILL to the driver and to all of its Ray, as soon as it shows this: what a machine's loss does."""
    assert driver.stdout is not None
    shown = next((one for one in driver.stdout if line in one), None)
    processes = [psutil.Process(driver.pid), *psutil.Process(driver.pid).children(recursive=True)]
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    driver.stdout.close()
    driver.wait()
    psutil.wait_procs(processes[1:])
    assert shown is not None


def rounded(value: Any) -> Any:
    """To 12 digits: of another machine's FIDs the last may differ, and once did where both machines were this one."""
    if isinstance(value, dict):
        return {name: rounded(one) for name, one in value.items()}
    if isinstance(value, list):
        return [rounded(one) for one in value]
    return f"{value:.12g}" if isinstance(value, float) else value


@pytest.mark.slow
def test_a_sweep_goes_on_where_its_machine_is_lost_with_its_disk(
    motorbikes: Path, tmp_path: Path, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver is killed in the second trial and its working copy removed; another machine ends the sweep."""
    launch = [*LAUNCH, "--trials", TRIALS, "--set", "confirm.top=1"]
    bucket = s3.bucket("lost")
    home, photos = f"{bucket}/sweeps", f"{bucket}/photos"
    remote = open_folder(photos)
    for file in sorted(motorbikes.rglob("*")):
        if file.is_file():
            remote.write(file.relative_to(motorbikes).as_posix(), file.read_bytes())
    first, second = Machine(tmp_path / "first", s3), Machine(tmp_path / "second", s3)
    lose_at(first.start(*launch, "--data", photos, "--sweeps-dir", home, "--name", "killed"), "trial 0001  epoch 4/6")
    shutil.rmtree(first.cache)
    latest = open_folder(home).read("killed/trials/0001/latest.pt")
    assert latest is not None
    epoch = torch.load(io.BytesIO(latest), weights_only=True)["progress"]["epoch"]
    assert epoch >= 4  # the first that counts was saved, pushed, and only then reported
    code, shown = second.run("results", "killed", "--sweeps-dir", home)
    assert code == 0 and "its driver died at " in shown, shown
    code, shown = second.run("resume", f"{home}/killed")
    assert code == 0 and "finished: 3 of 3 trials" in shown, shown
    # How much of the log was pushed before the end depends on how busy the machine was; what comes out does not.
    assert re.search(r"going on: [01] trials? over, 1 to go on from the last checkpoint", shown), shown

    code, shown = run(*launch, "--data", str(motorbikes), "--sweeps-dir", str(tmp_path), "--name", "whole")
    assert code == 0, shown
    monkeypatch.setenv("GAN_SWEEP_CACHE", str(tmp_path / "third"))
    store = find_sweep("killed", local_copy(home, sweeps_root()), whole=True)
    whole = ResultsStore(tmp_path / "whole")
    assert str(store.directory).startswith(str(tmp_path / "third"))
    assert rounded(what_counts(store)) == rounded(what_counts(whole))
    assert store.read_plan().fingerprint == whole.read_plan().fingerprint
    for trial in whole.read_trials():
        assert rounded(fids(store, trial.trial_id)) == rounded(fids(whole, trial.trial_id))
        kept = {path.name for path in (whole.trials_dir / trial.trial_id).glob("*.pt")}
        assert {path.name for path in (store.trials_dir / trial.trial_id).glob("*.pt")} == kept
    assert not [key for key in s3.keys("lost") if key.endswith(".part")]


def test_a_bucket_that_is_not_there_is_one_line_and_leaves_nothing(
    motorbikes: Path, tmp_path: Path, s3: S3Server
) -> None:
    machine = Machine(tmp_path / "cache", s3)
    where = ["--data", str(motorbikes), "--sweeps-dir", "s3://no-such-bucket/sweeps"]
    code, shown = machine.run(*LAUNCH, *where, "--name", "refused")
    assert code == 2 and shown.startswith("gan-sweep: s3://no-such-bucket/sweeps: ") and "NO_SUCH_BUCKET" in shown
    assert len(shown.splitlines()) == 1
    assert not list(tmp_path.glob("cache/*"))
    code, shown = machine.run("resume", "s3://no-such-bucket/sweeps/refused")
    assert code == 2 and len(shown.splitlines()) == 1 and "s3://no-such-bucket/sweeps" in shown
