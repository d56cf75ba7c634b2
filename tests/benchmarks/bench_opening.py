"""Seconds and memory that it takes to open a large sweep: its state, and `gan-sweep results` in a process of its own.

Usage: python -m tests.benchmarks.bench_opening [--trials 10000] [--epochs 750] [--open 8]

The sweep is made up: every trial was proposed and started, all but the last few ended, three were measured again. The
histories of all trials are hard links to one file, since only those of open trials are read.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from orchestrator.results.events import Confirmed, Ended, Event, Opened, Started, Submitted, to_json
from orchestrator.results.lines import LineWriter
from orchestrator.results.places import EVENTS_FILE, history_file
from orchestrator.results.saved_plan import SavedPlan
from orchestrator.results.store import ResultsStore, create_sweep
from tests.benchmarks.common import print_setting
from trainers.run_report import EpochReport, Measurement

METRICS = [
    "d_loss",
    "g_loss",
    "d_real_mean",
    "d_fake_mean",
    "d_real_accuracy",
    "d_fake_accuracy",
    "grad_norm_d",
    "grad_norm_g",
    "grad_norm_d_max",
    "grad_norm_g_max",
    "d_updates",
    "g_updates",
    "d_loss_variance",
    "weight_norm_d",
    "weight_norm_g",
    "images_per_second",
]
OPEN_STATE = "import sys; from pathlib import Path; from orchestrator.results.store import ResultsStore; "
OPEN_STATE += "ResultsStore(Path(sys.argv[1])).read_state()"
IN_A_PROCESS = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True); "
IN_A_PROCESS += (
    "used = resource.getrusage(resource.RUSAGE_CHILDREN); print(used.ru_utime + used.ru_stime, used.ru_maxrss)"
)


def write_sweep(directory: Path, trials: int, epochs: int, still_open: int) -> ResultsStore:
    """Make the sweep up."""
    plan = {"space": "x", "objective": "fid_inception2048_n10000", "data": "/photos", "n_real": 9, "synthetic": False}
    saved = SavedPlan(sweep=directory.name, trials=trials, tracking_uri="sqlite:///x.db", **plan)
    store = create_sweep(directory, saved)
    log = LineWriter(directory / EVENTS_FILE)
    for event in events(trials, epochs, still_open):
        log.append(to_json(event))
    log.close()
    first = history_file(directory, "0000")
    for number in range(trials):
        file = history_file(directory, f"{number:04d}")
        file.parent.mkdir(parents=True)
        if number == 0:
            lines = LineWriter(file)
            for epoch in range(1, epochs + 1):
                lines.append(report(epoch).to_json())
            lines.close()
        else:
            os.link(first, file)
    return store


def events(trials: int, epochs: int, still_open: int) -> list[Event]:
    """What the log says."""
    known = {"session": 1}
    driver = {"pid": 1, "process_started": 0.0, "host": "h", "version": "1"}
    made: list[Event] = [Opened(at=0.0, trials=trials, **known, **driver)]
    for number in range(trials):
        name, at = f"{number:04d}", float(number)
        params = {f"optimizer.key_{key}": (number * key) % 97 / 97 for key in range(10)}
        made.append(Submitted(at=at, trial=name, params=params, epochs=epochs, n_fake=10_000, **known))
        made.append(Started(at=at, trial=name, gang=number % 8, attempt=1, **known))
        if number < trials - still_open:
            objective = 30.0 + number % 89
            outcome = {
                "verdict": "completed",
                "epochs": epochs,
                "objective": objective,
                "best_epoch": epochs,
                "detail": "",
            }
            totals = {"last_fid": objective, "last_fid_epoch": epochs, "last_fid_n": 10_000, "lowest_fid": objective}
            totals |= {"fid_seconds": 60.0, "images_per_second": 900.0, "checkpoint": epochs}
            made.append(Ended(at=at + 900, trial=name, outcome=outcome, seconds=900.0, totals=totals, **known))
    made += [Confirmed(at=1e6, trial=f"{number:04d}", values=[31.0, 32.0, 33.0], **known) for number in range(3)]
    return made


def report(epoch: int) -> EpochReport:
    """An epoch with as many numbers as a real one."""
    fid = Measurement(epoch=epoch, fid=90.123456789 - epoch / 100, name="fid_inception2048_n10000", n_fake=10_000)
    return EpochReport(
        epoch=epoch,
        images_seen=epoch * 50_000,
        metrics={name: 0.123456789012345 * (index + epoch) for index, name in enumerate(METRICS)},
        measurement=fid if epoch % 10 == 0 else None,
        objective=None,
        best_epoch=None,
        samples=f"samples/epoch_{epoch:04d}.png",
        started=1.7e9 + epoch,
        trained=1.7e9 + epoch + 0.9,
        ended=1.7e9 + epoch + 0.95,
    )


def in_a_process(*words: str) -> tuple[float, float, float]:
    """Seconds, seconds of CPU, and peak memory in MB of a command of Python."""
    started = time.perf_counter()
    run = [sys.executable, "-c", IN_A_PROCESS, sys.executable, *words]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    busy, memory = done.stdout.split()
    return time.perf_counter() - started, float(busy), int(memory) * 1024 / 1e6


def parser() -> argparse.ArgumentParser:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=750)
    parser.add_argument("--open", type=int, default=8, help="trials that have not ended")
    return parser


def main() -> None:
    """Write a sweep, then open it."""
    asked = parser().parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = write_sweep(Path(folder) / "s", asked.trials, asked.epochs, asked.open)
        log = (store.directory / EVENTS_FILE).stat()
        history = history_file(store.directory, "0000").stat()
        print_setting("pydantic", "rich")
        print(
            f"{asked.trials} trials x {asked.epochs} epochs, {asked.open} open: log {log.st_size / 1e6:.1f} MB, ",
            end="",
        )
        print(f"histories {asked.trials * history.st_size / 1e6:,.1f} MB")
        ways = {
            "state": ("-c", OPEN_STATE, str(store.directory)),
            "gan-sweep results": ("-m", "orchestrator.cli", "results", str(store.directory)),
            "gan-sweep results --json": ("-m", "orchestrator.cli", "results", "--json", str(store.directory)),
        }
        print("aim: below 10 s and 1,000 MB each")
        for name, words in ways.items():
            seconds, busy, memory = in_a_process(*words)
            print(f"{name:<25} {seconds:7.2f} s ({busy:.2f} s of CPU) {memory:8.0f} MB")
        after = (store.directory / EVENTS_FILE).stat()
        print(f"the log was {'not ' if (after.st_ino, after.st_size) == (log.st_ino, log.st_size) else ''}rewritten")


if __name__ == "__main__":
    main()
