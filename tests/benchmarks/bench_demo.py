"""Whether the search of a demo ends ahead of the setting that it starts from, over several seeds.

Usage: python -m tests.benchmarks.bench_demo [--seeds 10] [--space ralsgan_motorbike] [--trials N] [--first N]
       [--folder DIR] [--set KEY=VALUE ...]

Runs `gan-sweep launch --demo --seed N` for each seed. The first trial is the space's own setting; it and the winner are
shown with the mean of their confirmed FIDs, else with their objectives. With --folder a second call goes on where the
first was ended.

With --first only so many trials count, by their objectives: one gang trains the trials one after the other, and none
depends on later ones, so this is what a demo of fewer trials would have found.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from orchestrator.results.records import TrialRecord, best_trial
from orchestrator.results.store import ResultsStore, look_up_sweep
from orchestrator.results.verdict import SweepStatus
from tests.benchmarks.common import print_setting


def run_demo(space: str, seed: int, options: list[str], folder: Path) -> tuple[ResultsStore, float]:
    """A finished demo, and its seconds; 0 where it had been run before."""
    name = f"{space}-{seed}"
    if (before := look_up_sweep(name, folder)) is not None and before.standing().status is SweepStatus.FINISHED:
        return before, 0.0
    command = [sys.executable, "-m", "orchestrator.cli", "launch", "--demo", "--space", space, "--seed", str(seed)]
    command += ["--name", name, "--sweeps-dir", str(folder), *options]
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    store = look_up_sweep(name, folder)
    assert store is not None
    return store, time.perf_counter() - started


def fid(trial: TrialRecord | None) -> float | None:
    """The mean of the confirmed FIDs, else the objective; None without either."""
    return None if trial is None else trial.objective_mean or trial.objective


def ahead(trials: list[TrialRecord]) -> bool:
    """Whether a trial other than the first has won."""
    best = best_trial(trials)
    return best is not None and best.trial_id != trials[0].trial_id


def parser() -> argparse.ArgumentParser:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--space", default="ralsgan_motorbike")
    parser.add_argument("--trials", type=int, help="of each demo; default: the space's")
    parser.add_argument("--first", type=int, help="count only so many trials of each; default: all")
    parser.add_argument("--folder", type=Path, help="where the sweeps are kept; default: a temporary directory")
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    return parser


def main() -> None:
    """Run the demos and print a line for each."""
    asked = parser().parse_args()
    print_setting("torch", "ray", "optuna")
    options = [f"--set={setting}" for setting in asked.settings]
    options += [] if asked.trials is None else [f"--trials={asked.trials}"]
    won = 0
    with tempfile.TemporaryDirectory() as scratch:
        for seed in range(asked.seeds):
            store, seconds = run_demo(asked.space, seed, options, asked.folder or Path(scratch))
            trials = store.read_trials()
            if asked.first is not None:
                trials = [replace(trial, confirmed=[]) for trial in trials[: asked.first]]
            won += ahead(trials)
            first, best = (
                "none" if value is None else f"{value:.1f}" for value in (fid(trials[0]), fid(best_trial(trials)))
            )
            took = f"{seconds:.0f} s" if seconds else "run before"
            print(f"seed {seed}: first setting {first}, winner {best}, {len(trials)} trials, {took}", flush=True)
    print(f"the search ended ahead of its first setting with {won} of {asked.seeds} seeds")


if __name__ == "__main__":
    main()
