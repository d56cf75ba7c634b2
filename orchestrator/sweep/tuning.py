"""What a sweep gives to Ray Tune: the searcher, which tells the broker of Tune's decisions, and the scheduler.

Imports Tune and Optuna, so the driver imports it while its gangs start.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ray import tune

from orchestrator.display.live import Screen
from orchestrator.plan.plan import Plan
from orchestrator.plan.resources import TRAINABLE
from orchestrator.results.state import SweepState
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import SweepStatus
from orchestrator.search.earlier import ShowEarlier, count_earlier, finished, measured_before
from orchestrator.search.schedulers import build_scheduler
from orchestrator.search.schedulers.pbt import Pbt
from orchestrator.search.schedulers.promotion import Promotion
from orchestrator.search.searcher import OptunaSearcher
from orchestrator.search.studies import open_study
from orchestrator.search.warm_start import WarmStart
from orchestrator.sweep.broker_client import BrokerClient
from orchestrator.sweep.patience import MAX_RESTARTS
from orchestrator.sweep.stopper import SweepStopper
from orchestrator.sweep.trainable import TrialTrainable


def build_searcher(
    plan: Plan,
    store: ResultsStore,
    state: SweepState,
    broker: BrokerClient,
    planned: Callable[[], int],
    stopper: SweepStopper,
    screen: Screen,
    warm: WarmStart | None,
) -> OptunaSearcher:
    """What proposes trials, on the sweep's study.

    Args:
        plan: of the sweep.
        store: its directory.
        state: how it stands.
        broker: takes the trials, and learns which Tune has ended.
        planned: how many trials there will be.
        stopper: knows whether the sweep ends.
        screen: shows a line to the user.
        warm: trials of another sweep.

    Raises:
        Exception: the study's storage does not answer.
    """
    imported = warm.trials if warm else ()
    study = open_study(plan.storage, plan.sweep, plan.space, metric=plan.metric, seed=plan.seed, imported=imported)
    return OptunaSearcher(
        study,
        plan.space,
        plan.metric,
        broker.submit,
        stop=broker.stop,
        pause=broker.pause,
        promote=broker.promote,
        state=state,
        history=store.read_history,
        planned=planned,
        ending=lambda: stopper.status is not SweepStatus.RUNNING,
        config={"broker": broker, "metric": plan.metric},
        devices=plan.resources.devices,
        say=screen.say,
    )


def build_tuner(
    plan: Plan,
    store: ResultsStore,
    state: SweepState,
    searcher: OptunaSearcher,
    broker: BrokerClient,
    stopper: SweepStopper,
    ray_dir: Path,
    warm: WarmStart | None,
    now: Callable[[], SweepState],
) -> tune.Tuner:
    """Tune, ready to `fit`, from where the sweep stands; arguments as of `build_searcher`, and Tune's own directory.

    `now` returns how the sweep stands while it runs.
    """
    scheduler = build_scheduler(plan.space, done=finished(state))
    scheduler.set_search_properties(plan.metric, "min")  # not by Tune, which refuses it where it is set already
    if isinstance(scheduler, Pbt):
        scheduler.join(plan.space, now)
    over, still_open = measured_before(scheduler, state, store.read_history)
    if isinstance(scheduler, Promotion) and len(plan.space.objectives) > 1:
        scheduler.second = searcher.second_objective
    if not isinstance(scheduler, Pbt):  # which reads the state
        count_earlier(scheduler, plan.metric, {**(warm.measured if warm else {}), **over}, state)
    searcher.follow(scheduler)
    return tune.Tuner(
        tune.with_resources(TrialTrainable, TRAINABLE),
        tune_config=tune.TuneConfig(
            num_samples=-1,  # the searcher knows how many are planned, which may change
            # One more than there are gangs: the next trial already waits when a gang has finished one.
            max_concurrent_trials=plan.resources.gangs + 1,
            reuse_actors=True,
            search_alg=searcher,
            scheduler=scheduler,
            trial_name_creator=_trial_name,
            trial_dirname_creator=lambda trial: f"{_trial_name(trial)}_{trial.trial_id}",  # a promoted one comes again
        ),
        run_config=tune.RunConfig(
            name="tune",
            storage_path=str(ray_dir),
            verbose=0,
            stop=stopper,
            # Where there are any, Tune imports MLflow and more before it starts, to count whose they are (ray 2.60).
            callbacks=[ShowEarlier(scheduler, plan.metric, still_open, state)] if still_open else None,
            failure_config=tune.FailureConfig(max_failures=MAX_RESTARTS),
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),  # the gangs keep the checkpoints
        ),
    )


def _trial_name(trial: Any) -> str:
    return trial.config["trial_id"]
