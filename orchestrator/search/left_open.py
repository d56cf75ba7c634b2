"""The trials of a study that another process has left RUNNING, to go on with."""

import optuna
from optuna.trial import TrialState


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
