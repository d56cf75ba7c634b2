"""What the Gaussian process gets of a study: every trial that was measured, with a score for how good it is so far.

Optuna's GP learns from complete trials alone. Where a scheduler cuts or pauses trials few are complete, and all of
those are good ones. FIDs of different epochs cannot be compared, but ranks can (`orchestrator.search.ranks`): a trial's
score is the normal distribution's quantile at its rank, as in copula-based transfer (Salinas et al. 2020,
arXiv:1909.13595). So a cut trial never looks better than a finished one, and a setting that made its trial fail looks
worst.
"""

from collections.abc import Collection
from typing import Any

from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from orchestrator.search.ranks import StudyView, as_pruned, completed, quantiles, rank


def with_scores(study: Study, measured: Collection[int] = ()) -> Any:
    """The study as the Gaussian process is to see it; the study itself where all that were measured are complete.

    Args:
        study: with one objective; for two see `orchestrator.search.both`.
        measured: numbers of the trials that have FIDs and are not over.
    """
    trials = study._get_trials(deepcopy=False, use_cache=True)
    known = [as_pruned(trial) if trial.number in measured else trial for trial in trials]
    known = [trial for trial in known if trial.state is TrialState.COMPLETE or _cut(trial)]
    if all(trial.state is TrialState.COMPLETE for trial in known):
        return study
    sign = 1.0 if study.direction is StudyDirection.MINIMIZE else -1.0
    known.sort(key=lambda trial: (rank(trial, sign), trial.number))
    ranked = zip(known, quantiles(len(known)), strict=True)
    # Without constraints: the score says how bad a failure was, and Optuna's GP wants all trials to have them.
    scored = {trial.number: completed(trial, [sign * score]) for trial, score in ranked}
    return StudyView(study, [scored.get(trial.number, trial) for trial in trials])


def _cut(trial: FrozenTrial) -> bool:
    return trial.state is TrialState.PRUNED and bool(trial.intermediate_values or trial.constraints)
