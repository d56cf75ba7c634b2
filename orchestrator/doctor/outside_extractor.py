"""Whether every node that may train can build an extractor from outside, before any trial starts there."""

from pathlib import Path

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from orchestrator.plan.plan import Plan
from orchestrator.sweep.gang import allowed_extractors
from trainers.errors import UserError, first_line

ANSWER_S = 300.0  # of all nodes together: a fresh worker imports torch, and the factory may load weights of gigabytes
MOST_NAMED = 3  # nodes in an error


def check_extractor_everywhere(plan: Plan) -> None:
    """Build the plan's extractor on every node of the connected cluster that has room for a rank, all at once.

    Nothing happens where it is none from outside: others are the package's own. Nodes that join later are not asked.

    Raises:
        UserError: a node cannot build it, builds another one than this machine does, or does not answer.
    """
    fid = plan.space.base.fid
    if ":" not in fid.extractor:
        return
    needed = plan.resources.per_rank
    nodes = {
        node["NodeID"]: node["NodeName"]
        for node in ray.nodes()
        if node["Alive"] and all(node["Resources"].get(name, 0) >= amount for name, amount in needed.items())
    }
    look = ray.remote(num_cpus=0, max_calls=1, max_retries=0, runtime_env={"env_vars": allowed_extractors()})(_look)
    tasks = {
        look.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote(
            fid.extractor, fid.weights
        ): name
        for node, name in nodes.items()
    }
    here = _look(fid.extractor, fid.weights)
    _, late = ray.wait(list(tasks), num_returns=len(tasks), timeout=ANSWER_S) if tasks else ([], [])
    for task in late:
        ray.cancel(task, force=True)
    wrong = {name: f"no answer within {ANSWER_S:.0f} s" for task, name in tasks.items() if task in late}
    wrong |= {name: said for task, name in tasks.items() if task not in late and (said := _difference(task, here))}
    if wrong:
        named = "; ".join(f"node {name}: {said}" for name, said in sorted(wrong.items())[:MOST_NAMED])
        more = f"; and {len(wrong) - MOST_NAMED} more of {len(tasks)} nodes" if len(wrong) > MOST_NAMED else ""
        raise UserError(f"no trial was started: {named}{more}")


def _difference(task: "ray.ObjectRef[tuple[str, str]]", here: tuple[str, str]) -> str:
    """What is wrong with a node's extractor, in words; empty: it is the one of this machine."""
    try:
        there = ray.get(task)
    except Exception as error:  # what its code raised there, what the node lacks, or its death
        cause = getattr(error, "cause", None) or error
        return str(cause) if isinstance(cause, UserError) else first_line(cause, with_type=True)
    if there == here:
        return ""
    if there[0] != here[0]:
        return f"its extractor has the protocol {there[0]!r}, the one here {here[0]!r}: install the same one everywhere"
    return "its extractor has other weights than the one here: install the same ones everywhere"


def _look(name: str, weights: str | Path | None) -> tuple[str, str]:
    """Protocol and fingerprint of an extractor, on the machine where this runs.

    Raises:
        UserError: it cannot be built there.
    """
    from trainers.metrics import build_extractor

    extractor = build_extractor(name, weights)
    return extractor.protocol, extractor.fingerprint()
