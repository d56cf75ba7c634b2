"""All checks, in the order in which people read them. One more is a row here."""

from collections.abc import Iterator

from orchestrator.doctor.cluster import check_cluster
from orchestrator.doctor.devices import check_devices
from orchestrator.doctor.disk import check_disk_forecast
from orchestrator.doctor.finding import Asked, Check, Finding, run_check
from orchestrator.doctor.orphans import check_orphans
from orchestrator.doctor.storage import check_storage_here
from orchestrator.doctor.tracking import check_tracking_writes
from orchestrator.doctor.versions import check_versions
from orchestrator.doctor.weights import check_weights

CHECKS: dict[str, Check] = {
    "versions": check_versions,
    "gpus": check_devices,
    "weights": check_weights,
    "storage": check_storage_here,
    "disk": check_disk_forecast,
    "tracking": check_tracking_writes,
    "orphans": check_orphans,
    "ray": check_cluster,
}


def examine(asked: Asked) -> Iterator[Finding]:
    """Everything that the checks find, as they find it."""
    for name, check in CHECKS.items():
        yield from run_check(name, check, asked)
