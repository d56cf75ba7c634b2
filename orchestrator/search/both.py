"""What samplers get of a study with two objectives: every trial that was measured, complete, with a value of each.

With two objectives Optuna has no intermediate values, so that trials which were cut or wait would teach nothing. The
first objective becomes a score, the normal distribution's quantile at the trial's rank, as in
`orchestrator.search.scores`: a cut trial never looks better than a finished one. The second is what the whole training
would cost; where it is measured too, and not a cost, it becomes a score likewise.
"""

from collections.abc import Collection, Sequence
from copy import copy
from statistics import fmean
from typing import Any

from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from orchestrator.search.ranks import StudyView, broken, completed, quantiles, rank

# User attribute: epoch and both values at a trial's last measurement; a cost is that of its whole training.
SO_FAR = "so_far"


def with_both(study: Study, measured: Collection[int] = (), *, costs: bool = True, constraints: bool = True) -> Any:
    """The study as a sampler is to see it; the study itself where all that were measured are complete.

    Args:
        study: with two objectives.
        measured: numbers of the trials that have measurements and are not over.
        costs: whether the second objective is a cost.
        constraints: whether the sampler knows constraints of complete trials, and of pruned ones. If not, those that
            break one have the worst of both, and no trial has any.
    """
    trials = study._get_trials(deepcopy=False, use_cache=True)
    learnt = [trial for trial in trials if _is_cut(trial, measured) and not broken(trial)]
    if not constraints:
        learnt += [trial for trial in trials if trial.state is TrialState.PRUNED and broken(trial)]
    if not learnt:
        return study
    done = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    known = [*done, *learnt]
    first, second = (_scores(known, study.directions, place) for place in (0, 1))
    if costs:
        dearest = max((one for trial in known if (one := _cost(trial)) is not None), default=0.0)
        second = {trial.number: dearest if (one := _cost(trial)) is None else one for trial in known}
    values = {trial.number: [first[trial.number], second[trial.number]] for trial in known}
    seen = {trial.number: completed(trial, values[trial.number], constraints=constraints) for trial in known}
    return StudyView(study, [seen.get(trial.number, trial) for trial in trials])


def _is_cut(trial: FrozenTrial, measured: Collection[int]) -> bool:
    """Whether it was measured and did not come to its end. One that failed counts: it may be a parent of others."""
    over = trial.state in (TrialState.PRUNED, TrialState.FAIL)
    return SO_FAR in trial.user_attrs and (over or trial.number in measured)


def _cost(trial: FrozenTrial) -> float | None:
    if trial.state is TrialState.COMPLETE:
        return float(trial.values[1])
    return float(trial.user_attrs[SO_FAR][2]) if SO_FAR in trial.user_attrs else None


def _scores(trials: Sequence[FrozenTrial], directions: Sequence[StudyDirection], place: int) -> dict[int, float]:
    """By number a trial's score for one of the objectives; equal trials have the same, so that none seems better."""
    sign = 1.0 if directions[place] is StudyDirection.MINIMIZE else -1.0
    ranks = {trial.number: rank(_alone(trial, place), sign) for trial in trials}
    shared: dict[tuple[float, ...], list[float]] = {}
    for found, score in zip(sorted(ranks.values()), quantiles(len(ranks)), strict=True):
        shared.setdefault(found, []).append(score)
    return {number: sign * fmean(shared[found]) for number, found in ranks.items()}


def _alone(trial: FrozenTrial, place: int) -> FrozenTrial:
    """A trial as if the objective at `place` were the only one."""
    alone = copy(trial)
    if trial.state is TrialState.COMPLETE:
        alone.values = [trial.values[place]]
        return alone
    alone.state = TrialState.PRUNED
    if SO_FAR in trial.user_attrs:
        epoch, *values = trial.user_attrs[SO_FAR]
        alone.intermediate_values = {int(epoch): values[place]}
    return alone
