"""No scheduler: no trial is cut."""

from ray.tune.schedulers import FIFOScheduler

from orchestrator.space.sections import SchedulerConfig


def build(config: SchedulerConfig, longest: int, finish: int = 1) -> FIFOScheduler:
    """A scheduler that cuts no trial."""
    return FIFOScheduler()
