"""The Tune side of schedulers whose trials wait at rungs instead of being cut."""

from collections.abc import Callable
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from orchestrator.results.exploits import Exploit
from orchestrator.search.result import TrialResult
from orchestrator.search.schedulers.brackets import Brackets
from orchestrator.search.schedulers.ladder import Ladder


class Promotion(FIFOScheduler):
    """Tells a `Ladder` what Tune's trials measure.

    Tune has no pause that costs no process: a trial that waits has ended for Tune. When it goes on, the searcher hands
    it to Tune again, under the same name. So STOP means: it waits, or it is over.

    Args:
        ladder: of the sweep.

    Attributes:
        all_go_on: whether every trial that waits goes on in the end.
        second: where there is a second objective, returns a trial's at a measurement, lower is better: then trials are
            compared by both. One of which it is not known takes part in no comparison.
    """

    all_go_on = False

    def __init__(self, ladder: Ladder | Brackets) -> None:
        super().__init__()
        self._ladder = ladder
        self.second: Callable[[str, TrialResult], float | None] | None = None

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """CONTINUE where the trial goes on, STOP where it waits."""
        goes_on = self._reach(trial, TrialResult.from_tune(result))
        return str(TrialScheduler.CONTINUE if goes_on else TrialScheduler.STOP)

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        """Keep what a trial that is over has measured; Tune calls this for one that waits too."""
        last = TrialResult.from_tune(result)
        outcome = None if last is None else last.outcome
        if outcome is not None:
            self._reach(trial, last)
        self._ladder.end(name_of(trial), finished=outcome is not None and outcome.objective is not None)

    def on_trial_error(self, tune_controller: Any, trial: Trial) -> None:
        """It does not finish."""
        self._ladder.end(name_of(trial), finished=False)

    def wait(self, name: str) -> bool:
        """A trial waits at its rung, until `promote` names it; False where it has not been at any."""
        return self._ladder.wait(name)

    def promote(self, *, none_new: bool = False, none_runs: bool = False) -> str | None:
        """As `Ladder.promote`."""
        return self._ladder.promote(none_new=none_new, none_runs=none_runs)

    def exploit(self, name: str) -> Exploit | None:
        """Of whom the trial that goes on becomes a copy; None: of nobody, as everywhere but in a population."""
        return None

    def _reach(self, trial: Trial, now: TrialResult | None) -> bool:
        if now is None or now.measurement is None:
            return True
        name, other = name_of(trial), None
        if self.second is not None and (other := self.second(name, now)) is None:
            return True
        return self._ladder.reach(name, now.epoch, now.compared if other is None else (now.compared, other))


def name_of(trial: Trial) -> str:
    """A trial's number in the sweep, which stays when Tune gets it again; of one without, Tune's own name."""
    return str(trial.config.get("trial_id", trial.trial_id))
