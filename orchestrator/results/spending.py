"""What a sweep has cost, in GPU hours and by its prices, and how that divides: pure functions of its state."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.results.prices import CURRENCY
from orchestrator.results.records import TrialRecord
from orchestrator.results.state import SweepState
from orchestrator.results.verdict import StopReason, is_rule


@dataclass(frozen=True, kw_only=True)
class Part:
    """Attributes:
    hours: of GPUs that were held; on CPUs of gangs that were up.
    cost: US dollars; None without a price.
    """

    hours: float
    cost: float | None


@dataclass(frozen=True, kw_only=True)
class Saved(Part):
    """What pruned trials did not take: the epochs that were left, each as long as the trial's own were, with FID.

    Attributes:
        trials: how many were pruned.
        unknown: of these, how many ended before their first epoch, or in a version that did not write its length.
    """

    trials: int
    unknown: int

    @property
    def known(self) -> int:
        """Pruned trials that `hours` counts."""
        return self.trials - self.unknown


@dataclass(frozen=True, kw_only=True)
class Spending:
    """What a sweep has spent. `trials`, `idle` and `head` add up to `whole`.

    Attributes:
        on_gpus: whether hours are those of GPUs.
        whole: all of it.
        by_trial: what each trial's gang held for it.
        idle: gangs that started, waited for a trial, or measured the best ones again; on CPUs its cost is also that of
            the machine while gangs were not up.
        head: the driver's machine, as long as there was a driver; its hours are those of no GPU, and not in `whole`.
            On CPUs 0: gangs run on that machine, and what it costs is theirs.
        saved: by pruning.
    """

    on_gpus: bool
    whole: Part
    by_trial: Mapping[str, Part] = field(repr=False)
    idle: Part
    head: Part
    saved: Saved

    @property
    def trials(self) -> Part:
        """All trials together."""
        return _sum(self.by_trial.values(), priced=self.whole.cost is not None)

    def of_trial(self, trial_id: str) -> dict[str, float | None]:
        """What a row of the results has of it: ``gpu_hours``, None on CPUs, and ``cost``, None without a price."""
        part = self.by_trial[trial_id]
        return {"gpu_hours": round(part.hours, 6) if self.on_gpus else None, "cost": _rounded(part.cost)}

    def to_json(self) -> dict[str, Any]:
        """As ``gan-sweep results --json`` prints it."""
        parts = {"whole": self.whole, "trials": self.trials, "idle": self.idle, "pruning_saved": self.saved}
        hours = {name: round(part.hours, 6) for name, part in parts.items()}
        found: dict[str, Any] = {"gpu_hours" if self.on_gpus else "gang_hours": hours}
        if self.whole.cost is not None:
            costs = {name: _rounded(part.cost) for name, part in {**parts, "head": self.head}.items()}
            found |= {"currency": CURRENCY, "cost": costs}
        return found | {"pruned_trials": self.saved.trials, "pruned_trials_of_unknown_length": self.saved.unknown}


def spending_of(state: SweepState, now: float) -> Spending:
    """What a sweep has spent until `now`, by its plan's prices."""
    plan, total = state.plan, state.cost(now)
    on_gpus = plan.gang_gpus > 0
    per_gang = plan.gang_gpus if on_gpus else 1.0
    hours = per_gang * state.held(now) / 3600
    share = None
    if total is not None:
        share = plan.prices.gpu_hour if on_gpus else _share_of_machine(state, now)

    def part(amount: float) -> Part:
        return Part(hours=amount, cost=None if share is None else share * amount)

    trials = state.by_number()
    by_trial = {trial.trial_id: part(per_gang * state.held_by(trial, now) / 3600) for trial in trials}
    busy = _sum(by_trial.values(), priced=share is not None)
    head = (plan.prices.head_hour or 0.0) * state.seconds(now) / 3600 if on_gpus else 0.0
    rest = None if total is None else max(0.0, total - (busy.cost or 0.0) - head)  # rounding errors alone are below
    return Spending(
        on_gpus=on_gpus,
        whole=Part(hours=hours, cost=total),
        by_trial=by_trial,
        idle=Part(hours=max(0.0, hours - busy.hours), cost=rest),
        head=Part(hours=0.0, cost=None if total is None else head),
        saved=_saved(trials, per_gang, share),
    )


def _share_of_machine(state: SweepState, now: float) -> float | None:
    """What an hour of a gang costs on CPUs: its share of the machine, by how many gangs run at once as it is planned.

    After a resume with fewer of them, gangs may have held more than these could: then by what they have held.
    """
    prices, gangs = state.plan.prices, max(1, state.plan.resources.get("gangs", 1))
    if prices.head_hour is None:
        return None
    return prices.head_hour / max(gangs, state.held(now) / (state.seconds(now) or math.inf))


def is_pruned(trial: TrialRecord) -> bool:
    """Whether the scheduler or a rule ended it before its last epoch; one that broke down could not have gone on."""
    return trial.verdict == StopReason.OUTRANKED or is_rule(trial.verdict)


def _saved(trials: list[TrialRecord], per_gang: float, price: float | None) -> Saved:
    pruned = [trial for trial in trials if is_pruned(trial)]
    known = [trial for trial in pruned if trial.trained and trial.epoch_seconds]
    left = sum((trial.total_epochs - trial.epochs) * trial.epoch_seconds / trial.trained for trial in known)
    hours = per_gang * left / 3600
    cost = None if price is None else price * hours
    return Saved(hours=hours, cost=cost, trials=len(pruned), unknown=len(pruned) - len(known))


def _sum(parts: Iterable[Part], *, priced: bool) -> Part:
    parts = list(parts)
    return Part(
        hours=sum(part.hours for part in parts), cost=sum(part.cost or 0.0 for part in parts) if priced else None
    )


def _rounded(cost: float | None) -> float | None:
    return None if cost is None else round(cost, 6)
