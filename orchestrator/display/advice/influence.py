"""Keys that made no difference: the report's own measure of importance, said in words."""

from collections import Counter
from collections.abc import Iterator

from orchestrator.display.advice.finding import Facts, Finding
from orchestrator.space.domains import value_text

FEWEST = 15  # trials; of fewer nothing is said
LITTLE = 0.1  # of the variance of log FID, in every resample


def influence(facts: Facts) -> Iterator[Finding]:
    """A finding for each key that explains next to nothing in every resample, where another one stands out from chance.

    Where none stands out, nothing is said: then it may be the noise that hides all of them.
    """
    values, what = _values(facts)
    trials = [trial for trial in facts.trials if trial.trial_id in values]
    names = [name for name in facts.space.search if all(name in trial.params for trial in trials)]
    names = [name for name in names if len({repr(trial.params[name]) for trial in trials}) > 1]
    if len(trials) < FEWEST or len(names) < 2 or len(set(values.values())) < 2:
        return
    from optuna.trial import create_trial

    from orchestrator.display.report.importance import CHANCE, MOST, RESAMPLED, measure
    from orchestrator.display.report.target import distributions_of

    own = []
    for trial in trials:
        if distributions := distributions_of(facts.space, trial.params):
            params = {name: trial.params[name] for name in distributions}
            own.append(create_trial(params=params, distributions=distributions, value=values[trial.trial_id]))
    if len(own) < FEWEST:
        return
    found = {one.name: one for one in measure(own, names)}
    chance = found.pop(CHANCE)
    above = [one for one in found.values() if one.low > chance.high]
    best = facts.trials[0]
    for one in found.values() if above else ():
        if one.high > LITTLE or one.median > chance.high:
            continue
        fixed = f": --set {one.name}={value_text(best.params[one.name])}" if one.name in best.params else ""
        yield Finding(
            about="influence",
            key=one.name,
            text=f"{one.name} made no difference that shows: it explains {one.median:.0%} of the variance of log "
            f"{what} ({one.low:.0%} to {one.high:.0%} in {RESAMPLED} resamples of {min(len(own), MOST)} trials; a "
            f"meaningless key up to {chance.high:.0%}, {above[0].name} {above[0].median:.0%}). Fixing it makes the "
            f"search smaller{fixed}.",
        )


def _values(facts: Facts) -> tuple[dict[str, float], str]:
    """By trial a FID that compares, and its name: the objective, or the FID at the epoch that the most trials have."""
    objectives = {trial.trial_id: trial.objective for trial in facts.leaders if trial.objective is not None}
    if len(objectives) >= FEWEST:
        return objectives, "FID"
    rows = [(trial.trial_id, row) for trial in facts.trials for row in trial.measured or ()]
    epochs = Counter(row[0] for _, row in rows)
    if not epochs:
        return {}, ""
    epoch = max(epochs, key=lambda one: (epochs[one], one or 0))
    return {name: row[1] for name, row in rows if row[0] == epoch and row[1]}, f"FID at epoch {epoch:g}"
