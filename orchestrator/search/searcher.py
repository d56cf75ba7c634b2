"""An Optuna searcher for Tune.

Ray's own OptunaSearch leaves a trial RUNNING for ever after a NaN, reports scheduler-cut trials as COMPLETE with
their last value, which misleads TPE, and enqueues the known points again when it re-attaches to a storage.
"""

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import optuna
from optuna.trial import TrialState
from ray.tune.schedulers import TrialScheduler
from ray.tune.search import Searcher

from orchestrator.results.exploits import Exploit
from orchestrator.results.repeats import is_repeat
from orchestrator.results.state import SweepState
from orchestrator.results.verdict import Failure, State, StopReason, TrialOutcome
from orchestrator.search.left_open import OpenTrial, last_measured, left_open
from orchestrator.search.proposal import Proposal
from orchestrator.search.propose import name_of, propose
from orchestrator.search.result import TrialResult, compared
from orchestrator.search.samplers import SeededByTrial
from orchestrator.search.schedulers.promotion import Promotion
from orchestrator.search.studies import DUPLICATE
from orchestrator.search.trial_costs import TrialCosts
from orchestrator.search.trial_states import FEASIBLE, HEALTHY, state_for_optuna, violation
from orchestrator.search.untried import Untried
from orchestrator.space.constraints import limits_of
from orchestrator.space.domains import Value
from orchestrator.space.objectives import lower_is_better
from orchestrator.space.sections import SAMPLERS
from orchestrator.space.space import Space
from trainers.errors import UserError
from trainers.metric_names import value_of
from trainers.run_report import EpochReport

OWN = "own"  # user attribute of a setting that the user added: it is tried even if it was tried before
TRIES = 3  # duplicate proposals to reject, before taking a setting from the list of untried ones or else repeating one


class OptunaSearcher(Searcher):
    """Asks Optuna for settings, and reports to it every measurement and the end of each trial.

    Its own work per trial takes constant time, however many trials there were.

    A trial that the end of the sweep cuts short stays RUNNING in Optuna: a later driver goes on with it. So does what
    a driver that died has left: what the log knows to be over is reported, what is open is proposed again, first and in
    the log's order, and what Optuna had proposed but the log does not know comes next.

    Args:
        study: the sweep's study, from `open_study`.
        space: the searched space; its known points are proposed first.
        metric: name of the first objective in Tune's results.
        submit: called with each new trial; its name is the trial's number in the study.
        pause: called with the name of each trial that waits at a rung of its scheduler.
        promote: called with the name of each of those that goes on, and of whom it becomes a copy.
        stop: called with the name of each trial that Tune has ended and why: cut by the scheduler, or its trainable has
            failed for good. For one that ended by itself it must change nothing.
        state: what the log says of the sweep so far.
        history: returns the epochs of one of its trials.
        planned: returns how many trials are planned; None: no limit.
        ending: returns whether the sweep ends, so that trials which Tune ends are cut short, not outranked.
        config: further entries for the config of Tune's trials.
        devices: ranks x GPUs per rank (1 without GPUs), for the objective ``device_seconds``.
        say: shows a line to the user.

    Attributes:
        cut: trials that a scheduler had cut when the driver died, before it could say so to their gangs. Optuna calls
            them PRUNED; one whose end Optuna knows and the log does not, for another reason, is run again.
    """

    def __init__(
        self,
        study: optuna.Study,
        space: Space,
        metric: str,
        submit: Callable[[Proposal], None],
        *,
        stop: Callable[[str, StopReason | Failure], None] = lambda name, why: None,
        pause: Callable[[str], None] = lambda name: None,
        promote: Callable[[str, Exploit | None], None] = lambda name, exploit: None,
        state: SweepState | None = None,
        history: Callable[[str], Sequence[EpochReport]] = lambda name: (),
        planned: Callable[[], int] | None = None,
        ending: Callable[[], bool] = lambda: False,
        config: Mapping[str, Any] | None = None,
        devices: float = 1.0,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        super().__init__(metric=metric, mode="min")
        self._metric_name = metric
        self._study, self._space, self._submit, self._stop = study, space, submit, stop
        self._pause, self._promote = pause, promote
        self._history, self._planned, self._ending = history, planned, ending
        self._config, self._costs, self._say = dict(config or {}), TrialCosts(space, devices), say
        self._violations = SAMPLERS[space.sampler.name].violations
        self._open: dict[str, OpenTrial] = {}
        self._again: deque[OpenTrial] = deque()
        # Who waits is the scheduler's to say: it knows each one's rung, this what Optuna has of it. `_hold` and
        # `_next_promoted` change both at once. Two places, since a scheduler knows no study.
        self._paused: dict[str, OpenTrial] = {}
        self._scheduler: Promotion | None = None
        self._proposed, self._exhausted = 0, False
        self.cut: list[str] = []
        for point in space.known_points():
            study.enqueue_trial(point, skip_if_exists=True)
        self._unsubmitted = deque(self._take_over(state) if state is not None else left_open(study))
        if isinstance(study.sampler, SeededByTrial):
            study.sampler.measured = self._measured_and_open
        fresh = {trial.number for trial in self._unsubmitted}
        self._untried = Untried(space)
        self._own_added, self._own_asked = 0, 0  # each is of one thread
        for trial in study.get_trials(deepcopy=False):
            if trial.state is TrialState.WAITING:
                self._own_added += trial.user_attrs.get(OWN, False)
            elif trial.number not in fresh:
                self._untried.take(trial.params)

    def suggest(self, trial_id: str) -> Any:
        """The next setting, under Optuna's own trial number; FINISHED when all that are planned, or possible, are over.

        It is submitted at once, so that gangs take trials in this order and never wait for a trainable to start.
        """
        if self._again:
            asked = self._again.popleft()
        elif (promoted := self._next_promoted()) is not None:
            asked = promoted
        elif (new := self._ask() if self.has_more() else None) is not None:
            asked, self._proposed = new, self._proposed + 1
            proposal = propose(self._space, asked.trial.number, asked.params)
            self._costs.know(asked.trial.number, proposal.costs)
            self._submit(proposal)
        elif (promoted := self._next_promoted(none_new=True, none_runs=not self._open)) is not None:
            asked = promoted
        else:
            more = self._open or (self._paused and self._scheduler is not None and self._scheduler.all_go_on)
            return None if more else Searcher.FINISHED  # None: more may be planned, or added, meanwhile
        self._open[trial_id] = asked
        return {"trial_id": name_of(asked.trial.number), **self._config}

    def has_more(self) -> bool:
        """Whether anything is left to suggest by now."""
        planned = self._planned is None or self._proposed < self._planned()
        return bool(self._again) or (planned and (self._own_waits or not self._exhausted))

    def follow(self, scheduler: TrialScheduler) -> None:
        """Keep the trials that this scheduler pauses, and propose them again when it promotes them.

        Args:
            scheduler: knows what the trials have measured that are paused already.
        """
        if isinstance(scheduler, Promotion):
            self._scheduler = scheduler
            for name in [name for name in self._paused if not scheduler.wait(name)]:  # its history is lost
                self._promote(name, None)
                self._again.append(self._paused.pop(name))

    def second_objective(self, name: str, result: TrialResult) -> float | None:
        """By which schedulers compare a trial beside its first objective, lower is better; None where it is not known.

        Args:
            name: of the trial; of one of another sweep nothing is known.
            result: of a measurement.
        """
        if not name.isdecimal() or result.measurement is None:
            return None
        params = self._study.get_trials(deepcopy=False)[int(name)].params
        values = lower_is_better(self._costs.of(int(name), params, result.seconds, result.measurement.others))
        return values[0] if values else None

    def add(self, params: dict[str, Value]) -> None:
        """Propose a setting of the user's own next; may be called by another thread."""
        self._study.enqueue_trial(params, user_attrs={OWN: True})
        self._own_added += 1

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Report a measurement to Optuna, at its epoch. One that a restarted gang repeats is ignored.

        A FID of fakes that hardly vary counts as higher, as it does for schedulers (`compared`).
        """
        self._measured(self._open[trial_id], TrialResult.from_tune(result))

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Report the trial's end: COMPLETE with the objective, PRUNED when cut, FAIL when failed or never measured.

        A trial that a rule ended failed because of its setting. A sampler that learns from constraints gets it as
        PRUNED with a violated constraint; the earlier the failure, the greater the violation.
        """
        asked = self._open.pop(trial_id, None)
        if asked is None:
            return
        if self._waits(TrialResult.from_tune(result), error):
            self._measured(asked, TrialResult.from_tune(result))
            self._hold(asked)
            return
        self._report_end(asked, result, error)
        self._stop(name_of(asked.trial.number), Failure.ERROR if error else StopReason.OUTRANKED)

    def close(self, state: SweepState) -> None:
        """Report what is over by the log and was not reported yet; what the sweep's end cut short stays RUNNING.

        Args:
            state: what the log says at the end.
        """
        for trial in left_open(self._study):
            record = state.trials.get(name_of(trial.number))
            if record is not None and record.over:
                self._tell_over(OpenTrial(trial, record.params, last_measured(trial)), state)

    def save(self, checkpoint_path: str) -> None:
        """Nothing to save: the study's storage holds everything."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing to restore: the study's storage holds everything."""

    def __reduce__(self) -> Any:
        # Tune pickles its config for a later restore; the study's URL may hold a password and must not be in there.
        return (Searcher, (self._metric_name, "min"))

    def _waits(self, last: TrialResult | None, error: bool) -> bool:
        """Whether a trial that Tune has ended waits at a rung."""
        cut = last is not None and last.outcome is None and not error
        return cut and self._scheduler is not None and not self._ending()

    def _measured_and_open(self) -> set[int]:
        """Numbers of the trials that have FIDs and may wait again or do; empty for schedulers that pause none."""
        if self._scheduler is None:
            return set()
        everyone = [*self._open.values(), *self._again, *self._paused.values()]
        return {asked.trial.number for asked in everyone if asked.epoch}

    def _hold(self, asked: OpenTrial) -> None:
        name = name_of(asked.trial.number)
        self._paused[name] = asked
        if self._scheduler is not None:
            self._scheduler.wait(name)
        self._pause(name)

    def _next_promoted(self, *, none_new: bool = False, none_runs: bool = False) -> OpenTrial | None:
        if self._scheduler is None:
            return None
        name = self._scheduler.promote(none_new=none_new, none_runs=none_runs)
        if name is None:
            return None
        self._promote(name, self._scheduler.exploit(name))
        return self._paused.pop(name)

    def _report_end(self, asked: OpenTrial, result: dict[str, Any] | None, error: bool) -> None:
        ended = TrialResult.from_tune(result)
        if ended is not None and ended.outcome is None:
            self._measured(asked, ended)  # Tune passes the measurement of the cut only here
        outcome = ended.outcome if ended is not None and not error else None
        if outcome is None and self._ending():
            return
        epoch, seconds = (ended.epoch, ended.seconds) if ended is not None else (0, 0.0)
        self._tell(asked, outcome, epoch=epoch, seconds=seconds, error=error)

    def _take_over(self, state: SweepState) -> list[optuna.Trial]:
        """Go on where another driver stopped; returns the trials that the log does not know."""
        self._proposed = state.proposed()
        running = {name_of(trial.number): trial for trial in left_open(self._study)}
        there = {name_of(trial.number): trial for trial in self._study.get_trials(deepcopy=False)}
        unknown = {*state.trials, *state.waiting} - there.keys()
        if foreign := sorted(name for name in unknown if not is_repeat(name)):
            text = "its storage was lost or replaced: bring back what was there"
            raise UserError(f"Optuna's study does not know trial {foreign[0]} of this sweep: {text}")
        for name in (*state.interrupted, *state.waiting):
            if is_repeat(name):
                continue
            params = state.trials[name].params if name in state.trials else state.waiting[name].params
            if (trial := running.pop(name, None)) is None:
                ended = there[name]
                if ended.state is TrialState.PRUNED:
                    self.cut.append(name)
                else:  # its end is lost, as after a power failure: it is trained to the same end again
                    trial = optuna.Trial(self._study, ended._trial_id)
                    self._again.append(OpenTrial(trial, params, told=True))
                continue
            self._again.append(OpenTrial(trial, params, last_measured(trial)))
            self._catch_up(self._again[-1])
        for name in [name for name in running if name in state.trials]:
            trial = running.pop(name)
            if (record := state.trials[name]).state is State.PAUSED:
                self._paused[name] = OpenTrial(trial, record.params, last_measured(trial))
                self._catch_up(self._paused[name])
                continue
            self._tell_over(OpenTrial(trial, state.trials[name].params, last_measured(trial)), state)
        return list(running.values())

    def _tell_over(self, asked: OpenTrial, state: SweepState) -> None:
        """Report the end of a trial that is over by the log."""
        self._catch_up(asked)
        record = state.trials[name_of(asked.trial.number)]
        outcome = TrialOutcome(
            verdict=str(record.verdict),
            epochs=record.epochs,
            objective=record.objective,
            best_epoch=record.best_epoch,
        )
        self._tell(asked, outcome, epoch=record.epochs, seconds=record.seconds)

    def _catch_up(self, asked: OpenTrial) -> None:
        """Report the measurements that Optuna may not have."""
        seconds = 0.0
        for report in self._history(name_of(asked.trial.number)):
            seconds += max(0.0, report.ended - report.started)
            if (found := report.measurement) is not None:
                self._measured(asked, TrialResult(epoch=report.epoch, measurement=found, seconds=seconds))

    @property
    def _own_waits(self) -> bool:
        return self._own_added > self._own_asked

    def _next(self) -> optuna.Trial:
        """The user's own first: what Optuna gives before it, such as known points, comes after it."""
        while self._own_waits or not self._unsubmitted:
            own_waits, trial = self._own_waits, self._study.ask()
            own = trial.user_attrs.get(OWN, False)
            self._own_asked += own
            if own or not own_waits:
                return trial
            self._unsubmitted.append(trial)
        return self._unsubmitted.popleft()

    def _ask(self) -> OpenTrial | None:
        for left in range(TRIES, -1, -1):
            if self._untried.exhausted and not self._own_waits:
                self._exhausted = True
                self._say("every setting of this space has been tried")
                return None
            if left == 0 and (setting := self._untried.first()) is not None:
                self._study.enqueue_trial(setting)
            trial = self._next()
            params = self._space.sample(trial)
            if self._untried.take(params) or left == 0 or trial.user_attrs.get(OWN):
                return OpenTrial(trial, params)
            trial.set_user_attr(DUPLICATE, True)
            self._study.tell(trial, state=TrialState.FAIL)
        raise AssertionError

    def _measured(self, asked: OpenTrial, result: TrialResult | None) -> None:
        if result is None or result.measurement is None:
            return
        asked.beside[int(result.epoch)] = result.measurement.others
        if result.epoch <= asked.epoch or asked.told:
            return
        asked.epoch = int(result.epoch)
        value = compared(result.measurement)
        if len(self._space.objectives) == 1 and not math.isnan(value):
            asked.trial.report(value, step=asked.epoch)
            return
        asked.trial.set_user_attr(f"{self._metric_name}@{asked.epoch}", result.value)
        if not math.isnan(value):  # with two objectives Optuna has no intermediate values
            self._costs.tell(asked.trial, asked.params, result)

    def _tell(
        self, asked: OpenTrial, outcome: TrialOutcome | None, *, epoch: float, seconds: float, error: bool = False
    ) -> None:
        """Report an end. Without an outcome the scheduler has cut the trial, or its trainable failed for good."""
        if asked.told:
            return
        measured, values = asked.epoch > 0, None
        state, at_fault = TrialState.PRUNED if measured and not error else TrialState.FAIL, False
        if outcome is not None:
            if outcome.state is State.STOPPED:
                return
            state, at_fault = state_for_optuna(outcome.verdict, outcome.objective, measured=measured)
            values = self._values(asked, outcome, seconds) if state is TrialState.COMPLETE else None
            if values is not None and len(values) < len(self._space.objectives):  # one was not measured
                state, values = TrialState.FAIL, None
        if self._violations:
            if at_fault:
                state = TrialState.PRUNED
            if state is not TrialState.FAIL:
                worse = violation(self._space, asked.params, epoch) if at_fault else FEASIBLE
                asked.trial.set_constraint(HEALTHY, worse)
        if state is TrialState.COMPLETE and outcome is not None and SAMPLERS[self._space.sampler.name].constraints:
            for limit in limits_of(self._space.constraints):
                found = value_of(asked.beside.get(outcome.best_epoch or 0, {}), limit.value)
                asked.trial.set_constraint(limit.value, limit.violation(found))
        self._study.tell(asked.trial, values, state=state)

    def _values(self, asked: OpenTrial, outcome: TrialOutcome, seconds: float) -> list[float]:
        assert outcome.objective is not None
        names = self._space.objectives
        if len(names) == 1:
            return [outcome.objective]
        beside = asked.beside.get(outcome.best_epoch or 0, {})
        return [outcome.objective, *self._costs.of(asked.trial.number, asked.params, seconds, beside).values()]
