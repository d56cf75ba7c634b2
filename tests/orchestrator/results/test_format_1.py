"""A sweep as format 1 left it: four trials on two workers; one worker and the driver were killed, and it was resumed.

Whatever changes later has to go on reading these files; they are never written again.
"""

import shutil
from dataclasses import fields, replace
from pathlib import Path

from orchestrator.plan.saved import differences, from_saved
from orchestrator.results import events
from orchestrator.results.lines import LineReader
from orchestrator.results.saved_plan import read_plan
from orchestrator.results.store import ResultsStore
from orchestrator.space.load import space_as_yaml
from orchestrator.space.yaml_text import read_yaml
from trainers.config import TrainConfig

SWEEP = Path(__file__).parent / "format_1"
WINDOW_FIRST = 4


def test_the_results_are_those_of_the_histories() -> None:
    store = ResultsStore(SWEEP)
    found = store.summary()
    assert (found["status"], found["sweep"], found["best"]["trial_id"]) == ("finished", "made", "0002")
    verdicts = {trial["trial_id"]: (trial["verdict"], trial["epochs"]) for trial in found["trials"]}
    completed = ("completed", 8)
    assert verdicts == {"0000": completed, "0001": ("nonfinite", 1), "0002": completed, "0003": completed}
    for trial in found["trials"]:
        history = store.read_history(trial["trial_id"])
        assert [report.epoch for report in history] == list(range(1, trial["epochs"] + 1))
        inside = [one.measurement.fid for one in history if one.measurement and one.epoch >= WINDOW_FIRST]
        assert trial["objective"] == min(inside, default=None)


def test_its_plan_can_go_on() -> None:
    plan = from_saved(read_plan(SWEEP / "plan.json"), SWEEP, read_yaml(SWEEP / "space.yaml", "space"))
    assert (plan.seed, plan.trials, plan.resources.workers) == (3, 4, 2)
    assert plan.space.base.schedule.window_first == WINDOW_FIRST
    for trial in ("0000", "0001", "0002", "0003"):
        TrainConfig.model_validate(read_yaml(SWEEP / "trials" / trial / "config.yaml", "config"))
    saved = read_plan(SWEEP / "plan.json")
    now = replace(saved, definition=space_as_yaml(plan.space))
    assert differences(saved, now) == [], "keys that are younger than the sweep have their defaults"
    base = {**now.definition["base"], "data": {**now.definition["base"]["data"], "heldout": 0.1}}
    found = differences(saved, replace(now, definition={**now.definition, "base": base}))
    assert [str(one) for one in found] == ["base.data.heldout was 0.0, is 0.1"]


def test_every_kind_of_event_is_kept_with_all_that_it_had() -> None:
    """A new kind, or a new attribute, needs a line in ``every_event.jsonl``, and old lines stay."""
    lines = LineReader(SWEEP / "every_event.jsonl").read()
    read = [events.from_json(line) for line in lines]
    assert {type(event) for event in read} == set(events._NAMES.values())
    for line, event in zip(lines, read, strict=True):
        assert events.to_json(event).items() >= line.items()
    named = {
        kind: set().union(*(line for line in lines if events._NAMES[line["event"]] is kind)) for kind in map(type, read)
    }
    assert all({one.name for one in fields(kind)} <= named[kind] for kind in named)


def test_the_driver_that_died_can_be_followed_to_its_death(tmp_path: Path) -> None:
    """The log as it was when its first driver died: nothing of the second session is in it."""
    shutil.copytree(SWEEP, tmp_path / "made")
    log = tmp_path / "made" / "events.jsonl"
    kept = [line for line in log.read_text().splitlines(keepends=True) if '"session":1' in line]
    log.write_text("".join(kept[:-1]) + '{"v":1,"event":"clo')
    store = ResultsStore(tmp_path / "made")
    state = store.read_state()
    assert [trial.trial_id for trial in state.open_trials()] == ["0002"] and list(state.waiting) == ["0003"]
    assert store.standing(state).status == "interrupted"
