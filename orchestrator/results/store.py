"""The sweep's directory: its layout, and how it is written so that it stays readable when the driver dies.

::

    sweeps/NAME/
      sweep.json  space.yaml  study.journal  mlflow.db  mlartifacts/  sweep.log  ray/
      trials/0003/  trial.json  config.yaml  history.jsonl  samples/epoch_0001.png  best.pt
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from orchestrator.results.pareto import pareto_front
from orchestrator.results.records import TrialRecord, best_trial
from orchestrator.results.verdict import SweepStatus
from orchestrator.space.yaml_text import dump_yaml
from trainers.atomic import write_text
from trainers.config import TrainConfig
from trainers.errors import UserError, first_line, unknown_name
from trainers.masking import masked
from trainers.run_report import EpochReport

SWEEP_FILE = "sweep.json"


@dataclass(frozen=True, kw_only=True)
class SweepInfo:
    """The description of a sweep, without its trials.

    Attributes:
        sweep: its name.
        space: name of its space.
        objective: name of the metric, protocol included.
        status: whether it runs, or how it ended.
        trials: how many were planned.
        data: directory of the real images.
        n_real: usable images in it.
        synthetic: whether the images were drawn by ``--demo``.
        tracking_uri: of MLflow; as `read_info` gives it, its secrets are masked.
        warm_start: directory of the sweep whose trials the sampler got, None for none.
    """

    sweep: str
    space: str
    objective: str
    status: SweepStatus
    trials: int
    data: str
    n_real: int
    synthetic: bool
    tracking_uri: str
    warm_start: str | None = None


class ResultsStore:
    """Reads and writes one sweep's directory.

    Args:
        directory: ``sweeps/NAME``.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @property
    def trials_dir(self) -> Path:
        """One folder per trial."""
        return self.directory / "trials"

    def write_info(self, info: SweepInfo) -> None:
        """Write or replace ``sweep.json``; secrets of the tracking URI are masked in it."""
        write_json(self.directory / SWEEP_FILE, asdict(info) | {"tracking_uri": masked(info.tracking_uri)})

    def read_info(self) -> SweepInfo:
        """Read ``sweep.json``.

        Raises:
            UserError: it is damaged.
        """
        file = self.directory / SWEEP_FILE
        try:
            values = json.loads(file.read_text())
            return SweepInfo(**{**values, "status": SweepStatus(values["status"])})
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise UserError(f"{file} is damaged: {first_line(error, with_type=True)}") from error

    def write_config(self, trial_id: str, config: TrainConfig) -> Path:
        """Write a trial's resolved config; returns its file."""
        path = self.trials_dir / trial_id / "config.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dump_yaml(config.model_dump()))
        return path

    def write_trial(self, trial: TrialRecord) -> None:
        """Write or replace a trial's ``trial.json``."""
        write_json(self.trials_dir / trial.trial_id / "trial.json", trial.to_json())

    def append_history(self, trial: TrialRecord, report: EpochReport) -> None:
        """Add an epoch. A resumed trial repeats epochs; the later line counts."""
        with open(self.trials_dir / trial.trial_id / "history.jsonl", "a") as file:
            file.write(json.dumps(report.to_json()) + "\n")

    def read_trials(self) -> list[TrialRecord]:
        """All trials that have started, by number."""
        files = sorted(self.trials_dir.glob("*/trial.json"))
        return [TrialRecord.from_json(json.loads(file.read_text())) for file in files]

    def read_history(self, trial_id: str) -> list[EpochReport]:
        """A trial's epochs in order, the last report of each. A line cut off by a crash is left out."""
        path = self.trials_dir / trial_id / "history.jsonl"
        lines = path.read_text().splitlines(keepends=True) if path.exists() else []
        reports = [EpochReport.from_json(json.loads(line)) for line in lines if line.endswith("\n")]
        return sorted({report.epoch: report for report in reports}.values(), key=lambda report: report.epoch)

    def summary(self) -> dict[str, Any]:
        """What ``gan-sweep results --json`` prints."""
        info, trials = self.read_info(), self.read_trials()
        best = best_trial(trials)
        return {
            "sweep": info.sweep,
            "objective": info.objective,
            "best": best.to_json() if best else None,
            "pareto_front": pareto_front(trials),
            "trials": [trial.to_json() for trial in trials],
            "status": info.status,
        }


def find_sweep(name: str, sweeps_dir: Path) -> ResultsStore:
    """A sweep by name, or by its directory.

    Raises:
        UserError: there is none; the message names the existing ones.
    """
    store = look_up_sweep(name, sweeps_dir)
    if store is None:
        raise unknown_name(f"sweep in {sweeps_dir}", name, sweep_names(sweeps_dir))
    return store


def look_up_sweep(name: str, sweeps_dir: Path) -> ResultsStore | None:
    """A sweep by name, or by its directory; None where there is none."""
    for directory in (sweeps_dir / name, Path(name)):
        if (directory / SWEEP_FILE).is_file():
            return ResultsStore(directory.resolve())
    return None


def sweep_names(sweeps_dir: Path) -> list[str]:
    """The sweeps in a directory."""
    return sorted(path.parent.name for path in sweeps_dir.glob(f"*/{SWEEP_FILE}"))


def create_sweep(directory: Path) -> ResultsStore:
    """Make a new sweep's directory.

    Raises:
        UserError: it exists, or cannot be made.
    """
    try:
        directory.mkdir(parents=True)
    except FileExistsError:
        raise UserError(f"{directory} exists already; choose another --name") from None
    except OSError as error:
        raise UserError(f"cannot make {directory}: {error.strerror}") from None
    return ResultsStore(directory)


def write_json(path: Path, value: Any) -> None:
    """Write JSON to a file, atomically: readers see the old text or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(value, indent=1))
