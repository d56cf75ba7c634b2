"""Which checkpoint is meant: a sweep's winner, one of its trials, or a file."""

from dataclasses import dataclass
from pathlib import Path

from orchestrator.results.records import TrialRecord, best_trial
from orchestrator.results.store import ResultsStore, find_sweep
from orchestrator.results.verdict import State, StopReason
from trainers.checkpoint import BEST, LATEST
from trainers.errors import UserError, unknown_name

WINNER = "best"


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """A checkpoint, and where it comes from.

    Attributes:
        checkpoint: its file.
        store: of its sweep; None for a file that was given by itself.
        trial: that it belongs to; None likewise.
    """

    checkpoint: Path
    store: ResultsStore | None = None
    trial: TrialRecord | None = None

    @property
    def name(self) -> str:
        """For people: ``SWEEP/TRIAL``, or the file's path."""
        if self.store is None or self.trial is None:
            return str(self.checkpoint)
        return f"{self.store.directory.name}/{self.trial.trial_id}"


def choose(source: str, sweeps_dir: Path, trial: str = WINNER) -> Chosen:
    """The checkpoint of a sweep's trial, or the one that `source` names; of a remote sweep it is fetched.

    Args:
        source: a sweep, by name or directory, or a checkpoint's file.
        sweeps_dir: where sweeps are looked for.
        trial: ``best``, or the number of a trial or repeat, with leading zeros or without.

    Raises:
        UserError: there is no such sweep or trial, no trial can win so far, or the checkpoint was dropped or not
            written yet.
    """
    if Path(source).is_file():
        if trial != WINNER:
            raise UserError(f"{source} is a checkpoint, and --trial {trial} chooses among those of a sweep")
        return Chosen(checkpoint=Path(source))
    return _best_of(*choose_trial(source, sweeps_dir, trial))


def choose_to_go_on(source: str, sweeps_dir: Path, trial: str = WINNER) -> Chosen:
    """As `choose` of a sweep, of a trial that is over; where it has no objective, the checkpoint of its end."""
    if Path(source).is_file():
        raise UserError(f"{source} is a file: name a sweep, which knows its images and its settings")
    store, record = choose_trial(source, sweeps_dir, trial)
    name = f"trial {record.trial_id} of {store.directory.name}"
    if record.open:
        raise UserError(f"{name} has not ended: gan-sweep resume goes on with it")
    if record.state is State.STOPPED and record.objective is None:
        raise UserError(f"{name} was cut short by its sweep's end ({record.verdict}): gan-sweep resume goes on with it")
    if not record.ended_early:
        return _best_of(store, record)
    latest = store.trials_dir / record.trial_id / LATEST
    if not latest.is_file():
        raise UserError(
            f"{name} has no checkpoint of its end: none was written, or the "
            f"sweep keeps those of others ({store.read_plan().keep_checkpoints}; --keep-checkpoints all keeps all)"
        )
    return Chosen(checkpoint=latest, store=store, trial=record)


def choose_trial(source: str, sweeps_dir: Path, trial: str = WINNER) -> tuple[ResultsStore, TrialRecord]:
    """A sweep and its trial, whether or not a checkpoint of it was kept; arguments as of `choose`.

    Raises:
        UserError: there is no such sweep or trial, or no trial can win so far.
    """
    store = find_sweep(source, sweeps_dir, whole=True)
    records = store.read_trials()
    if trial == WINNER:
        if (best := best_trial(records)) is None:
            raise UserError(f"sweep {store.directory.name} has no winner: no trial has an objective so far")
        return store, best
    by_number = {record.trial_id.lstrip("0") or "0": record for record in records}
    if (found := by_number.get(trial.lstrip("0") or "0")) is None:
        raise unknown_name(f"trial of {store.directory.name}", trial, [WINNER, *(r.trial_id for r in records)])
    return store, found


def _best_of(store: ResultsStore, record: TrialRecord) -> Chosen:
    checkpoint = store.trials_dir / record.trial_id / BEST
    if not checkpoint.is_file():
        raise UserError(_why_none(store, record))
    return Chosen(checkpoint=checkpoint, store=store, trial=record)


def _why_none(store: ResultsStore, record: TrialRecord) -> str:
    text = f"trial {record.trial_id} of {store.directory.name} has no checkpoint of its best epoch"
    if record.objective is None and record.verdict == StopReason.OUTRANKED:
        return f"{text}: the scheduler preferred others before it had an objective; those that finished have one"
    if record.objective is None:
        return f"{text}: it has no FID inside the window"
    kept = store.read_plan().keep_checkpoints
    return f"{text}: the sweep keeps {kept} (--keep-checkpoints all keeps every trial's)"
