"""Repeats: the best settings of a sweep, trained again with fresh training seeds, which say whether one won by luck.

A repeat is a trial with its own folder, history and checkpoint. Its name is that of the trial whose setting it has,
``s`` and a number from 1: ``0003s2``. The search and its scheduler do not know it, and it is no finalist by itself.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.results.verdict import State, StopReason
from orchestrator.space.objectives import spread_text, training_seeds_text
from trainers.run_report import RunEnd

if TYPE_CHECKING:
    from orchestrator.results.records import TrialRecord
    from orchestrator.results.state import SweepState

_MARK = "s"


def is_repeat(name: str) -> bool:
    """Whether a trial of this name is a repeat of another."""
    return _MARK in name


def repeat_name(setting: str, number: int) -> str:
    """The name of a setting's repeat; numbers count from 1."""
    return f"{setting}{_MARK}{number}"


def setting_of(name: str) -> str:
    """The trial whose setting a trial has: of a repeat another, else itself."""
    return name.partition(_MARK)[0]


def searched(trials: Iterable[TrialRecord]) -> list[TrialRecord]:
    """The trials of the search: all but repeats."""
    return [trial for trial in trials if not is_repeat(trial.trial_id)]


@dataclass(frozen=True, kw_only=True)
class Seeds:
    """What a setting has reached with fresh training seeds. The trial that was selected is none of them.

    Attributes:
        values: objective of each that was trained to its end, measured again on fresh latents: their mean.
        failed: how many were not trained to the end, or whose checkpoint was refused.
        asked: how many were begun.
    """

    values: tuple[float, ...] = ()
    failed: int = 0
    asked: int = 0

    @property
    def mean(self) -> float | None:
        """Mean of `values`; None without any."""
        return statistics.mean(self.values) if self.values else None

    @property
    def spread(self) -> float | None:
        """Their sample standard deviation: that of the training. None for fewer than two."""
        return statistics.stdev(self.values) if len(self.values) > 1 else None

    @property
    def known(self) -> bool:
        """Whether at least one has come to its end."""
        return bool(self.values or self.failed)

    def __str__(self) -> str:
        """``61.20 ± 1.40 over 3 training seeds``, and how many failed."""
        if self.mean is None:
            return f"0 of {training_seeds_text(self.asked)} ran to the end"
        count = len(self.values)
        text = f"{spread_text(self.mean, self.spread)} over {training_seeds_text(count)}"
        return f"{text}; {count} of {self.asked} ran to the end" if self.failed else text


def seeds_of(setting: TrialRecord) -> Seeds:
    """What the repeats of a trial have reached."""
    values = (repeat.objective_mean for repeat in setting.repeats if trained(repeat) and not repeat.refused)
    return Seeds(
        values=tuple(value for value in values if value is not None),
        failed=sum(has_failed(repeat) for repeat in setting.repeats),
        asked=len(setting.repeats),
    )


def trained(repeat: TrialRecord) -> bool:
    """Whether a repeat was trained to its end and has an objective."""
    return repeat.verdict == RunEnd.COMPLETED and repeat.objective is not None


def has_failed(repeat: TrialRecord) -> bool:
    """Whether a repeat broke down, was ended by a rule, or has a checkpoint that was refused."""
    if repeat.open or repeat.state is State.STOPPED or repeat.verdict == StopReason.STOPPED_BY_USER:
        return False
    return not trained(repeat) or bool(repeat.refused)


def keeping(trials: list[TrialRecord]) -> list[TrialRecord]:
    """Those that keep all constraints of their sweep; all of them where none does."""
    return [trial for trial in trials if not trial.broken] or trials


def by_seeds(trials: Iterable[TrialRecord]) -> list[TrialRecord]:
    """The settings that were trained again, the best mean first, those with failed seeds last.

    Empty until each of them has a seed that has come to its end: before that they do not compare. Those that break a
    constraint are left out, unless every trial of the sweep does.

    Args:
        trials: of a sweep.
    """
    repeated = [trial for trial in keeping([trial for trial in trials if trial.can_win]) if trial.repeats]
    if not all(trial.seeds.known for trial in repeated):
        return []
    return sorted((trial for trial in repeated if trial.seeds.values), key=seeds_place)


def seeds_place(setting: TrialRecord) -> tuple[bool, float, int]:
    """Sorts settings that have values: those with failed seeds behind the others, then by mean."""
    seeds = setting.seeds
    return bool(seeds.failed), setting.lower(seeds.mean or 0.0), setting.number


def best_run(setting: TrialRecord) -> TrialRecord:
    """Of a setting's runs, its first and its repeats, the one whose checkpoint was confirmed best."""
    runs = [setting, *(repeat for repeat in setting.repeats if trained(repeat))]
    measured = [(run.lower(run.objective_mean), run.number, run) for run in runs if run.objective_mean is not None]
    lowest = min((mean for mean, _, _ in measured), default=None)
    return next((run for mean, _, run in measured if mean == lowest and not run.refused), setting)


def settings_to_repeat(trials: Iterable[TrialRecord], top: int) -> list[TrialRecord]:
    """The `top` settings with the best confirmed means, the best first; those that break a constraint come last."""
    confirmed = [(trial.objective_mean, trial) for trial in trials if trial.can_win]
    known = [
        (bool(trial.broken), trial.lower(mean), trial.number, trial) for mean, trial in confirmed if mean is not None
    ]
    return [trial for *_, trial in sorted(known, key=lambda one: one[:3])[:top]]


def are_left(trials: Iterable[TrialRecord], top: int, times: int) -> bool:
    """Whether any of the `top` settings is to be trained again, to be `times` in all, or is not over."""
    best = settings_to_repeat(trials, top)
    return any(sum(repeat.over for repeat in setting.repeats) < times for setting in best)


def repeats_text(state: SweepState) -> str:
    """``2 of 6 training seeds done, 1 failed``: how far the best settings were trained again; empty where none is."""
    begun = [trial for trial in state.trials.copy().values() if is_repeat(trial.trial_id)]
    asked = len(begun) + sum(map(is_repeat, list(state.waiting)))
    if not asked:
        return ""
    failed = sum(map(has_failed, begun))
    done = f"{sum(trial.over for trial in begun)} of {training_seeds_text(asked)} done"
    return f"{done}, {failed} failed" if failed else done
