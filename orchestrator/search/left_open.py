"""Trials whose end Optuna does not know, and those that another process has left RUNNING, to go on with."""

from dataclasses import dataclass, field

import optuna
from optuna.trial import TrialState

from orchestrator.space.domains import Value


@dataclass
class OpenTrial:
    """A trial that Optuna has proposed and whose end has not been reported to it."""

    trial: optuna.Trial
    params: dict[str, Value]
    epoch: int = 0  # of its last measurement
    beside: dict[int, dict[str, float]] = field(default_factory=dict)  # what was measured beside FID, by epoch
    told: bool = False  # Optuna knows its end already, which the log has lost


def left_open(study: optuna.Study) -> list[optuna.Trial]:
    """The study's RUNNING trials, by number. A parameter that one has already is not drawn again when it is suggested.

    Optuna's documentation makes a `Trial` by `Study.ask` alone, which would be another trial. Its constructor takes the
    storage's number of one that is there, which only a frozen trial's ``_trial_id`` says.
    """
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    return [optuna.Trial(study, trial._trial_id) for trial in running]


def intermediate_values(trial: optuna.Trial) -> dict[int, float]:
    """What was reported of a trial, by epoch."""
    (found,) = [one for one in trial.study.get_trials(deepcopy=False) if one.number == trial.number]
    return found.intermediate_values


def last_measured(trial: optuna.Trial) -> int:
    """The epoch of a trial's last measurement, 0 without one; with several objectives measurements are attributes."""
    steps = [int(name.rpartition("@")[2]) for name in trial.user_attrs if "@" in name]
    return max([*intermediate_values(trial), *steps], default=0)
