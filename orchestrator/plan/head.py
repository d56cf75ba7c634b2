"""What the driver's machine has to do for a sweep, besides training on it."""

# Resident memory, measured on 2 CPU cores with torch's CPU build (2026-11-24 to 29).
DRIVER_BYTES = 900_000_000
BROKER_BYTES = 125_000_000
RAY_BYTES = 400_000_000  # its own processes on a head: GCS, dashboard, autoscaler, raylet, monitors
CONTROLLER_BYTES = 666_000_000  # Ray Train's of a gang, which imports torch; on a cluster it is on the gang's node
HELPERS_BYTES = 200_000_000 + 193_000_000  # of a gang: Ray Train's cleaner, on the head; Tune's actor


def gang_bytes(*, on_cluster: bool) -> int:
    """Memory that a gang needs on the driver's machine, without its ranks, if all that may be there is."""
    return HELPERS_BYTES + (0 if on_cluster else CONTROLLER_BYTES)


def head_bytes(gangs: int, *, on_cluster: bool) -> int:
    """Memory that the driver's machine needs for so many gangs, without their ranks."""
    return DRIVER_BYTES + BROKER_BYTES + RAY_BYTES + gangs * gang_bytes(on_cluster=on_cluster)
