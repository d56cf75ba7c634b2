"""No scheduler: no trial is cut."""

from ray.tune.schedulers import FIFOScheduler

from orchestrator.space.sections import SchedulerConfig


def build(config: SchedulerConfig, longest: int) -> FIFOScheduler:
    """Trials in the order in which they come."""
    return FIFOScheduler()
