"""Settings that change within a run, and a run that takes another's checkpoint over."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.contracts.family_cases import case_config, fresh_family, take_steps
from tests.trainers.trainer_helpers import Recorder, curve, differing, load, small_config, still_times
from trainers.assets import Assets
from trainers.changing import inherit, keep_rung, own_progress, rung_file
from trainers.checkpoint import Progress, keep_as_best, save_checkpoint, save_latest
from trainers.config import TrainConfig
from trainers.errors import UserError
from trainers.loop import train
from trainers.may_change import may_change
from trainers.run_report import Decision, EpochReport, RunEnd

pytestmark = pytest.mark.usefixtures("one_thread")

# Values that every number of a config may become; of a key that is not here, half of its default.
OTHERS = {"loss.real_label": 0.9, "loss.fake_label": 0.1, "optimizer.decay_start": 0.5, "optimizer.grad_clip_norm": 1.0}
OTHERS |= {"regularizer.weight_clip": 0.05, "noise.instance_decay": 0.4, "regime.ema_halflife_images": 500.0}
OTHERS |= {"regime.g_steps": 2, "regime.n_critic": 2, "regularizer.penalty_every": 2}
OTHERS |= {"regularizer.r1_gamma": 0.5, "regularizer.r2_gamma": 0.5, "regularizer.gradient_penalty": 0.5}


def changing() -> list[str]:
    """Every key of a config whose number may change within a training."""
    flat = TrainConfig().flat()
    numbers = [name for name, value in flat.items() if isinstance(value, int | float) and not isinstance(value, bool)]
    return [name for name in dict.fromkeys([*numbers, *OTHERS]) if may_change(name)]


def test_what_may_change_is_what_training_reads_anew() -> None:
    found = changing()
    sections = {name.partition(".")[0] for name in found}
    assert sections == {"data", "loss", "cycle", "regularizer", "regime", "optimizer", "noise"}
    assert {"optimizer.lr_g", "optimizer.beta1", "noise.latent_sigma", "data.flip_p", "cycle.weight"} <= {*found}
    for name in ("seed", "family", "data.batch_size", "network.base_width", "schedule.epochs", "fid.n_fake"):
        assert not may_change(name)


@pytest.mark.parametrize(
    "case", ["adversarial", "adversarial pokemon, boosted", "adversarial wgan", "acgan", "cyclegan"]
)
def test_a_checkpoint_goes_on_under_every_change(case: str, tmp_path: Path) -> None:
    """All numbers that may change, at once, in every kind of family: the next step is made with them."""
    config, other = case_config(case), dict[str, Any]()
    for name in changing():
        before = config.flat()[name]
        other[name] = OTHERS.get(name, before if before is None else before / 2)
    if config.regime.d_updates == "separate":  # which allows no penalty
        other = {name: value for name, value in other.items() if "gamma" not in name and "penalty" not in name}
    family = fresh_family(config)
    take_steps(family, 2)
    save_checkpoint(tmp_path / "source.pt", config, Progress(epoch=2, images_seen=16), family.state_dict())
    now = case_config(case, other)
    assert inherit(tmp_path / "run", tmp_path / "source.pt", now, "0001@2")
    saved = load(tmp_path / "run" / "latest.pt")
    assert TrainConfig.model_validate(saved["config"]) == now
    heir = fresh_family(now)
    heir.load_state_dict(saved["family"])
    heir.start_epoch(3)
    assert differing(heir.state_dict()["generator"], family.state_dict()["generator"]) == []
    group = heir.descent_g.optimizer.param_groups[0]
    assert group["lr"] == heir.descent_g.optimizer.param_groups[0]["lr"] <= now.optimizer.lr_g
    if "betas" in group:
        assert tuple(group["betas"]) == (now.optimizer.beta1, now.optimizer.beta2)
    assert all(torch.isfinite(value) for value in take_steps(heir, 1)[0].values())


def checkpoint_of(run_dir: Path, config: TrainConfig, progress: Progress) -> None:
    family = fresh_family(config)
    take_steps(family, progress.epoch)
    run_dir.mkdir(exist_ok=True)
    save_latest(run_dir, config, progress, family.state_dict(), None)


def test_the_objective_stays_the_run_s_own_and_nothing_is_taken_twice(tmp_path: Path) -> None:
    config = case_config("adversarial")
    checkpoint_of(tmp_path / "own", config, Progress(epoch=2, images_seen=16, objective=9.0, best_epoch=2))
    keep_as_best(tmp_path / "own")
    checkpoint_of(tmp_path / "better", config, Progress(epoch=3, images_seen=24, objective=4.0, best_epoch=3))
    keep_rung(tmp_path / "better", 3)
    source, now = tmp_path / "better" / rung_file(3), case_config("adversarial", {"optimizer.lr_g": 1e-5})
    assert inherit(tmp_path / "own", source, now, "0001@3")
    expected = Progress(epoch=3, images_seen=24, objective=9.0, best_epoch=2, inherited="0001@3")
    assert own_progress(tmp_path / "own") == expected
    before = (tmp_path / "own" / "latest.pt").read_bytes()
    assert not inherit(tmp_path / "own", source, now, "0001@3"), "as after a death: it is there"
    assert (tmp_path / "own" / "latest.pt").read_bytes() == before
    (tmp_path / "own" / "latest.pt").write_bytes(before[: len(before) // 2])  # it was damaged since
    assert inherit(tmp_path / "own", source, now, "0001@3")
    with pytest.raises(UserError, match="no checkpoint at"):
        inherit(tmp_path / "own", tmp_path / "better" / rung_file(9), now, "0001@9")


class Pausing(Recorder):
    """Lets a run pause at an epoch."""

    def __call__(self, report: EpochReport) -> Decision:
        answer = super().__call__(report)
        return Decision.PAUSE if answer is Decision.STOP else answer


def go(run_dir: Path, config: TrainConfig, assets: Assets, *pause_at: int) -> tuple[RunEnd, Recorder]:
    report = Pausing(*pause_at)
    return train(config, assets, run_dir, report, times=still_times()).end, report


def test_a_change_that_changes_nothing_leaves_the_run_as_it_is(assets: Assets, tmp_path: Path) -> None:
    """To the last bit: what is taken over of a checkpoint is all of it."""
    config = small_config()
    _, whole = go(tmp_path / "whole", config, assets)
    assert go(tmp_path / "cut", config, assets, 3)[0] is RunEnd.PAUSED
    inherit(tmp_path / "cut", tmp_path / "cut" / "latest.pt", config, "@3")
    end, rest = go(tmp_path / "cut", config, assets)
    assert end is RunEnd.COMPLETED
    assert curve(rest.reports) == curve(whole.reports)[3:]
    assert (
        differing(load(tmp_path / "cut" / "latest.pt")["family"], load(tmp_path / "whole" / "latest.pt")["family"])
        == []
    )


def test_best_stays_the_run_s_own_where_it_takes_over_at_its_best_epoch(assets: Assets, tmp_path: Path) -> None:
    mine, theirs = small_config({"schedule.window_first": 2}), small_config({"schedule.window_first": 2, "seed": 4})
    go(tmp_path / "mine", mine, assets, 2)
    go(tmp_path / "theirs", theirs, assets, 2)
    best = load(tmp_path / "mine" / "best.pt")
    assert best["progress"]["best_epoch"] == 2
    inherit(tmp_path / "mine", tmp_path / "theirs" / "latest.pt", mine, "0001@2")
    go(tmp_path / "mine", mine, assets, 3)
    assert differing(load(tmp_path / "mine" / "best.pt")["family"], best["family"]) == []
