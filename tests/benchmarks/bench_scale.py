"""What 1,000 GPUs ask of a sweep's head, and how many its parts carry. SIMULATED are the gangs, and Tune's own loop.

Usage: python -m tests.benchmarks.bench_scale [--trials 10000] [--gangs 1000] [--epochs 50] [--every 5]

Everything else is real: searcher (TPE, journal), scheduler (ASHA), rules, stopper, the broker as an actor of Ray, log
and histories, the recorder with screen and housekeeper, the watchdog, and the delivery to an MLflow server of its own
(HTTP, SQLite). `simulated_sweep.py` says what is simulated.

An epoch is a pause of `--pace` seconds, so the sweep goes through several times faster than one with GPUs, for as long
as the head keeps up. What each part costs is the processor time of its process or thread, which depends little on what
else runs; the epochs of the sweep, at `--epoch-seconds` each on so many gangs, say how long real GPUs would take for
them. A part that needs less than one processor second per second of that carries them.
"""

import argparse
import io
import os
import sqlite3
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import ray
from rich.console import Console

from orchestrator.display.live import Screen
from orchestrator.results.follower import Follower
from orchestrator.results.places import EVENTS_FILE, STUDY_FILE
from orchestrator.results.retention import default_keep
from orchestrator.results.saved_plan import SavedPlan
from orchestrator.results.store import create_sweep
from orchestrator.results.verdict import SweepStatus
from orchestrator.search.schedulers import build_scheduler
from orchestrator.search.searcher import OptunaSearcher
from orchestrator.search.studies import open_study
from orchestrator.space.load import build_space
from orchestrator.sweep.broker_client import BrokerClient
from orchestrator.sweep.delivery import Delivery
from orchestrator.sweep.disk_watch import DiskWatch
from orchestrator.sweep.housekeeper import Housekeeper
from orchestrator.sweep.messages import Rank
from orchestrator.sweep.recorder import LOOK_S, Recorder
from orchestrator.sweep.session import Session
from orchestrator.sweep.stopper import SweepStopper
from orchestrator.sweep.watchdog import Watchdog
from tests.benchmarks.common import print_setting
from tests.benchmarks.simulated_sweep import METRIC, Counted, InTunesPlace, definition, start_gangs
from tests.faults.processes import running
from tests.orchestrator.tracking.servers import Server

BEAT_S = 5.0  # between the reports of a rank's pulse
BEATS = 5000  # that are sent to find out what one costs


class StandingGang(threading.Thread):
    """What the stopper asks of a gang."""

    error: BaseException | None = None

    def is_alive(self) -> bool:
        """It never dies."""
        return True


class Requests:
    """Counts the requests that leave this process."""

    def __init__(self) -> None:
        self.count = 0
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "http.client.send" and bytes(arguments[1][:5]).split(b" ")[0] in (b"GET", b"POST", b"PUT", b"PATC"):
            self.count += 1


def busy(process: psutil.Process) -> float:
    """Processor seconds of a process and its children."""
    times = [one.cpu_times() for one in [process, *process.children(recursive=True)]]
    return sum(one.user + one.system for one in times)


def _own(process: psutil.Process) -> float:
    """Processor seconds of a process without its children."""
    return process.cpu_times().user + process.cpu_times().system


def most_memory(pid: int) -> float:
    """MB, resident, at most so far."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


class Row:
    """A part's line: what it costs, and how many GPUs it carries."""

    def __init__(self, gpus: int, real_s: float) -> None:
        self._gpus, self._real_s = gpus, real_s
        self.carried: dict[str, float] = {}

    def say(self, part: str, did: str, seconds: float) -> None:
        """Print a part that needs so many seconds of its one thread for the whole sweep."""
        self.carried[part] = self._gpus * self._real_s / max(seconds, 1e-9)
        print(f"{part:<34} {did:<44} {seconds:9.1f} s  carries {self.carried[part]:9,.0f} GPUs", flush=True)


def main() -> None:
    """Run the sweep, then print."""
    asked = parser().parse_args()
    print_setting("ray", "optuna", "mlflow")
    requests = Requests()
    with tempfile.TemporaryDirectory() as scratch, running(Server(Path(scratch) / "server")) as server:
        ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
        try:
            run(Path(scratch), server, requests, asked)
        finally:
            ray.shutdown()


def run(folder: Path, server: Server, requests: Requests, asked: argparse.Namespace) -> None:
    """The sweep."""
    content = definition(asked.epochs, asked.every)
    space = build_space("simulated", content)
    plan = SavedPlan(
        sweep="s",
        space="simulated",
        objective=METRIC,
        trials=asked.trials,
        data="/photos",
        n_real=9,
        synthetic=False,
        tracking_uri=server.uri,
        definition=content,
        keep_checkpoints=default_keep(space.confirm.top),
    )
    store = create_sweep(folder / "s", plan)
    session = Session(store)
    state = session.open(trials=asked.trials, budgets={})
    broker = BrokerClient.start(store.directory)
    broker_process = psutil.Process(broker.pid())
    counted = broker._actor = Counted(broker._actor)
    gangs = start_gangs(counted._actor, store.directory, content, asked.pace)

    housekeeper = Housekeeper(store, plan.keep_checkpoints, space.confirm.top)
    screen = Screen(Console(file=io.StringIO(), width=160), store.directory)
    follower = Follower(store.directory, plan, [housekeeper, screen])
    follower.skip()
    for watching in (housekeeper, screen):
        watching.watch(follower.state)
    recorder = Recorder(follower)
    standing: list[Any] = [StandingGang() for _ in range(asked.gangs)]
    stopper = SweepStopper(broker, standing, recorder, DiskWatch(store.directory, 0, broker.where_full))
    study = open_study(str(store.directory / STUDY_FILE), plan.sweep, space, metric=METRIC)
    searcher = OptunaSearcher(
        study, space, METRIC, broker.submit, stop=broker.stop, state=state, planned=lambda: asked.trials
    )
    scheduler = build_scheduler(space)
    scheduler.set_search_properties(METRIC, "min")
    delivery = Delivery(store.directory, plan, server.uri, lambda: recorder.state)
    watchdog = Watchdog(broker, None, screen.say)
    recording = Recording()
    recorder.chores = [watchdog.look, screen.look, recording.look, *([] if asked.tracking_last else [delivery.look])]
    place = InTunesPlace(broker, searcher, scheduler, stopper, asked.gangs + 1)

    own = psutil.Process()
    before, own_before = busy(broker_process), _own(own)
    started = time.perf_counter()
    recorder.start()
    running_gangs = gangs.run.remote(asked.gangs)
    watching = threading.Thread(target=_tell, args=(recorder, place, requests, started), daemon=True)
    watching.start()
    try:
        place.run()
    except KeyboardInterrupt:
        print("interrupted: the figures are of the trials so far", flush=True)
    trials = place.decisions["suggested"]
    wall = time.perf_counter() - started
    broker_seconds, own_seconds = busy(broker_process) - before, _own(own) - own_before
    sent, epochs, most = ray.get(gangs.counted.remote())
    messages = sum(sent.values()) + counted.sent.total()
    beat = _cost_of_a_beat(broker, broker_process)
    broker.close(SweepStatus.FINISHED.trials_end_as)
    ray.get(running_gangs)

    real_s = epochs * asked.epoch_seconds / asked.gangs
    log = (store.directory / EVENTS_FILE).read_bytes()
    histories = sum(file.stat().st_size for file in store.trials_dir.glob("*/history.jsonl"))
    lines = log.count(b"\n") + epochs
    print(
        f"{trials} trials, {epochs} epochs on {asked.gangs} gangs, at most {most} at once, in {wall:.0f} s: "
        f"{epochs / wall:.0f} epochs/s"
    )
    print(
        f"real GPUs, {asked.epoch_seconds:.0f} s per epoch, would take {real_s:,.0f} s: "
        f"{epochs / real_s:.1f} epochs/s, {trials / real_s:.2f} trials/s"
    )
    decisions = place.decisions.total()
    print(f"decisions   {decisions / wall:8.1f} /s, real GPUs ask for {decisions / real_s:.1f}")
    beats = asked.gangs / BEAT_S
    print(
        f"messages    {messages / wall:8.1f} /s, real GPUs ask for {messages / real_s + beats:.1f}, pulses {beats:.0f}"
    )
    print(
        f"log         {lines / wall:8.1f} lines/s, {(len(log) + histories) / wall / 1e3:.0f} kB/s; "
        f"real GPUs ask for {lines / real_s:.1f}, {(len(log) + histories) / real_s / 1e3:.0f} kB/s; "
        f"log {len(log) / 1e6:.1f} MB, histories {histories / 1e6:.1f} MB"
    )
    row = Row(asked.gangs, real_s)
    for name, seconds in place.seconds.items():
        row.say(name, f"{1000 * seconds / trials:.1f} ms per trial", seconds)
    row.say("all three: Tune's thread", "", place.seconds.total())
    pulses = real_s * beats * beat
    row.say(
        "broker",
        f"{1e3 * broker_seconds / messages:.2f} ms per message, pulse {1e3 * beat:.2f}",
        broker_seconds + pulses,
    )
    row.say("driver, all its threads", "with Ray's and MLflow's client", own_seconds)
    looks = real_s / LOOK_S * recording.each
    row.say("recorder: state, screen, disk", f"{1000 * recording.each:.0f} ms of CPU per look", looks)
    _deliver(row, delivery, folder / "server" / "server.db", requests, trials, asked.deliver_seconds)
    print(f"memory: driver {most_memory(os.getpid()):.0f} MB, broker {most_memory(broker_process.pid):.0f} MB at most")
    first = min(row.carried, key=lambda part: row.carried[part])
    print(f"first bottleneck: {first}, at {row.carried[first]:,.0f} GPUs")
    session.end(SweepStatus.FINISHED)
    recorder.close()
    session.close()


def _deliver(row: Row, delivery: Delivery, database: Path, requests: Requests, trials: int, patience_s: float) -> None:
    """What MLflow has by now, then how fast it takes the rest, with nothing else to do."""
    behind, count, started = _delivered(database), requests.count, time.perf_counter()
    missing = delivery.end(patience_s)
    seconds = time.perf_counter() - started
    more = _delivered(database) - behind
    print(
        f"tracking    {behind} of {trials} trials are in MLflow when the last one ends; then, alone, {more} more "
        f"in {seconds:.0f} s with {(requests.count - count) / seconds:.1f} requests/s: {missing or 'it has everything'}"
    )
    if more:
        row.say("tracking, server on the same cores", f"{more / seconds:.2f} trials/s", seconds * trials / more)


def _delivered(database: Path) -> int:
    """Number of runs that are closed."""
    with sqlite3.connect(database, timeout=60) as tables:
        (found,) = tables.execute("select count(*) from runs where status != 'RUNNING'").fetchone()
    return int(found)


class Recording:
    """Times the looks of the recorder's thread."""

    def __init__(self) -> None:
        self._first, self._last, self._looks = 0.0, 0.0, -1

    def look(self) -> None:
        """A chore of the recorder."""
        self._last = time.thread_time()
        self._looks += 1
        if self._looks == 0:
            self._first = self._last

    @property
    def each(self) -> float:
        """Processor seconds of one."""
        return (self._last - self._first) / max(1, self._looks)


def _cost_of_a_beat(broker: BrokerClient, process: psutil.Process) -> float:
    before = busy(process)
    for number in range(BEATS):
        broker.beat(Rank(gang=number % 1000, rank=0, pid=1, started=1, node="n"))
    broker.pid()
    return (busy(process) - before) / BEATS


def _tell(recorder: Recorder, place: InTunesPlace, requests: Requests, started: float) -> None:
    """Where the sweep is, on the error stream, while it runs."""
    while recorder.is_alive():
        now, done = time.perf_counter() - started, dict(place.decisions)
        print(f"{now:6.0f} s {done} requests {requests.count}", file=sys.stderr, flush=True)
        threading.Event().wait(20)


def parser() -> argparse.ArgumentParser:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--gangs", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=50, help="of a trial that is not cut")
    parser.add_argument("--every", type=int, default=5, help="epochs between measurements, and ASHA's grace")
    parser.add_argument("--pace", type=float, default=5.0, help="seconds of a simulated epoch")
    parser.add_argument("--tracking-last", action="store_true", help="MLflow begins after the last trial")
    parser.add_argument("--epoch-seconds", type=float, default=30.0, help="of an epoch on a real GPU, FID included")
    parser.add_argument("--deliver-seconds", type=float, default=120.0, help="MLflow may take so long after the end")
    return parser


if __name__ == "__main__":
    main()
