"""What an hour of GPUs and head costs, as the user or the rendered cluster says it. There is no price of our own."""

from dataclasses import dataclass

CURRENCY = "USD"


@dataclass(frozen=True, kw_only=True)
class Prices:
    """US dollars per hour; None where nobody has said it, which is not 0.

    Attributes:
        gpu_hour: of one GPU with its share of the machine, at most: on demand where spot machines may be replaced so.
        head_hour: of the machine that the driver runs on; without GPUs, of all that the sweep runs on.
    """

    gpu_hour: float | None = None
    head_hour: float | None = None

    def cost(self, *, on_gpus: bool, gpu_hours: float, seconds: float) -> float | None:
        """US dollars; None where what matters most has no price: the GPUs, or without any, the head.

        Args:
            on_gpus: whether the sweep has GPUs at all.
            gpu_hours: GPUs held x hours.
            seconds: of the head.
        """
        head = (self.head_hour or 0.0) * seconds / 3600
        if on_gpus:
            return None if self.gpu_hour is None else self.gpu_hour * gpu_hours + head
        return None if self.head_hour is None else head


def money(amount: float) -> str:
    """``12.30 USD``."""
    return f"{bare_money(amount)} {CURRENCY}"


def bare_money(amount: float) -> str:
    """``12.30``; small amounts have more digits."""
    return f"{amount:,.2f}" if amount >= 1 or amount == 0 else f"{amount:.4f}"
