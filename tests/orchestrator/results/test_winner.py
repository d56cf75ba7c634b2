"""Which checkpoint a name means."""

from pathlib import Path

import pytest

from orchestrator.results.records import TrialRecord
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import StopReason, TrialOutcome
from orchestrator.results.winner import choose, choose_to_go_on
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


@pytest.mark.parametrize(
    ("verdict", "objective", "said"),
    [
        (None, None, "trial 0003 of s has not ended: gan-sweep resume goes on with it"),
        (StopReason.OUT_OF_TIME, None, r"was cut short by its sweep's end \(out_of_time\): gan-sweep resume goes on"),
        ("d_collapse", None, r"trial 0003 of s has no checkpoint of its end: none was written, or the sweep keeps"),
        ("d_collapse", 40.0, r"has no checkpoint of its best epoch: the sweep keeps"),
        (StopReason.OUTRANKED, None, "the scheduler preferred others before it had an objective; those that finished"),
        (RunEnd.COMPLETED, None, "has no checkpoint of its best epoch: it has no FID inside the window"),
    ],
)
def test_why_a_trial_cannot_go_on(tmp_path: Path, verdict: str | None, objective: float | None, said: str) -> None:
    store = sweep(tmp_path)
    trial = TrialRecord("0003", {}, total_epochs=4, started=100.0)
    keep(store, trial)
    if verdict is not None:
        best = 2 if objective else None
        trial.end(TrialOutcome(verdict=verdict, epochs=2, objective=objective, best_epoch=best), seconds=1.0)
        for event in life(trial)[2:]:
            store.append(event)
    with pytest.raises(UserError, match=said):
        choose_to_go_on("s", tmp_path, "3")


def test_it_goes_on_from_its_end_or_from_its_best(tmp_path: Path) -> None:
    store = sweep(tmp_path)
    for name, objective in (("0003", None), ("0004", 40.0)):
        trial = TrialRecord(name, {}, total_epochs=4, started=100.0)
        trial.end(TrialOutcome(verdict="d_collapse", epochs=2, objective=objective, best_epoch=2), seconds=1.0)
        keep(store, trial)
        for file in ("best.pt", "latest.pt"):
            (store.trials_dir / name / file).touch()
    assert choose_to_go_on("s", tmp_path, "3").checkpoint.name == "latest.pt"
    assert choose_to_go_on("s", tmp_path, "4").checkpoint.name == "best.pt"
