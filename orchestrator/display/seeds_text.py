"""Text for people: how the best settings fared when they were trained again, with fresh training seeds."""

from collections.abc import Sequence

from orchestrator.results.records import TrialRecord
from orchestrator.results.repeats import by_seeds
from orchestrator.results.seed_odds import odds_of
from orchestrator.space.objectives import best_text, spread_text


def seeds_cell(trial: TrialRecord, form: str) -> str:
    """``61.2 ± 1.4 n3``, mean and sample standard deviation of n training seeds; ``n2 of 3`` where one has failed."""
    seeds = trial.seeds
    if not seeds.known:
        return ""
    of = f" of {seeds.asked}" if seeds.failed else ""
    if seeds.mean is None:
        return f"n0{of}"
    return f"{spread_text(seeds.mean, seeds.spread, form)} n{len(seeds.values)}{of}"


def seeds_rows(trials: Sequence[TrialRecord], best: TrialRecord | None) -> dict[str, str]:
    """The setting that won by its mean over training seeds, the next one, and how sure that is; empty without repeats.

    Args:
        trials: of a sweep.
        best: the run whose generator is used.
    """
    odds, ranked = odds_of(trials), by_seeds(trials)
    if odds is None or best is None:
        return {}
    rows = {"best setting": f"{odds.winner}: {ranked[0].seeds}"}
    if odds.runner_up is not None:
        rows["runner-up"] = f"{odds.runner_up}: {ranked[1].seeds}"
    rows["how sure"] = str(odds)
    which = "its first run" if best.trial_id == odds.winner else f"a repeat with training seed {best.params['seed']}"
    rows["generator"] = (
        f"{best.trial_id}, {which}: the {best_text(best.measure, 'confirmed ')} among the setting's runs"
    )
    return rows
