"""Whose checkpoints a sweep keeps: ``--keep-checkpoints``."""

import math
import re
from collections.abc import Iterable

from orchestrator.results.pareto import pareto_front
from orchestrator.results.records import TrialRecord, best_trial
from trainers.errors import UserError

MARGIN = 2  # of trials kept until the end for each that is to be measured again: the first ones may be refused
FEWEST = 5  # are kept until the end


def candidates(top: int) -> int:
    """How many trials keep their ``best.pt`` until the end at least, where the best `top` are measured again."""
    return max(MARGIN * top, FEWEST)


def default_keep(top: int) -> str:
    """What `--keep-checkpoints` is where it is not given."""
    return f"top:{candidates(top)}"


def how_many(keep: str) -> int | None:
    """How many trials keep their ``best.pt`` after the sweep's end; None: all.

    Args:
        keep: ``all``, ``best`` or ``top:K``.

    Raises:
        UserError: it is none of these.
    """
    if keep in ("all", "best"):
        return None if keep == "all" else 1
    if re.fullmatch(r"top:[1-9]\d{0,8}", keep):
        return int(keep.removeprefix("top:"))
    raise UserError(f"--keep-checkpoints {keep!r}: give all, best or top:K with K from 1, such as top:6")


def finalists(trials: Iterable[TrialRecord]) -> list[str]:
    """The trials that have an objective, the best first, whatever ended them; refused ones are none.

    Those that break a constraint come after all that do not.
    """
    measured = [trial for trial in trials if trial.can_win]
    best = sorted(measured, key=lambda trial: (bool(trial.broken), trial.lower(trial.objective or 0.0), trial.number))
    return [trial.trial_id for trial in best]


def kept(trials: Iterable[TrialRecord], most: int, *, front: bool) -> set[str]:
    """The trials that keep their ``best.pt``: the winner so far, then the best objectives.

    Args:
        trials: of the sweep. Those that are not over count with their objective so far, which can only get better.
        most: how many.
        front: keep those on the Pareto front too.
    """
    trials = list(trials)
    winner = best_trial(trials)
    if winner is None:
        return set()
    ranked = dict.fromkeys([winner.trial_id, *finalists(trials)])
    return {*list(ranked)[:most], *(pareto_front(trials) if front else ())}


def worst_to_go_on(trials: Iterable[TrialRecord], most: int) -> list[TrialRecord]:
    """Of trials that were ended early, all but the `most` with the lowest FIDs, on however many images."""

    def place(trial: TrialRecord) -> tuple[float, int]:
        return (math.inf if trial.lowest_fid is None else trial.lowest_fid, trial.number)

    return sorted(trials, key=place)[most:]
