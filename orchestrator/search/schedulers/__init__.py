"""Schedulers: which trials are cut in favour of better ones, one file each.

All run on our own clock (`orchestrator.search.result.CLOCK`). None cuts or pauses a trial before `grace_epochs`, nor
before its first FID: only epochs with a FID are reported to Tune. A new scheduler is a file here, named as the
scheduler and with a function ``build(config, longest, finish)``, and a row in `SCHEDULERS` of
`orchestrator.space.sections`.
"""

from importlib import import_module

from ray.tune.schedulers import TrialScheduler

from orchestrator.space.sections import SchedulerConfig
from orchestrator.space.space import Space


def build_scheduler(space: Space, done: int = 0) -> TrialScheduler:
    """The scheduler of a space, of which `done` trials are over and have an objective."""
    domain = space.search.get("schedule.epochs")
    longest = max(int(epochs or 0) for epochs in (domain.probes() if domain else [space.base.schedule.epochs]))
    return make_scheduler(space.scheduler, longest, max(1, space.confirm.top) - done)


def make_scheduler(config: SchedulerConfig, longest: int, finish: int = 1) -> TrialScheduler:
    """The scheduler of a configuration, for trials of at most `longest` epochs, `finish` of which are to be whole."""
    scheduler: TrialScheduler = import_module(f"{__name__}.{config.name}").build(config, longest, finish)
    return scheduler
