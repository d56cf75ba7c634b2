"""The HTTP application: images of one generator."""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal, TypeVar

from fastapi import Body, FastAPI, Query, Request
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException

from orchestrator.serving import bodies
from orchestrator.serving.answers import explain_errors, file_answer, problems, refusal
from orchestrator.serving.batcher import Batcher, UnavailableError
from orchestrator.serving.encode import ONE, PICTURES, SEVERAL, columns_of, decode_picture, encode
from orchestrator.serving.gate import AFTER_A_RESTART_S, OPEN_METRICS, Door, Gate
from orchestrator.serving.limits import Limits
from orchestrator.serving.metrics import Metrics
from orchestrator.serving.model import DRAWN, Model
from orchestrator.serving.site import add_pages
from trainers.errors import unknown_name
from trainers.inference.neighbours import Step, neighbours

T = TypeVar("T")
_DRAWN_SEEDS = 2**32  # short enough to be read aloud
_CODERS = min(4, os.cpu_count() or 1)  # threads; a picture that is decoded may hold 150 MB


class Desk:
    """Where a request becomes a file: the device, then threads that encode, all within the time for a request."""

    def __init__(self, model: Model, limits: Limits, metrics: Metrics) -> None:
        self.model, self.limits = model, limits
        self.batcher = Batcher(model.make, limits, metrics)
        self._coders = ThreadPoolExecutor(_CODERS, "coder")

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Answer requests inside the block."""
        with self._coders:
            async with self.batcher.running():
                yield

    async def coded(self, work: Callable[..., T], *values: Any) -> T:
        """Do `work` off the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._coders, work, *values)

    @asynccontextmanager
    async def within_time(self) -> AsyncIterator[None]:
        """The time for a request.

        Raises:
            UnavailableError: it was not enough.
        """
        try:
            async with asyncio.timeout(self.limits.request_s):
                yield
        except TimeoutError:
            raise UnavailableError(f"it took more than {self.limits.request_s:g} s") from None

    async def file(
        self, kind: str, rows: Any, form: str, headers: dict[str, Any], names: Sequence[str] = ()
    ) -> Response:
        """Make the images of `rows` and answer with a file of them."""
        pixels = await self.batcher.make(kind, rows)
        content = await self.coded(encode, pixels, form, names)
        if form == "grid":
            headers["X-Columns"] = columns_of(len(pixels))
        headers["X-Model"] = self.model.generator.digest
        texts = {name: str(value) for name, value in headers.items()}
        return Response(content, headers=texts, media_type=(ONE | SEVERAL)[form])


def build_app(model: Model, *, door: Door | None = None, limits: Limits | None = None) -> FastAPI:
    """The application that serves `model`, which is loaded."""
    door, limits, metrics = door or Door(), limits or Limits(), Metrics()
    desk = Desk(model, limits, metrics)
    metrics.model.info({"name": model.name, "digest": model.generator.digest})

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with desk.open():
            yield

    app = FastAPI(
        title="gan-sweep serve",
        summary="Images from a finished generator.",
        version=model.generator.digest,
        docs_url=None,  # FastAPI's own pages are of a CDN
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.batcher = desk.batcher
    app.add_middleware(Gate, door=door, limits=limits, metrics=metrics, retry_s=desk.batcher.retry_s)
    explain_errors(app, desk.batcher.retry_s)
    add_pages(app)
    _add_state(app, desk, door, metrics)
    if model.generator.directions:
        _add_translation(app, desk)
    else:
        _add_images(app, desk)
    _say_what_is_valid(app, model)
    return app


def _add_state(app: FastAPI, desk: Desk, door: Door, metrics: Metrics) -> None:
    facts = desk.model.facts()

    @app.get("/v1/model", responses=problems(503), tags=["model"], summary="What is served.")
    async def model() -> bodies.ModelFacts:
        return facts

    @app.get("/healthz", responses=problems(503), tags=["state"], summary="Whether the process works. Needs no token.")
    async def healthz() -> dict[str, str]:
        if not desk.batcher.lives:
            raise UnavailableError("nothing is computed any more")
        return {"status": "ok"}

    @app.get("/readyz", responses=problems(503), tags=["state"], summary="Whether to send requests. Needs no token.")
    async def readyz() -> dict[str, str]:
        if door.draining or not desk.batcher.lives:
            raise UnavailableError("the server is shutting down", AFTER_A_RESTART_S)
        return {"status": "ready"}

    @app.get(
        OPEN_METRICS,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **problems()},
        response_class=Response,
        tags=["state"],
        summary="For Prometheus.",
    )
    async def read_metrics() -> Response:
        return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)


def _add_images(app: FastAPI, desk: Desk) -> None:
    generator = desk.model.generator
    files = sorted({*ONE.values(), *SEVERAL.values()})

    @app.post(
        "/v1/images",
        responses={**file_answer(files, "X-Model", "X-Seed", "X-Columns"), **problems(422, 503)},
        response_class=Response,
        tags=["images"],
        summary="Images of a seed.",
    )
    async def images(body: Annotated[bodies.ImagesBody, Body()]) -> Response:
        seed = secrets.randbelow(_DRAWN_SEEDS) if body.seed is None else body.seed
        numbers = range(body.first, body.first + body.count)
        rows = generator.inputs(numbers, seed=seed, classes=body.classes, truncation=body.truncation)
        async with desk.within_time():
            names = [f"{seed}_{number}" for number in numbers]
            return await desk.file(DRAWN, rows, body.format, {"X-Seed": seed}, names)

    @app.post(
        "/v1/walk",
        responses={**file_answer(files, "X-Model", "X-Seed", "X-Direction-Seed", "X-Columns"), **problems(422, 503)},
        response_class=Response,
        tags=["images"],
        summary="Images around an image.",
        description=(
            "Neighbour n lies `distance` away in direction (`direction_seed`, n). To go there, append the step "
            '{"seed": direction_seed, "number": n, "distance": distance} to `path`. With distance 0 the image in the '
            "middle itself is the answer."
        ),
    )
    async def walk(body: Annotated[bodies.WalkBody, Body()]) -> Response:
        ways = secrets.randbelow(_DRAWN_SEEDS) if body.direction_seed is None else body.direction_seed
        start = generator.inputs([body.number], seed=body.seed, classes=body.classes, truncation=body.truncation)
        path = [Step(seed=step.seed, number=step.number, distance=step.distance) for step in body.path]
        steps = [Step(seed=ways, number=number, distance=body.distance) for number in range(body.count)]
        rows = neighbours(generator, start, path, steps, body.truncation)
        async with desk.within_time():
            names = [f"{body.seed}_{body.number}_walk_{ways}_{step.number}" for step in steps]
            return await desk.file(DRAWN, rows, body.format, {"X-Seed": body.seed, "X-Direction-Seed": ways}, names)

    @app.post("/v1/translate", include_in_schema=False)
    async def translate() -> Response:
        return refusal(404, "this model makes images from nothing: POST /v1/images")


def _add_translation(app: FastAPI, desk: Desk) -> None:
    generator, limits = desk.model.generator, desk.limits
    data = generator.config.data

    @app.post(
        "/v1/translate",
        responses={**file_answer(list(ONE.values()), "X-Model"), **problems(415, 422, 503)},
        response_class=Response,
        tags=["images"],
        summary="An image in another domain.",
        description=(
            f"The body is the image, its Content-Type one of {', '.join(PICTURES)}. It is fitted into "
            f"{data.image_size} x {data.image_size} pixels, as in training ({data.fit})."
        ),
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in PICTURES},
            }
        },
    )
    async def translate(
        request: Request,
        direction: Annotated[str, Query()] = generator.directions[0],
        form: Annotated[Literal["png", "webp"], Query(alias="format", description="WebP is lossless.")] = "png",
    ) -> Response:
        if (kind := request.headers.get("content-type", "").partition(";")[0].strip().lower()) not in PICTURES:
            raise HTTPException(415, f"Content-Type {kind or 'missing'}: send one of {', '.join(PICTURES)}")
        if direction not in generator.directions:
            raise unknown_name("direction", direction, generator.directions)
        content = await request.body()
        async with desk.within_time():
            row = await desk.coded(decode_picture, content, data.image_size, data.fit, limits.picture_pixels)
            return await desk.file(direction, row, form, {})

    async def draw() -> Response:
        return refusal(404, "this model translates images: POST /v1/translate")

    for path in ("/v1/images", "/v1/walk"):
        app.add_api_route(path, draw, methods=["POST"], include_in_schema=False)


def _say_what_is_valid(app: FastAPI, model: Model) -> None:
    """Write this model's classes and directions into /openapi.json, where the code can only say "a text"."""
    schema = app.openapi()  # which FastAPI keeps
    choices = {name: {"type": "string", "enum": list(names)} for name, names in model.generator.classes.items()}
    for body in schema["components"]["schemas"].values():
        if "classes" in body.get("properties", {}) and "truncation" in body["properties"]:
            kept = {key: body["properties"]["classes"][key] for key in ("title", "description", "default")}
            body["properties"]["classes"] = {
                **kept, "type": "object", "properties": choices, "additionalProperties": False,
            }  # fmt: skip
    for parameter in schema["paths"].get("/v1/translate", {}).get("post", {}).get("parameters", []):
        if parameter["name"] == "direction":
            parameter["schema"]["enum"] = list(model.generator.directions)
