"""What a sweep may take at most, by how long an epoch took before: in this sweep, or in an earlier one beside it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.plan.plan import Plan
from orchestrator.plan.starting import most_epochs
from orchestrator.results.saved_plan import PLAN_FILE
from orchestrator.results.store import ResultsStore
from orchestrator.space.load import space_as_yaml
from trainers.errors import UserError

SAME_RESOURCES = ("workers", "gpus", "threads")  # of a rank, which decide how long an epoch takes


@dataclass(frozen=True, kw_only=True)
class Speed:
    """How long an epoch takes, FID and checkpoints included.

    Attributes:
        seconds: mean over the epochs of all trials.
        epochs: how many those were.
        sweep: whose they were.
        with_fid: whether FID was measured in any of them.
    """

    seconds: float
    epochs: int
    sweep: str
    with_fid: bool


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """The ceiling of a sweep whose trials all run to their end: cuts make it less, starting and waiting come on top.

    Attributes:
        epochs: of all trials together.
        speed: of an epoch.
        plan: of the sweep.
    """

    epochs: int
    speed: Speed
    plan: Plan

    @property
    def gang_seconds(self) -> float:
        """Time of gangs, added up."""
        return self.epochs * self.speed.seconds

    @property
    def seconds(self) -> float:
        """Time from start to end."""
        return self.gang_seconds / max(1, min(self.plan.resources.gangs, self.plan.trials))

    @property
    def gpu_hours(self) -> float:
        """GPUs x hours; 0 on CPUs."""
        resources = self.plan.resources
        return self.gang_seconds / 3600 * resources.workers * resources.gpus

    @property
    def cost(self) -> float | None:
        """US dollars, head included; None without a price."""
        on_gpus = self.plan.resources.gpus > 0
        return self.plan.prices.cost(on_gpus=on_gpus, gpu_hours=self.gpu_hours, seconds=self.seconds)


def forecast_of(plan: Plan, fingerprint: str) -> Forecast | None:
    """The ceiling of a sweep; None where nothing tells how long its epochs take.

    Args:
        plan: of the sweep, which may have begun.
        fingerprint: of its images.
    """
    speed = find_speed(plan, fingerprint)
    if speed is None:
        return None
    return Forecast(epochs=(plan.trials + plan.space.most_repeats) * most_epochs(plan.space), speed=speed, plan=plan)


def find_speed(plan: Plan, fingerprint: str) -> Speed | None:
    """How long an epoch took in the sweep itself, else in the newest one beside it that trained the same.

    The same is: the base of the space, but for the seed; the images; ranks, GPUs and threads of a trial.
    """
    wanted = _what_trains(space_as_yaml(plan.space), fingerprint, vars(plan.resources))
    for directory in _beside(plan.directory):
        try:
            speed = _speed_in(directory, wanted)
        except UserError:  # it is damaged, or of a newer version: it tells nothing
            continue
        if speed is not None:
            return speed
    return None


def _speed_in(directory: Path, wanted: Any) -> Speed | None:
    store = ResultsStore(directory)
    plan = store.read_plan()
    if _what_trains(plan.definition, plan.fingerprint, plan.resources) != wanted:
        return None
    trials = store.read_trials()
    seconds, epochs = sum(trial.epoch_seconds for trial in trials), sum(trial.trained for trial in trials)
    if not seconds:
        return None
    with_fid = any(trial.fid_seconds for trial in trials)
    return Speed(seconds=seconds / epochs, epochs=epochs, sweep=directory.name, with_fid=with_fid)


def _what_trains(definition: dict[str, Any], fingerprint: str, resources: dict[str, Any]) -> Any:
    return _plain(definition.get("base")), fingerprint, [resources.get(name) for name in SAME_RESOURCES]


def _plain(value: Any) -> Any:
    """As JSON reads it back, without seeds."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items() if name != "seed"}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


def _beside(directory: Path) -> list[Path]:
    """The sweep itself, where it has begun, then the others of its folder on this machine, the newest first."""
    plans = [path for path in directory.parent.glob(f"*/{PLAN_FILE}") if not path.parent.name.startswith(".")]
    plans.sort(key=lambda path: (path.parent != directory, -path.stat().st_mtime))
    return [path.parent for path in plans]
