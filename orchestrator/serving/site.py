"""The page for people, and the page of the API's documentation: files of this package, which need no other server."""

from collections.abc import Awaitable, Callable
from importlib.resources import files

from fastapi import FastAPI
from fastapi.responses import Response

_PAGES = {
    "/": ("page.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/asking.js": ("asking.js", "text/javascript"),
    "/scripts.js": ("scripts.js", "text/javascript"),
    "/page.js": ("page.js", "text/javascript"),
    "/docs": ("docs.html", "text/html"),
    "/docs.js": ("docs.js", "text/javascript"),
    "/favicon.ico": ("favicon.svg", "image/svg+xml"),  # which browsers ask for beside an answer in JSON too
}


def add_pages(app: FastAPI) -> None:
    """Serve the pages, which hold nothing of the model: they ask the API."""
    for path, (name, media_type) in _PAGES.items():
        content = (files(__package__) / "static" / name).read_bytes()
        app.add_api_route(path, _answer(content, media_type), include_in_schema=False)


def _answer(content: bytes, media_type: str) -> Callable[[], Awaitable[Response]]:
    async def answer() -> Response:
        return Response(content, media_type=f"{media_type}; charset=utf-8")

    return answer
