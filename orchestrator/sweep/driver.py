"""A sweep: Tune's trials, Ray Train's gangs and the recorder, put together, run, and taken down again."""

import contextlib
import logging
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray import tune

from orchestrator.display.live import Screen
from orchestrator.plan.plan import Plan
from orchestrator.plan.resources import RELAY_CPUS
from orchestrator.results.records import best_trial
from orchestrator.results.sinks import StoreSink
from orchestrator.results.store import ResultsStore, SweepInfo
from orchestrator.search.schedulers import build_scheduler
from orchestrator.search.searcher import OptunaSearcher
from orchestrator.search.studies import open_study
from orchestrator.search.warm_start import WarmStart
from orchestrator.sweep.broker import BrokerHandle, start_broker
from orchestrator.sweep.confirm import confirm_best
from orchestrator.sweep.gang import Gang
from orchestrator.sweep.recorder import Recorder
from orchestrator.sweep.stopper import Watch
from orchestrator.sweep.trainable import Relay
from orchestrator.sweep.worker import GangSetup
from orchestrator.tracking.mlflow_tracker import MlflowTracker
from trainers.run_report import Verdict

log = logging.getLogger(__name__)

FAREWELL_S = 5.0  # after a stop, gangs get this long to finish their epoch before they are ended
GOODBYE_S = 30.0  # at the end, idle gangs get this long to leave; one that never got its CPUs or GPUs never leaves
PATIENCE_S = 60.0  # an MLflow server may be away this long at the end before the rest is given up


class Release(tune.Callback):
    """Tells the broker of trials that Tune has ended."""

    def __init__(self, broker: BrokerHandle) -> None:
        self._broker = broker

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """The scheduler cut it; for a trial that ended by itself this changes nothing."""
        self._broker.stop.remote(trial.config["trial_id"], Verdict.OUTRANKED)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Its relay failed for good."""
        self._broker.stop.remote(trial.config["trial_id"], Verdict.ERROR)


@dataclass(frozen=True)
class Ending:
    """How a sweep ended.

    Attributes:
        status: finished, target_reached, out_of_time, out_of_gpu_hours, interrupted or failed.
        lost_writes: how many writes MLflow never took.
        troubles: one line for each gang that could not be kept up, and for the recorder.
    """

    status: str
    lost_writes: int
    troubles: list[str]


def run_sweep(
    plan: Plan, store: ResultsStore, info: SweepInfo, screen: Screen, warm: WarmStart | None = None
) -> Ending:
    """Run the plan in the Ray that is connected.

    Args:
        plan: what to run.
        store: the sweep's directory, with its space written.
        info: what MLflow is told of the sweep.
        screen: shows it.
        warm: trials of another sweep for the sampler.
    """
    tracker = MlflowTracker(info, store)
    broker = start_broker(plan.metric)
    setup = GangSetup(
        space=plan.space,
        data=plan.data,
        cache_dir=plan.cache_dir,
        trials_dir=store.trials_dir,
        threads=plan.resources.threads,
        broker=broker,
    )
    ray_dir = plan.directory / "ray"
    gangs = [Gang(number, setup, plan.resources, ray_dir) for number in range(plan.resources.gangs)]
    recorder = Recorder(broker, plan.space, [StoreSink(store), tracker, screen], plan.resources.devices)
    watch = Watch(broker, gangs, recorder, plan.budgets, plan.resources.workers * plan.resources.gpus)
    searcher = _searcher(plan, broker, screen, warm)
    for thread in (*gangs, recorder):
        thread.start()
    screen.open()
    troubles = []
    try:
        with _interrupts(watch, screen):
            _tuner(plan, searcher, broker, watch, ray_dir).fit()
            if watch.reason not in (Verdict.INTERRUPTED, Verdict.ERROR):
                confirm_best(plan.space.confirm, broker, watch, screen.say)
                watch.reason = watch.reason or (Verdict.INTERRUPTED if watch.interrupted.is_set() else None)
            ray.get(broker.close.remote(watch.reason or Verdict.OUTRANKED))
            _dismiss(gangs, watch)
    except KeyboardInterrupt:
        watch.reason = Verdict.INTERRUPTED
    except Exception as error:  # said below, and the sweep's status; what was found so far is still put in order
        log.exception("the sweep failed")
        watch.reason = Verdict.ERROR
        troubles.append(_first_line(error))
    recorder.close(watch.reason or Verdict.OUTRANKED)
    screen.close()
    searcher.close()
    status = {None: "finished", Verdict.ERROR: "failed"}.get(watch.reason, str(watch.reason))
    best = best_trial(list(recorder.trials.values()))
    lost = tracker.close(best, status, patience_s=FAREWELL_S if status == "interrupted" else PATIENCE_S)
    if status in ("finished", "failed"):
        workers: list[Recorder | Gang] = [recorder, *gangs]
        troubles += [f"{thread.name}: {_first_line(thread.error)}" for thread in workers if thread.error is not None]
    return Ending(status, lost, troubles)


def _searcher(plan: Plan, broker: BrokerHandle, screen: Screen, warm: WarmStart | None) -> OptunaSearcher:
    imported = warm.trials if warm else ()
    study = open_study(plan.storage, plan.sweep, plan.space, metric=plan.metric, seed=plan.seed, imported=imported)
    return OptunaSearcher(
        study,
        plan.space,
        plan.metric,
        lambda name, params: ray.get(broker.submit.remote(name, params)),
        config={"broker": broker},
        devices=plan.resources.devices,
        say=screen.say,
    )


def _dismiss(gangs: Sequence[Gang], watch: Watch) -> None:
    """Wait for the gangs to go home, all together a few seconds; those that do not are ended with Ray."""
    deadline = time.monotonic() + (GOODBYE_S if watch.reason is None else FAREWELL_S)
    for gang in gangs:
        while gang.is_alive() and time.monotonic() < deadline and (watch.reason or not watch.interrupted.is_set()):
            gang.join(0.2)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _tuner(plan: Plan, searcher: OptunaSearcher, broker: BrokerHandle, watch: Watch, ray_dir: Path) -> tune.Tuner:
    return tune.Tuner(
        tune.with_resources(Relay, {"cpu": RELAY_CPUS}),
        tune_config=tune.TuneConfig(
            metric=plan.metric,
            mode="min",
            num_samples=plan.trials,
            # One more than there are gangs: the next trial already waits when a gang is done with the last.
            max_concurrent_trials=plan.resources.gangs + 1,
            reuse_actors=True,
            search_alg=searcher,
            scheduler=build_scheduler(plan.space),
            trial_name_creator=_trial_name,
            trial_dirname_creator=_trial_name,
        ),
        run_config=tune.RunConfig(
            name="tune",
            storage_path=str(ray_dir),
            verbose=0,
            stop=watch,
            callbacks=[Release(broker)],
            failure_config=tune.FailureConfig(max_failures=3),
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),  # the gangs keep the checkpoints
        ),
    )


def _trial_name(trial: Any) -> str:
    return trial.config["trial_id"]


@contextlib.contextmanager
def _interrupts(watch: Watch, screen: Screen) -> Iterator[None]:
    """The first Ctrl-C (or SIGTERM) ends the sweep in order, the second at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: Any) -> None:
        if watch.interrupted.is_set():
            raise KeyboardInterrupt
        watch.interrupted.set()
        screen.say("stopping: trials end after their epoch, at most a few seconds from now (Ctrl-C again: at once)")

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
