"""The end of a sweep: its best settings are trained again, so that none wins by a lucky training seed."""

import logging
from collections.abc import Callable, Sequence

import numpy as np

from orchestrator.results.records import TrialRecord
from orchestrator.results.repeats import repeat_name, settings_to_repeat, trained
from orchestrator.results.store import ResultsStore
from orchestrator.search.proposal import Proposal
from orchestrator.space.space import Space
from orchestrator.sweep.broker_client import BrokerClient
from orchestrator.sweep.confirm import POLL_S, measure_again, settle
from orchestrator.sweep.stopper import SweepStopper

log = logging.getLogger(__name__)


def repeat_best(
    space: Space,
    seed: int,
    store: ResultsStore,
    broker: BrokerClient,
    stopper: SweepStopper,
    say: Callable[[str], None],
) -> None:
    """Let the gangs train the best settings again; returns when that is done, or may not go on.

    These are the `confirm.top` with the lowest confirmed means. What an earlier driver has begun goes on from its last
    checkpoint, and what is over is not repeated. What is trained when a budget is used up is still measured.

    Args:
        space: of the sweep; `confirm` says how many, and how often each.
        seed: of the sweep.
        store: its directory.
        broker: the sweep's, not closed yet.
        stopper: knows whether there is time for more.
        say: shows a line to the user.
    """
    confirm = space.confirm
    if not confirm.train_seeds:
        return
    best = settings_to_repeat(store.read_trials(), confirm.top)
    asked = proposals(space, seed, best, confirm.train_seeds)
    if not asked:
        say("no setting is trained again: none was confirmed")
        return
    names = ", ".join(trial.trial_id for trial in best)
    times = f"{confirm.train_seeds} fresh training seed{'' if confirm.train_seeds == 1 else 's'}"
    say(f"training the best settings again, with {times} each: {names} ...")
    while may := stopper.may_repeat():
        left, failed = broker.repeat(asked, confirm.seeds, POLL_S)
        if not left:
            for name, why in failed.items():
                log.error("repeat %s was not confirmed: %s", name, why)
            break
    if may or not stopper.may_wait():
        return
    settle(broker, stopper)
    state = store.read_state()
    repeats = [state.trials[one.name] for one in asked if one.name in state.trials]
    left = len(asked) - sum(repeat.over for repeat in repeats)
    say(f"{left} of {len(asked)} training seeds have not run to the end: {stopper.status.replace('_', ' ')}")
    if unmeasured := [one.trial_id for one in repeats if trained(one) and not one.confirmed and not one.refused]:
        measure_again(unmeasured, confirm.seeds, broker, stopper, say)


def proposals(space: Space, seed: int, best: Sequence[TrialRecord], times: int) -> list[Proposal]:
    """The repeats of settings: each setting once, then each once more, so that they compare whenever that ends."""
    found = []
    for number in range(1, times + 1):
        for trial in best:
            params = {**trial.params, "seed": train_seed(seed, trial.number, number)}
            config = space.resolve(params)
            found.append(
                Proposal(
                    name=repeat_name(trial.trial_id, number),
                    params=params,
                    epochs=config.schedule.epochs,
                    n_fake=config.fid.n_fake,
                    repeats=trial.trial_id,
                )
            )
    return found


def train_seed(seed: int, trial: int, repeat: int) -> int:
    """The training seed of a repeat: of the sweep's seed, the number of its setting's trial, and its own; 32 bits."""
    return int(np.random.SeedSequence((seed, trial, repeat)).generate_state(1)[0])
