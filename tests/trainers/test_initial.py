"""Runs that start from a checkpoint of another run."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.contracts.family_cases import LABELS, case_config, fresh_family, take_steps
from tests.trainers.trainer_helpers import (
    STEPS,
    Recorder,
    curve,
    differing,
    load,
    small_config,
    still_times,
    timeless_checkpoint,
)
from trainers.assets import Assets
from trainers.checkpoint import Progress, save_checkpoint
from trainers.config import TrainConfig
from trainers.errors import UserError
from trainers.families import Family
from trainers.initial import check_fits, read_initial, start_from_checkpoint
from trainers.loop import train
from trainers.run_report import RunEnd

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")
ALL = "generator,discriminator,average,optimizers"
GOES_ON = f"{ALL},progress"
NETWORKS = ("generator", "discriminator", "average")


def saved_by(family: Family, path: Path) -> Path:
    """A checkpoint of a family that has taken three steps."""
    take_steps(family, 3)
    save_checkpoint(path, family.config, Progress(epoch=7, images_seen=900, objective=12.0), family.state_dict())
    return path


def started(config: TrainConfig, progress: Progress | None = None) -> Family:
    family = fresh_family(config)
    start_from_checkpoint(config, family, CPU, progress or Progress())
    return family


def weights(family: Family) -> dict[str, dict[str, torch.Tensor]]:
    return {name: family.state_dict()[name] for name in NETWORKS if name in family.state_dict()}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return saved_by(fresh_family(case_config("adversarial")), tmp_path / "source.pt")


@pytest.mark.parametrize("name", ["adversarial", "adversarial spectral hinge", "acgan", "cyclegan"])
def test_every_part_is_taken(name: str, tmp_path: Path) -> None:
    """In every family; moments are those of the checkpoint, rates and decays those of the config."""
    path = saved_by(fresh_family(case_config(name)), tmp_path / "source.pt")
    keys = {"init.checkpoint": str(path), "init.parts": ALL, "seed": 9, "optimizer.lr_d": 0.01, "optimizer.beta1": 0.3}
    family = started(case_config(name, keys))
    there = load(path)["family"]
    assert differing(weights(family), {part: there[part] for part in NETWORKS}) == []
    for key, descent in (("optimizer_g", family.descent_g), ("optimizer_d", family.descent_d)):
        now = descent.optimizer.state_dict()
        assert now["state"] and differing(now["state"], there[key]["state"]) == []
        assert now["param_groups"][0]["betas"] == (0.3, 0.999)
    assert family.descent_d.optimizer.param_groups[0]["lr"] == 0.01
    take_steps(family, 1)


@pytest.mark.parametrize("name", ["adversarial", "acgan", "cyclegan"])
def test_with_progress_the_regime_and_older_fakes_are_taken_too(name: str, tmp_path: Path) -> None:
    path = saved_by(fresh_family(case_config(name)), tmp_path / "source.pt")
    keys = {"init.checkpoint": str(path), "init.parts": GOES_ON, "schedule.epochs": 8, "seed": 9}
    for parts, counted in ((GOES_ON, (7, 900)), (ALL, (0, 0))):
        progress = Progress()
        family = started(case_config(name, {**keys, "init.parts": parts}), progress)
        assert (progress.epoch, progress.images_seen) == counted
    assert progress.objective is None
    family = started(case_config(name, keys))
    assert differing(family.state_dict(), load(path)["family"]) == []


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"schedule.epochs": 7}, "it has 7 epochs already, and with progress in init.parts they count"),
        ({"schedule.epochs": 8, "regime.name": "n_critic"}, "regime.name is classic there and n_critic here"),
    ],
)
def test_progress_that_does_not_fit(source: Path, overrides: dict[str, Any], message: str) -> None:
    config = case_config("adversarial", {"init.checkpoint": str(source), "init.parts": GOES_ON, **overrides})
    with pytest.raises(UserError, match=message):
        started(config)
    started(case_config("adversarial", {"init.checkpoint": str(source), "init.parts": ALL, **overrides}))


@pytest.mark.parametrize(
    ("parts", "taken"),
    [
        (None, {"generator", "discriminator", "average"}),
        ("generator", {"generator"}),
        ("discriminator", {"discriminator"}),
        ("average, generator", {"generator", "average"}),
    ],
)
def test_some_parts_are_taken(source: Path, parts: str | None, taken: set[str]) -> None:
    """Of the others those are fresh that the seed gives; an average that is not taken starts as G."""
    chosen = {} if parts is None else {"init.parts": parts}
    config = case_config("adversarial", {"seed": 9, "init.checkpoint": str(source), **chosen})
    family, fresh = started(config), fresh_family(case_config("adversarial", {"seed": 9}))
    there, now = load(source)["family"], weights(family)
    for part in ("generator", "discriminator"):
        expected = there[part] if part in taken else fresh.state_dict()[part]
        assert differing(now[part], expected) == []
    assert differing(now["average"], there["average"] if "average" in taken else now["generator"]) == []
    assert differing(there["average"], there["generator"])  # so that the lines above can fail
    assert not family.descent_g.optimizer.state and not family.descent_d.optimizer.state


def test_a_checkpoint_without_an_average(tmp_path: Path) -> None:
    path = saved_by(fresh_family(case_config("adversarial", {"regime.ema_halflife_images": None})), tmp_path / "a.pt")
    family = started(case_config("adversarial", {"init.checkpoint": str(path)}))
    assert differing(weights(family)["average"], load(path)["family"]["generator"]) == []


def test_an_average_that_is_taken_is_kept(source: Path) -> None:
    """Without the ramp-up, which would forget it in the first step: 8 images are a thousandth of its half-life."""
    family = started(case_config("adversarial", {"init.checkpoint": str(source), "regime.ema_halflife_images": 8e3}))
    assert family.average is not None
    before = {name: value.clone() for name, value in family.average.named_parameters()}
    take_steps(family, 1)
    own, decay = dict(family.generator.named_parameters()), 0.5**0.001
    for name, value in family.average.named_parameters():
        torch.testing.assert_close(value, decay * before[name] + (1 - decay) * own[name])


def test_nothing_happens_without_a_checkpoint() -> None:
    config = case_config("adversarial")
    assert differing(started(config).state_dict(), fresh_family(config).state_dict()) == []


# What does not fit. The checkpoint's run is `case_config("adversarial")`.


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"network.base_width": 8}, "generator of another kind: network.base_width is 4 there and 8 here"),
        ({"network.latent_dim": 9}, "generator of another kind: network.latent_dim is 8 there and 9 here"),
        ({"data.image_size": 64}, "generator of another kind: data.image_size is 32 there and 64 here"),
        ({"network.batchnorm": False}, "generator of another kind: network.batchnorm is True there and False here"),
        (
            {"network.name": "r3gan_small", "network.base_width": 8},
            "network.name is dcgan there and r3gan_small here; network.base_width is 4 there and 8 here",
        ),
        (
            {"regularizer.spectral_norm": True},
            "discriminator of another kind: regularizer.spectral_norm is False there and True here",
        ),
        (
            {"init.parts": "discriminator", "family": "acgan", "labels": LABELS, "loss.name": "bce"},
            "discriminator of another kind: family is adversarial there and acgan here; labels is none there and "
            "{'hair': ['red', 'blue', 'green'], 'eyes': ['red', 'blue']} here",
        ),
        (
            {"init.parts": ALL, "optimizer.name": "rmsprop"},
            "optimizers of another kind: optimizer.name is adam there and rmsprop here",
        ),
    ],
)
def test_what_does_not_fit_is_named(source: Path, overrides: dict[str, Any], message: str) -> None:
    config = case_config("adversarial", {"init.checkpoint": str(source), **overrides})
    with pytest.raises(UserError) as caught:
        started(config)
    assert str(caught.value).startswith(f"init.checkpoint {source}: ") and str(caught.value).endswith(message)
    assert "\n" not in str(caught.value)


def test_only_what_is_taken_has_to_fit(source: Path) -> None:
    keys = {"init.checkpoint": str(source), "network.latent_dim": 9, "init.parts": "discriminator"}
    there = load(source)["family"]["discriminator"]
    assert differing(weights(started(case_config("adversarial", keys)))["discriminator"], there) == []


def test_classes_are_the_same_in_the_same_order(tmp_path: Path) -> None:
    """As many others would fit by their shapes, and G would make one where it is asked for another."""
    path = saved_by(fresh_family(case_config("acgan")), tmp_path / "a.pt")
    for labels in ({**LABELS, "eyes": ("blue", "red")}, dict(reversed(LABELS.items()))):
        with pytest.raises(UserError, match=r"generator of another kind: labels is .* there and .* here$"):
            started(case_config("acgan", {"init.checkpoint": str(path), "labels": labels}))


def test_tensors_that_no_key_explains(source: Path) -> None:
    content = load(source)
    del content["family"]["generator"]["model.0.weight"]
    with pytest.raises(UserError, match=r"generator of another kind: model\.0\.weight is here alone$"):
        check_fits(content, case_config("adversarial", {"init.checkpoint": str(source)}))


def test_a_file_that_is_no_whole_checkpoint(source: Path, tmp_path: Path) -> None:
    torn, other = tmp_path / "torn.pt", tmp_path / "other.pt"
    torn.write_bytes(source.read_bytes()[:-100])
    torch.save({"model": 1}, other)
    for path, message in (
        (tmp_path / "no.pt", "no checkpoint at "),
        (tmp_path, "cannot be opened: Is a directory"),
        (torn, "is not a whole checkpoint: "),
        (other, "is not a checkpoint of a run"),
    ):
        with pytest.raises(UserError) as caught:
            read_initial(str(path))
        text = str(caught.value)
        assert text.startswith("init.checkpoint: ") and message in text and str(path) in text and "\n" not in text
        with pytest.raises(UserError, match="; every machine that trains must read it, here "):
            started(case_config("adversarial", {"init.checkpoint": str(path)}))


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ("", "unknown part '': valid: average, discriminator, generator, optimizers"),
        ("generater", "unknown part 'generater': did you mean generator?"),
        ("generator,", "unknown part ''"),
        ("discriminator,average", "average goes with generator only"),
        ("generator,progress", "progress goes with generator and discriminator only"),
        ("optimizers", "optimizers go with generator or discriminator only"),
    ],
)
def test_wrong_parts(parts: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        small_config({"init.parts": parts})
    assert str(caught.value).startswith("init.parts: ") and message in str(caught.value)


# Whole runs.


@pytest.fixture
def trained(assets: Assets, tmp_path: Path) -> Path:
    train(small_config({"seed": 8, "schedule.window_first": 4}), assets, tmp_path / "earlier", Recorder(4))
    return tmp_path / "earlier" / "best.pt"


def test_a_run_that_goes_on_is_the_one_that_was_not_interrupted(assets: Assets, tmp_path: Path, trained: Path) -> None:
    """It needs the other run's file no more. Its progress is its own."""
    keys = {"init.checkpoint": str(trained), "init.parts": ALL, "init.freeze_d_layers": 2, "schedule.epochs": 3}
    config, whole, parts = small_config(keys), Recorder(), Recorder(1)
    train(config, assets, tmp_path / "whole", whole, times=still_times())
    first = whole.reports[0]
    assert (first.epoch, first.images_seen, first.objective) == (1, STEPS * 32, None)
    assert train(config, assets, tmp_path / "parts", parts).end is RunEnd.STOPPED
    trained.unlink()
    parts.stop_at = ()
    assert train(config, assets, tmp_path / "parts", parts, times=still_times()).end is RunEnd.COMPLETED
    assert curve(parts.reports) == curve(whole.reports)
    assert differing(*(timeless_checkpoint(tmp_path / name / "latest.pt") for name in ("whole", "parts"))) == []
    with pytest.raises(UserError, match="no checkpoint at"):
        train(config, assets, tmp_path / "anew", Recorder())


def test_a_run_starts_where_the_other_was(assets: Assets, tmp_path: Path, trained: Path) -> None:
    """With rates of next to nothing the first epoch's FID is that of the checkpoint's own measurement."""
    still = {"optimizer.lr_g": 1e-12, "optimizer.lr_d": 1e-12, "fid.every": 1, "schedule.epochs": 3, "seed": 8}
    runs = {}
    for name, checkpoint in (("fresh", None), ("started", str(trained))):
        runs[name] = Recorder(1)
        keys = {**still, "init.checkpoint": checkpoint, "regime.ema_halflife_images": 1e9}
        train(small_config(keys), assets, tmp_path / name, runs[name])
    there = load(trained)["progress"]["objective"]
    assert runs["started"].fids[1] == pytest.approx(there, rel=1e-3)
    assert abs(runs["fresh"].fids[1] / there - 1) > 0.01


def test_a_run_that_was_stopped_goes_on_in_another_as_if_it_had_not_been(assets: Assets, tmp_path: Path) -> None:
    """Its end is kept, though no checkpoint was due; epochs go on being counted, and the other's result is its own."""
    keys = {"schedule.epochs": 4, "schedule.checkpoint_every": 9, "schedule.window_first": 3, "fid.every": 1}
    keys |= {"regime.ema_halflife_images": 10_000, "regime.ema_rampup": 0.05}  # which it is far from having reached
    whole, first, rest = Recorder(), Recorder(2), Recorder()
    train(small_config(keys), assets, tmp_path / "whole", whole)
    assert train(small_config(keys), assets, tmp_path / "first", first, times=still_times()).end is RunEnd.STOPPED
    start = {"init.checkpoint": str(tmp_path / "first" / "latest.pt"), "init.parts": GOES_ON}
    train(small_config({**keys, **start}), assets, tmp_path / "rest", rest)
    assert [report.epoch for report in rest.reports] == [3, 4]
    assert curve(rest.reports) == curve(whole.reports)[2:]
    assert rest.reports[-1].images_seen == whole.reports[-1].images_seen
    assert (rest.reports[-1].objective, rest.reports[-1].best_epoch) == (
        whole.reports[-1].objective,
        whole.reports[-1].best_epoch,
    )
