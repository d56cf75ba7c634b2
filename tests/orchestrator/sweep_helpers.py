"""Made-up reports and records, and small sweeps that really run."""

import asyncio
import io
import socket
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from rich.console import Console

from orchestrator.commands.launch import launch
from orchestrator.plan.launch_options import LaunchOptions
from orchestrator.plan.resources import Resources
from orchestrator.results.events import Closed, Confirmed, Ended, Event, Opened, Started, Submitted, from_json
from orchestrator.results.follower import Follower
from orchestrator.results.lines import LineReader, LineWriter
from orchestrator.results.places import EVENTS_FILE, history_file
from orchestrator.results.records import TrialRecord
from orchestrator.results.repeats import repeat_name, setting_of
from orchestrator.results.saved_plan import SavedPlan
from orchestrator.results.sinks import Sink
from orchestrator.results.store import ResultsStore, create_sweep, find_sweep
from orchestrator.results.verdict import SweepStatus, TrialOutcome
from orchestrator.search.proposal import Proposal
from orchestrator.search.result import TrialResult
from orchestrator.space.load import build_space
from orchestrator.sweep.broker_client import BrokerClient
from orchestrator.sweep.disk_watch import DiskWatch
from orchestrator.sweep.recorder import Recorder
from orchestrator.sweep.worker import GangSetup
from trainers.run_report import EpochReport, Measurement, RunEnd, hardly_vary

PLAN = SavedPlan(
    sweep="s",
    space="x",
    objective="fid_test_n2",
    trials=3,
    data="/photos",
    n_real=9,
    synthetic=False,
    tracking_uri="sqlite:///x.db",
    definition={"base": {}, "search": {}},
)


def proposal(name: str, params: dict[str, Any] | None = None) -> Proposal:
    """A trial of 4 epochs."""
    return Proposal(name=name, params=params or {}, epochs=4, n_fake=2)


def events_of(directory: Path, *kinds: type[Event]) -> list[Any]:
    """What is in a sweep's log, of these kinds."""
    events = [from_json(line) for line in LineReader(directory / EVENTS_FILE).read()]
    return [event for event in events if not kinds or isinstance(event, kinds)]


def begun(directory: Path, plan: SavedPlan = PLAN) -> ResultsStore:
    """A sweep that a driver, which has no lock, has opened."""
    store = create_sweep(directory, plan)
    opened = {"pid": 7, "process_started": 1.0, "host": socket.gethostname(), "version": "1", "budgets": plan.budgets}
    store.append(Opened(at=0.0, session=1, trials=plan.trials, **opened))
    return store


def keep(store: ResultsStore, *records: TrialRecord) -> None:
    """Write what a driver writes of trials that it ran: started, ended if they are, measured again if they were."""
    for trial in records:
        for event in life(trial):
            store.append(event)
        (store.trials_dir / trial.trial_id).mkdir(parents=True, exist_ok=True)


def life(trial: TrialRecord) -> list[Event]:
    name, at = trial.trial_id, trial.started
    known = {"epochs": trial.total_epochs, "n_fake": trial.n_fake, "costs": trial.costs}
    known |= {"repeats": setting_of(name)} if trial.is_repeat else {}
    events: list[Event] = [
        Submitted(at=at, session=1, trial=name, params=trial.params, **known),
        Started(at=at, session=1, trial=name, gang=0, attempt=1),
    ]
    if trial.verdict is not None:
        outcome = {"verdict": str(trial.verdict), "epochs": trial.epochs, "objective": trial.objective}
        outcome |= {"best_epoch": trial.best_epoch, "detail": trial.detail}
        over = at + trial.seconds
        totals = trial.totals
        events.append(Ended(at=over, session=1, trial=name, outcome=outcome, seconds=trial.seconds, totals=totals))
    if trial.confirmed or trial.refused:
        again = {"values": trial.confirmed, "beside": trial.confirmed_beside, "refused": trial.refused}
        events.append(Confirmed(at=at, session=1, trial=name, **again))
    return events


def keep_epochs(store: ResultsStore, trial_id: str, *reports: EpochReport) -> None:
    """Write a trial's epochs, as its rank does."""
    file = history_file(store.directory, trial_id)
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = LineWriter(file)
    for report in reports:
        lines.append(report.to_json())
    lines.close()


def recorder_of(store: ResultsStore, *sinks: Sink) -> Recorder:
    """A recorder that was not started."""
    return Recorder(Follower(store.directory, store.read_plan(), sinks))


def roomy(store: ResultsStore) -> DiskWatch:
    """A disk with room."""
    return DiskWatch(store.directory, 0, lambda: "")


ONE_RANK = Resources(gangs=1, workers=1, cpus=1, gpus=0, threads=1)


def endless(
    directory: Path, data: Path, cache_dir: Path, resources: Resources = ONE_RANK, **schedule: int
) -> GangSetup:
    """What a gang needs, in a new sweep with a real broker, for trials that end when somebody ends them."""
    base = {
        "data": {"image_size": 32, "batch_size": 16},
        "network": {"base_width": 8, "latent_dim": 16},
        "schedule": {"epochs": 5000, **schedule},
        "fid": {"extractor": "efficientnet_lite0", "n_fake": 8, "every": 5000, "min_diversity": 0.0},
    }
    return GangSetup(
        space=build_space("x", {"base": base, "search": {"optimizer.lr_g": {"choice": [8e-4]}}}),
        data=data,
        cache_dir=cache_dir,
        directory=begun(directory).directory,
        resources=resources,
        broker=BrokerClient.start(directory),
    )


def run(story: Coroutine[Any, Any, None]) -> None:
    """Let a story of the broker's class happen, on an event loop of its own."""
    asyncio.run(asyncio.wait_for(story, 30))


def close(store: ResultsStore, status: SweepStatus, ended: float = 200.0) -> None:
    """Write the driver's end."""
    store.append(Closed(at=ended, session=1, status=status, ended=ended))


def epoch(
    number: int,
    fid: float | None = None,
    objective: float | None = None,
    n_fake: int = 2,
    metrics: dict[str, float] | None = None,
    diversity: float | None = None,
    seconds: float = 0.0,
) -> EpochReport:
    """An epoch, with a measurement where a FID is given."""
    measurement = None
    if fid is not None:
        measurement = Measurement(
            epoch=number,
            fid=fid,
            name=f"fid_test_n{n_fake}",
            n_fake=n_fake,
            diversity=diversity,
            collapsed=hardly_vary(diversity),
            seconds=seconds,
        )
    return EpochReport(
        epoch=number,
        images_seen=number,
        metrics=metrics or {},
        measurement=measurement,
        objective=objective,
        best_epoch=None if objective is None else number,
        samples=None,
        started=0.0,
        trained=0.0,
        ended=0.0,
    )


def result(
    number: float,
    fid: float | None = None,
    diversity: float | None = None,
    outcome: TrialOutcome | None = None,
    seconds: float = 0.0,
) -> TrialResult:
    """A trial at an epoch, with a measurement where a FID is given."""
    measurement = None
    if fid is not None:
        measurement = Measurement(epoch=int(number), fid=fid, diversity=diversity, collapsed=hardly_vary(diversity))
    return TrialResult(epoch=number, measurement=measurement, outcome=outcome, seconds=seconds)


def ended(trial_id: str, verdict: str, objective: float | None) -> TrialRecord:
    """A trial that ended at epoch 3 of 4, 12.5 s after its start."""
    trial = TrialRecord(trial_id, {"optimizer.lr_g": 1e-3}, total_epochs=4, started=100.0)
    trial.progress(epoch(3, fid=objective or 99.0, objective=objective))
    best_epoch = 3 if objective else None
    trial.end(TrialOutcome(verdict=verdict, epochs=3, objective=objective, best_epoch=best_epoch), seconds=12.5)
    return trial


def repeated(trial_id: str, confirmed: float, *seeds: float | None) -> TrialRecord:
    """A setting that was measured again, and trained again with so many seeds; None is one that collapsed."""
    setting = ended(trial_id, RunEnd.COMPLETED, confirmed - 1)
    setting.confirmed = [confirmed]
    for number, value in enumerate(seeds, 1):
        name = repeat_name(trial_id, number)
        repeat = ended(name, "d_collapse" if value is None else RunEnd.COMPLETED, None if value is None else value - 1)
        repeat.params = {**setting.params, "seed": number}
        repeat.confirmed = [] if value is None else [value - 1, value + 1]
        setting.repeats.append(repeat)
    return setting


SMALL = (
    "network.base_width=8",
    "network.latent_dim=16",
    "data.batch_size=16",
    "schedule.epochs=6",
    "schedule.window_first=4",
    "schedule.samples_every=3",
    "fid.every=2",
    "fid.n_fake=16",
    "scheduler.grace_epochs=2",
    "scheduler.reduction_factor=2",
    "fid.min_diversity=0",  # nothing is learnt in 18 steps
)


def small(*instead: str) -> tuple[str, ...]:
    """`SMALL` with other settings, each key once."""
    return tuple({setting.partition("=")[0]: setting for setting in (*SMALL, *instead)}.values())


METRIC = "fid_efflite0_unit_64px_n16"


def sweep(sweeps: Path, data: Path, name: str, **options: Any) -> tuple[ResultsStore, str]:
    """Run a small sweep; returns its store and what the screen showed."""
    settings = small(*options.pop("settings", ()))
    screen = io.StringIO()
    asked = LaunchOptions(
        **{"space": "ralsgan_motorbike", "demo": True, "data": data, "name": name, "sweeps_dir": sweeps, **options},
        settings=settings,
    )
    assert launch(asked, console=Console(file=screen, width=200)) == 0
    return find_sweep(name, sweeps), screen.getvalue()
