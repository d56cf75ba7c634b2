"""A plan as it is kept, the plan of a later driver, and what may differ between them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.plan.dataset import prepare_data
from orchestrator.plan.launch_options import LaunchOptions
from orchestrator.plan.plan import Plan, make_plan
from orchestrator.plan.saved import (
    Difference,
    check_differences,
    differences,
    from_saved,
    to_saved,
)
from orchestrator.results.saved_plan import plan_text, read_plan
from orchestrator.space.load import bundled_spaces
from tests.orchestrator.sweep_helpers import PLAN
from trainers.data import draw_motorbikes
from trainers.errors import UserError


@pytest.fixture
def plan(tmp_path: Path, motorbikes: Path) -> Plan:
    options: dict[str, Any] = {"space": "ralsgan_motorbike", "demo": True, "data": motorbikes, "sweeps_dir": tmp_path}
    more: dict[str, Any] = {"name": "s", "trials": 7, "target_fid": 40.0, "seed": 5, "workers_per_trial": 2}
    more |= {"min_workers_per_trial": 1}
    return make_plan(LaunchOptions(**options, **more, settings=("data.batch_size=16",)))


def test_a_plan_survives_the_file(plan: Plan, tmp_path: Path) -> None:
    caches = prepare_data(plan)
    saved = to_saved(plan, caches)
    assert (saved.n_real, saved.trials, saved.budgets["target_fid"], saved.devices) == (48, 7, 40.0, 2.0)
    assert len(saved.fingerprint) == 64
    file = tmp_path / "plan.json"
    file.write_text(plan_text(saved))
    read = read_plan(file)
    again = to_saved(from_saved(read, plan.directory, read.definition), caches)
    assert replace(again, unique=saved.unique) == saved and again.unique != saved.unique
    assert differences(read, to_saved(from_saved(read, plan.directory, read.definition), caches)) == []
    assert from_saved(read, plan.directory, read.definition) == replace(
        plan, keep_checkpoints="top:6", disk=None, memory=None
    )


class NoImages:
    """Stands for a cache of images where only the space matters."""

    path = Path("none")

    def __len__(self) -> int:
        return 0


@pytest.mark.parametrize("name", bundled_spaces())
def test_every_space_survives(name: str, tmp_path: Path) -> None:
    options: dict[str, Any] = {"space": name, "demo": True, "sweeps_dir": tmp_path, "name": "s"}
    plan = make_plan(LaunchOptions(**options))
    saved = to_saved(plan, [NoImages()])
    file = tmp_path / "plan.json"
    file.write_text(plan_text(saved))
    read = read_plan(file)
    assert from_saved(read, plan.directory, read.definition).space == plan.space


def test_the_fingerprint_is_that_of_the_images(plan: Plan, tmp_path: Path) -> None:
    draw_motorbikes(tmp_path / "others", count=47)
    before = to_saved(plan, prepare_data(plan))
    other = replace(plan, data=tmp_path / "others")
    found = {one.name: one.compatible for one in differences(before, to_saved(other, prepare_data(other)))}
    assert found == {"the images' folder": True, "the fingerprint of the images": False}


SPACE: dict[str, Any] = {
    "base": {"seed": 1, "runtime": {"precision": "fp32"}, "optimizer": {"lr_g": 1e-3}},
    "search": {"data.fit": {"choice": ["pad", "stretch"]}},
    "sampler": {"name": "tpe"},
    "trials": 3,
}


def changed(**parts: Any) -> list[Difference]:
    before, now = replace(PLAN, definition=SPACE), replace(PLAN, definition={**SPACE, **parts})
    return differences(before, now)


def test_other_neighbourhoods_are_not_compatible() -> None:
    """And a sweep of before has those of the default."""
    (found,) = changed(base={**SPACE["base"], "fid": {"neighbours": 3}})
    assert (str(found), found.compatible) == ("base.fid.neighbours was 5, is 3", False)
    assert changed(base={**SPACE["base"], "fid": {"neighbours": 5}}) == []


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ({"sampler": {"name": "gp"}}, "sampler.name was 'tpe', is 'gp'"),
        ({"scheduler": {"name": "median"}}, "scheduler.name was None, is 'median'"),
        ({"pruning": {"fid_plateau": "off"}}, "pruning.fid_plateau was None, is 'off'"),
        ({"confirm": {"top": 0}}, "confirm.top was None, is 0"),
        ({"confirm": {"train_seeds": 3}}, "confirm.train_seeds was 0, is 3"),
        ({"description": "new"}, "description was None, is 'new'"),
        (
            {"base": {**SPACE["base"], "runtime": {"precision": "bf16"}}},
            "base.runtime.precision was 'fp32', is 'bf16'",
        ),
    ],
)
def test_what_changes_no_trial_is_compatible(parts: dict[str, Any], text: str) -> None:
    found = changed(**parts)
    assert [(str(one), one.compatible) for one in found] == [(text, True)]
    assert changed(confirm={"train_seeds": 0}) == []  # an older version knew no such key
    check_differences(found, "s", allow=True)
    with pytest.raises(UserError) as caught:
        check_differences(found, "s", allow=False)
    assert str(caught.value) == (f"sweep s has changed since its launch: {text}: --allow-changes goes on with them")


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ({"base": {**SPACE["base"], "seed": 2}}, "base.seed was 1, is 2"),
        ({"base": {**SPACE["base"], "optimizer": {}}}, "base.optimizer.lr_g was 0.001, is None"),
        ({"search": {}}, "search.data.fit.choice was ['pad', 'stretch'], is None"),
        ({"objectives": ["fid", "device_seconds"]}, "objectives was None, is ['fid', 'device_seconds']"),
        ({"points": [{"data.fit": "pad"}]}, "points was None, is [{'data.fit': 'pad'}]"),
    ],
)
@pytest.mark.parametrize("allow", [True, False])
def test_what_changes_the_search_is_refused(parts: dict[str, Any], text: str, allow: bool) -> None:
    found = changed(sampler={"name": "gp"}, **parts)
    with pytest.raises(UserError) as caught:
        check_differences(found, "s", allow=allow)
    said = str(caught.value)
    assert text in said and "sampler" not in said, "what may change is not the reason"
    assert said.endswith("launch a new sweep, with --warm-start for its trials") and "\n" not in said


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("objective", "fid_other", "the objective was 'fid_test_n2', is 'fid_other'"),
        ("seed", 3, "the seed was 0, is 3"),
        ("fingerprint", "abc", "the fingerprint of the images was '', is 'abc'"),
    ],
)
def test_what_makes_fids_incomparable_is_refused(field: str, value: Any, text: str) -> None:
    found = differences(PLAN, replace(PLAN, **{field: value}))
    assert [str(one) for one in found] == [text]
    with pytest.raises(UserError, match="launch a new sweep"):
        check_differences(found, "s", allow=True)


def test_the_same_images_at_another_place_may_go_on() -> None:
    found = differences(PLAN, replace(PLAN, data="/others"))
    assert [str(one) for one in found] == ["the images' folder was '/photos', is '/others'"]
    check_differences(found, "s", allow=True)
    with pytest.raises(UserError, match="--allow-changes goes on with them"):
        check_differences(found, "s", allow=False)


def test_numbers_of_trials_and_limits_are_no_difference() -> None:
    assert changed(trials=9) == []
    assert differences(PLAN, replace(PLAN, trials=9, budgets={"time_s": 5.0}, resources={"gangs": 2})) == []
    check_differences([], "s", allow=False)


def test_a_tuple_is_a_list_as_in_the_file() -> None:
    """A definition that was read from a file has lists."""
    before = replace(PLAN, definition={"search": {"data.fit": {"choice": ["pad", "stretch"]}}})
    now = replace(PLAN, definition={"search": {"data.fit": {"choice": ("pad", "stretch")}}})
    assert differences(before, now) == []


RESOURCES = {"gangs": 1, "workers": 1, "cpus": 1.0, "gpus": 0.0, "threads": 1}


def test_a_space_that_was_broken_by_hand_is_one_line(tmp_path: Path) -> None:
    saved = replace(PLAN, resources=RESOURCES)
    from_saved(saved, tmp_path, saved.definition)
    with pytest.raises(UserError, match="did you mean search"):
        from_saved(saved, tmp_path, {"base": {}, "search": {}, "serch": {}})
