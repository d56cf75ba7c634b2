"""Population-based training on the command line, with a driver that is killed, and the schedule that it found."""

from pathlib import Path

import pytest

from orchestrator.results.events import Exploited, Paused
from orchestrator.results.schedule import lineage_of
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import State
from orchestrator.space.yaml_text import read_yaml
from tests.orchestrator.sweep.test_resume import kill_at, run, start, what_counts
from tests.orchestrator.sweep_helpers import SMALL, events_of

POPULATION = {"scheduler.name": "pbt", "scheduler.every_epochs": 2, "fid.every": 2, "schedule.window_first": 5}
SETTINGS = [setting for setting in SMALL if not setting.startswith(("scheduler.", *POPULATION))]
LAUNCH = ["launch", "--space", "ralsgan_motorbike", "--demo", "--trials", "4", "--set", "confirm.top=1"]
LAUNCH += [f"--set={setting}" for setting in SETTINGS]
LAUNCH += [f"--set={name}={value}" for name, value in POPULATION.items()]


@pytest.mark.slow
def test_the_worst_go_on_as_copies_of_the_best_whatever_dies(motorbikes: Path, tmp_path: Path) -> None:
    """4 members take turns on one gang, 6 epochs each: rounds end at epochs 2 and 4."""
    where = ["--data", str(motorbikes), "--sweeps-dir", str(tmp_path)]
    code, shown = run(*LAUNCH, *where, "--name", "whole")
    assert code == 0 and "finished: 4 of 4 trials: 4 completed" in shown, shown
    whole = ResultsStore(tmp_path / "whole")
    copies = events_of(whole.directory, Exploited)
    assert [event.epoch for event in copies] == [2, 4], "one of four in each round"
    for event in copies:
        fids = {
            trial.trial_id: dict((epoch, fid) for epoch, fid, *_ in trial.measured or ())[event.epoch]
            for trial in whole.read_trials()
        }
        assert event.trial == max(fids, key=fids.__getitem__) and event.source == min(fids, key=fids.__getitem__)
    for trial in whole.read_trials():
        assert (trial.state, trial.rests) == (State.COMPLETED, [2, 4])
        epochs = [report.epoch for report in whole.read_history(trial.trial_id)]
        assert epochs == list(range(1, 7)), "none is lost, none is there twice"
    assert {event.epoch for event in events_of(whole.directory, Paused)} == {2, 4}
    assert not list(whole.trials_dir.glob("*/rung_*.pt")), "nobody needs them any longer"

    kill_at(start(*LAUNCH, *where, "--name", "killed"), "goes on from epoch 2 of trial")
    killed = ResultsStore(tmp_path / "killed")
    assert list(killed.trials_dir.glob("*/rung_0002.pt"))
    code, shown = run("resume", str(killed.directory))
    assert code == 0 and "finished: 4 of 4 trials" in shown, shown
    assert what_counts(killed) == what_counts(whole)
    assert [(one.trial, one.source, one.params) for one in events_of(killed.directory, Exploited)] == [
        (one.trial, one.source, one.params) for one in copies
    ]
    code, shown = run("resume", str(killed.directory), "--trials", "1")
    assert code == 2
    replay(whole, where)


def replay(whole: ResultsStore, where: list[str]) -> None:
    """One trial with the winner's schedule becomes what the winner's weights became, to the last digit."""
    schedule, space = whole.directory / "schedule.yaml", whole.directory / "space.yaml"
    state = whole.read_state()
    best = state.trials[read_yaml(schedule, "schedule")["trial"]]
    code, shown = run("launch", "--schedule", str(schedule), "--space", str(space), *where, "--name", "again")
    assert code == 0 and "finished: 1 of 1 trials: 1 completed" in shown, shown
    again = ResultsStore(whole.directory.parent / "again")
    (trial,) = again.read_trials()
    firsts = [first for first, _ in lineage_of(state, best)]
    later = {int(epoch or 0): fid for epoch, fid, *_ in best.measured or () if (epoch or 0) >= firsts[-1]}
    ours = {int(epoch or 0): fid for epoch, fid, *_ in trial.measured or ()}
    assert later and {epoch: ours[epoch] for epoch in later} == later
    assert (trial.objective, trial.best_epoch) == (best.objective, best.best_epoch)
    assert [report.epoch for report in again.read_history("0000")] == list(range(1, 7))
