"""A look at the first machine of a cluster that has room for a trial, before any trial starts."""

from collections.abc import Iterator
from dataclasses import replace

import ray

from orchestrator.doctor.devices import check_devices, check_gpu_works
from orchestrator.doctor.finding import Asked, Check, Finding, Level, run_check
from orchestrator.doctor.nodes import ANSWER_S, answer_of, ask_node, too_late
from orchestrator.doctor.storage import probe
from orchestrator.doctor.versions import check_versions
from orchestrator.sweep.placing import Reservation
from orchestrator.tracking.mlflow_sink import check_tracking
from trainers.errors import UserError


def first_contact(asked: Asked, needed: dict[str, float]) -> Iterator[Finding]:
    """Wait for a machine with room for a rank, and check there what trials need; and MLflow from here.

    A machine that has yet to be started is started for it, and is there for the trials then.

    Args:
        asked: about the connected cluster; with a tracking URI.
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
    yield from run_check("tracking", _tracking, asked)


def _tracking(asked: Asked) -> Iterator[Finding]:
    """Whether MLflow answers the driver. A sweep goes on where it does not, and `gan-sweep sync` delivers the rest."""
    assert asked.tracking_uri is not None, "a plan has one"
    whose = "asked from the driver, which alone writes to it"
    try:
        check_tracking(asked.tracking_uri)
    except UserError as error:
        cure = "see that it runs; until then everything waits for it, and nothing is lost"
        yield Finding(name="tracking", level=Level.WARNING, text=f"{error} ({whose})", cure=cure)
    else:
        yield Finding(name="tracking", level=Level.OK, text=f"MLflow answers at {asked.tracking_uri}, {whose}")
