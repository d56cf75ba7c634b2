"""What every request passes before and after it is answered: who may ask, how much, and headers of safety."""

import asyncio
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestrator.serving.limits import JSON_BYTES, Limits
from orchestrator.serving.metrics import Metrics

API = "/v1/"
OPEN_METRICS = "/metrics"
AFTER_A_RESTART_S = 5
LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
}


@dataclass(kw_only=True)
class Door:
    """How the gate of one server stands.

    Attributes:
        token: that requests of the API and of the metrics must bear; None: nobody asks for one.
        hosts: names under which the server is asked; None: any. A page of another site can let its own name lead to
            127.0.0.1, and would then read what this machine alone may.
        draining: whether new work is refused.
        in_flight: requests of the API that have no answer yet.
        emptied: what to call when the last of them is answered.
    """

    token: str | None = None
    hosts: frozenset[str] | None = None
    draining: bool = False
    in_flight: int = 0
    emptied: list[Callable[[], None]] = field(default_factory=list)


class RefusedError(Exception):
    """A request that is not let in: status, reason, and headers beside it."""

    def __init__(self, status: int, reason: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status, self.reason, self.headers = status, reason, headers or {}


class Gate:
    """Middleware around the application.

    Args:
        app: the application.
        door: who may ask.
        limits: how much.
        metrics: where it counts.
        retry_s: after how many seconds a busy server may be asked again.
    """

    def __init__(
        self, app: ASGIApp, *, door: Door, limits: Limits, metrics: Metrics, retry_s: Callable[[], int]
    ) -> None:
        self._app, self._door, self._limits, self._metrics = app, door, limits, metrics
        self._retry_s = retry_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, as ASGI has it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, code, api = time.monotonic(), 500, scope["path"].startswith(API)
        if head := scope["method"] == "HEAD":  # answered as GET is, without the body
            scope = {**scope, "method": "GET"}

        async def send_with_headers(message: Message) -> None:
            nonlocal code
            if message["type"] == "http.response.start":
                code = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            elif head:
                message = {**message, "body": b""}
            await send(message)

        self._enter(api)
        try:
            self._check(scope, api)
            await self._app(scope, await self._whole_body(scope, receive), send_with_headers)
        except RefusedError as refused:
            await _refuse(refused, send_with_headers)
        finally:
            self._leave(api)
            route = scope.get("route")
            path = getattr(route, "path", "other")
            self._metrics.requests.labels(path, str(code)).inc()
            self._metrics.seconds.labels(path).observe(time.monotonic() - started)

    def _check(self, scope: Scope, api: bool) -> None:
        headers = Headers(scope=scope)
        if self._door.hosts is not None and _host_name(headers.get("host", "")) not in self._door.hosts:
            raise RefusedError(403, f"this server answers to {', '.join(sorted(self._door.hosts))} only")
        if (api or scope["path"] == OPEN_METRICS) and self._door.token is not None:
            kind, _, given = headers.get("authorization", "").partition(" ")
            right = hmac.compare_digest(given.strip().encode(), self._door.token.encode())
            if kind.lower() != "bearer" or not right:
                raise RefusedError(401, "give the token: Authorization: Bearer TOKEN", {"WWW-Authenticate": "Bearer"})
        if api and self._door.draining:
            later = {"Retry-After": str(AFTER_A_RESTART_S), "Connection": "close"}
            raise RefusedError(503, "the server is shutting down", later)
        if api and self._door.in_flight > self._limits.in_flight:
            later = {"Retry-After": str(self._retry_s())}
            raise RefusedError(503, f"{self._limits.in_flight} requests are being answered", later)

    async def _whole_body(self, scope: Scope, receive: Receive) -> Receive:
        """The request's body, read within bounds, to be read once more by the application."""
        headers = Headers(scope=scope)
        picture = headers.get("content-type", "").startswith("image/")
        most = self._limits.picture_bytes if picture else JSON_BYTES
        too_much = RefusedError(413, f"the body is larger than {most} bytes", {"Connection": "close"})
        said = headers.get("content-length", "0")
        if said.isascii() and said.isdigit() and int(said[:20]) > most:
            raise too_much
        body = bytearray()
        try:
            async with asyncio.timeout(self._limits.request_s):
                more = True
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise RefusedError(400, "the connection ended before the body did")
                    body += message.get("body", b"")
                    more = message.get("more_body", False)
                    if len(body) > most:
                        raise too_much
        except TimeoutError:
            slow = f"the body took more than {self._limits.request_s:g} s"
            raise RefusedError(408, slow, {"Connection": "close"}) from None
        whole: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

        async def again() -> Message:
            return whole.pop() if whole else await receive()

        return again

    def _enter(self, api: bool) -> None:
        if api:
            self._door.in_flight += 1
            self._metrics.in_flight.inc()

    def _leave(self, api: bool) -> None:
        if not api:
            return
        self._door.in_flight -= 1
        self._metrics.in_flight.dec()
        if not self._door.in_flight:
            for call in self._door.emptied:
                call()


def _host_name(host: str) -> str:
    """``localhost`` of ``localhost:8000``, ``::1`` of ``[::1]:8000``."""
    return host.partition("]")[0][1:] if host.startswith("[") else host.partition(":")[0].lower()


async def _refuse(refused: RefusedError, send: Send) -> None:
    body = json.dumps({"detail": refused.reason}).encode()
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **refused.headers}
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": refused.status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
