"""One-line errors for names and counts that are not among the valid ones."""

from collections.abc import Iterable
from difflib import get_close_matches

from cluster.errors import ClusterError


def nearest_of(name: object, valid: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The valid name most like `name`, whatever its capitals; None where nothing is like it."""
    names = {valid_name.lower(): valid_name for valid_name in valid}
    matches = get_close_matches(str(name).lower(), list(names), n=1, cutoff=cutoff)
    return names[matches[0]] if matches else None


def wrong_name(rule: str, value: object, valid: Iterable[object]) -> ClusterError:
    """Build the error for a value that is not among the valid ones.

    Args:
        rule: what the value stands for, and for which cloud, such as ``"GPU type of azure"``.
        value: what was given.
        valid: what would have been right, in the order in which it is shown.
    """
    names = [str(name) for name in valid]
    near = nearest_of(value, names, cutoff=0.5)  # T5 is near T4
    hint = f" did you mean {near}?" if near else ""
    return ClusterError(f"unknown {rule} {str(value)!r}:{hint} valid: {', '.join(names) or 'none'}")


def one_of(rule: str, value: str, valid: Iterable[str]) -> str:
    """`value` itself.

    Raises:
        ClusterError: it is not among the valid names.
    """
    names = list(valid)
    if value not in names:
        raise wrong_name(rule, value, names)
    return value
