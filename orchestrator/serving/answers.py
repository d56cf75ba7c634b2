"""How each answer looks: in OpenAPI, and where something was wrong."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from orchestrator.serving.batcher import UnavailableError
from orchestrator.serving.bodies import TAGS, Problem
from trainers.data.decode import SkippedError
from trainers.errors import UserError, shortened
from trainers.plain_words import plain_words

Documented = dict[int | str, dict[str, Any]]

_WHOLE = {"type": "integer", "minimum": 0}
_TEXT = {"type": "string"}
HEADERS = {
    "X-Model": {"description": "Digest of the model's weights.", "schema": _TEXT},
    "X-Seed": {"description": "The seed that was given or drawn: with it the same request is the same bytes.",
               "schema": _WHOLE},
    "X-Direction-Seed": {"description": "Likewise, of the directions to the neighbours.", "schema": _WHOLE},
    "X-Columns": {"description": "Images in a row of a grid.", "schema": _WHOLE},
}  # fmt: skip
_PROBLEMS = {
    400: "The body is no JSON, or ended too early.",
    401: "The token is missing or wrong.",
    403: "The server was asked under a name that is not its own.",
    408: "The body came too slowly.",
    413: "The body is too large.",
    415: "Not one of the types that this takes.",
    422: "The body is missing, or a value is wrong; the text says which, and why.",
    503: "The server is busy, or shutting down.",
}
_RETRY = {"Retry-After": {"description": "Ask again after so many seconds.", "schema": _WHOLE}}


def problems(*codes: int) -> Documented:
    """These and the answers that every request may get, for OpenAPI."""
    return {
        code: {
            "description": _PROBLEMS[code],
            "model": Problem,
            **({"headers": _RETRY} if code == 503 else {}),
        }
        for code in sorted({*codes, 400, 401, 403, 408, 413})
    }


def file_answer(media_types: Sequence[str], *headers: str) -> Documented:
    """A file of one of `media_types` with these headers, for OpenAPI."""
    content = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in media_types}
    return {200: {"description": "The file.", "content": content, "headers": {name: HEADERS[name] for name in headers}}}


def refusal(status: int, reason: str, headers: dict[str, str] | None = None) -> Response:
    """``{"detail": reason}``, in one line; half a character, which is no UTF-8, is written out."""
    plain = reason.encode("utf-8", "backslashreplace").decode()
    return Response(json.dumps({"detail": plain}), status, headers, "application/json")


def explain_errors(app: FastAPI, retry_s: Callable[[], int]) -> None:
    """Answer every error with its reason in one line, and never with a traceback.

    Args:
        app: to add this to.
        retry_s: after how many seconds a busy server may be asked again.
    """

    async def invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        no_json = error.errors()[0]["type"] == "json_invalid"
        return refusal(400 if no_json else 422, _first_problem(error))

    async def wrong(_: Request, error: Exception) -> Response:
        return refusal(422, str(error))

    async def unavailable(_: Request, error: Exception) -> Response:
        assert isinstance(error, UnavailableError)
        return refusal(503, error.reason, {"Retry-After": str(error.retry_s or retry_s())})

    async def http(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return refusal(error.status_code, str(error.detail), dict(error.headers or {}))

    async def fault(_: Request, error: Exception) -> Response:
        return refusal(500, "a fault of the server, which its log describes")

    for kind, handler in (
        (RequestValidationError, invalid),
        (UserError, wrong),
        (SkippedError, wrong),
        (UnavailableError, unavailable),
        (HTTPException, http),
        (Exception, fault),
    ):
        app.add_exception_handler(kind, handler)


def _first_problem(error: RequestValidationError) -> str:
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"][1:] if part not in TAGS)
    message = plain_words(first)
    if first["type"] == "json_invalid":
        return f"the body is no JSON: {first['ctx']['error']}"
    got = "" if first["type"] == "missing" else f", got {shortened(first.get('input'))}"
    return f"{name}: {message}{got}" if name else f"the body: {message}{got}"
