"""Asynchronous successive halving in its stopping type (arXiv:1810.05934): what is not among the best is cut."""

from ray.tune.schedulers import AsyncHyperBandScheduler

from orchestrator.search.result import CLOCK
from orchestrator.search.schedulers.comparable import ComparesMeasured
from orchestrator.space.sections import SchedulerConfig


class Asha(ComparesMeasured, AsyncHyperBandScheduler):
    """At each rung, one trial in `reduction_factor` goes on."""


def build(config: SchedulerConfig, longest: int, finish: int = 1) -> Asha:
    """ASHA for trials of at most `longest` epochs."""
    return with_grace(config.grace_epochs, config, longest)


def with_grace(grace: int, config: SchedulerConfig, longest: int) -> Asha:
    """ASHA as `config` says, except that every trial may run `grace` epochs."""
    return Asha(
        time_attr=CLOCK,
        max_t=longest + 1,  # a trial ends by itself at its last epoch
        grace_period=min(grace, longest),
        reduction_factor=config.reduction_factor,
    )
