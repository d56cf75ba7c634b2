"""Which checkpoint a name means."""

from pathlib import Path

import pytest

from orchestrator.results.records import TrialRecord
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import TrialOutcome
from orchestrator.results.winner import choose
from tests.orchestrator.sweep_helpers import PLAN, begun, epoch, keep, keep_epochs, life
from trainers.errors import UserError
from trainers.run_report import RunEnd


def sweep(tmp_path: Path) -> ResultsStore:
    """Two finished trials, the second the better, and one without an objective; the first kept no checkpoint."""
    store = begun(tmp_path / "s", PLAN)
    for name, objective in (("0000", 60.0), ("0001", 50.0), ("0002", None)):
        trial = TrialRecord(name, {}, total_epochs=4, started=100.0)
        keep(store, trial)
        keep_epochs(store, name, epoch(4, fid=objective or 99.0, objective=objective))
        best = 4 if objective else None
        trial.end(TrialOutcome(verdict=RunEnd.COMPLETED, epochs=4, objective=objective, best_epoch=best), seconds=1.0)
        for event in life(trial)[2:]:
            store.append(event)
    (store.trials_dir / "0001" / "best.pt").touch()
    return store


def test_the_winner_a_trial_or_a_file(tmp_path: Path) -> None:
    store = sweep(tmp_path)
    for trial in ("best", "0001", "1"):
        found = choose("s", tmp_path, trial)
        assert (found.name, found.checkpoint) == ("s/0001", store.trials_dir / "0001" / "best.pt")
    file = str(store.trials_dir / "0001" / "best.pt")
    assert choose(file, tmp_path).checkpoint == Path(file) and choose(file, tmp_path).trial is None


def test_what_there_is_not_is_said(tmp_path: Path) -> None:
    store = sweep(tmp_path)
    with pytest.raises(UserError, match="unknown trial of s '7'"):
        choose("s", tmp_path, "7")
    with pytest.raises(UserError, match=r"trial 0000 of s has no checkpoint.*--keep-checkpoints all"):
        choose("s", tmp_path, "0000")
    with pytest.raises(UserError, match="no FID inside the window"):
        choose("s", tmp_path, "2")
    with pytest.raises(UserError, match="--trial 0000 chooses among those of a sweep"):
        choose(str(store.trials_dir / "0001" / "best.pt"), tmp_path, "0000")
    begun(tmp_path / "new", PLAN)
    with pytest.raises(UserError, match="sweep new has no winner"):
        choose("new", tmp_path)
