"""Checkpoints that the trials of a space start from: whole paths, and files that fit every value of the search."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.plan.checks import check_space_buildable
from orchestrator.plan.launch_options import LaunchOptions
from orchestrator.plan.memory import largest_networks
from orchestrator.plan.plan import make_plan
from orchestrator.plan.starting import check_checkpoints, starting_hints, with_whole_paths
from orchestrator.space.changes import Change
from orchestrator.space.demo import demo_space
from orchestrator.space.load import build_space
from orchestrator.space.space import Space
from trainers.checkpoint import Progress, save_checkpoint
from trainers.config import TrainConfig
from trainers.errors import UserError
from trainers.families import find_family

SMALL = {"data.image_size": 32, "network.base_width": 4, "network.latent_dim": 8}


def written(path: Path, **overrides: Any) -> Path:
    """A checkpoint of small networks."""
    config = TrainConfig.build({}, {**SMALL, **overrides})
    generator, discriminator = find_family(config).build_pair(config)
    state = {"generator": generator.state_dict(), "discriminator": discriminator.state_dict()}
    save_checkpoint(path, config, Progress(epoch=5), state)
    return path


def space(search: dict[str, Any], points: tuple[dict[str, Any], ...] = (), **base: Any) -> Space:
    sections: dict[str, Any] = {}
    for name, value in {**SMALL, **base}.items():
        section, key = name.split(".")
        sections.setdefault(section, {})[key] = value
    beside = {"scheduler": sections.pop("scheduler")} if "scheduler" in sections else {}
    return build_space("s", {"base": sections, "search": search, "points": list(points), **beside})


@pytest.fixture
def best(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    return str(written(tmp_path / "best.pt"))


def test_paths_are_whole(best: str, tmp_path: Path) -> None:
    """Wherever they stand, so that the space is still valid when it is read again."""
    found = with_whole_paths(
        space(
            {
                "init.checkpoint": {"choice": [None, "best.pt", f"{tmp_path}/./best.pt"]},
                "init.freeze_d_layers": {"int": [0, 2], "when": {"init.checkpoint": "best.pt"}},
            },
            ({"init.checkpoint": None}, {"init.checkpoint": "best.pt", "init.freeze_d_layers": 1}),
            **{"init.checkpoint": "best.pt"},
        )
    )
    assert found.base.init.checkpoint == best
    assert found.search["init.checkpoint"].probes() == [None, best]
    assert found.search["init.freeze_d_layers"].when == {"init.checkpoint": (best,)}
    assert [point["init.checkpoint"] for point in found.points] == [None, best]
    check_checkpoints(found)


def test_a_space_without_checkpoints_stays_as_it_is() -> None:
    plain = space({"network.base_width": {"choice": [4, 8]}})
    assert with_whole_paths(plain) == plain
    check_checkpoints(plain)


def test_every_network_of_the_search_has_to_fit(best: str) -> None:
    either = {"choice": [None, best]}
    widths = {"choice": [4, 8]}
    with pytest.raises(UserError) as caught:
        check_checkpoints(space({"init.checkpoint": either, "network.base_width": widths}))
    assert str(caught.value) == (
        f"init.checkpoint {best}: generator of another kind: network.base_width is 4 there and 8 here"
    )
    check_checkpoints(
        space(
            {
                "init.checkpoint": either,
                "network.base_width": {**widths, "when": {"loss.name": "bce"}},
                "loss.name": {"choice": ["ralsgan", "bce"], "when": {"init.checkpoint": None}},
            }
        )
    )
    with pytest.raises(UserError, match=r"network\.base_width is 4 there and 8 here"):
        check_checkpoints(space({"network.base_width": widths}, **{"init.checkpoint": best}))
    check_checkpoints(space({"optimizer.lr_g": {"choice": [8e-4, 1e-4]}}, **{"init.checkpoint": best}))


def test_parts_decide_what_has_to_fit(best: str) -> None:
    latents = {"network.latent_dim": {"choice": [8, 16]}}
    judge = {"init.checkpoint": best, "init.parts": "discriminator"}
    check_checkpoints(space(latents, **judge))
    with pytest.raises(UserError, match=r"network\.latent_dim is 8 there and 16 here"):
        check_checkpoints(space({**latents, "init.parts": {"choice": ["discriminator", "generator"]}}, **judge))


def test_files_are_read_also_where_the_data_is_yet_to_tell_the_labels(best: str, tmp_path: Path) -> None:
    acgan = {"base": {"family": "acgan", "labels": "auto", "network": {"name": "acgan_anime"}, "loss": {"name": "bce"}}}
    for name, fits in (("best.pt", True), ("nowhere.pt", False)):
        acgan["base"]["init"] = {"checkpoint": str(tmp_path / name)}
        waiting = build_space("s", {**acgan, "search": {}})
        if fits:
            check_checkpoints(waiting)
            continue
        with pytest.raises(UserError, match=r"^init\.checkpoint: no checkpoint at .*nowhere\.pt$"):
            check_checkpoints(waiting)


def test_frozen_layers_of_every_value(best: str) -> None:
    with pytest.raises(UserError, match="must be below 4, the layers that D has, got 4"):
        check_space_buildable(space({"init.freeze_d_layers": {"int": [0, 4]}}, **{"init.checkpoint": best}))
    check_space_buildable(space({"init.freeze_d_layers": {"int": [0, 3]}}, **{"init.checkpoint": best}))


FROZEN: dict[str, Any] = {"int": [0, 3]}
FRESH = "(init.checkpoint null, init.parts generator,discriminator,average)"


@pytest.mark.parametrize(
    ("search", "base", "said"),
    [
        ({}, {"init.freeze_d_layers": 0}, ""),
        ({}, {"init.freeze_d_layers": 2}, FRESH),
        ({}, {"init.freeze_d_layers": 2, "init.checkpoint": "x.pt"}, ""),
        (
            {},
            {"init.freeze_d_layers": 2, "init.checkpoint": "x.pt", "init.parts": "generator"},
            "(init.checkpoint x.pt, init.parts generator); FreezeD is for transfer",
        ),
        ({"init.freeze_d_layers": FROZEN}, {}, FRESH),
        ({"init.freeze_d_layers": FROZEN}, {"init.checkpoint": "x.pt"}, ""),
        ({"init.freeze_d_layers": FROZEN, "init.checkpoint": {"choice": [None, "x.pt"]}}, {}, FRESH),
        (
            {
                "init.freeze_d_layers": {**FROZEN, "when": {"init.checkpoint": "x.pt"}},
                "init.checkpoint": {"choice": [None, "x.pt"]},
            },
            {},
            "",
        ),
    ],
)
def test_layers_that_would_be_frozen_at_random_are_said(
    search: dict[str, Any], base: dict[str, Any], said: str
) -> None:
    (hint,) = starting_hints(space(search, **base)) or [""]
    assert said in hint if said else not hint


def test_parts_without_a_checkpoint_are_said() -> None:
    (hint,) = starting_hints(space({}, **{"init.parts": "generator"}))
    assert hint == "init.parts generator has no effect: no trial starts from a checkpoint (init.checkpoint)"
    for search, base in (({}, {"init.checkpoint": "x.pt"}), ({"init.checkpoint": {"choice": [None, "x.pt"]}}, {})):
        assert starting_hints(space(search, **{"init.parts": "generator", **base})) == []


def test_a_demo_starts_from_fresh_weights(best: str) -> None:
    found = demo_space(
        space(
            {"init.checkpoint": {"choice": [None, best]}, "init.freeze_d_layers": {"int": [0, 9]}},
            **{"init.checkpoint": best, "init.freeze_d_layers": 9},
        )
    )
    assert found.search == {} and found.base.init.checkpoint is None and found.base.init.freeze_d_layers == 0


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("init.checkpoint=nowhere.pt", "init.checkpoint: no checkpoint at "),
        ("init.checkpoint=best.pt", "network.base_width is 4 there and 24 here"),
        ("init.checkpoint=s3://bucket/best.pt", "must be a file on every machine that trains, not a URI"),
        ("init.freeze_d_layers=4", "init.freeze_d_layers must be below 4, the layers that D has, got 4"),
        ("init.parts=all", "unknown part 'all'"),
    ],
)
def test_a_launch_refuses_it_in_a_line(best: str, tmp_path: Path, setting: str, message: str) -> None:
    options: dict[str, Any] = {"space": "ralsgan_motorbike", "demo": True, "sweeps_dir": tmp_path}
    with pytest.raises(UserError) as caught:
        make_plan(LaunchOptions(**options, settings=(setting,)))
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_launch_plans_it(best: str, tmp_path: Path) -> None:
    fitting = tuple(f"{name}={value}" for name, value in SMALL.items())
    options: dict[str, Any] = {"space": "ralsgan_motorbike", "demo": True, "sweeps_dir": tmp_path}
    plan = make_plan(LaunchOptions(**options, settings=(*fitting, "init.checkpoint=best.pt", "init.freeze_d_layers=2")))
    assert plan.space.base.init.checkpoint == best


def test_in_a_sweep_of_points_alone_each_checkpoint_has_to_fit_its_own(best: str, tmp_path: Path) -> None:
    """As `gan-sweep extend` makes of trials with other networks, regimes and epochs."""
    wide = str(written(tmp_path / "wide.pt", **{"network.latent_dim": 16, "regime.name": "n_critic"}))
    parts = {"init.parts": "generator,discriminator,progress", "init.checkpoint": best, "schedule.epochs": 8}
    search = {"init.checkpoint": [best, wide], "network.latent_dim": [8, 16], "regime.name": ["classic", "n_critic"]}
    point = {"init.checkpoint": wide, "network.latent_dim": 16, "regime.name": "n_critic"}
    choices = {name: {"choice": values} for name, values in search.items()}
    found = space(choices, (point,), **parts, **{"schedule.window_first": 1, "scheduler.name": "none"})
    check_checkpoints(found.model_copy(update={"trials": 2}))
    with pytest.raises(UserError, match="is 8 there and 16 here"):
        check_checkpoints(found.model_copy(update={"trials": 3}))


def test_a_key_that_exists_beside_a_checkpoint_has_a_value_of_its_own_there(best: str) -> None:
    """Not the base's, which counts where the key does not exist."""
    parts = {"init.parts": "generator,discriminator,progress", "schedule.epochs": 4, "schedule.window_first": 1}
    epochs = {"int": [6, 8], "when": {"init.checkpoint": best}}
    start = {"init.checkpoint": {"choice": [None, best]}}
    check_checkpoints(space({**start, "schedule.epochs": epochs}, **parts, **{"scheduler.name": "none"}))
    with pytest.raises(UserError, match="it has 5 epochs already"):
        check_checkpoints(space(start, **parts, **{"scheduler.name": "none"}))


def test_settings_that_change_at_an_epoch_that_lies_behind_are_refused(best: str) -> None:
    parts = {"init.parts": "generator,discriminator,progress", "init.checkpoint": best, "schedule.epochs": 8}
    found = space({}, **parts, **{"schedule.window_first": 1, "scheduler.name": "none"})
    for first, refused in ((6, True), (7, False)):
        changes = (Change(first=first, values={"optimizer.lr_g": 1e-4}),)
        if refused:
            with pytest.raises(UserError, match="settings change at an epoch that it has behind it"):
                check_checkpoints(found.model_copy(update={"changes": changes}))
        else:
            check_checkpoints(found.model_copy(update={"changes": changes}))


def test_epochs_are_checked_before_the_data_tells_the_labels(best: str) -> None:
    acgan = {"family": "acgan", "labels": "auto", "network": {"name": "acgan_anime"}, "loss": {"name": "bce"}}
    start = {"checkpoint": best, "parts": "generator,discriminator,progress"}
    base = {**acgan, "init": start, "schedule": {"epochs": 5, "window_first": 1}}
    with pytest.raises(UserError, match="it has 5 epochs already"):
        check_checkpoints(build_space("s", {"base": base, "search": {}, "scheduler": {"name": "none"}}))


def test_what_trials_that_go_on_have_is_tried_together(best: str, tmp_path: Path) -> None:
    """One network has BatchNorm to leave out, the other has none."""
    other = str(written(tmp_path / "other.pt"))
    values = {"init.checkpoint": best, "init.parts": "generator,discriminator,progress", "schedule.epochs": 8}
    values |= {"network.name": "dcgan", "network.batchnorm": False, "schedule.window_first": 1}
    point = {"init.checkpoint": other, "network.name": "r3gan_small", "network.batchnorm": True}
    search = {name: {"choice": [values[name], value]} for name, value in point.items()}
    found = space(search, (point,), **values, **{"scheduler.name": "none"}).model_copy(update={"trials": 2})
    check_space_buildable(found)
    assert largest_networks(found).config.network.name in ("dcgan", "r3gan_small")


def test_epochs_of_the_search_are_more_than_those_that_count(best: str) -> None:
    parts = {"init.parts": "generator,discriminator,progress", "init.checkpoint": best, "schedule.epochs": 8}
    whole = {**parts, "schedule.window_first": 1, "scheduler.name": "none"}
    check_checkpoints(space({"schedule.epochs": {"int": [6, 8]}}, **whole))
    with pytest.raises(UserError, match="it has 5 epochs already"):
        check_checkpoints(space({"schedule.epochs": {"int": [5, 8]}}, **whole))
