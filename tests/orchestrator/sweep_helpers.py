"""Made-up reports and records, and small sweeps that really run."""

import io
from pathlib import Path
from typing import Any

from rich.console import Console

from orchestrator.commands.launch import launch
from orchestrator.plan.launch_options import LaunchOptions
from orchestrator.results.records import TrialRecord
from orchestrator.results.store import ResultsStore, SweepInfo, find_sweep
from orchestrator.results.verdict import SweepStatus, TrialOutcome
from orchestrator.search.result import TrialResult
from trainers.run_report import EpochReport, Measurement, hardly_vary

INFO = SweepInfo(
    sweep="s",
    space="x",
    objective="fid_test_n2",
    status=SweepStatus.RUNNING,
    trials=3,
    data="/photos",
    n_real=9,
    synthetic=False,
    tracking_uri="sqlite:///x.db",
)


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
METRIC = "fid_efflite0_unit_64px_n16"


def sweep(sweeps: Path, data: Path, name: str, **options: Any) -> tuple[ResultsStore, str]:
    """Run a small sweep; returns its store and what the screen showed."""
    settings = (*SMALL, *options.pop("settings", ()))
    screen = io.StringIO()
    asked = LaunchOptions(
        **{"space": "ralsgan_motorbike", "demo": True, "data": data, "name": name, "sweeps_dir": sweeps, **options},
        settings=settings,
    )
    assert launch(asked, console=Console(file=screen, width=200)) == 0
    return find_sweep(name, sweeps), screen.getvalue()
