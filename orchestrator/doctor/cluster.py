"""The Ray that a sweep would use: whether it answers, its versions and its token, and all that is asked through it."""

import contextlib
import os
import platform
from collections.abc import Iterator

import ray

from cluster.token import default_token_file, token_source
from orchestrator.doctor.finding import Asked, Finding, Level, run_check
from orchestrator.doctor.nodes import check_nodes
from orchestrator.doctor.placement_groups import check_placement_groups
from orchestrator.sweep.ray_session import WantsToken, cluster_size, connected
from trainers.errors import UserError


def check_cluster(asked: Asked) -> Iterator[Finding]:
    """Lines for Ray and its token; with an address also for leaked placement groups and for every node."""
    if asked.address is None:
        yield _finding("ray", Level.OK, f"a launch starts its own Ray {ray.__version__} here; --address asks a cluster")
        yield _own_token()
        return
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(connected(asked.address))
        except WantsToken as error:
            text, _, cure = str(error).partition(": ")
            yield _finding("token", Level.FAILED, text, cure)
            return
        except UserError as error:
            cure = "see `ray status` on the head node; Ray and Python must have its versions here, patch included"
            yield _finding("ray", Level.FAILED, str(error), cure)
            return
        cpus, gpus = cluster_size()
        versions = f"Ray {ray.__version__} and Python {platform.python_version()} as here"
        yield _finding("ray", Level.OK, f"{asked.address} answers: {cpus} CPUs, {gpus} GPUs, {versions}")
        yield _cluster_token()
        yield from run_check("placement groups", check_placement_groups, asked)
        yield from run_check("nodes", check_nodes, asked)


def _own_token() -> Finding:
    """Ray makes a token for a cluster of its own, unless there is one or none is wanted."""
    if _mode() == "disabled":
        return _finding("token", Level.OK, "RAY_AUTH_MODE=disabled: a Ray started here wants none")
    if (source := token_source()) is not None:
        return _finding("token", Level.OK, f"a Ray started here takes the one in {source}")
    file = default_token_file()
    place = next(place for place in file.parents if place.exists())
    if os.access(place, os.W_OK | os.X_OK):
        return _finding("token", Level.OK, f"Ray makes one in {file} when it starts here")
    cure = "set RAY_AUTH_TOKEN_PATH to a file with a token, or RAY_AUTH_MODE=disabled"
    return _finding("token", Level.FAILED, f"there is none, and Ray cannot make {file}", cure)


def _cluster_token() -> Finding:
    """The cluster has answered, so what it wants it has."""
    source = token_source()
    if _mode() == "token" and source is not None:
        return _finding("token", Level.OK, f"the cluster takes the one in {source}")
    cure = "ray get-auth-token --generate; then start the cluster, and this, with RAY_AUTH_MODE=token"
    text = "the cluster wants none: whoever reaches it can run code; from Ray 2.61 on clusters want one"
    return _finding("token", Level.WARNING, text, cure)


def _mode() -> str:
    return os.environ.get("RAY_AUTH_MODE", "").lower()  # Ray sets it when it finds a token


def _finding(name: str, level: Level, text: str, cure: str = "") -> Finding:
    return Finding(name=name, level=level, text=text, cure=cure)
