"""Numbers that a limit or a price may be."""

import math

from trainers.errors import UserError


def amount(option: str, text: str | float) -> float:
    """A number greater than 0.

    Raises:
        UserError: it is none; the message names `option`.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UserError(f"{option} {text!r}: give a number, such as 2.5")
    if value <= 0:
        raise UserError(f"{option} {text!r}: must be greater than 0")
    return value
