"""Removes the checkpoints that a sweep does not need any longer."""

from collections.abc import Callable

from orchestrator.results.records import TrialRecord
from orchestrator.results.repeats import is_repeat, searched
from orchestrator.results.retention import candidates, how_many, kept, worst_to_go_on
from orchestrator.results.sinks import Sink
from orchestrator.results.state import SweepState
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import SweepStatus
from orchestrator.space.sections import PBT
from trainers.changing import rung_file
from trainers.checkpoint import BEST, LATEST, PREVIOUS

_GOES_ON = (SweepStatus.RUNNING, SweepStatus.INTERRUPTED, SweepStatus.FAILED)  # or its best are yet to be confirmed


class Housekeeper(Sink):
    """Deletes ``latest.pt`` and ``previous.pt`` of trials that are over, and ``best.pt`` of those that cannot win.

    Of trials that a rule or the user ended without an objective, those with the lowest FIDs keep ``latest.pt``, as many
    as keep ``best.pt`` at the end: `gan-sweep extend` goes on with them. Of a population, the checkpoints of rungs go
    that all have left behind.

    Nothing of a trial that is open, or that the end of its sweep has cut short: a later driver goes on with it. Sample
    grids, histories and configs stay.

    Args:
        store: of the sweep.
        keep: `--keep-checkpoints`: ``all``, ``best`` or ``top:K``.
        top: how many trials are measured again at the end: until then they, and some more, keep theirs.
        drop: called with the name of each file that is deleted, to delete it elsewhere.
    """

    def __init__(
        self, store: ResultsStore, keep: str, top: int, drop: Callable[[str], None] = lambda name: None
    ) -> None:
        self._store, self._most, self._candidates, self._elsewhere = store, how_many(keep), candidates(top), drop
        self._state: SweepState | None = None
        self._watching = False  # before that, what is not here is not elsewhere either
        self._rungs: set[tuple[str, int]] = set()  # of whose rungs the checkpoint was deleted
        self._held: set[str] = set()  # trials that are over and whose `best.pt` was kept so far
        self._early: list[TrialRecord] = []  # that were ended, and whose `latest.pt` was kept so far

    def watch(self, state: SweepState) -> None:
        """Take a state that is kept up to date, and delete what an earlier driver did not get to."""
        self._state = state
        for trial in state.trials.values():
            self._let_go(trial)
        self._drop()
        self._drop_rungs()
        self._watching = True

    def ended(self, trial: TrialRecord) -> None:
        """Delete what is of no use now that the trial is over."""
        self._let_go(trial)
        if trial.objective is not None:
            self._drop()
        elif trial.over and self._most is not None:  # as most are; to look at all others takes 28 ms of 10,000
            self._drop_these({trial.trial_id})

    def paused(self, trial: TrialRecord) -> None:
        """Delete the checkpoints of rungs that nobody can take over any more."""
        self._drop_rungs()

    def closed(self, state: SweepState) -> None:
        """Keep only what is to stay after the sweep's end."""
        self._drop()
        self._drop_rungs()

    def _let_go(self, trial: TrialRecord) -> None:
        if not trial.over:
            return
        self._delete(trial.trial_id, PREVIOUS)
        self._held.add(trial.trial_id)
        if not trial.ended_early:
            self._delete(trial.trial_id, LATEST)
        elif self._most is not None:
            self._early.append(trial)
            for one in worst_to_go_on(self._early, self._most):
                self._delete(one.trial_id, LATEST)
                self._early.remove(one)

    def _drop_rungs(self) -> None:
        """A member of a population that has a later checkpoint takes nothing over of an earlier rung."""
        if self._state is None or self._state.plan.scheduler != PBT:
            return
        trials = searched(self._state.trials.values())
        oldest = min((trial.checkpoint for trial in trials if not trial.over), default=None)
        rests = {(trial.trial_id, epoch) for trial in trials for epoch in trial.rests}
        for trial_id, epoch in {one for one in rests if oldest is None or one[1] < oldest} - self._rungs:
            self._delete(trial_id, rung_file(epoch))
            self._rungs.add((trial_id, epoch))

    def _drop(self) -> None:
        """Delete the ``best.pt`` of the trials that are over and cannot win any more."""
        if self._most is None or self._state is None:
            return
        goes_on = self._state.status in _GOES_ON
        most = max(self._most, self._candidates) if goes_on else self._most
        two = len(self._state.plan.objectives) > 1
        stay = kept(self._state.trials.values(), most, front=two)
        # Which repeat of the winning setting is the best is known when all of them were measured.
        self._drop_these({name for name in self._held - stay if not (goes_on and is_repeat(name))})

    def _drop_these(self, trials: set[str]) -> None:
        for trial_id in trials:
            self._delete(trial_id, BEST)
            self._held.remove(trial_id)

    def _delete(self, trial_id: str, name: str) -> None:
        file = self._store.trials_dir / trial_id / name
        if self._watching or file.exists():
            file.unlink(missing_ok=True)
            self._elsewhere(f"trials/{trial_id}/{name}")
