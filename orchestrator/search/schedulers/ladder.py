"""The rungs of asynchronous successive halving in its promotion type (Li et al. 2018, arXiv:1810.05934, section 3)."""

import math
from collections.abc import Callable, Iterable
from typing import Any

from orchestrator.search.schedulers.fronts import best

Standing = float | tuple[float, float]  # a trial's FID, or its FID and a cost; lower is better


class Ladder:
    """Which trials wait at a rung, and which of them goes on next.

    A trial that reaches a rung waits there, unless it is among the best ``1 / factor`` of all that have been there.
    Those that are among the best when more have come go on, from the highest rung first. So none is cut for good before
    the sweep's end, and none is trained further before others have shown what is good at its epoch.

    Args:
        rungs: epochs, rising.
        factor: above 1; of so many trials at a rung one goes on.
        finish: so many trials are to get an objective, however few are good enough.
    """

    def __init__(self, rungs: Iterable[int], factor: float, finish: int = 1) -> None:
        self._rungs, self._factor, self._left = tuple(rungs), factor, finish
        self._values: list[dict[str, Any]] = [{} for _ in self._rungs]
        self._waiting: dict[str, int] = {}  # trial to its rung
        self._rounded: Callable[[float], int] = math.floor
        self._finishing = False
        self._last_leg: set[str] = set()  # that run, and will not wait again
        self._promoted: set[str] = set()  # that run since then

    def reach(self, trial: str, epoch: float, value: Standing) -> bool:
        """A trial has `value` at `epoch`; returns whether it goes on. At each rung its first value counts.

        One that does not go on has to `wait`, unless it is over.
        """
        new = [rung for rung, at in enumerate(self._rungs) if epoch >= at and trial not in self._values[rung]]
        for rung in new:
            self._values[rung][trial] = value
        goes_on = not new or trial in self._last_leg or trial in self._best(new[-1])
        if goes_on and new and new[-1] == len(self._rungs) - 1:
            self._last_leg.add(trial)
        return goes_on

    def wait(self, trial: str) -> bool:
        """A trial waits at the highest rung that it has reached; False where it has reached none."""
        reached = [rung for rung, values in enumerate(self._values) if trial in values]
        self._promoted.discard(trial)
        if reached:
            self._waiting[trial] = reached[-1]
        return bool(reached)

    def end(self, trial: str, *, finished: bool) -> None:
        """A trial does not run any more; its values stay. `finished`: it has an objective."""
        self._waiting.pop(trial, None)
        self._last_leg.discard(trial)
        self._promoted.discard(trial)
        self._left -= finished

    def promote(self, *, none_new: bool = False, none_runs: bool = False) -> str | None:
        """The trial that goes on next, which waits no longer; None where none is good enough.

        Args:
            none_new: no trial is left to start. Then a rung's share is rounded up.
            none_runs: none runs either. From then on as many as have still to finish go on, the best of the highest
                rung first.
        """
        self._finishing |= none_new and none_runs
        self._rounded = math.ceil if none_new else math.floor
        found = self._next()
        if found is not None:
            rung = self._waiting.pop(found)
            if rung == len(self._rungs) - 1:
                self._last_leg.add(found)
        elif none_new and self._finishing and self._left > len(self._last_leg | self._promoted) and self._waiting:
            found = min(self._waiting, key=self._order)
            del self._waiting[found]
            self._last_leg.add(found)
        if found is not None:
            self._promoted.add(found)
        return found

    def _next(self) -> str | None:
        best = {rung: self._best(rung) for rung in set(self._waiting.values())}
        return min((one for one, rung in self._waiting.items() if one in best[rung]), key=self._order, default=None)

    def _best(self, rung: int) -> set[str]:
        values = self._values[rung]
        count = self._rounded(len(values) / self._factor)
        if any(isinstance(value, tuple) for value in values.values()):
            return best(values, count)
        return set(sorted(values, key=lambda one: (values[one], one))[:count])

    def _order(self, trial: str) -> tuple[int, Standing, str]:
        rung = self._waiting[trial]
        return -rung, self._values[rung][trial], trial
