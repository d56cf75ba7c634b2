"""The usual course of a fault: a sweep runs, is struck in mid-trial, goes on by itself or is resumed, and is judged."""

import contextlib
from collections.abc import Callable

from tests.faults.aftermath import judge
from tests.faults.bench import Bench
from tests.faults.rows import Row
from tests.faults.sweep_under_fault import SweepUnderFault
from tests.faults.waiting import NotInTimeError

Strike = Callable[[SweepUnderFault], object]
Fault = Callable[[Bench], Row]

# In the second good trial of four (number 1 is nonfinite): one is over, one runs, one waits.
TRIAL, EPOCH = 2, 3


def struck(name: str, strike: Strike, *options: str, trial: int = TRIAL, epoch: int = EPOCH) -> Fault:
    """A fault that strikes once, when an epoch of a trial has been recorded.

    Args:
        name: the fault's.
        strike: what happens.
        options: more of ``gan-sweep launch``.
        trial: number of the trial.
        epoch: its epoch.
    """

    def fault(bench: Bench) -> Row:
        with bench.sweep(name, *options) as sweep:
            strike_once(sweep, strike, trial=trial, epoch=epoch)
            sweep.finish()
            return judge(name, bench, sweep)

    return fault


def strike_once(sweep: SweepUnderFault, strike: Strike, *, trial: int = TRIAL, epoch: int = EPOCH) -> None:
    """Wait for the moment and strike; where it never comes, the sweep's troubles say so."""
    try:
        sweep.wait_for(trial=trial, epoch=epoch)
        sweep.strike(lambda: strike(sweep))
    except NotInTimeError as error:
        sweep.troubles.append(str(error))


def mend(sweep: SweepUnderFault, action: Callable[[], object], *, trial: int = TRIAL, epoch: int = EPOCH) -> None:
    """Put right what a strike broke, when an epoch has been recorded, or the driver has ended, or at last anyway."""
    with contextlib.suppress(NotInTimeError):
        sweep.wait_for(trial=trial, epoch=epoch)
    action()
