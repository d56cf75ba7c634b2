"""What MLflow says of settings that were trained again with fresh training seeds."""

from mlflow.entities import Metric, RunTag

from orchestrator.results.records import TrialRecord
from orchestrator.results.seed_odds import odds_of
from orchestrator.tracking.described import in_digits, tags_of


def seeds_metrics(setting: TrialRecord, stamp: int, step: int) -> list[Metric]:
    """Mean and spread over training seeds, how many those are, and how many failed; empty where none is over.

    Args:
        setting: its first trial.
        stamp: milliseconds since 1970.
        step: of the metrics.
    """
    seeds = setting.seeds
    if not seeds.known:
        return []
    values = {"seeds_mean": seeds.mean, "seeds_spread": seeds.spread}
    values |= {"seeds_n": len(seeds.values), "seeds_failed": seeds.failed}
    return [Metric(name, in_digits(value), stamp, step) for name, value in values.items() if value is not None]


def winning_setting(trials: list[TrialRecord], stamp: int, step: int) -> tuple[list[Metric], list[RunTag]]:
    """What the sweep's run says of the setting that won by its mean over training seeds; empty without repeats."""
    odds = odds_of(trials)
    if odds is None:
        return [], []
    setting = next(trial for trial in trials if trial.trial_id == odds.winner)
    metrics = seeds_metrics(setting, stamp, step)
    if odds.probability is not None:
        metrics.append(Metric("seeds_probability", in_digits(odds.probability), stamp, step))
    return metrics, tags_of({"best_setting": odds.winner, "seeds": str(odds)})
