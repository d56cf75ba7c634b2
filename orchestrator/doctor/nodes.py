"""Asks every node of the connected cluster, with a task that is pinned to it."""

import os
import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from orchestrator.doctor.devices import check_devices
from orchestrator.doctor.finding import Asked, Check, Finding, Level, run_check
from orchestrator.doctor.storage import Probe, look_from_node, probe, written_by
from orchestrator.doctor.tracking import check_tracking_writes
from orchestrator.doctor.versions import check_versions
from orchestrator.doctor.weights import check_weights
from trainers.errors import first_line

ANSWER_S = 120.0  # of all nodes together: a fresh worker imports torch and MLflow, some 10 s
# What concerns one machine. Tracking is looked at apart: only the driver writes to it.
_PER_MACHINE: dict[str, Check] = {"versions": check_versions, "gpus": check_devices, "weights": check_weights}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a node says.

    Attributes:
        ray, python: their versions, patch included.
        findings: of the checks there.
    """

    ray: str
    python: str
    findings: list[Finding]


def check_nodes(asked: Asked) -> Iterator[Finding]:
    """Lines of every node that is alive, its name in front: versions, GPUs, weights, tracking, shared storage."""
    alive = [node for node in ray.nodes() if node["Alive"]]
    with probe(asked) as shared:
        checks = {**_PER_MACHINE, "tracking": _tracking}
        tasks = {node["NodeID"]: ask_node(node["NodeID"], asked, shared, checks) for node in alive}
        _, late = ray.wait(list(tasks.values()), num_returns=len(tasks), timeout=ANSWER_S)
        for task in late:
            ray.cancel(task, force=True)
        for node in alive:
            node_id, name = node["NodeID"], node["NodeName"]
            for line in [too_late()] if tasks[node_id] in late else answer_of(tasks[node_id], shared, node_id):
                yield replace(line, text=f"node {name}: {line.text}")


def ask_node(node_id: str, asked: Asked, shared: Probe, checks: Mapping[str, Check]) -> Any:
    """Start checks, and one of the storage, on a node; the result is for `answer_of`."""
    pinned = NodeAffinitySchedulingStrategy(node_id, soft=False)
    # The worker process ends after the call, so that nothing of it stays on the node.
    look = ray.remote(num_cpus=0, max_calls=1, max_retries=0)(_look)
    return look.options(scheduling_strategy=pinned).remote(asked, shared, node_id, checks)


def _look(asked: Asked, shared: Probe, node_id: str, checks: Mapping[str, Check]) -> Answer:
    """Runs on a node."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") == "":
        del os.environ["CUDA_VISIBLE_DEVICES"]  # Ray hides all GPUs from a task that asks for none
    found = [line for name, check in checks.items() for line in run_check(name, check, asked)]
    found += run_check("storage", lambda asked: look_from_node(asked, shared, node_id), asked)
    return Answer(ray=ray.__version__, python=platform.python_version(), findings=found)


def _tracking(asked: Asked) -> Iterator[Finding]:
    for line in check_tracking_writes(asked):
        level = Level.WARNING if line.level is Level.FAILED else line.level
        note = "; it matters where the launch itself runs there" if line.level is Level.FAILED else ""
        yield replace(line, level=level, text=f"{line.text}{note}")


def too_late() -> Finding:
    """The line of a node that has not answered."""
    return _failed(f"no answer within {ANSWER_S:.0f} s", "look at its load, its disks and its Ray logs")


def answer_of(task: Any, shared: Probe, node_id: str) -> Iterator[Finding]:
    """Lines of a node that has answered, or could not."""
    try:
        answer: Answer = ray.get(task)
    except Exception as error:  # what the node lacks, such as gan-sweep itself, or its death
        text = first_line(getattr(error, "cause", None) or error, with_type=True)
        yield _failed(text, "install the same gan-sweep there, and see that Ray runs in that environment")
        return
    there, here = (answer.ray, answer.python), (ray.__version__, platform.python_version())
    said = f"Ray {there[0]}, Python {there[1]}"
    if there == here:
        yield Finding(name="nodes", level=Level.OK, text=f"{said}, as here")
    else:
        yield _failed(f"{said}; here Ray {here[0]}, Python {here[1]}", "install the same versions everywhere")
    yield from answer.findings
    if shared.folder is not None:
        yield written_by(shared, node_id)


def _failed(text: str, cure: str) -> Finding:
    return Finding(name="nodes", level=Level.FAILED, text=text, cure=cure)
