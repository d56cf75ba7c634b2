"""The same application on Ray Serve: replicas, which share the requests, each with the model on a device of its own."""

import logging
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI

from orchestrator.serving.app import build_app
from orchestrator.serving.gate import Door
from orchestrator.serving.limits import Limits
from orchestrator.serving.model import Model
from orchestrator.sweep.ray_session import cluster_size, connected
from trainers.errors import UserError, first_line

APP = "gan-sweep"
_CHECK_S = 5  # between looks whether a replica is well; one that is not is replaced
_DRAIN_S = 30  # for what is in flight when a replica ends
_QUIET = {"log_level": "WARNING", "enable_access_log": False}


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where replicas run.

    Attributes:
        address: of the cluster; None: a Ray of this machine, for this alone.
        replicas: how many.
        gpu: whether each has one, or a CPU.
        host: where the proxy listens.
        port: likewise.
    """

    address: str | None
    replicas: int
    gpu: bool
    host: str
    port: int


def serve_on_ray(load: Callable[[str], Model], door: Door, place: Place, listening: Callable[[], None]) -> None:
    """Deploy, call `listening`, and wait for SIGTERM or Ctrl-C; then let replicas answer what is in flight, and end.

    Args:
        load: the model on a device; every node of the cluster must see its files.
        door: of each replica's gate.
        place: where.
        listening: is called when all replicas answer.

    Raises:
        UserError: Ray Serve is not installed, no cluster answers, it has not enough CPUs or GPUs, the replicas do not
            start, or Ray Serve runs there already.
    """
    try:
        from ray import serve
    except ImportError:
        raise UserError("--ray needs Ray Serve: pip install 'gan-sweep[serve]'") from None
    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    stop = threading.Event()
    with connected(place.address):
        _check_room(place)
        if serve.status().proxies:  # whose address would not be ours
            raise UserError("Ray Serve runs on this cluster already: `serve shutdown` ends it, with all that it serves")
        before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            serve.start(http_options={"host": place.host, "port": place.port}, logging_config=_QUIET)
            serve.run(_deployment(load, door, place), name=APP, route_prefix="/")
            listening()
            stop.wait()
        except RuntimeError as error:
            raise UserError(f"the replicas do not start: {first_line(error)}") from error
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            serve.delete(APP)
            serve.shutdown()


def _check_room(place: Place) -> None:
    cpus, gpus = cluster_size()
    there, kind = (gpus, "GPU") if place.gpu else (cpus, "CPU")
    if place.replicas > there:
        raise UserError(f"--replicas {place.replicas}: each needs a {kind}, and Ray has {there}")


def _deployment(load: Callable[[str], Model], door: Door, place: Place) -> Any:
    from ray import serve

    limits = Limits()

    @serve.ingress()
    class Replica:
        """A process with the model."""

        def __init__(self) -> None:
            self._app = build_app(load("cuda:0" if place.gpu else "cpu"), door=door, limits=limits)

        def __serve_build_asgi_app__(self) -> FastAPI:
            return self._app

        def check_health(self) -> None:
            """Ray asks this; an error means that it is replaced."""
            if not self._app.state.batcher.lives:
                raise RuntimeError("nothing is computed any more")

    deploy = serve.deployment(
        name="model",
        num_replicas=place.replicas,
        # A little more than the gate lets in, which says it better than Ray does.
        max_ongoing_requests=limits.in_flight + 8,
        health_check_period_s=_CHECK_S,
        graceful_shutdown_timeout_s=_DRAIN_S,
        ray_actor_options={"num_cpus": 1, "num_gpus": 1 if place.gpu else 0},
        logging_config=_QUIET,
    )
    return deploy(Replica).bind()
