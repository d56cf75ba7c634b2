"""Search the rules' settings for the most compute saved at no regret, over recorded runs, with cross-validation.

The candidates are drawn before any run is looked at (Optuna's QMC sampler: an even spread over all settings), and each
is replayed once over every run. A fold of the cross-validation then chooses among them by its training runs alone, and
is judged on the runs that it has not seen.
"""

import math
import random
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import optuna

from orchestrator.pruning import RULES, Rule, build_rules
from orchestrator.replay.recorded import RecordedRun, Report
from orchestrator.replay.replay import Replayed, Total, replay_run, total
from trainers.errors import UserError

JITTER = 0.03  # relative standard deviation of the noise on a copy's FIDs
COPIES = 2  # noisy copies of each run
TOLERATED = 0.005  # mean regret over the noisy copies that is accepted
FOLDS = 5


@dataclass(frozen=True)
class Candidate:
    """One setting of the rules, and its results.

    Attributes:
        settings: a ``pruning:`` block.
        runs: the result on each run, as it was recorded.
        copies: the results on each run's noisy copies.
    """

    settings: dict[str, Any]
    runs: tuple[Replayed, ...]
    copies: tuple[tuple[Replayed, ...], ...]


@dataclass(frozen=True)
class Tuned:
    """The result of tuning.

    Attributes:
        settings: those chosen on all runs; a ``pruning:`` block.
        seen: their totals on the same runs.
        unseen: totals of the cross-validation: each run is replayed with the settings chosen on the other folds.
        before: totals of the rules that were given.
        folds: number of folds.
    """

    settings: dict[str, Any]
    seen: Total
    unseen: Total
    before: Total
    folds: int


def tune(
    runs: Sequence[RecordedRun],
    given: bool | dict[str, Any] = True,
    *,
    candidates: int = 128,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Tuned:
    """Search the rules' settings.

    Args:
        runs: at least two.
        given: the rules to start from, a ``pruning:`` block; they are the first candidate, and settings that are not
            tuned keep their values.
        candidates: number of candidates.
        seed: of the candidates, the noise and the folds.
        progress: called with (done, total) candidates.

    Raises:
        UserError: there are fewer than two runs, or no rule with settings to tune reads a metric of the runs.
    """
    if len(runs) < 2:
        raise UserError(f"--tune needs at least two runs to compare settings on, got {len(runs)}")
    ranges = _ranges(runs, build_rules(given))
    if not ranges:
        raise UserError("--tune: every rule that could be tuned is off, or reads metrics that these runs lack")
    copies = [_noisy(run, random.Random(f"{seed} {run.name} {n}")) for run in runs for n in range(COPIES)]
    pool = []
    for number, settings in enumerate(_draw(ranges, given, candidates, seed)):
        rules = build_rules(settings)
        noisy = [replay_run(copy, rules) for copy in copies]
        grouped = tuple(tuple(noisy[i * COPIES : (i + 1) * COPIES]) for i in range(len(runs)))
        pool.append(Candidate(settings, tuple(replay_run(run, rules) for run in runs), grouped))
        if progress is not None:
            progress(number + 1, candidates)
    folds = min(FOLDS, len(runs))
    order = list(range(len(runs)))
    random.Random(seed).shuffle(order)
    unseen: list[Replayed] = []
    for fold in range(folds):
        held_out = order[fold::folds]
        chosen = choose(pool, [index for index in order if index not in held_out])
        unseen += [chosen.runs[index] for index in held_out]
    chosen = choose(pool, order)
    return Tuned(chosen.settings, total(chosen.runs), total(unseen), total(pool[0].runs), folds)


def choose(pool: Sequence[Candidate], indices: Sequence[int]) -> Candidate:
    """The candidate that saves most on these runs among those without regret on them.

    Regret on the runs' noisy copies counts too, beyond `TOLERATED`: settings that only just spare a run would not spare
    the next one. Where no candidate is without regret, it is the one with the least.
    """

    def score(candidate: Candidate) -> tuple[float, float]:
        regret = _mean([candidate.runs[index].regret for index in indices])
        noisy = _mean([copy.regret for index in indices for copy in candidate.copies[index]])
        excess = regret + max(0.0, noisy - TOLERATED)
        return -excess, _mean([candidate.runs[index].saved for index in indices])

    return max(pool, key=score)


def _ranges(runs: Sequence[RecordedRun], rules: Sequence[Rule]) -> dict[str, tuple[float, float]]:
    """The searched ranges, by ``rule.setting``, of the rules that are on and read a metric of the runs."""
    recorded = {name for run in runs for report in run.reports for name in report.metrics}
    return {
        f"{rule.name}.{name}": bounds
        for rule in rules
        if not rule.reads or recorded & set(rule.reads)
        for name, bounds in rule.tunable.items()
    }


def _draw(
    ranges: dict[str, tuple[float, float]], given: bool | dict[str, Any], count: int, seed: int
) -> list[dict[str, Any]]:
    """The given settings, then evenly spread ones."""
    base = {rule.name: rule.model_dump() for rule in build_rules(given)}
    off: dict[str, Any] = {name: False for name in RULES if name not in base}
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        # QMC has been called experimental since 2022.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = optuna.create_study(sampler=optuna.samplers.QMCSampler(seed=seed, scramble=True))
    distributions: dict[str, optuna.distributions.BaseDistribution] = {
        name: optuna.distributions.FloatDistribution(low, high, log=True) for name, (low, high) in ranges.items()
    }
    drawn = [{**base, **off}]
    for _ in range(count - 1):
        settings = {name: dict(values) for name, values in base.items()}
        trial = study.ask(distributions)
        for name, value in trial.params.items():
            rule, key = name.split(".")
            settings[rule][key] = float(f"{value:.3g}")
        study.tell(trial, 0.0)  # QMC's sequence goes on with the number of finished trials
        drawn.append({**settings, **off})
    return drawn


def _noisy(run: RecordedRun, rng: random.Random) -> RecordedRun:
    """A copy with noise on every FID."""

    def with_noise(report: Report) -> Report:
        if report.fid is None:
            return report
        return replace(report, fid=report.fid * math.exp(rng.gauss(0, JITTER)))

    return replace(run, reports=[with_noise(report) for report in run.reports])


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
