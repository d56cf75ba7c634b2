"""What a trial has to say to Tune, and what Tune has decided. A part of the broker."""

import asyncio
import contextlib
from dataclasses import dataclass, field

from orchestrator.results.verdict import Failure, StopReason, TrialOutcome
from orchestrator.search.result import TrialResult
from trainers.run_report import EpochReport


@dataclass
class Line:
    """What a trial has to say to Tune. It is in no log: after the broker's death it is made from the history.

    Attributes:
        results: for Tune.
        put: how many were put there.
        taken: how many of them Tune has taken.
        decided: of how many of these Tune has decided that the trial goes on.
        heard: set when `decided`, `stopped` or `pausing` changes.
        last: the newest epoch.
        stopped: why it has to stop.
        pausing: it has to leave its gang, and to wait at a rung.
        outcome: how it ended.
    """

    results: asyncio.Queue[TrialResult] = field(default_factory=asyncio.Queue)
    put: int = 0
    taken: int = 0
    decided: int = 0
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    last: EpochReport | None = None
    stopped: StopReason | Failure | None = None
    pausing: bool = False
    outcome: TrialOutcome | None = None

    def tell(self, result: TrialResult) -> None:
        """Put a result there."""
        self.results.put_nowait(result)
        self.put += 1

    async def decision(self, most_s: float) -> None:
        """Wait until Tune has decided on all it was told, or the trial stops or pauses; at most `most_s` seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(most_s):
                while self.decided < self.put and self.stopped is None and not self.pausing:
                    self.heard.clear()
                    await self.heard.wait()
