"""Asynchronous successive halving in its promotion type (arXiv:1810.05934, section 3): trials wait at rungs."""

from orchestrator.search.schedulers.ladder import Ladder
from orchestrator.search.schedulers.promotion import Promotion
from orchestrator.space.rungs import rungs
from orchestrator.space.sections import SchedulerConfig


def build(config: SchedulerConfig, longest: int, finish: int = 1) -> Promotion:
    """Promotion for trials of at most `longest` epochs, of which `finish` train to their end."""
    epochs = rungs(config.grace_epochs, config.farther, longest)
    return Promotion(Ladder(epochs, config.reduction_factor, finish))
