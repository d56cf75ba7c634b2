"""Runs a sweep: starts Tune's trials, Ray Train's gangs and the recorder, and shuts them down again."""

import contextlib
import logging
import os
import signal
import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from orchestrator.display.live import Screen
from orchestrator.plan.plan import Plan
from orchestrator.results.clock import driver_clock
from orchestrator.results.follower import Follower
from orchestrator.results.schedule import write_schedule
from orchestrator.results.state import SweepState
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import StopReason, SweepStatus
from orchestrator.search.warm_start import WarmStart
from orchestrator.sweep.broker_client import BrokerClient
from orchestrator.sweep.delivery import Delivery
from orchestrator.sweep.disk_watch import DiskWatch, reserve
from orchestrator.sweep.gang import Gang
from orchestrator.sweep.housekeeper import Housekeeper
from orchestrator.sweep.recorder import Recorder
from orchestrator.sweep.session import Session, SweepOutcome
from orchestrator.sweep.signals import Interrupts
from orchestrator.sweep.watchdog import Watchdog
from orchestrator.sweep.worker import GangSetup
from trainers.errors import first_line

if TYPE_CHECKING:
    from orchestrator.sweep.stopper import SweepStopper

log = logging.getLogger(__name__)

STOP_GRACE_S = 5.0  # after a stop, gangs get this long to finish their epoch before they are ended
EXIT_GRACE_S = 30.0  # at the end, idle gangs get this long to exit; one that never got its CPUs or GPUs never exits
TRACKING_GRACE_S = 60.0  # at the end, an MLflow server may be unreachable this long before the rest is given up


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
    broker = BrokerClient.start(store.directory, plan.release_after_s)
    setup = GangSetup(
        space=plan.space,
        data=plan.data,
        cache_dir=plan.cache_dir,
        directory=store.directory,
        resources=plan.resources,
        broker=broker,
    )
    ray_dir = plan.directory / "ray" / f"session-{state.session}"
    alone = plan.address is None
    gangs = [Gang(number, setup, ray_dir, alone=alone) for number in range(plan.resources.gangs)]
    with _starting(gangs):
        # Their processes start meanwhile: these imports take some 4 s.
        from orchestrator.sweep.confirm import confirm_best
        from orchestrator.sweep.desk import Desk
        from orchestrator.sweep.repeat import repeat_best
        from orchestrator.sweep.stopper import SweepStopper
        from orchestrator.sweep.tuning import build_searcher, build_tuner

        pusher = session.pusher
        elsewhere = [] if pusher is None else [pusher.drop]
        housekeeper = Housekeeper(store, state.plan.keep_checkpoints, plan.space.confirm.top, *elsewhere)
        follower = Follower(store.directory, state.plan, [housekeeper, screen])
        follower.skip()
        for watching in (housekeeper, screen):
            watching.watch(follower.state)
        recorder = Recorder(follower)
        delivery = Delivery(store.directory, state.plan, plan.tracking_uri, lambda: recorder.state)
        disk = DiskWatch(store.directory, reserve(state.plan.checkpoint_bytes, plan.resources.gangs), broker.where_full)
        clock = partial(driver_clock, state.sessions[-1].opened)
        stopper = SweepStopper(broker, gangs, recorder, disk, clock)
        searcher = build_searcher(plan, store, state, broker, lambda: desk.planned, stopper, screen, warm)
        desk = Desk(store, state.session, lambda: recorder.state, broker, searcher, partial(_stop, stopper), screen.say)
        watchdog = Watchdog(broker, plan.hang_timeout_s, screen.say)
        recorder.chores = [desk.answer, watchdog.look, screen.look, delivery.look]
        if pusher is not None:
            recorder.chores = [*recorder.chores, pusher.check_still_ours]
        for trial_id in searcher.cut:
            broker.stop(trial_id, StopReason.OUTRANKED)
        recorder.start()
    screen.open()
    troubles = []

    def stop_trials() -> None:
        stopper.interrupted.set()
        screen.say("stopping: trials end after their epoch, at most a few seconds from now (Ctrl-C again: at once)")

    try:
        with interrupts.while_trials_run(stop_trials):
            known: SweepState | None = state  # for Tune's first run; a later one reads the log again
            while stopper.status is SweepStatus.RUNNING and not desk.nothing_left():  # some may come at the last moment
                standing = known or store.read_state()
                tuner = build_tuner(
                    plan, store, standing, searcher, broker, stopper, ray_dir, warm, now=lambda: recorder.state
                )
                tuner.fit()
                known = None
            if stopper.status is SweepStatus.RUNNING:
                broker.halt(SweepStatus.FINISHED.trials_end_as)  # all that were planned are over: none is added now
            if stopper.may_confirm():
                confirm_best(plan.space.confirm, store, broker, stopper, screen.say)
                repeat_best(plan.space, plan.seed, store, broker, stopper, screen.say)
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
        troubles += _troubles_of([recorder, *gangs], disk)
    if status is SweepStatus.FAILED:
        disk.look_here()
        if disk.line:
            log.error("because the disk is full: %s", "; ".join(troubles))
            troubles = [disk.line]
        elif not troubles:
            troubles = ["all gangs have left, as they do when their driver gives no sign for long (--release-after)"]
    session.end(status, "; ".join(troubles) or before_the_first(status, store))
    recorder.close()
    write_schedule(store, recorder.state)
    screen.close()
    try:
        searcher.close(recorder.state)
    except Exception as error:  # Optuna's storage is away: a later driver reports what is over
        log.exception("Optuna does not know everything")
        troubles.append(f"Optuna does not know everything: {first_line(error)}")
    missing = delivery.end(STOP_GRACE_S if status is SweepStatus.INTERRUPTED else TRACKING_GRACE_S)
    return SweepOutcome(status, troubles, missing)


@contextlib.contextmanager
def _starting(gangs: Sequence[Gang]) -> Iterator[None]:
    """Start the gangs. Where the block fails, Ray shuts down next: what dies then is not started again."""
    for gang in gangs:
        gang.start()
    try:
        yield
    except BaseException:
        for gang in gangs:
            gang.closing.set()
        raise


def _troubles_of(threads: Sequence[Recorder | Gang], disk: DiskWatch) -> list[str]:
    """What ended threads, a line each; the disk's watch may not have seen yet that it was a full disk."""
    ended = [(thread.name, thread.error) for thread in threads if thread.error is not None]
    for _, error in ended:
        disk.seen(error)
    return [f"{name}: {first_line(error)}" for name, error in ended]


def before_the_first(status: SweepStatus, store: ResultsStore) -> str:
    """A sentence where a budget was used up before a trial could start; empty where one has started."""
    names = {
        SweepStatus.OUT_OF_TIME: "time budget was",
        SweepStatus.OUT_OF_GPU_HOURS: "GPU hours were",
        SweepStatus.OUT_OF_MONEY: "money was",
    }
    if status not in names or store.read_state().trials:  # the recorder may not have read of the first yet
        return ""
    return f"the {names[status]} used up before a trial could start: starting Ray and the gangs counts"


def _wait_for_exit(gangs: Sequence[Gang], stopper: "SweepStopper") -> None:
    """Wait for the gangs to exit, for one grace period in all; gangs that do not exit end with Ray."""
    finished = stopper.status is SweepStatus.FINISHED
    deadline = time.monotonic() + (EXIT_GRACE_S if finished else STOP_GRACE_S)
    for gang in gangs:
        gang.dismissed.set()
    for gang in gangs:
        while gang.is_alive() and time.monotonic() < deadline and not (finished and stopper.interrupted.is_set()):
            gang.join(0.2)


def _stop(stopper: "SweepStopper", now: bool) -> None:
    """As Ctrl-C, and as pressing it again: signals that come at the same moment would count as one."""
    if not stopper.interrupted.is_set():
        os.kill(os.getpid(), signal.SIGINT)
    if now and stopper.interrupted.wait(STOP_GRACE_S):
        os.kill(os.getpid(), signal.SIGINT)
