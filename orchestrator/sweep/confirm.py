"""The end of a sweep: its best trials are measured again before one of them is named the winner."""

import logging
import time
from collections.abc import Callable
from pathlib import Path

from orchestrator.results.mirror import home_of
from orchestrator.results.retention import finalists
from orchestrator.results.store import ResultsStore
from orchestrator.space.sections import ConfirmConfig
from orchestrator.sweep.broker_client import BrokerClient
from orchestrator.sweep.stopper import SweepStopper
from trainers.checkpoint import BEST

log = logging.getLogger(__name__)

POLL_S = 0.5
SETTLE_S = 300.0  # stopped trials get this long to finish their epoch; later ones are no candidates


def confirm_best(
    asked: ConfirmConfig, store: ResultsStore, broker: BrokerClient, stopper: SweepStopper, say: Callable[[str], None]
) -> None:
    """Let the gangs measure the best trials again; returns when that is done, or when waiting no longer makes sense.

    Where not one of them could be confirmed, or keeps the constraints, the next best are measured. What was measured
    again by an earlier driver is not repeated. A trial whose ``best.pt`` was dropped is left out
    (`--keep-checkpoints`).

    Args:
        asked: how many trials, on how many sets of latents.
        store: of the sweep.
        broker: the sweep's broker, not closed yet.
        stopper: knows whether waiting for the gangs makes sense.
        say: shows a line to the user.
    """
    if not asked.top:
        return
    settle(broker, stopper)
    trials = store.read_trials()
    can_be = with_best(store) | {one.trial_id for one in trials if one.confirmed}
    ranked = [trial_id for trial_id in finalists(trials) if trial_id in can_be]
    while ranked and stopper.may_wait():
        best, ranked = ranked[: asked.top], ranked[asked.top :]
        if measure_again(best, asked.seeds, broker, stopper, say) and not _better_left(store, best, ranked):
            return


def _better_left(store: ResultsStore, measured: list[str], left: list[str]) -> bool:
    """Whether every trial that was measured again breaks a constraint, and one that was not does not."""
    keeps = {trial.trial_id for trial in store.read_trials() if trial.can_win and not trial.broken}
    return keeps.isdisjoint(measured) and not keeps.isdisjoint(left)


def with_best(store: ResultsStore) -> set[str]:
    """The trials whose ``best.pt`` is kept, here or, of a remote sweep, at its home: another node may have written it.

    Raises:
        StorageError: the home does not answer.
    """
    home = home_of(store.directory)
    there = [Path(name) for name in home.files("trials")] if home is not None else []
    return {path.parent.name for path in (*store.trials_dir.glob(f"*/{BEST}"), *there) if path.name == BEST}


def measure_again(
    best: list[str], seeds: int, broker: BrokerClient, stopper: SweepStopper, say: Callable[[str], None]
) -> int:
    """Measure these trials again; returns how many were confirmed."""
    say(f"measuring the best trials again: {', '.join(best)} ...")
    while True:
        pending, failed = broker.measure_again(best, seeds, POLL_S)
        if not pending or not stopper.may_wait():
            break
    for trial_id, why in failed.items():
        log.error("trial %s was not confirmed: %s", trial_id, why)
    if pending:
        log.error("%d of %d were not measured again: interrupted, or no gang is left", pending, len(best))
    return len(best) - len(failed) - pending


def settle(broker: BrokerClient, stopper: SweepStopper) -> None:
    """Wait for the trials that still run."""
    deadline = time.monotonic() + SETTLE_S
    while broker.settled(POLL_S) and stopper.may_wait() and time.monotonic() < deadline:
        pass
