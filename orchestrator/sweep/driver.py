"""Runs a sweep: starts Tune's trials, Ray Train's gangs and the recorder, and shuts them down again."""

import logging
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ray import tune

from orchestrator.display.live import Screen
from orchestrator.plan.plan import Plan
from orchestrator.plan.resources import TRAINABLE
from orchestrator.results.clock import driver_clock
from orchestrator.results.follower import Follower
from orchestrator.results.state import SweepState
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import Failure, StopReason, SweepStatus
from orchestrator.search.earlier import ShowEarlier, count_earlier, measured_before
from orchestrator.search.schedulers import build_scheduler
from orchestrator.search.searcher import OptunaSearcher
from orchestrator.search.studies import open_study
from orchestrator.search.warm_start import WarmStart
from orchestrator.sweep.broker_client import BrokerClient
from orchestrator.sweep.confirm import confirm_best
from orchestrator.sweep.desk import Desk
from orchestrator.sweep.disk_watch import DiskWatch, reserve
from orchestrator.sweep.gang import MAX_RESTARTS, Gang
from orchestrator.sweep.housekeeper import Housekeeper
from orchestrator.sweep.recorder import Recorder
from orchestrator.sweep.session import Session
from orchestrator.sweep.signals import Interrupts
from orchestrator.sweep.stopper import SweepStopper
from orchestrator.sweep.trainable import TrialTrainable
from orchestrator.sweep.watchdog import Watchdog
from orchestrator.sweep.worker import GangSetup
from orchestrator.tracking.mlflow_tracker import MlflowTracker
from trainers.errors import first_line

log = logging.getLogger(__name__)

STOP_GRACE_S = 5.0  # after a stop, gangs get this long to finish their epoch before they are ended
EXIT_GRACE_S = 30.0  # at the end, idle gangs get this long to exit; one that never got its CPUs or GPUs never exits
TRACKING_GRACE_S = 60.0  # at the end, an MLflow server may be unreachable this long before the rest is given up


class StopForwarder(tune.Callback):
    """A Tune callback that tells the broker which trials Tune has ended."""

    def __init__(self, broker: BrokerClient) -> None:
        self._broker = broker

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """The scheduler has cut the trial; for a trial that ended by itself this changes nothing."""
        self._broker.stop(trial.config["trial_id"], StopReason.OUTRANKED)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """The trial's trainable has failed for good."""
        self._broker.stop(trial.config["trial_id"], Failure.ERROR)


@dataclass(frozen=True)
class SweepOutcome:
    """How a sweep ended.

    Attributes:
        status: in one word.
        troubles: one line for each error of the sweep itself, the recorder or a gang.
        tracking: a sentence on what MLflow has not taken; empty where it has everything.
    """

    status: SweepStatus
    troubles: list[str]
    tracking: str = ""


def run_sweep(
    plan: Plan,
    store: ResultsStore,
    session: Session,
    state: SweepState,
    screen: Screen,
    interrupts: Interrupts,
    warm: WarmStart | None = None,
) -> SweepOutcome:
    """Run the plan on the connected Ray, from where the sweep stands.

    Args:
        plan: what to run.
        store: the sweep's directory.
        session: this driver's, open.
        state: how the sweep stands.
        screen: shows the trials.
        interrupts: takes the signals.
        warm: trials of another sweep for the sampler.
    """
    tracker = MlflowTracker(store.directory, state.plan, plan.tracking_uri)
    broker = BrokerClient.start(store.directory)
    setup = GangSetup(
        space=plan.space,
        data=plan.data,
        cache_dir=plan.cache_dir,
        directory=store.directory,
        resources=plan.resources,
        broker=broker,
    )
    ray_dir = plan.directory / "ray" / f"session-{state.session}"
    gangs = [Gang(number, setup, ray_dir) for number in range(plan.resources.gangs)]
    pusher = session.pusher
    elsewhere = [] if pusher is None else [pusher.drop]
    housekeeper = Housekeeper(store, state.plan.keep_checkpoints, plan.space.confirm.top, *elsewhere)
    follower = Follower(store.directory, state.plan, [housekeeper, screen])
    follower.skip()
    for watching in (housekeeper, screen):
        watching.watch(follower.state)
    recorder = Recorder(follower)
    disk = DiskWatch(store.directory, reserve(state.plan.checkpoint_bytes, plan.resources.gangs), broker.where_full)
    clock = partial(driver_clock, state.sessions[-1].opened)
    stopper = SweepStopper(broker, gangs, recorder, disk, clock)
    searcher = _searcher(plan, store, state, broker, lambda: desk.planned, stopper, screen, warm)
    desk = Desk(store, state.session, lambda: recorder.state, broker, searcher, partial(_stop, stopper), screen.say)
    recorder.chores = [desk.answer, Watchdog(broker, plan.hang_timeout_s, screen.say).look]
    if pusher is not None:
        recorder.chores = [*recorder.chores, pusher.check_still_ours]
    for trial_id in searcher.cut:
        broker.stop(trial_id, StopReason.OUTRANKED)
    for thread in (*gangs, recorder, tracker):
        thread.start()
    screen.open()
    troubles = []

    def stop_trials() -> None:
        stopper.interrupted.set()
        screen.say("stopping: trials end after their epoch, at most a few seconds from now (Ctrl-C again: at once)")

    try:
        with interrupts.while_trials_run(stop_trials):
            known: SweepState | None = state  # for Tune's first run; a later one reads the log again
            while stopper.status is SweepStatus.RUNNING and not desk.nothing_left():  # some may come at the last moment
                _tuner(plan, store, known or store.read_state(), searcher, broker, stopper, ray_dir, warm).fit()
                known = None
            if stopper.status is SweepStatus.RUNNING:
                broker.halt(SweepStatus.FINISHED.trials_end_as)  # all that were planned are over: none is added now
            if stopper.may_confirm():
                confirm_best(plan.space.confirm, store, broker, stopper, screen.say)
            broker.close(stopper.finish().trials_end_as)
            _wait_for_exit(gangs, stopper)
    except KeyboardInterrupt:
        stopper.status = SweepStatus.INTERRUPTED
    except Exception as error:  # reported below, with the status; the results so far are still written
        log.exception("the sweep failed")
        disk.seen(error)
        stopper.status = SweepStatus.FAILED
        troubles.append(first_line(error))
    for gang in gangs:
        gang.closing.set()
    status = stopper.status
    if status in (SweepStatus.FINISHED, SweepStatus.FAILED):
        threads: list[Recorder | Gang] = [recorder, *gangs]
        troubles += [f"{thread.name}: {first_line(thread.error)}" for thread in threads if thread.error is not None]
    if disk.line and status is SweepStatus.FAILED:
        log.error("because the disk is full: %s", "; ".join(troubles))
        troubles = [disk.line]
    session.end(status, "; ".join(troubles))
    recorder.close()
    screen.close()
    try:
        searcher.close(recorder.state)
    except Exception as error:  # Optuna's storage is away: a later driver reports what is over
        log.exception("Optuna does not know everything")
        troubles.append(f"Optuna does not know everything: {first_line(error)}")
    tracker.close(STOP_GRACE_S if status is SweepStatus.INTERRUPTED else TRACKING_GRACE_S)
    return SweepOutcome(status, troubles, tracker.missing)


def _searcher(
    plan: Plan,
    store: ResultsStore,
    state: SweepState,
    broker: BrokerClient,
    planned: Callable[[], int],
    stopper: SweepStopper,
    screen: Screen,
    warm: WarmStart | None,
) -> OptunaSearcher:
    imported = warm.trials if warm else ()
    study = open_study(plan.storage, plan.sweep, plan.space, metric=plan.metric, seed=plan.seed, imported=imported)
    return OptunaSearcher(
        study,
        plan.space,
        plan.metric,
        broker.submit,
        state=state,
        history=store.read_history,
        planned=planned,
        ending=lambda: stopper.status is not SweepStatus.RUNNING,
        config={"broker": broker, "metric": plan.metric},
        devices=plan.resources.devices,
        say=screen.say,
    )


def _wait_for_exit(gangs: Sequence[Gang], stopper: SweepStopper) -> None:
    """Wait for the gangs to exit, for one grace period in all; gangs that do not exit end with Ray."""
    finished = stopper.status is SweepStatus.FINISHED
    deadline = time.monotonic() + (EXIT_GRACE_S if finished else STOP_GRACE_S)
    for gang in gangs:
        while gang.is_alive() and time.monotonic() < deadline and not (finished and stopper.interrupted.is_set()):
            gang.join(0.2)


def _tuner(
    plan: Plan,
    store: ResultsStore,
    state: SweepState,
    searcher: OptunaSearcher,
    broker: BrokerClient,
    stopper: SweepStopper,
    ray_dir: Path,
    warm: WarmStart | None,
) -> tune.Tuner:
    scheduler = build_scheduler(plan.space)
    scheduler.set_search_properties(plan.metric, "min")  # not by Tune, which refuses it where it is set already
    over, still_open = measured_before(scheduler, state, store.read_history)
    count_earlier(scheduler, plan.metric, {**(warm.measured if warm else {}), **over})
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
            trial_dirname_creator=_trial_name,
        ),
        run_config=tune.RunConfig(
            name="tune",
            storage_path=str(ray_dir),
            verbose=0,
            stop=stopper,
            callbacks=[ShowEarlier(scheduler, plan.metric, still_open), StopForwarder(broker)],
            failure_config=tune.FailureConfig(max_failures=MAX_RESTARTS),
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),  # the gangs keep the checkpoints
        ),
    )


def _trial_name(trial: Any) -> str:
    return trial.config["trial_id"]


def _stop(stopper: SweepStopper, now: bool) -> None:
    """As Ctrl-C, and as pressing it again: signals that come at the same moment would count as one."""
    if not stopper.interrupted.is_set():
        os.kill(os.getpid(), signal.SIGINT)
    if now and stopper.interrupted.wait(STOP_GRACE_S):
        os.kill(os.getpid(), signal.SIGINT)
