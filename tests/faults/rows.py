"""What the suite prints: a row per fault."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Row:
    """How a sweep took a fault.

    Attributes:
        fault: its name.
        status: ``ok``, ``FAILED``, or ``skipped``.
        recovery_s: from the last fault until an epoch began that was then recorded; None where none did.
        repeated: recorded epochs of open trials that no checkpoint held at the faults, which are trained again.
        lost: results of the undisturbed sweep that are missing or other ones.
        resumed: how often the sweep had to be resumed.
        text: what is wrong, or why it was skipped.
    """

    fault: str
    status: str
    recovery_s: float | None = None
    repeated: int = 0
    lost: int = 0
    resumed: int = 0
    text: str = ""

    def line(self) -> str:
        """As a row of a table in Markdown."""
        recovery = "-" if self.recovery_s is None else f"{self.recovery_s:.1f}"
        figures = ("-",) * 4 if self.status == "skipped" else (recovery, self.repeated, self.lost, self.resumed)
        return f"| {' | '.join(map(str, (self.fault, self.status, *figures, self.text)))} |"


HEAD = "| fault | | recovery, s | epochs repeated | results lost | resumed | |\n|---|---|---|---|---|---|---|"


def table(rows: list[Row]) -> str:
    """Markdown."""
    return "\n".join([HEAD, *(row.line() for row in rows)])
