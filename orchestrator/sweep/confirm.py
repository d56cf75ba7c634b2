"""The end of a sweep: its best trials are measured again before one of them is named the winner."""

import logging
import time
from collections.abc import Callable, Mapping

from orchestrator.results.verdict import TrialOutcome
from orchestrator.space.sections import ConfirmConfig
from orchestrator.sweep.broker_client import BrokerClient
from orchestrator.sweep.stopper import SweepStopper

log = logging.getLogger(__name__)

POLL_S = 0.5
SETTLE_S = 300.0  # stopped trials get this long to finish their epoch; later ones are no candidates


def finalists(outcomes: Mapping[str, TrialOutcome], top: int) -> list[str]:
    """The `top` trials with the lowest objectives, best first, whatever ended them."""
    measured = {name: outcome.objective for name, outcome in outcomes.items() if outcome.objective is not None}
    return sorted(measured, key=lambda trial_id: (measured[trial_id], trial_id))[:top]


def confirm_best(asked: ConfirmConfig, broker: BrokerClient, stopper: SweepStopper, say: Callable[[str], None]) -> None:
    """Let the gangs measure the best trials again; returns when that is done, or when waiting no longer makes sense.

    Where not one of them could be confirmed, the next best are measured.

    Args:
        asked: how many trials, on how many sets of latents.
        broker: the sweep's broker, not closed yet.
        stopper: knows whether waiting for the gangs makes sense.
        say: shows a line to the user.
    """
    if not asked.top:
        return
    outcomes = _outcomes(broker, stopper)
    ranked = finalists(outcomes, len(outcomes))
    while ranked and stopper.may_wait():
        best, ranked = ranked[: asked.top], ranked[asked.top :]
        if _confirmed(best, asked.seeds, broker, stopper, say):
            return


def _confirmed(
    best: list[str], seeds: int, broker: BrokerClient, stopper: SweepStopper, say: Callable[[str], None]
) -> int:
    """Measure these trials again; returns how many were confirmed."""
    say(f"measuring the best trials again: {', '.join(best)} ...")
    broker.confirm(best, seeds)
    while True:
        pending, given_up = broker.confirming(POLL_S)
        if not pending or not stopper.may_wait():
            break
    failed = {trial_id: why for trial_id, why in given_up.items() if trial_id in best}
    for trial_id, why in failed.items():
        log.error("trial %s was not confirmed: %s", trial_id, why)
    if pending:
        log.error("%d of %d were not measured again: interrupted, or no gang is left", pending, len(best))
    return len(best) - len(failed) - pending


def _outcomes(broker: BrokerClient, stopper: SweepStopper) -> dict[str, TrialOutcome]:
    """How the trials ended; waits for those that still run."""
    deadline = time.monotonic() + SETTLE_S
    while True:
        running, outcomes = broker.outcomes(POLL_S)
        if not running or not stopper.may_wait() or time.monotonic() > deadline:
            return outcomes
