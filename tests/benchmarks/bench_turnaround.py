"""Seconds from the end of one trial to the first step of the next, three ways, in one run.

Usage: python -m tests.benchmarks.bench_turnaround [--trials 12] [--workers 1] [--nested-trials 3] [--data DIR]

1. gangs: `gan-sweep launch` itself; from the end of a trial's last evaluation to the next one's first step on the same
   gang, building its networks included.
2. reused actors: a plain Tune function with ``reuse_actors=True``, from its last line to the next trial's first.
3. nested: the documented way, ``TorchTrainer.fit()`` inside a Tune function, from the last line of one trial's training
   loop to the first of the next's.

Before that it times the parts of a `gan-sweep launch` in a process of its own, up to its first training step.
"""

import argparse
import io
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import ray
import ray.train
from ray import tune
from ray.train.torch import TorchTrainer
from rich.console import Console

from orchestrator.commands.launch import launch
from orchestrator.plan.launch_options import LaunchOptions
from orchestrator.results.driver_lock import BEAT_S, DriverLock
from orchestrator.results.events import Event, GangUp, Opened, from_json
from orchestrator.results.follower import Follower
from orchestrator.results.lines import LineReader, LineWriter
from orchestrator.results.places import EVENTS_FILE
from orchestrator.results.store import ResultsStore, find_sweep
from orchestrator.sweep.ray_session import connected
from orchestrator.sweep.recorder import LOOK_S
from tests.benchmarks.common import print_setting

LOOKS = 200  # are timed


def gangs(scratch: Path, trials: int, workers: int, data: Path | None) -> tuple[list[float], float, float]:
    """Gaps between trials, and shares of the time between first and last step: training and FID, and the log."""
    settings = ("schedule.epochs=3", "schedule.window_first=3", "fid.n_fake=64", "scheduler.name=none", "data.fit=pad")
    settings += ("confirm.top=0",)  # comes after the last trial, where nothing is timed
    options = LaunchOptions(
        space="ralsgan_motorbike",
        demo=True,
        data=data,
        name="gangs",
        trials=trials,
        workers_per_trial=workers,
        sweeps_dir=scratch,
        settings=settings,
    )
    if launch(options, console=Console(file=io.StringIO())) != 0:
        raise RuntimeError("the sweep did not finish")
    store = find_sweep("gangs", scratch)
    histories = [store.read_history(trial.trial_id) for trial in store.read_trials()]
    gaps = [after[0].started - before[-1].ended for before, after in pairwise(histories)]
    busy = sum(report.ended - report.started for history in histories for report in history)
    seconds = histories[-1][-1].ended - histories[0][0].started
    return gaps, busy / seconds, log_seconds(store, scratch, seconds) / seconds


def first_step(scratch: Path, data: Path | None) -> dict[str, float]:
    """Seconds of each part of a launch, from its process's start to the first training step; one trial is trained."""
    name, options = "launched", [] if data is None else ["--data", str(data)]
    command = [sys.executable, "-m", "orchestrator.cli", "launch", "--space", "ralsgan_motorbike", "--demo"]
    command += ["--trials", "1", "--sweeps-dir", str(scratch), "--name", name, *options]
    subprocess.run([*command, "--set", "confirm.top=0"], check=True, stdout=subprocess.DEVNULL)
    store = find_sweep(name, scratch)
    at: dict[type[Event], Event] = {}
    for line in LineReader(store.directory / EVENTS_FILE).read():
        event = from_json(line)
        at.setdefault(type(event), event)
    opened = at[Opened]
    assert isinstance(opened, Opened)
    times = {
        "start": opened.process_started,
        "imports, checks and decoded images": opened.at,
        "Ray and the gang": at[GangUp].at,
        "extractor, networks and statistics of the real images": store.read_history("0000")[0].started,
    }
    return {part: after - before for (_, before), (part, after) in pairwise(times.items())}


def log_seconds(store: ResultsStore, scratch: Path, seconds: float) -> float:
    """What log, histories and heartbeat cost a sweep of so many `seconds`: all of it done once more, and timed here.

    Every line is appended again, and folded three times: by the broker, the driver and MLflow's thread. MLflow's
    thread counts as if it looked for new lines as often as the driver does.
    """
    files = [store.directory / EVENTS_FILE, *store.trials_dir.glob("*/history.jsonl")]
    values = [value for file in files for value in LineReader(file).read()]
    log, lock = LineWriter(scratch / "again.jsonl"), DriverLock(store.directory)
    lock.acquire()
    follower = Follower(store.directory, store.read_plan())
    appending = timed(lambda: [log.append(value) for value in values])
    folding = timed(follower.poll)
    log.close()
    looking, beating = timed(follower.poll, LOOKS) / LOOKS, timed(lock.beat, LOOKS) / LOOKS
    lock.release()
    return appending + 3 * folding + (2 * looking / LOOK_S + beating / BEAT_S) * seconds


def timed(work: Callable[[], object], times: int = 1) -> float:
    """Seconds that some work takes, done so many times."""
    started = time.perf_counter()
    for _ in range(times):
        work()
    return time.perf_counter() - started


def reused_actors(scratch: Path, trials: int) -> list[float]:
    """Gaps between trials of a function that does nothing, in one actor."""
    log = scratch / "reused.jsonl"

    def trial(config: dict[str, float]) -> None:
        write_span(log, time.time())

    run_tune(trial, trials, scratch / "reused", cpus=1.0)
    return read_gaps(log)


def nested(scratch: Path, trials: int, workers: int) -> list[float]:
    """Gaps between trials that each start a TorchTrainer."""
    log = scratch / "nested.jsonl"

    def loop() -> None:
        if ray.train.get_context().get_world_rank() == 0:
            write_span(log, time.time())

    def trial(config: dict[str, float]) -> None:
        TorchTrainer(
            loop,
            scaling_config=ray.train.ScalingConfig(num_workers=workers, resources_per_worker={"CPU": 0.8}),
            run_config=ray.train.RunConfig(storage_path=str(scratch), name=f"train-{config['x']}"),
        ).fit()

    run_tune(trial, trials, scratch / "nested", cpus=0.1)
    return read_gaps(log)


def run_tune(trial: object, trials: int, storage: Path, cpus: float) -> None:
    """One trial after another."""
    tune.Tuner(
        tune.with_resources(trial, {"cpu": cpus}),
        param_space={"x": tune.uniform(0, 1)},
        tune_config=tune.TuneConfig(num_samples=trials, max_concurrent_trials=1, reuse_actors=True),
        run_config=tune.RunConfig(storage_path=str(storage), name="tune", verbose=0),
    ).fit()


def write_span(log: Path, started: float) -> None:
    """Note when a trial ran."""
    with open(log, "a") as file:
        file.write(json.dumps([started, time.time()]) + "\n")


def read_gaps(log: Path) -> list[float]:
    """From the end of each trial to the start of the next."""
    spans = [json.loads(line) for line in log.read_text().splitlines()]
    return [after[0] - before[1] for before, after in pairwise(spans)]


def parser() -> argparse.ArgumentParser:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--nested-trials", type=int, default=3, help="at least 2: the time between them is measured")
    parser.add_argument("--data", type=Path, help="images of the gangs' trials; 512 drawn ones where not given")
    return parser


def main() -> None:
    """Run all three and print medians and ratios."""
    asked = parser().parse_args()
    with tempfile.TemporaryDirectory() as folder:
        parts = first_step(Path(folder), asked.data)
    with tempfile.TemporaryDirectory() as folder, connected(None):
        scratch = Path(folder)
        gang_gaps, busy, logging = gangs(scratch, asked.trials, asked.workers, asked.data)
        gaps = {
            "gangs": gang_gaps,
            "reused actors": reused_actors(scratch, asked.trials),
            "nested": nested(scratch, asked.nested_trials, asked.workers),
        }
    print_setting("ray", "torch", "optuna", "mlflow")
    print(f"{asked.trials} trials ({asked.nested_trials} nested), {asked.workers} ranks, one at a time")
    print(f"from launch to the first training step {sum(parts.values()):.1f} s (aim: below 12)")
    for part, seconds in parts.items():
        print(f"  {seconds:5.1f} s {part}")
    for way, values in gaps.items():
        ratio = statistics.median(values) / statistics.median(gang_gaps)
        spread = f"min {min(values):.3f}, max {max(values):.3f}"
        print(f"{way:<14} {statistics.median(values):7.3f} s median ({spread}), {ratio:6.1f} x gangs")
    print(f"share of the time from first to last step in training, FID, samples and checkpoints: {busy:.1%}")
    print(f"share of it that log, histories and heartbeat take, done again and timed: {logging:.2%} (aim: below 1%)")


if __name__ == "__main__":
    main()
