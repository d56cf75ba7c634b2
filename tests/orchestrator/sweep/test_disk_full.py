"""A disk that is full in mid-sweep: the real command line, on a small file system of its own."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import State
from tests.orchestrator.sweep.test_resume import LAUNCH, run, start
from trainers.checkpoint import LATEST, load_checkpoint


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """48 MB, of which a sweep needs 15."""
    if os.geteuid():
        pytest.skip("only root may mount a file system")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path) -> Path:
    """Write a file until not a byte fits; returns it."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(os.urandom(1 << 16))
        except OSError:
            return ballast


@pytest.mark.slow
def test_the_sweep_fails_in_one_line_and_goes_on_when_there_is_room(motorbikes: Path, disk: Path) -> None:
    process = start(*LAUNCH, "--data", str(motorbikes), "--sweeps-dir", str(disk), "--name", "s")
    assert process.stdout is not None
    shown = []
    for line in process.stdout:
        shown.append(line)
        if "trial 0001  epoch 2/6" in line:
            ballast = fill(disk)
            break
    shown += process.stdout.readlines()
    process.stdout.close()
    assert process.wait(120) == 1, "".join(shown)
    (line,) = [line for line in shown if "no space left in" in line] or ["".join(shown)]
    assert str(disk / "s") in line and "make room, then gan-sweep resume " in line
    assert not any("Traceback" in line for line in shown)
    store = ResultsStore(disk / "s")
    assert store.standing().status == "failed" and "no space left in" in store.standing().detail
    cut = [trial for trial in store.read_trials() if trial.state is State.STOPPED]
    assert cut and {trial.verdict for trial in cut} == {"sweep_failed"}
    for trial in cut:
        if trial.checkpoint:
            load_checkpoint(store.trials_dir / trial.trial_id / LATEST)
    code, again = run("resume", "s", "--sweeps-dir", str(disk))
    assert code in (1, 2) and "Traceback" not in again
    assert [line for line in again.splitlines() if "full" in line or "no space left" in line], again
    ballast.unlink()
    code, again = run("resume", "s", "--sweeps-dir", str(disk))
    assert code == 0 and "finished: 4 of 4 trials" in again, again
    assert all(trial.verdict in ("completed", "outranked") for trial in store.read_trials())
