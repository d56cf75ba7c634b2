"""Population-based training on the command line, with a driver that is killed, and the schedule that it found."""

from pathlib import Path

import pytest

from orchestrator.results.events import Exploited, Paused
from orchestrator.results.records import TrialRecord
from orchestrator.results.schedule import lineage_of, schedule_of
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
        found = {trial.trial_id: fids(trial)[event.epoch] for trial in whole.read_trials()}
        assert event.trial == max(found, key=found.__getitem__) and event.source == min(found, key=found.__getitem__)
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
    best = read_yaml(whole.directory / "schedule.yaml", "schedule")["trial"]
    replay(whole, best, whole.directory / "schedule.yaml", where)
    copied = copies[-1].trial  # the winner may never have been a copy, this one was
    state, file = whole.read_state(), tmp_path / "of_a_copy.yaml"
    file.write_text(dump_yaml(schedule_of(state, state.trials[copied])))
    assert replay(whole, copied, file, where) > 1


def replay(whole: ResultsStore, name: str, schedule: Path, where: list[str]) -> int:
    """One trial with a trial's schedule becomes what that one's weights became, to the last digit.

    Args:
        whole: the sweep that the schedule was found in.
        name: the trial that has this schedule.
        schedule: the file.
        where: options of the command line: images, and where sweeps lie.

    Returns:
        How many spans there are: one more than the times that it became a copy.
    """
    state, again = whole.read_state(), ResultsStore(whole.directory.parent / f"again_{name}")
    space = whole.directory / "space.yaml"
    code, shown = run(
        "launch", "--schedule", str(schedule), "--space", str(space), *where, "--name", again.directory.name
    )
    assert code == 0 and "finished: 1 of 1 trials: 1 completed" in shown, shown
    (trial,) = again.read_trials()
    spans = lineage_of(state, state.trials[name])
    ends = [span.first for span in spans[1:]]
    theirs = {}
    for span, end in zip(spans, [*ends, 1 + trial.epochs], strict=True):
        theirs |= {epoch: fid for epoch, fid in fids(span.trial).items() if span.first <= epoch < end}
    assert fids(trial) == theirs and len(theirs) > 1
    best = state.trials[name]
    assert (trial.objective, trial.best_epoch) == (best.objective, best.best_epoch)
    assert [report.epoch for report in again.read_history("0000")] == list(range(1, 7))
    return len(spans)


def fids(trial: TrialRecord) -> dict[int, float]:
    """A trial's FIDs by epoch."""
    return {int(epoch or 0): fid for epoch, fid, *_ in trial.measured or ()}
