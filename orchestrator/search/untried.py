"""Which settings of a space have been tried, and which are left where they can be listed."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from orchestrator.space.domains import Value
from orchestrator.space.space import Space

MOST_SETTINGS = 10_000  # the settings of a larger space are not listed

Key = frozenset[tuple[str, Any]]


class Untried:
    """The settings that no trial has had. Only a space without continuous ranges can run out of them.

    Every call takes constant time, however many trials there were.

    Args:
        space: what is searched.
    """

    def __init__(self, space: Space) -> None:
        self._tried: set[Key] = set()
        finite = all(domain.every() is not None for domain in space.search.values())
        settings = list(islice(_settings(space), MOST_SETTINGS + 1)) if finite else []
        listed = 0 < len(settings) <= MOST_SETTINGS
        self._left = {_key(params): params for params in settings} if listed else None

    def take(self, params: dict[str, Value]) -> bool:
        """Mark a setting as tried; returns False when it was tried before."""
        key = _key(params)
        if key in self._tried:
            return False
        self._tried.add(key)
        if self._left is not None:
            self._left.pop(key, None)
        return True

    @property
    def exhausted(self) -> bool:
        """Whether every setting has been tried."""
        return self._left is not None and not self._left

    def first(self) -> dict[str, Value] | None:
        """A setting that has not been tried; None where none is left or they cannot be listed."""
        return next(iter(self._left.values()), None) if self._left else None


def _key(params: dict[str, Value]) -> Key:
    return frozenset(params.items())


def _settings(space: Space) -> Iterator[dict[str, Value]]:
    """Every setting of a space without continuous ranges."""
    order = space.in_order()

    def after(params: dict[str, Value], depth: int) -> Iterator[dict[str, Value]]:
        if depth == len(order):
            yield params
            return
        name = order[depth]
        if not space.is_active(name, params):
            yield from after(params, depth + 1)
            return
        for value in space.search[name].every() or ():
            yield from after({**params, name: value}, depth + 1)

    return after({}, 0)
