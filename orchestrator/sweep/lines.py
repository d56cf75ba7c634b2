"""The lines of a sweep's trials to Tune. A part of the broker."""

from collections.abc import Iterator
from dataclasses import replace

from orchestrator.results.repeats import is_repeat
from orchestrator.results.state import SweepState
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import Failure, StopReason, TrialOutcome
from orchestrator.search.result import TrialResult
from orchestrator.sweep.line import Line


class Lines:
    """One `Line` per trial, made when it is asked for.

    Args:
        store: of the sweep.
        state: the broker's.
    """

    def __init__(self, store: ResultsStore, state: SweepState) -> None:
        self._store, self._state = store, state
        self._lines: dict[str, Line] = {}

    def __iter__(self) -> Iterator[str]:
        """The trials that have one."""
        return iter(self._lines)

    def of(self, trial_id: str) -> Line:
        """A trial's line: a new one, or after the death of a broker or driver, what is known of the old one."""
        if trial_id in self._lines:
            return self._lines[trial_id]
        self._lines[trial_id] = line = Line()
        trial = self._state.trials.get(trial_id)
        if trial is not None:
            history = self._store.read_history(trial_id)
            line.last = history[-1] if history else None
            stopped = self._state.stopping.get(trial_id)
            line.stopped = StopReason(stopped) if stopped in set(StopReason) else Failure(stopped) if stopped else None
            line.pausing = trial_id in self._state.pausing
            if not trial.open:
                line.outcome = self.unfinished(trial_id, str(trial.verdict), trial.detail)
            # Whether Tune had the newest measurement is not known: it gets it again, or at last.
            if line.outcome is not None or (line.last is not None and line.last.measurement is not None):
                self.tell_tune(trial_id)
        return line

    def tell_tune(self, trial_id: str) -> None:
        """Put where a trial stands into its line, which it has already; of a repeat Tune knows nothing."""
        if is_repeat(trial_id):
            return
        line, trial = self._lines[trial_id], self._state.trials.get(trial_id)
        epoch, measurement = (line.last.epoch, line.last.measurement) if line.last is not None else (0, None)
        seconds = trial.seconds if trial is not None else 0.0
        line.tell(TrialResult(epoch=epoch, measurement=measurement, outcome=line.outcome, seconds=seconds))

    def unfinished(self, trial_id: str, verdict: str, detail: str = "") -> TrialOutcome:
        """The outcome of a trial that no gang will continue."""
        outcome = TrialOutcome(verdict=verdict, epochs=0, detail=detail)
        trial = self._state.trials.get(trial_id)
        if trial is None:
            return outcome
        for report in self._store.read_history(trial_id):  # a rank may have died before it reported the last
            self._state.progress(trial_id, report)
        return replace(outcome, epochs=trial.epochs, objective=trial.objective, best_epoch=trial.best_epoch)
