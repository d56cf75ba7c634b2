"""The pulse of a process that trains: a count that grows with every batch, so that others can see whether it hangs.

It says more than a thread that reports that the process lives: in a deadlock of collectives, or on storage that does
not answer, such a thread goes on and the count stands still. It also says what the work is, for people who wait.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Doing:
    """What a process works on.

    Attributes:
        what: a word or two, such as ``training`` or ``FID``.
        done: how much of it is done, in units of its own.
        total: how much there is, 0 where that is not known.
        epoch: that it belongs to, from 1; 0 outside.
    """

    what: str
    done: int
    total: int
    epoch: int


_beats, _epoch = 0, 0
_doing: Doing | None = None


def beat(what: str = "", done: int = 0, total: int = 0) -> None:
    """Some work was done: a training step, a batch of fakes or of real images. Costs nothing; see `Doing`."""
    global _beats, _doing
    _beats += 1
    if what:
        _doing = Doing(what=what, done=done, total=total, epoch=_epoch)


def enter_epoch(epoch: int) -> None:
    """What is done from now on belongs to this epoch; 0: to none."""
    global _epoch, _doing
    _epoch, _doing = epoch, None


def beats() -> int:
    """How often this process has called `beat`."""
    return _beats


def doing() -> Doing | None:
    """What this process works on; None where it has not said so yet."""
    return _doing
