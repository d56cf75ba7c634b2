"""SIMULATED gangs, and a loop in the place of Tune's, for `bench_scale`: they talk to a real broker on a real Ray.

The gangs train nothing: an epoch is a pause, its numbers follow from a formula. All of them live in one actor, whose
calls are those of a gang's rank 0. Tune starts a process per trial, which no small machine has room for a thousand
times: in its place one loop asks the broker for all trials, and asks scheduler, searcher and stopper in Tune's order.
"""

import asyncio
import math
import queue
import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

import ray
from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler

from orchestrator.pruning import Guard, build_rules
from orchestrator.results.lines import LineWriter
from orchestrator.results.places import history_file
from orchestrator.results.verdict import outcome_of
from orchestrator.search.result import TrialResult
from orchestrator.search.searcher import OptunaSearcher
from orchestrator.space.load import build_space
from orchestrator.space.space import Space
from orchestrator.sweep.broker_client import BrokerClient
from orchestrator.sweep.messages import Lease, NoLease
from orchestrator.sweep.stopper import SweepStopper
from trainers.run_report import EpochReport, Measurement, RunEnd, RunOutcome

METRIC = "fid_simulated_n10000"
NUMBERS = 18  # in an epoch's report, as a real one has
RATES = ("optimizer.lr_g", "optimizer.lr_d")


def definition(epochs: int, every: int) -> dict[str, Any]:
    """A space of five values, with TPE and ASHA; FID every so many epochs."""
    return {
        "base": {"schedule": {"epochs": epochs, "window_first": max(1, epochs * 3 // 5)}, "fid": {"every": every}},
        "search": {
            **{rate: {"float": [1e-5, 1e-1], "log": True} for rate in RATES},
            "noise.instance_sigma": {"float": [0.0, 0.2]},
            "optimizer.beta1": {"float": [0.0, 0.9]},
            "data.batch_size": {"choice": [32, 64, 128]},
        },
        "scheduler": {"name": "asha", "grace_epochs": every, "reduction_factor": 3},
        "sampler": {"name": "tpe"},
    }


class Counted:
    """Ray's handle of an actor, which counts the messages that are sent through it."""

    def __init__(self, actor: Any) -> None:
        self.sent: Counter[str] = Counter()
        self._actor = actor

    def __getattr__(self, name: str) -> Any:
        self.sent[name] += 1
        return getattr(self._actor, name)


class SimulatedGangs:
    """Gangs, each of which takes a trial, trains it as the formula says, and takes the next. An actor of Ray.

    Args:
        broker: Ray's handle of the sweep's broker.
        directory: of the sweep.
        plan: contents of the space.
        pace: seconds of an epoch.
    """

    def __init__(self, broker: Any, directory: Path, plan: dict[str, Any], pace: float) -> None:
        self._broker, self._directory, self._pace = Counted(broker), directory, pace
        self._space: Space = build_space("simulated", plan)
        self._epochs, self._holding, self._busiest = 0, 0, 0

    async def run(self, gangs: int) -> None:
        """Until the sweep is over."""
        await asyncio.gather(*(self._gang(number) for number in range(gangs)))

    async def counted(self) -> tuple[dict[str, int], int, int]:
        """Messages that were sent, by name; epochs; the most gangs that trained at once."""
        return dict(self._broker.sent), self._epochs, self._busiest

    async def _gang(self, number: int) -> None:
        while (lease := await self._broker.lease.remote(number, 1, 1)) is not NoLease.SWEEP_OVER:
            if isinstance(lease, Lease):
                self._holding += 1
                self._busiest = max(self._busiest, self._holding)
                await self._train(lease)
                self._holding -= 1

    async def _train(self, lease: Lease) -> None:
        config = self._space.resolve(lease.params)
        total, window = config.schedule.epochs, config.schedule.window_first
        guard = Guard(build_rules(self._space.pruning), total, past=lambda: [])
        file = history_file(self._directory, lease.trial_id)
        file.parent.mkdir(parents=True, exist_ok=True)
        history = LineWriter(file)
        rng, reason, trip = random.Random(lease.trial_id), None, None
        objective: float | None = None
        best: int | None = None
        for epoch in range(1, total + 1):
            await asyncio.sleep(self._pace * rng.uniform(0.8, 1.2))  # it trains
            measured = epoch % config.fid.every == 0
            fid = fid_of(lease.params, epoch, total, rng) if measured else None
            if fid is not None and epoch >= window and (objective is None or fid < objective):
                objective, best = fid, epoch
            report = report_of(epoch, fid, objective, best, broken=breaks(lease.params, epoch, rng))
            history.append(report.to_json())
            trip = guard.see(report)
            last = trip is not None or epoch == total
            reason = await self._broker.report.remote(lease.trial_id, report, last=last)
            self._epochs += 1
            if trip is not None or reason is not None:
                break
        history.close()
        end = RunEnd.COMPLETED if epoch == total and trip is None and reason is None else RunEnd.STOPPED
        run = RunOutcome(end=end, epochs=epoch, objective=objective, best_epoch=best)
        await self._broker.end.remote(lease.trial_id, outcome_of(run, trip, reason))


def fid_of(params: dict[str, Any], epoch: int, total: int, rng: random.Random) -> float:
    """The nearer both rates are to 1e-3 the better, and the later."""
    away = sum(math.log10(params[rate] / 1e-3) ** 2 for rate in RATES)
    return (20 + 30 * away + 200 * math.exp(-4 * epoch / total)) * math.exp(rng.gauss(0, 0.02))


def breaks(params: dict[str, Any], epoch: int, rng: random.Random) -> bool:
    """Rates above 1e-2 explode sooner or later."""
    return max(params[rate] for rate in RATES) > 1e-2 and rng.random() < 0.1


def report_of(epoch: int, fid: float | None, objective: float | None, best: int | None, *, broken: bool) -> EpochReport:
    """An epoch with as many numbers as a real one."""
    numbers = {f"metric_{number}": 0.123456789 * (number + epoch) for number in range(NUMBERS - 4)}
    numbers |= {"d_loss": 0.5, "g_loss": 1.0, "grad_norm_d": 1e6 if broken else 1.0, "images_per_second": 900.0}
    now = time.time()
    return EpochReport(
        epoch=epoch,
        images_seen=epoch * 50_000,
        metrics=numbers,
        measurement=None if fid is None else Measurement(epoch=epoch, fid=fid, name=METRIC, n_fake=10_000),
        objective=objective,
        best_epoch=best,
        samples=None,
        started=now,
        trained=now,
        ended=now,
    )


class InTunesPlace:
    """Keeps `most` trials open, and passes their measurements to scheduler and searcher, as Tune's loop does.

    Args:
        broker: whose actor is `Counted`.
        searcher: real.
        scheduler: real.
        stopper: real; Tune asks it in every turn of its loop.
        most: trials that are open at once.

    Attributes:
        decisions: suggestions, and measurements and ends that were answered.
        seconds: wall time in searcher, scheduler and stopper, by name; with the broker's answers that they wait for.
    """

    def __init__(
        self,
        broker: BrokerClient,
        searcher: OptunaSearcher,
        scheduler: TrialScheduler,
        stopper: SweepStopper,
        most: int,
    ) -> None:
        self.decisions: Counter[str] = Counter()
        self.seconds: Counter[str] = Counter()
        self._broker, self._searcher, self._scheduler, self._stopper, self._most = (
            broker,
            searcher,
            scheduler,
            stopper,
            most,
        )
        self._open: dict[str, tuple[Trial, str]] = {}
        self._heard: queue.SimpleQueue[tuple[str, TrialResult | Exception]] = queue.SimpleQueue()
        self._no_controller: Any = None

    def run(self) -> None:
        """Until the searcher has nothing left and all trials are over."""
        asked = 0
        while True:
            config = None
            if len(self._open) < self._most:
                config = self._timed("searcher", self._searcher.suggest, f"tune{asked}")
            if isinstance(config, dict):
                self._begin(f"tune{asked}", config["trial_id"])
                asked += 1
            elif not self._open:
                return
            self._timed("stopper", self._stopper.stop_all)
            while self._open and not (isinstance(config, dict) and self._heard.empty()):
                tune_id, result = self._heard.get()
                if isinstance(result, Exception):
                    raise result
                self._answer(tune_id, result)
                if self._heard.empty():
                    break

    def _begin(self, tune_id: str, name: str) -> None:
        self.decisions["suggested"] += 1
        trial = Trial("simulated", stub=True, trial_id=tune_id)
        self._timed("scheduler", self._scheduler.on_trial_add, self._no_controller, trial)
        self._open[tune_id] = trial, name
        self._ask(tune_id, name)

    def _ask(self, tune_id: str, name: str) -> None:
        answer = self._broker._actor.next_result.remote(name).future()
        answer.add_done_callback(lambda done: self._heard.put((tune_id, done.exception() or done.result())))

    def _answer(self, tune_id: str, measured: TrialResult) -> None:
        trial, name = self._open[tune_id]
        result = measured.to_tune(METRIC)
        cut = False
        if measured.outcome is None:
            said = self._timed("scheduler", self._scheduler.on_trial_result, self._no_controller, trial, result)
            cut = said == TrialScheduler.STOP
            self.decisions["measured"] += 1
        if cut or measured.outcome is not None:
            del self._open[tune_id]
            self.decisions["ended"] += 1
            self._timed("scheduler", self._scheduler.on_trial_complete, self._no_controller, trial, result)
            self._timed("searcher", self._searcher.on_trial_complete, tune_id, result)
        else:
            self._timed("searcher", self._searcher.on_trial_result, tune_id, result)
            self._ask(tune_id, name)

    def _timed(self, what: str, call: Any, *arguments: Any) -> Any:
        started = time.perf_counter()
        answer = call(*arguments)
        self.seconds[what] += time.perf_counter() - started
        return answer


def start_gangs(broker: Any, directory: Path, plan: dict[str, Any], pace: float) -> Any:
    """The actor, in a process of its own."""
    actor = ray.remote(num_cpus=0, max_concurrency=10)(SimulatedGangs)  # type: ignore[call-overload]
    return actor.remote(broker, directory, plan, pace)
