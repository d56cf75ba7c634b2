"""How long gangs have been away: machines that were taken back or lost, and workers that were started again."""

from dataclasses import dataclass, field


@dataclass
class Absence:
    """Time from a gang's going down to its coming up again, and why it went.

    Attributes:
        seconds: of all gangs together, until the last that came up, or the end of its driver.
        left: how often a gang left because it was asked to, such as by the notice that its machine is taken back.
        died: how often a gang's ranks died.
    """

    seconds: float = 0.0
    left: int = 0
    died: int = 0
    _since: dict[int, float] = field(default_factory=dict)

    def down(self, gang: int, at: float, *, left: bool) -> None:
        """A gang has no ranks from now on."""
        self._since.setdefault(gang, at)
        self.left, self.died = self.left + left, self.died + (not left)

    def up(self, gang: int, at: float) -> None:
        """A gang is up."""
        self.seconds += max(0.0, at - self._since.pop(gang, at))

    def close(self, at: float) -> None:
        """The driver has ended, and its gangs with it."""
        for gang in list(self._since):
            self.up(gang, at)
