"""Finished trials that gangs measure again, at the end of a sweep. A part of the broker."""

from collections.abc import Iterable

from orchestrator.results.state import SweepState
from orchestrator.sweep.messages import ConfirmLease
from orchestrator.sweep.retry_queue import RetryQueue


class ConfirmQueue(RetryQueue):
    """Its items are trials; each is measured once.

    Args:
        state: the broker's, which knows what was measured again.
    """

    def __init__(self, state: SweepState) -> None:
        super().__init__()
        self._state, self._seeds = state, 0
        self._unconfirmed: dict[str, str] = {}  # trial to the reason

    def ask(self, trial_ids: Iterable[str], seeds: int) -> None:
        """Add trials, to be measured on `seeds` sets of latents; not those that were before."""
        self._seeds = seeds
        for trial_id in trial_ids:
            if trial_id not in self and not self.done(trial_id):
                self.add(trial_id)

    def done(self, trial_id: str) -> bool:
        """Whether nothing is left to do for the confirmation of a trial."""
        trial = self._state.trials[trial_id]
        return bool(trial.confirmed or trial.refused) or trial_id in self._unconfirmed

    def lease(self, gang: int) -> ConfirmLease:
        """Give the first to `gang`; one must be waiting."""
        return ConfirmLease(self.take(gang)[0], self._seeds)

    def over(self, trial_id: str, failure: str = "") -> None:
        """A gang has measured it, or says why it could not."""
        self.finish(trial_id)
        self.take_back(trial_id)  # queued again if its gang was taken for dead before
        if failure:
            self._unconfirmed.setdefault(trial_id, failure)

    def gang_died(self, gang: int) -> None:
        """Let another gang measure what `gang` holds, unless that was tried too often."""
        for trial_id in self.held_by(gang):
            if (why := self.given_up(trial_id)) is not None:
                self._unconfirmed[trial_id] = why
                self.finish(trial_id)
            else:
                self.put_back(trial_id)

    def why_not(self, trial_ids: Iterable[str]) -> dict[str, str]:
        """Of these trials, why some were not confirmed."""
        refused = {trial_id: self._state.trials[trial_id].refused for trial_id in trial_ids}
        return {name: why for name in refused if (why := refused[name] or self._unconfirmed.get(name, ""))}
