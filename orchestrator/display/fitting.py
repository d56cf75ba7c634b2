"""Which columns of a table a terminal has room for."""

from collections.abc import Sequence

GAP = 2  # letters between two columns


def fitting(
    columns: dict[str, list[str]], *, width: int, first_to_go: Sequence[str], wraps: str, least: int
) -> list[str]:
    """The names of the columns that fit into `width`, in their order.

    Columns give way whole, in the order of `first_to_go`, until the rest fits or none of these is left.

    Args:
        columns: the cells of each, by its heading, of which the longest line counts.
        width: of the terminal, in letters.
        first_to_go: headings of columns that may be left out, the least important first.
        wraps: the column whose text may go on in the next line.
        least: letters that this one wants, if it has as many; never less than its longest word.
    """
    needs = {}
    for name, cells in columns.items():
        heading = max(map(len, name.split("\n")))
        longest = max(map(len, cells), default=0)
        if name == wraps:
            words = max((len(word) for cell in cells for word in cell.split()), default=0)
            longest = max(words, min(least, longest))
        needs[name] = max(heading, longest)
    kept = list(columns)
    for name in first_to_go:
        if sum(needs[one] for one in kept) + GAP * (len(kept) - 1) <= width:
            break
        if name in kept:
            kept.remove(name)
    return kept
