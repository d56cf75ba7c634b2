"""Reports, records and sweeps as tests make them up."""

from orchestrator.results.records import TrialRecord
from orchestrator.results.store import SweepInfo
from orchestrator.results.verdict import SweepStatus, TrialOutcome
from trainers.run_report import EpochReport, Measurement

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
            epoch=number, fid=fid, name=f"fid_test_n{n_fake}", n_fake=n_fake, diversity=diversity, seconds=seconds
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


def ended(trial_id: str, verdict: str, objective: float | None) -> TrialRecord:
    """A trial that ended at epoch 3 of 4, 12.5 s after its start."""
    trial = TrialRecord(trial_id, {"optimizer.lr_g": 1e-3}, total_epochs=4, started=100.0)
    trial.progress(epoch(3, fid=objective or 99.0, objective=objective))
    best_epoch = 3 if objective else None
    trial.end(TrialOutcome(verdict=verdict, epochs=3, objective=objective, best_epoch=best_epoch), seconds=12.5)
    return trial
