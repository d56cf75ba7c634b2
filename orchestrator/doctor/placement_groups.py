"""Placement groups of jobs that have ended, which still hold CPUs and GPUs of the cluster."""

from collections import Counter
from collections.abc import Iterator

import ray
from ray.util import placement_group_table

from orchestrator.doctor.finding import Asked, Finding, Level

_JOB_DIGITS = 2 * ray.JobID.size()  # the last ones of a placement group's id


def check_placement_groups(asked: Asked) -> Iterator[Finding]:
    """A line per leaked group, or one that there is none."""
    ended = {job["JobID"] for job in ray._private.state.jobs() if job["IsDead"]}
    leaked = {
        group_id: group
        for group_id, group in placement_group_table().items()
        if group["state"] != "REMOVED" and group_id[-_JOB_DIGITS:] in ended
    }
    for group_id, group in leaked.items():
        held = sum((Counter(bundle) for bundle in group["bundles"].values()), Counter[str]())
        resources = ", ".join(f"{amount:g} {name}" for name, amount in sorted(held.items()))
        text = f"{group_id} {group['name']!r} of job {group_id[-_JOB_DIGITS:]}, which has ended, holds {resources}"
        cure = (
            f'python -c "import ray; from ray.util.placement_group import *; ray.init({asked.address!r}); '
            f"remove_placement_group(PlacementGroup(ray.PlacementGroupID.from_hex('{group_id}')))\""
        )
        yield _finding(Level.WARNING, text, cure)
    if not leaked:
        yield _finding(Level.OK, "none of an ended job")


def _finding(level: Level, text: str, cure: str = "") -> Finding:
    return Finding(name="placement groups", level=level, text=text, cure=cure)
