"""Constraints: what the winner has to keep besides the best objective, such as ``recall: ">= 0.3"``."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from trainers.errors import UserError, shortened, unknown_name
from trainers.metric_names import FID, SHARES, measurable

_TEXT = re.compile(r"\s*(>=|<=)\s*(\S+)\s*")


@dataclass(frozen=True)
class Limit:
    """A bound of one value that is measured.

    Attributes:
        value: its short name, of `trainers.metric_names.measurable`.
        sign: ``>=`` or ``<=``.
        bound: the least, or the greatest, that is allowed.
    """

    value: str
    sign: str
    bound: float

    def __str__(self) -> str:
        return f"{self.value} {self.sign} {self.bound:g}"

    def violation(self, found: float | None) -> float:
        """By how much a value lies beyond the bound; 0 or less where it does not. One that is missing is 1 beyond."""
        if found is None or math.isnan(found):
            return 1.0
        return self.bound - found if self.sign == ">=" else found - self.bound

    def beyond(self, found: float | None) -> str:
        """A value that breaks the bound, with three digits or as many as show that."""
        if found is None:
            return "not measured"
        texts = (f"{found:.{digits}g}" for digits in range(3, 17))
        return next((text for text in texts if self.violation(float(text)) > 0), str(found))


def check_reachable(where: str, value: str, bound: float) -> None:
    """Check that a value can lie on both sides of a bound.

    Args:
        where: what gives the bound.
        value: its short name.
        bound: what is asked of it.

    Raises:
        UserError: it cannot; one line.
    """
    if value in SHARES and not 0 <= bound <= 1:
        raise UserError(f"{where}: {value} is a share between 0 and 1, got {bound:g}")
    if value == FID and bound < 0:
        raise UserError(f"{where}: {FID} is never below 0, got {bound:g}")


def limits_of(constraints: Mapping[str, str]) -> list[Limit]:
    """The limits that a space's ``constraints:`` name.

    Raises:
        UserError: no such value, or no bound; one line.
    """
    limits = []
    for value, text in constraints.items():
        if value not in measurable():
            raise unknown_name("value in constraints", value, measurable())
        found = _TEXT.fullmatch(str(text))
        try:
            bound = float(found[2]) if found is not None else math.nan
        except ValueError:
            bound = math.nan
        if found is None or not math.isfinite(bound):
            raise UserError(f'constraints.{value}: write it as ">= 0.3" or "<= 0.3", got {shortened(text)}')
        check_reachable(f"constraints.{value}", value, bound)
        limits.append(Limit(value, found[1], bound))
    return limits
