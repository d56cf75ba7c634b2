"""The end of a sweep: its best trials are measured again before one of them is named the winner."""

import logging
import time
from collections.abc import Callable, Mapping

import ray

from orchestrator.results.records import State, state_of
from orchestrator.space.sections import ConfirmConfig
from orchestrator.sweep.broker import BrokerHandle
from orchestrator.sweep.stopper import Watch
from trainers.run_report import Outcome

log = logging.getLogger(__name__)

POLL_S = 0.5
SETTLE_S = 300.0  # trials that were stopped get this long to finish their epoch; others are no candidates


def finalists(outcomes: Mapping[str, Outcome], top: int) -> list[str]:
    """The `top` trials with the lowest objectives, best first; failed ones cannot win."""
    measured = {
        trial_id: outcome.objective
        for trial_id, outcome in outcomes.items()
        if outcome.objective is not None and state_of(str(outcome.verdict), outcome.objective) is not State.FAILED
    }
    return sorted(measured, key=lambda trial_id: (measured[trial_id], trial_id))[:top]


def confirm_best(asked: ConfirmConfig, broker: BrokerHandle, watch: Watch, say: Callable[[str], None]) -> None:
    """Let the gangs measure the best trials again; returns when they have, or when nobody is left to do it.

    Args:
        asked: how many trials, on how many sets of latents.
        broker: of the sweep; not closed yet.
        watch: knows whether waiting for the gangs makes sense.
        say: shows a line.
    """
    if not asked.top:
        return
    best = finalists(_outcomes(broker, watch), asked.top)
    if not best or not watch.may_wait():
        return
    say(f"measuring the best trials again: {', '.join(best)} ...")
    ray.get(broker.remeasure.remote(best, asked.seeds))
    while True:
        pending, given_up = ray.get(broker.remeasuring.remote(POLL_S))
        if not pending or not watch.may_wait():
            break
    for trial_id, why in given_up.items():
        log.error("trial %s was not measured again: %s", trial_id, why)
    if pending:
        log.error("%d of %d were not measured again: interrupted, or no gang is left", pending, len(best))


def _outcomes(broker: BrokerHandle, watch: Watch) -> dict[str, Outcome]:
    """How the trials ended, once those that still run have."""
    deadline = time.monotonic() + SETTLE_S
    while True:
        running, outcomes = ray.get(broker.outcomes.remote(POLL_S))
        if not running or not watch.may_wait() or time.monotonic() > deadline:
            return outcomes
