"""Population-based training on the command line, with a driver that is killed, and the schedule that it found."""

from pathlib import Path

import pytest

from orchestrator.results.events import Exploited, Paused
from orchestrator.results.records import TrialRecord
from orchestrator.results.schedule import schedule_of
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import State
from orchestrator.space.yaml_text import dump_yaml, read_yaml
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
        ranked = sorted(whole.read_trials(), key=lambda trial: fids(trial)[event.epoch] or 0.0)
        assert (event.source, event.trial) == (ranked[0].trial_id, ranked[-1].trial_id)
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
    replay(whole, where, copies[0].trial, copies[0].source)


def replay(whole: ResultsStore, where: list[str], copy: str, source: str) -> None:
    """One trial with a copy's schedule becomes what its weights became in two trials, to the last digit."""
    state, file = whole.read_state(), whole.directory / "of-the-copy.yaml"
    schedule = schedule_of(state, state.trials[copy])
    assert schedule is not None and [one["from"] for one in schedule["settings"]] == [1, 3]
    assert read_yaml(whole.directory / "schedule.yaml", "schedule").keys() == schedule.keys()
    file.write_text(dump_yaml(schedule))
    space = str(whole.directory / "space.yaml")
    code, shown = run("launch", "--schedule", str(file), "--space", space, *where, "--name", "again")
    assert code == 0 and "finished: 1 of 1 trials: 1 completed" in shown, shown
    assert "from epoch 3 on: " in shown and "was found with other settings" not in shown, shown
    again = ResultsStore(whole.directory.parent / "again")
    (trial,) = again.read_trials()
    theirs, there, ours = (fids(one) for one in (state.trials[copy], state.trials[source], trial))
    assert ours.keys() == {2, 4, 5, 6} and ours == {**theirs, 2: there[2]} != theirs
    assert [report.epoch for report in again.read_history("0000")] == list(range(1, 7))


def fids(trial: TrialRecord) -> dict[int, float | None]:
    """What a trial measured, by epoch."""
    return {int(epoch or 0): fid for epoch, fid, *_ in trial.measured or ()}
