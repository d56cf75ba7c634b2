"""SIMULATED gangs, for tests of scale only: they replay learning curves on a clock of their own. No Ray, no torch.

Everything that decides is real: the searcher and its Optuna study, Tune's schedulers, the rules.
"""

import heapq
import itertools
import math
import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler
from ray.tune.search import Searcher

from orchestrator.pruning import Guard, Rule
from orchestrator.results.verdict import StopReason, TrialOutcome, outcome_of
from orchestrator.search.proposal import Proposal
from orchestrator.search.searcher import OptunaSearcher
from tests.orchestrator.sweep_helpers import result as result_of
from trainers.run_report import EpochReport, Measurement, RunEnd, RunOutcome

METRIC = "fid_test_n2"
BROKEN = {"nonfinite": {"d_loss": math.nan}, "grad_explosion": {"grad_norm_d": 1e6}}  # what a failure looks like


@dataclass(frozen=True)
class Curve:
    """How a setting would train.

    Attributes:
        fids: one per epoch; None where none is measured.
        fails_at: the epoch at which it breaks, None for never.
        failure: how, a key of `BROKEN`.
    """

    fids: list[float | None]
    fails_at: int | None = None
    failure: str = "nonfinite"


@dataclass
class Life:
    """One trial, as the simulation saw it."""

    name: str
    params: dict[str, Any]
    curve: Curve
    tune: Trial
    guard: Guard
    epoch: int = 0
    objective: float | None = None
    shown: dict[int, float] = field(default_factory=dict)  # the FIDs that Optuna heard of
    verdict: str | None = None


class Field:
    """`gangs` gangs that train what the searcher suggests.

    Args:
        searcher: real; its `submit` must append to `queue`.
        scheduler: real.
        rules: real.
        queue: where the searcher submits.
        gangs: how many.
        curve: what a setting would do.
        window_first: first epoch of the window.
        seed: of the gangs' speeds.

    Attributes:
        lives: all trials so far, by name.
        busiest: the most trials that trained at once.
        deciding: wall seconds spent in searcher, scheduler and rules.
    """

    def __init__(
        self,
        searcher: OptunaSearcher,
        scheduler: TrialScheduler,
        rules: tuple[Rule, ...],
        queue: deque[Proposal],
        *,
        gangs: int,
        curve: Callable[[dict[str, Any]], Curve],
        window_first: int,
        seed: int = 0,
    ) -> None:
        scheduler.set_search_properties(METRIC, "min")
        self.searcher, self.scheduler, self.rules, self.queue = searcher, scheduler, rules, queue
        self.gangs, self.curve, self.window_first = gangs, curve, window_first
        self.lives: dict[str, Life] = {}
        self.busiest, self.deciding = 0, 0.0
        self._random, self._no_controller = random.Random(seed), None

    def run(self, trials: int) -> None:
        """Until `trials` have ended, or there is nothing left to try."""
        clock: list[tuple[float, int, Life]] = []
        order = itertools.count()
        asked = 0
        now = 0.0
        while True:
            while len(clock) < self.gangs and asked < trials and (life := self._next(asked)) is not None:
                asked += 1
                heapq.heappush(clock, (now + self._random.uniform(0.5, 1.5), next(order), life))
                self.busiest = max(self.busiest, len(clock))
            if not clock:
                return
            now, _, life = heapq.heappop(clock)
            if self._epoch(life):
                heapq.heappush(clock, (now + self._random.uniform(0.5, 1.5), next(order), life))

    def _next(self, number: int) -> Life | None:
        started = time.perf_counter()
        config = self.searcher.suggest(f"tune{number}")
        self.deciding += time.perf_counter() - started
        if config is None or config == Searcher.FINISHED:
            return None
        proposal = self.queue.popleft()
        name, params = proposal.name, proposal.params
        assert name == config["trial_id"]
        assert name not in self.lives, "a number is given once"
        tune = Trial("simulated", stub=True, trial_id=f"tune{number}")
        curve = self.curve(params)
        self.scheduler.on_trial_add(self._no_controller, tune)  # type: ignore[arg-type]
        self.lives[name] = Life(name, params, curve, tune, Guard(self.rules, len(curve.fids), past=lambda: []))
        return self.lives[name]

    def _epoch(self, life: Life) -> bool:
        """Train one epoch; whether the trial goes on."""
        life.epoch += 1
        broken = life.curve.fails_at == life.epoch
        fid = None if broken else life.curve.fids[life.epoch - 1]
        if fid is not None and life.epoch >= self.window_first:
            life.objective = min(fid, life.objective or math.inf)
        last = life.epoch == len(life.curve.fids)
        started = time.perf_counter()
        metrics = {"d_loss": 0.5, "g_loss": 1.0, **(BROKEN[life.curve.failure] if broken else {})}
        trip = life.guard.see(_report(life, metrics, fid))
        if trip is not None or last:
            end = RunEnd.COMPLETED if trip is None else RunEnd.STOPPED
            run = RunOutcome(end=end, epochs=life.epoch, objective=life.objective)
            self._end(life, outcome_of(run, trip, None), fid)
        elif fid is not None:
            self._measured(life, fid)
        self.deciding += time.perf_counter() - started
        return life.verdict is None

    def _measured(self, life: Life, fid: float) -> None:
        """As Tune does: the scheduler first; the searcher gets a cut trial's last measurement only at its end."""
        result = result_of(life.epoch, fid).to_tune(METRIC)
        life.shown[life.epoch] = fid
        if self.scheduler.on_trial_result(self._no_controller, life.tune, result) == TrialScheduler.STOP:  # type: ignore[arg-type]
            self.scheduler.on_trial_complete(self._no_controller, life.tune, result)  # type: ignore[arg-type]
            self.searcher.on_trial_complete(life.tune.trial_id, result)
            life.verdict = StopReason.OUTRANKED
        else:
            self.searcher.on_trial_result(life.tune.trial_id, result)

    def _end(self, life: Life, outcome: TrialOutcome, fid: float | None) -> None:
        result = result_of(life.epoch, fid, outcome=outcome).to_tune(METRIC)
        self.scheduler.on_trial_complete(self._no_controller, life.tune, result)  # type: ignore[arg-type]
        self.searcher.on_trial_complete(life.tune.trial_id, result)
        life.verdict = outcome.verdict


def _report(life: Life, metrics: dict[str, float], fid: float | None) -> EpochReport:
    return EpochReport(
        epoch=life.epoch,
        images_seen=life.epoch,
        metrics=metrics,
        measurement=None if fid is None else Measurement(epoch=life.epoch, fid=fid, name=METRIC),
        objective=life.objective,
        best_epoch=None,
        samples=None,
        started=0.0,
        trained=0.0,
        ended=0.0,
    )
