"""Two sweeps side by side: what differs in what they were asked to do, and whether their winners differ.

A winner's confirmed FIDs are of one checkpoint, on fresh latents each. So their spread tells which of two generators is
the better one, and nothing of what another run of either search would have found.
"""

from dataclasses import asdict, dataclass

from orchestrator.results.records import TrialRecord, best_trial
from orchestrator.results.repeats import by_seeds
from orchestrator.results.seed_odds import FEWEST, SURE
from orchestrator.results.state import SweepState
from orchestrator.space.domains import build_domain, value_text
from orchestrator.space.objectives import best_text, called, number_text
from orchestrator.space.space import condition_text
from trainers.config import flatten
from trainers.metric_names import FID, lower_better, maximised

LEVEL = 0.95  # of the interval of a difference
ONE_DRAW = (
    "The spread is of the latents that fakes are made of: each search was run once, and with another seed either may "
    "find another winner."
)
ONE_TRAINING = (
    f"Whether one of the winning settings is better is not known: that takes {SURE} training seeds of each "
    f"(--confirm-seeds {SURE}). What follows is of the two checkpoints alone."
)


@dataclass(frozen=True)
class Row:
    """One thing that differs, as texts."""

    name: str
    first: str
    second: str


def differing(first: SweepState, second: SweepState) -> list[Row]:
    """What differs in space, images, objective, budgets, resources and versions; a searched key is one row."""
    ours, theirs = _asked(first), _asked(second)
    rows = (Row(name, ours.get(name, "-"), theirs.get(name, "-")) for name in dict.fromkeys([*ours, *theirs]))
    return [row for row in rows if row.first != row.second]


def _asked(state: SweepState) -> dict[str, str]:
    """Everything that a sweep was asked to do, by name."""
    plan, space = state.plan, dict(state.plan.definition)
    base, search = flatten(space.pop("base", {})), space.pop("search", {})
    found = {"space": plan.space, "objective": plan.objective}
    for key in dict.fromkeys([*search, *base]):
        found[key] = value_text(base.get(key))
        if key in search:
            domain = build_domain(key, search[key], [key])
            condition = f", {condition_text(domain.when)}" if domain.when else ""
            found[key] = f"{domain}{condition}; first {found[key]}"
    for name in ("description", "trials", "synthetic", "demo"):
        space.pop(name, None)
    if isinstance(space.get("pruning"), bool):
        space["pruning"] = {} if space["pruning"] else "off"
    for name, value in flatten(space).items():
        if value not in ({}, [], None):
            found[name] = "off" if value is False else value_text(value)
    found |= {
        "images": plan.data,
        "usable images": str(plan.n_real),
        "fingerprint of the images": plan.fingerprint[:12],
        "trials": str(state.planned),
        **{f"budget {name}": str(value) for name, value in state.budgets.items() if value is not None},
        **{f"resources {name}": str(value) for name, value in plan.resources.items() if value is not None},
        **{f"price of {name}": str(value) for name, value in asdict(plan.prices).items() if value is not None},
        "seed": str(plan.seed),
        "warm start": ", ".join(plan.warm_start) or "none",
        "version": plan.version,
    }
    return found


@dataclass(frozen=True)
class Difference:
    """Welch's comparison of two means.

    Attributes:
        mean: second minus first.
        error: its standard error.
        low, high: its interval at `LEVEL`.
    """

    mean: float
    error: float
    low: float
    high: float

    @property
    def is_clear(self) -> bool:
        """Whether the interval has no zero in it."""
        return self.low > 0 or self.high < 0


def welch(first: list[float], second: list[float]) -> Difference:
    """The difference of two means whose spreads may differ (Welch 1947), each of two values at least."""
    import numpy as np
    from scipy import stats

    a, b = np.asarray(first), np.asarray(second)
    mean = float(b.mean() - a.mean())
    shares = a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)
    error = float(np.sqrt(sum(shares)))
    if error == 0.0:
        return Difference(mean, 0.0, mean, mean)
    freedom = sum(shares) ** 2 / (shares[0] ** 2 / (len(a) - 1) + shares[1] ** 2 / (len(b) - 1))
    reach = float(stats.t.ppf((1 + LEVEL) / 2, freedom)) * error
    return Difference(mean, error, mean - reach, mean + reach)


def conclusion(first: SweepState, second: SweepState, names: tuple[str, str]) -> list[str]:
    """Which winner is better, in sentences, and what cannot be said."""
    ours, theirs = first.plan, second.plan
    if ours.objective != theirs.objective:
        return [
            f"Not compared: {names[0]} measures {ours.objective}, {names[1]} {theirs.objective}. Values of "
            "different protocols mean different things."
        ]
    said = []
    if ours.fingerprint != theirs.fingerprint:
        if (ours.data, ours.n_real) != (theirs.data, theirs.n_real):
            return ["Not compared: a FID is measured against the real images, and these two sweeps have others."]
        said = [
            "The images differ, or are used at other sizes or fits. If it is the images, the following means nothing: "
            "a FID is measured against them."
        ]
    best = best_trial(list(first.trials.values())), best_trial(list(second.trials.values()))
    for winner, name in zip(best, names, strict=True):
        if winner is None:
            return [*said, f"{name} has no winner: no trial has an objective so far."]
    assert best[0] is not None and best[1] is not None
    return [*said, *_of_settings(first, second, names), *_of_winners(best[0], best[1], names)]


def _of_settings(first: SweepState, second: SweepState, names: tuple[str, str]) -> list[str]:
    """Whether the winning settings differ by more than their training seeds."""
    ranked = [by_seeds(state.by_number())[:1] for state in (first, second)]
    ours, theirs = ([value for setting in one for value in setting.seeds.values] for one in ranked)
    if (fewest := min(len(ours), len(theirs))) < FEWEST:
        return [ONE_TRAINING]
    found, measure = welch(ours, theirs), first.plan.objectives[0]
    trained = f"trained again with fresh training seeds ({len(ours)} and {len(theirs)})"
    interval = f"with an interval of {_ends(found)} at {LEVEL:.0%} (Welch)"
    if not found.is_clear or fewest < SURE:
        apart = _apart(found.mean, f"{names[1]}'s", measure)
        few = " by so few" if found.is_clear else ""
        return [f"The winning settings, {trained}, cannot be told apart{few}: {apart}, {interval}."]
    apart = _apart(found.mean, f"{names[1]}'s", measure, merit=" setting")
    return [f"The winning settings, {trained}, differ by more than the spread of those: {apart}, {interval}."]


def _of_winners(first: TrialRecord, second: TrialRecord, names: tuple[str, str]) -> list[str]:
    measure, flatters = first.measure, ("highest", "high") if maximised(first.measure) else ("lowest", "low")
    if min(len(first.confirmed), len(second.confirmed)) < 2:
        assert first.objective is not None and second.objective is not None
        apart = _apart(second.objective - first.objective, f"{names[1]}'s winner", measure)
        return [
            "Which winner is better cannot be said: both must be measured again on two sets of fresh latents or more "
            f"(confirm: {{seeds: 3}} in the space). By the {best_text(measure)} in training {apart}, and the "
            f"{flatters[0]} of many values is too {flatters[1]} by luck."
        ]
    found = welch(first.confirmed, second.confirmed)
    sets = f"({len(first.confirmed)} and {len(second.confirmed)} sets of fresh latents)"
    interval = f"the {LEVEL:.0%} interval of the difference is {_ends(found)} (Welch)"
    winner = f"{names[1]}'s winner"
    if not found.is_clear:
        apart = _apart(found.mean, winner, measure)
        return [f"The winners cannot be told apart: {apart}, within the spread {sets}, and {interval}.", ONE_DRAW]
    times = f", {abs(found.mean) / found.error:.1f} times its standard error" if found.error else ""
    return [f"{_apart(found.mean, winner, measure, merit=' generator')}{times} {sets}: {interval}.", ONE_DRAW]


def _apart(difference: float, whose: str, measure: str, merit: str = "") -> str:
    """``b's winner is 1.40 lower``, and with `merit`, of what that speaks, ``, so the better generator``."""
    text = f"{abs(difference):.2f}" if measure == FID else number_text(abs(difference))
    if float(text) == 0:
        return f"{whose} has the same {called(measure)}"
    where = "lower" if difference < 0 else "higher"
    better = "better" if lower_better(measure, difference) < 0 else "worse"
    return f"{whose} is {text} {where}" + (f", so the {better}{merit}" if merit else "")


def _ends(found: Difference) -> str:
    """``-1.2 to +0.4``."""
    small = max(abs(found.low), abs(found.high)) < 0.1  # of a KID, or of shares
    return f"{found.low:+.1g} to {found.high:+.1g}" if small else f"{found.low:+.1f} to {found.high:+.1f}"
