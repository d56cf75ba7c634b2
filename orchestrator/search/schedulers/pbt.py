"""Population-based training (Jaderberg et al. 2017, arXiv:1711.09846), in rounds."""

from collections.abc import Callable
from random import Random
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from orchestrator.results.exploits import Exploit, params_now
from orchestrator.results.records import TrialRecord
from orchestrator.results.repeats import searched
from orchestrator.results.state import SweepState
from orchestrator.search.exploring import explore
from orchestrator.search.result import TrialResult
from orchestrator.search.schedulers.promotion import Promotion, name_of
from orchestrator.search.schedulers.rounds import Member, Rounds
from orchestrator.space.rungs import all_rungs
from orchestrator.space.sections import SchedulerConfig
from orchestrator.space.space import Space
from trainers.run_report import Measurement


class Pbt(Promotion):
    """Lets every trial wait at each rung until all are there; then the worst go on as copies of the best.

    What it decides follows from the sweep's log and histories alone, which `join` gives it.

    Args:
        config: epochs between rungs, and the quantile.
        longest: epochs of every trial.
    """

    all_go_on = True

    def __init__(self, config: SchedulerConfig, longest: int) -> None:
        FIFOScheduler.__init__(self)
        self.second = None
        self._rungs = frozenset(all_rungs(config, longest))
        self._rounds = Rounds(config.apart, config.quantile)
        self._added: set[str] = set()
        self._reached: dict[str, int] = {}  # the last round of each member that this driver has seen there
        self._waiting: set[str] = set()
        self._space: Space | None = None
        self._state: Callable[[], SweepState | None] = lambda: None

    def join(self, space: Space, state: Callable[[], SweepState]) -> None:
        """Run the population of a sweep.

        Args:
            space: of the sweep.
            state: returns how the sweep stands, with the epochs of all trials that are open. It may lag behind.
        """
        self._space, self._state = space, state

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        """A member is there, which the state may not know yet."""
        self._added.add(name_of(trial))

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """STOP at a rung: it waits. A measurement that comes again after it has waited changes nothing."""
        now = TrialResult.from_tune(result)
        if now is None or now.measurement is None or now.epoch not in self._rungs:
            return str(TrialScheduler.CONTINUE)
        name, number = name_of(trial), self._rounds.round_of(int(now.epoch))
        record = state.trials.get(name) if (state := self._state()) is not None else None
        if record is not None and number in map(self._rounds.round_of, record.rests):
            return str(TrialScheduler.CONTINUE)
        self._reached[name] = number
        return str(TrialScheduler.STOP)

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        """The state knows it."""

    def on_trial_error(self, tune_controller: Any, trial: Trial) -> None:
        """The state knows it."""

    def wait(self, name: str) -> bool:
        """A member waits at its rung until `promote` names it."""
        self._waiting.add(name)
        return True

    def promote(self, *, none_new: bool = False, none_runs: bool = False) -> str | None:
        """The least advanced member whose round is over; new ones come first. None where all wait for others."""
        if (state := self._state()) is None:
            return None
        members = _members(state)
        found = next((one.name for one in members if one.over and one.name in self._waiting), None)  # the user's doing
        if found is None and none_new and self._added <= {one.name for one in members}:
            # Of one that has come just now the state may not know it yet.
            there = {one.name for one in members if self._rounds.newest(one) >= self._reached.get(one.name, 0)}
            found = self._rounds.next(members, self._waiting & there)
        if found is not None:
            self._waiting.remove(found)
        return found

    def exploit(self, name: str) -> Exploit | None:
        """Of whom the member becomes a copy that goes on now, and with which settings; None: it goes on as it is.

        Draws are seeded by the sweep's seed, the member and the epoch.
        """
        state = self._state()
        assert state is not None and self._space is not None
        if state.trials[name].over or not (better := self._rounds.better(_members(state), name)):
            return None
        number = self._rounds.round_of(state.trials[name].rests[-1])
        random = Random(f"{self._space.base.seed} {name} {number}")
        source, epoch = random.choice(better)
        there = state.trials[source]
        settings = params_now(there.params, [one for one in there.exploits if one.epoch < epoch])
        return Exploit(epoch=epoch, source=source, params=explore(self._space, settings, random))

    def __getstate__(self) -> dict[str, Any]:
        # Tune pickles schedulers for a restore that nobody makes; the state belongs to threads of the driver.
        return {name: value for name, value in vars(self).items() if name != "_state"}


def _members(state: SweepState) -> list[Member]:
    # Copies: the recorder adds to them in a thread of its own.
    return [_member(trial) for trial in searched(list(state.trials.copy().values()))]


def _member(trial: TrialRecord) -> Member:
    values = {}
    for epoch, fid, diversity, collapsed in list(trial.measured or ()):
        measured = Measurement(epoch=int(epoch or 0), fid=fid or 0.0, diversity=diversity, collapsed=bool(collapsed))
        values[measured.epoch] = TrialResult(epoch=measured.epoch, measurement=measured).compared
    return Member(name=trial.trial_id, over=trial.over, rests=tuple(trial.rests), values=values)


def build(config: SchedulerConfig, longest: int, finish: int = 1) -> Pbt:
    """Population-based training for trials of `longest` epochs."""
    return Pbt(config, longest)
