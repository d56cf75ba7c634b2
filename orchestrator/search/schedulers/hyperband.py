"""Hyperband (arXiv:1603.06560) in its asynchronous form: brackets in which trials wait at rungs and are promoted."""

import math

from orchestrator.search.schedulers.brackets import Brackets, Turns
from orchestrator.search.schedulers.ladder import Ladder
from orchestrator.search.schedulers.promotion import Promotion
from orchestrator.space.rungs import graces, rungs
from orchestrator.space.sections import SchedulerConfig


def build(config: SchedulerConfig, longest: int, finish: int = 1) -> Promotion:
    """Brackets for trials of at most `longest` epochs; `finish` of the first bracket and one of each other finish."""
    firsts = graces(config, longest)
    ladders = [
        Ladder(rungs(math.ceil(first), config.farther, longest), config.reduction_factor, 1 if bracket else finish)
        for bracket, first in enumerate(firsts)
    ]
    return Promotion(Brackets(ladders, Turns(firsts)))
