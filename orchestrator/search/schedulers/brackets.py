"""Brackets of Hyperband (arXiv:1603.06560): some trials get a longer grace than others."""

import itertools
from collections.abc import Sequence

from orchestrator.search.schedulers.ladder import Ladder, Standing


class Turns:
    """Which bracket each trial is in.

    A bracket whose grace is longer gets fewer trials, so that every bracket costs about the same. Trials are assigned
    by their numbers, so that a later driver's scheduler assigns as the first one did, whatever it is shown; trials
    without a number, as of an earlier sweep, in the order in which they come.

    Args:
        graces: of the brackets.
    """

    def __init__(self, graces: Sequence[float]) -> None:
        self._shares = [graces[0] / grace for grace in graces]
        self._assigned = [0] * len(graces)
        self._turns: list[int] = []  # the bracket of each number
        self._others: dict[str, int] = {}
        self._without_number = itertools.count()

    def of(self, trial: str) -> int:
        """The bracket of a trial."""
        if trial.isdecimal():
            return self._turn(int(trial))
        if trial not in self._others:
            self._others[trial] = self._turn(next(self._without_number))
        return self._others[trial]

    def _turn(self, number: int) -> int:
        while len(self._turns) <= number:  # the bracket that is furthest below its share
            bracket = min(range(len(self._shares)), key=lambda s: (self._assigned[s] + 1) / self._shares[s])
            self._assigned[bracket] += 1
            self._turns.append(bracket)
        return self._turns[number]


class Brackets:
    """Several ladders, to one of which each trial belongs; what is asked of them means what it does for a `Ladder`.

    Args:
        ladders: of the brackets.
        turns: which trial is in which.
    """

    def __init__(self, ladders: Sequence[Ladder], turns: Turns) -> None:
        self._ladders, self._turns = tuple(ladders), turns

    def reach(self, trial: str, epoch: float, value: Standing) -> bool:
        """As `Ladder.reach`, in the trial's bracket."""
        return self._of(trial).reach(trial, epoch, value)

    def wait(self, trial: str) -> bool:
        """As `Ladder.wait`."""
        return self._of(trial).wait(trial)

    def end(self, trial: str, *, finished: bool) -> None:
        """As `Ladder.end`."""
        self._of(trial).end(trial, finished=finished)

    def promote(self, *, none_new: bool = False, none_runs: bool = False) -> str | None:
        """As `Ladder.promote`: of the first bracket that has one."""
        found = (ladder.promote(none_new=none_new, none_runs=none_runs) for ladder in self._ladders)
        return next((trial for trial in found if trial is not None), None)

    def _of(self, trial: str) -> Ladder:
        return self._ladders[self._turns.of(trial)]
