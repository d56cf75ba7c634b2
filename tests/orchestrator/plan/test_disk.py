"""What a sweep will take of the disk, and the line for one that does not fit."""

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.plan.disk import DiskForecast, check_disk, forecast_disk
from orchestrator.plan.memory import Networks, largest_networks
from orchestrator.plan.resources import Resources, choose_resources
from orchestrator.space.load import load_space
from orchestrator.space.overrides import apply_settings
from orchestrator.space.sections import SchedulerConfig
from orchestrator.space.space import Space
from trainers.errors import UserError


@pytest.fixture
def space() -> Space:
    return apply_settings(load_space("ralsgan_motorbike"), ["schedule.epochs=9", "schedule.window_first=5"])


@pytest.fixture
def networks(space: Space) -> Networks:
    return largest_networks(space)


def gangs(number: int) -> Resources:
    how = {"workers": 1, "cpus": 1.0, "gpus": 0.0, "available_cpus": 64, "available_gpus": 0, "local": True}
    return choose_resources(concurrency=number, **how)


def test_checkpoints_of_trials_that_wait(space: Space, networks: Networks) -> None:
    waits = apply_settings(space, ["scheduler.name=asha"]).model_copy(update={"trials": 40})
    forecast = forecast_disk(waits, networks, gangs(3))
    assert forecast.waiting == 37 * networks.saved and forecast.total > forecast.waiting
    cuts = apply_settings(waits, ["scheduler.name=asha_stopping"])
    assert forecast_disk(cuts, networks, gangs(3)).waiting == 0


def test_checkpoints_of_what_runs_and_of_what_is_kept(space: Space, networks: Networks) -> None:
    space = space.model_copy(update={"trials": 40})
    one = networks.saved
    assert forecast_disk(space, networks, gangs(3)).running == 12 * one
    for keep, kept in ((None, 6), ("all", 40), ("best", 6), ("top:2", 6), ("top:9", 9), ("top:99", 40)):
        assert forecast_disk(space, networks, gangs(1), keep).kept == kept * one
    stopping = space.model_copy(update={"scheduler": SchedulerConfig(name="asha_stopping")})
    for keep, ends in ((None, 6), ("all", 40), ("top:2", 2)):  # of trials that rules end, besides
        with_ends = forecast_disk(stopping, networks, gangs(1), keep).kept
        without = forecast_disk(stopping.model_copy(update={"pruning": False}), networks, gangs(1), keep).kept
        assert with_ends - without == ends * one
    few = space.model_copy(update={"trials": 2})
    assert (forecast_disk(few, networks, gangs(3)).running, forecast_disk(few, networks, gangs(3)).kept) == (
        8 * one,
        2 * one,
    )
    rare = apply_settings(space, ["schedule.samples_every=9"])
    assert forecast_disk(rare, networks, gangs(1)).rest < forecast_disk(space, networks, gangs(1)).rest


def test_what_cannot_fit_is_refused_in_one_line(networks: Networks, tmp_path: Path) -> None:
    fits = DiskForecast(running=1, kept=1, rest=1)
    check_disk(fits, networks, tmp_path / "sweeps")
    with pytest.raises(UserError) as caught:
        check_disk(replace(fits, kept=10**18), networks, tmp_path / "sweeps")
    line = str(caught.value)
    assert line.startswith(f"the disk of --sweeps-dir {tmp_path}/sweeps has ") and "\n" not in line
    assert " free, this sweep needs about 1,000,000,000.0 GB (1,000,000,000.0 GB of checkpoints: " in line
    assert line.endswith("make room, or name a place on another disk, or give --keep-checkpoints best")
    with pytest.raises(UserError, match=r"another disk$"):
        check_disk(replace(fits, rest=10**18), networks, tmp_path / "sweeps")


def test_what_is_trained_again_keeps_its_checkpoint_until_the_end(space: Space, networks: Networks) -> None:
    again = apply_settings(space, ["confirm.train_seeds=3", "confirm.top=2"])
    before, now = (forecast_disk(one, networks, gangs(1)) for one in (apply_settings(space, ["confirm.top=2"]), again))
    assert now.kept - before.kept == 6 * networks.saved and now.rest > before.rest
    few = again.model_copy(update={"trials": 1})
    assert few.most_repeats == 3  # no more settings than there are trials
