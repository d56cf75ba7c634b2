"""Requests that MLflow's server gets from a sweep, and how fast its runs page is answered with many runs.

Usage: python -m tests.benchmarks.bench_tracking [--epochs 4] [--runs 10000]

A made-up trial of so many epochs, every other one measured and with a sample grid, is followed epoch by epoch, as a
driver follows it; a relay before a real server counts. The runs of the page are put into the server's SQLite file
directly, each with 12 parameters, 12 tags and 20 metrics, since only the answer is timed: that to the page which
`gan-sweep ui` opens.
"""

import argparse
import os
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from mlflow import MlflowClient
from PIL import Image

from orchestrator.results.events import Closed
from orchestrator.results.follower import Follower
from orchestrator.results.verdict import SweepStatus, TrialOutcome
from orchestrator.space.load import build_space
from orchestrator.tracking.mlflow_sink import MlflowSink
from orchestrator.tracking.new_database import gather_statistics
from orchestrator.tracking.patience import Patience
from tests.benchmarks.common import print_setting
from tests.faults.processes import running
from tests.orchestrator.sweep_helpers import PLAN, begun, ended, epoch, keep_epochs, life
from tests.orchestrator.tracking.servers import Relay, Server
from trainers.run_report import RunEnd

SPACE = {
    "base": {"data": {"image_size": 32}},
    "search": {"optimizer.lr_g": {"float": [1e-4, 1], "log": True}},
}
METRICS = {f"metric_{number}": 0.1 * number for number in range(16)}
TABLES = {
    "runs": "run_uuid, name, user_id, status, start_time, lifecycle_stage, artifact_uri, experiment_id, source_type",
    "params": "key, value, run_uuid",
    "tags": "key, value, run_uuid",
    "latest_metrics": "key, value, timestamp, step, is_nan, run_uuid",
}


def count_requests(folder: Path, server: Server, epochs: int) -> None:
    """Follow a trial, and print what the server is asked for."""
    asked: list[bytes] = []
    relay = Relay(server.port, lambda request: asked.append(request) or True)
    plan = replace(PLAN, tracking_uri=relay.uri, definition=SPACE, space="counted")
    store = begun(folder / "s", plan)
    sink = MlflowSink(store.directory, plan, build_space(plan.space, SPACE), relay.uri, Patience())
    follower = Follower(store.directory, plan, [sink])

    @contextmanager
    def counted(what: str) -> Iterator[None]:
        yield
        asked.clear()
        for _ in follower.steps():
            sink.flush()
        print(f"{what:<44} {len(asked):5} requests")

    trial = ended("0000", RunEnd.COMPLETED, 60.0)
    trial.end(TrialOutcome(verdict=RunEnd.COMPLETED, epochs=epochs, objective=60.0, best_epoch=epochs), seconds=12.5)
    start, end = life(trial)[:2], life(trial)[2:]
    with counted("the sweep's start"):
        pass
    with counted("a trial's start"):
        for event in start:
            store.append(event)
    for number in range(1, epochs + 1):
        measured, samples = number % 2 == 0, None
        if measured:
            samples = f"samples/epoch_{number:04d}.png"
            file = store.trials_dir / "0000" / samples
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.effect_noise((530, 530), 64).convert("RGB").save(file)
        report = epoch(number, fid=60.0 if measured else None, metrics=METRICS)
        with counted(f"epoch {number}{', measured, with a grid' if measured else ''}"):
            keep_epochs(store, "0000", replace(report, samples=samples))
    with counted("a trial's end"):
        for event in end:
            store.append(event)
    with counted("the sweep's end, of one trial"):
        store.append(Closed(at=200.0, session=1, status=SweepStatus.FINISHED, ended=200.0))
    relay.close()


def time_page(file: Path, server: Server, runs: int) -> None:
    """Put runs into the server's store, and ask for the first page of the table, sorted by objective."""
    client = MlflowClient(server.uri)
    experiment = client.create_experiment("many")
    names = [f"{number:032x}" for number in range(runs)]
    rows = {
        "runs": [(name, name, "", "FINISHED", 0, "active", "", experiment, "LOCAL") for name in names],
        "params": [(f"param_{key}", str(key), name) for name in names for key in range(12)],
        "tags": [("mlflow.parentRunId", "p", name) for name in names]
        + [(f"tag_{key}", "x", name) for name in names for key in range(11)],
        "latest_metrics": [
            (key, 30.0 + place % 89, 0, 1, False, name)
            for place, name in enumerate(names)
            for key in ("objective", *(f"metric_{number}" for number in range(19)))
        ],
    }
    with sqlite3.connect(file, timeout=60) as database:
        for table, columns in TABLES.items():
            marks = ", ".join("?" for _ in columns.split(","))
            database.executemany(f"insert into {table} ({columns}) values ({marks})", rows[table])
    query, order = "tags.`mlflow.parentRunId` = 'p'", ["metrics.`objective` ASC"]
    for what in ("as MLflow left it", "analysed as by `gan-sweep ui`"):
        started = time.perf_counter()
        page = client.search_runs([experiment], query, max_results=100, order_by=order)
        seconds = time.perf_counter() - started
        print(f"the first {len(page)} of {runs} runs, by objective, {what}: {seconds:.2f} s")
        gather_statistics(f"sqlite:///{file}")


def parser() -> argparse.ArgumentParser:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--runs", type=int, default=10_000)
    return parser


def main() -> None:
    """Count, then time."""
    asked = parser().parse_args()
    print_setting("mlflow", "sqlalchemy")
    os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] = "600"  # the page is timed, however long it takes
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with running(Server(folder / "server")) as server:
            count_requests(folder, server, asked.epochs)
            time_page(folder / "server" / "server.db", server, asked.runs)


if __name__ == "__main__":
    main()
