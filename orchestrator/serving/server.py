"""Runs the application in this process until it is told to stop."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator

import uvicorn
from fastapi import FastAPI

from orchestrator.serving.gate import Door

_KEEP_ALIVE_S = 5
_LAST_WORDS_S = 10  # for answers that are written when no request is left to compute


def serve(app: FastAPI, door: Door, bound: socket.socket, listening: Callable[[], None]) -> None:
    """Serve until SIGTERM or Ctrl-C, then refuse new work, answer what is in flight, and return; a second one ends it
    at once.

    Args:
        app: what `build_app` made with `door`.
        door: of its gate.
        bound: where to listen.
        listening: is called when it does.
    """
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_LAST_WORDS_S,
    )
    asyncio.run(_Draining(config, door, listening).serve([bound]))


class _Draining(uvicorn.Server):
    """Uvicorn closes its port first, so that nobody hears from /readyz why; this one does last."""

    def __init__(self, config: uvicorn.Config, door: Door, listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._door, self._listening = door, listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._listening()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    def _stop(self) -> None:
        if self._door.draining:
            self.should_exit = self.force_exit = True
            return
        self._door.draining = True
        self._door.emptied.append(self._leave)
        if not self._door.in_flight:
            self._leave()

    def _leave(self) -> None:
        self.should_exit = True
