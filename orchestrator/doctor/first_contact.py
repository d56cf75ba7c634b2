"""A look at the first machine of a cluster that has room for a trial, before any trial starts."""

from collections.abc import Iterator
from dataclasses import replace

import ray

from orchestrator.doctor.devices import check_devices, check_gpu_works
from orchestrator.doctor.finding import Asked, Check, Finding
from orchestrator.doctor.nodes import ANSWER_S, answer_of, ask_node, too_late
from orchestrator.doctor.storage import probe
from orchestrator.doctor.versions import check_versions
from orchestrator.sweep.placing import Reservation


def first_contact(asked: Asked, needed: dict[str, float]) -> Iterator[Finding]:
    """Wait for a machine with room for a rank, and check there what trials need. Only the driver writes to MLflow.

    A machine that has yet to be started is started for it, and is there for the trials then.

    Args:
        asked: about the connected cluster.
        needed: resources of one rank.
    """
    checks: dict[str, Check] = {
        "versions": check_versions,
        "gpus": check_gpu_works if "GPU" in needed else check_devices,
    }
    with Reservation(needed, 1, lambda: True) as room, probe(asked) as shared:
        (node,) = room.nodes
        task = ask_node(node, asked, shared, checks)
        done, _ = ray.wait([task], timeout=ANSWER_S)
        name = next(one["NodeName"] for one in ray.nodes() if one["NodeID"] == node)
        if not done:
            ray.cancel(task, force=True)
        for finding in answer_of(task, shared, node) if done else [too_late()]:
            yield replace(finding, text=f"node {name}: {finding.text}")
