"""Where calls to the broker wait: gangs for work, others for a change. A part of the broker."""

import asyncio
from collections.abc import Callable

Condition = Callable[[], bool]


class WaitingRoom:
    """Wakes only as many gangs as there is work for: where 1,000 wait, to wake all of them takes 5 ms."""

    def __init__(self) -> None:
        self._gangs, self._others = asyncio.Condition(), asyncio.Condition()

    async def work(self, there_is: Condition, wait_s: float) -> bool:
        """Wait for work; returns False where there was none for `wait_s` seconds. Who then takes none calls `wake`."""
        return await _until(self._gangs, there_is, wait_s)

    async def change(self, condition: Condition, wait_s: float) -> None:
        """Wait until a condition holds, `wait_s` seconds at most."""
        await _until(self._others, condition, wait_s)

    async def wake(self, gangs: int | None) -> None:
        """Something has changed: wake so many gangs, None for all, and everybody else."""
        async with self._others:
            self._others.notify_all()
        async with self._gangs:
            self._gangs.notify_all() if gangs is None else self._gangs.notify(gangs)


async def _until(place: asyncio.Condition, condition: Condition, wait_s: float) -> bool:
    async with place:
        try:
            return await asyncio.wait_for(place.wait_for(condition), wait_s)
        except TimeoutError:
            return False
