"""The pulse of a process that trains: a count that grows with every batch, so that others can see whether it hangs.

It says more than a thread that reports that the process lives: in a deadlock of collectives, or on storage that does
not answer, such a thread goes on and the count stands still.
"""

_beats = 0


def beat() -> None:
    """Some work was done: a training step, a batch of fakes or of real images. Costs nothing."""
    global _beats
    _beats += 1


def beats() -> int:
    """How often this process has called `beat`."""
    return _beats
