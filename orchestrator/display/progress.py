"""A bar for work that takes long enough to be watched."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


@contextmanager
def progress_bar(
    console: Console, what: str, total: int | None = None, *, quiet: bool = False
) -> Iterator[Callable[[int, int], None]]:
    """Draw `what`, a bar, counts and the time that remains; gone when the block ends.

    Args:
        console: where to draw; nothing is drawn where it is no terminal.
        what: the work, in a few words of plain text: ``"decoding images"``.
        total: how many things there are; None: not known before the first call.
        quiet: draw nothing.

    Returns:
        What to call with (things done, things in all), as often as wanted.
    """
    columns = (TextColumn(what, markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    hidden = quiet or not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done, all_: bar.update(task, completed=done, total=all_)
