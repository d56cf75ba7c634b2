"""``launch --schedule``: what the file may say, and the space that comes of it."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.plan.launch_options import LaunchOptions
from orchestrator.plan.scheduled import other_base, scheduled
from orchestrator.space.load import build_space, space_as_yaml
from orchestrator.space.space import Space
from orchestrator.space.yaml_text import dump_yaml, read_yaml
from trainers.errors import UserError

BASE = {"schedule": {"epochs": 20, "window_first": 10}}
START = {"from": 1, "set": {"optimizer.lr_g": 1e-3, "loss.name": "hinge"}}
LATER = {"from": 11, "set": {"optimizer.lr_g": 5e-4}}


def space() -> Space:
    return build_space("x", {"base": BASE, "search": {"optimizer.lr_g": {"float": [1e-4, 1e-2]}}})


def made(tmp_path: Path, content: Any, **options: Any) -> Space:
    file = tmp_path / "schedule.yaml"
    file.write_text(content if isinstance(content, str) else dump_yaml(content))
    return scheduled(space(), file, LaunchOptions(space="x", schedule=file, **options))


def test_one_trial_whose_settings_change(tmp_path: Path) -> None:
    found = made(tmp_path, {"settings": [START, LATER]})
    assert (found.trials, found.search, found.scheduler.name) == (1, {}, "none")
    assert (found.base.optimizer.lr_g, found.base.loss.name) == (1e-3, "hinge")
    assert [(one.first, one.values) for one in found.changes] == [(11, {"optimizer.lr_g": 5e-4})]
    (tmp_path / "space.yaml").write_text(dump_yaml(space_as_yaml(found)))
    assert build_space("x", read_yaml(tmp_path / "space.yaml", "space")) == found, "a later driver goes on with it"


WRONG: list[tuple[Any, str]] = [
    ("- a", "is no schedule: it needs settings:"),
    ("settings: [", "schedule.yaml: line 1"),
    ({"settings": []}, "needs a list of"),
    ({"settings": [START], "spaces": 1}, "unknown key in"),
    ({"settings": [LATER]}, "item 1 needs from: 1 as its first epoch, got 11"),
    ({"settings": [START, START]}, "item 2 needs a whole number above 1 as its first epoch, got 1"),
    ({"settings": [START, {"from": 3}]}, "item 2 is no {from: EPOCH"),
    ({"settings": [{"from": True, "set": {}}]}, "got True"),
    ({"settings": [START, LATER, {**LATER, "from": 7}]}, "must come after epoch 11"),
    ({"settings": [START, {**LATER, "from": 21}]}, "a trial has 20 epochs"),
    ({"settings": [START, {**LATER, "from": 10**12}]}, "must be at most 1000000000"),
    ({"settings": [START, {"from": 3, "set": {"optimizer.lrg": 1}}]}, "unknown key 'optimizer.lrg': did you mean"),
    ({"settings": [START, {"from": 3, "set": {"optimizer.lr_g": -1}}]}, "changes from epoch 3: optimizer.lr_g"),
    ({"settings": [START, {"from": 3, "set": {"network.base_width": 8}}]}, "cannot become 8 within a training"),
    ({"settings": [START, {"from": 3, "set": {"loss.name": "bce"}}]}, "cannot become 'bce' within a training"),
    ({"settings": [{"from": 1, "set": {"optimizer.lr_g": "x"}}]}, "optimizer.lr_g"),
    ({"settings": [START], "base": 3}, "base: must be a mapping"),
]


@pytest.mark.parametrize(("content", "says"), WRONG)
def test_what_is_wrong_is_said_in_a_line(tmp_path: Path, content: Any, says: str) -> None:
    with pytest.raises(UserError) as error:
        made(tmp_path, content)
    assert says in str(error.value) and "\n" not in str(error.value) and "schedule.yaml" in str(error.value)


@pytest.mark.parametrize("options", [{"trials": 3}, {"sampler": "gp"}, {"scheduler": "pbt"}, {"warm_start": ("s",)}])
def test_options_of_a_search_do_not_go_with_it(tmp_path: Path, options: dict[str, Any]) -> None:
    name = next(iter(options)).replace("_", "-")
    with pytest.raises(UserError, match=f"without a search: leave out --{name}"):
        made(tmp_path, {"settings": [START]}, **options)


def test_set_does_not_fix_what_changes(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"it has values of optimizer\.lr_g, which --set fixes"):
        made(tmp_path, {"settings": [START]}, settings=("optimizer.lr_g=1",))


def test_another_base_is_named(tmp_path: Path) -> None:
    base = space().base.model_dump(mode="json")
    content = {"settings": [START], "base": {**base, "network": {**base["network"], "base_width": 8}, "seed": 9}}
    found = made(tmp_path, content)
    assert other_base(found, tmp_path / "schedule.yaml") == ["network.base_width 32, there 8"]
