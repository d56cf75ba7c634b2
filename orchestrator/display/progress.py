"""A progress bar for work that takes long."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


@contextmanager
def progress_bar(
    console: Console, what: str, total: int | None = None, *, quiet: bool = False
) -> Iterator[Callable[[int, int], None]]:
    """Draw `what`, a bar, counts and the remaining time; removed when the block ends.

    Args:
        console: where to draw; nothing is drawn unless it is a terminal.
        what: the work, in a few words of plain text: ``"decoding images"``.
        total: number of items; None: not known before the first call.
        quiet: draw nothing.

    Returns:
        A function to call with (items done, items in all), as often as wanted.
    """
    columns = (TextColumn(what, markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    hidden = quiet or not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done, all_: bar.update(task, completed=done, total=all_)
