"""How many trials share a GPU: what fits, what is refused, what the plan says."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.plan.launch_options import LaunchOptions
from orchestrator.plan.packed import costliest, packed
from orchestrator.plan.packing import MOST_PER_GPU, Packing, pack, read_trials_per_gpu
from orchestrator.plan.plan import Plan, make_plan
from orchestrator.plan.resources import share
from orchestrator.space.load import build_space, load_space
from trainers.dry_step import Measured
from trainers.errors import UserError

GB = 10**9
MACHINE = (16, 2)  # CPUs and GPUs


def taking(peak: float, room: float = 15.8) -> Measured:
    return Measured(peak=int(peak * GB), room=int(room * GB))


def packs(peak: float, asked: int | None = None, **more: int) -> Packing:
    return pack(taking(peak), asked, **{"gpus": 1, "cpus": 64, "trials": 1000, **more})


@pytest.mark.parametrize(("peak", "trials"), [(4.7, 3), (4.8, 2), (7.2, 1), (14.2, 1), (0.5, 28)])
def test_auto_packs_what_fits_with_a_tenth_to_spare(peak: float, trials: int) -> None:
    assert packs(peak).trials == trials and not packs(peak).limit


def test_it_says_how_many_and_why() -> None:
    assert str(packs(4.7)) == "3 trials per GPU: 4.7 GB of 15.8 GB each at their peak"
    assert str(packs(7.2)) == "1 trial per GPU: 7.2 GB of 15.8 GB at its peak"
    assert str(packs(0.5, cpus=4)).endswith(
        "8 trials per GPU: 0.5 GB of 15.8 GB each at their peak; no more, for there are 4 CPUs"
    )


@pytest.mark.parametrize(
    ("more", "trials", "limit"),
    [
        ({"cpus": 8, "gpus": 2}, 8, "there are 8 CPUs"),
        ({"trials": 9, "gpus": 2}, 5, "the sweep has 9"),
        ({"cpus": 0}, MOST_PER_GPU, "CUDA MPS lets 48 share one"),  # a cluster that does not say how many it has
        ({"cpus": 1, "gpus": 8}, 1, "there are 1 CPUs"),
    ],
)
def test_auto_packs_no_more_than_has_something_to_do(more: dict[str, int], trials: int, limit: str) -> None:
    packing = packs(0.1, **more)
    assert (packing.trials, packing.limit) == (trials, limit)


def test_too_many_are_refused_and_the_number_that_fits_is_named() -> None:
    assert packs(4.7, asked=2).trials == 2
    with pytest.raises(UserError) as error:
        packs(4.7, asked=4)
    text = "--trials-per-gpu 4: one takes 4.7 GB at its peak, and 90% of 15.8 GB may be used: --trials-per-gpu 3 fits"
    assert str(error.value) == text


@pytest.mark.parametrize("asked", [None, 1])
def test_where_not_one_fits_nothing_is_packed(asked: int | None) -> None:
    with pytest.raises(UserError, match=r"^not one trial fits a GPU: one takes 14.3 GB .*: lower data.batch_size"):
        packs(14.3, asked)


@pytest.mark.parametrize("trials", range(1, MOST_PER_GPU + 1))
def test_a_share_lets_as_many_in_and_not_one_more(trials: int) -> None:
    units = round(share(trials) * 10_000)  # as Ray counts
    assert 10_000 // units == trials


@pytest.mark.parametrize("given", ["0", "49", "-1", "1.5", "Auto", "2 ", "", "9" * 5000, "²"])
def test_other_words_are_refused(given: str) -> None:
    assert read_trials_per_gpu("auto") is None and read_trials_per_gpu("48") == 48
    with pytest.raises(UserError, match=r"^--trials-per-gpu .*: give auto, or a whole number from 1 to 48"):
        read_trials_per_gpu(given)


def options(tmp_path: Path, **more: Any) -> LaunchOptions:
    return LaunchOptions(space="ralsgan_motorbike", demo=True, sweeps_dir=tmp_path, **more)


def planned(tmp_path: Path, measured: Measured, **more: Any) -> Plan:
    given = options(tmp_path, **more)
    return packed(make_plan(given, MACHINE), given, measured, MACHINE)


def test_a_number_decides_the_share_and_the_gangs(tmp_path: Path) -> None:
    plan = planned(tmp_path, taking(4.7), trials_per_gpu="3")
    assert (plan.resources.gangs, plan.resources.gpus) == (6, 0.3333)
    assert plan.packing == Packing(trials=3, measured=taking(4.7))
    assert planned(tmp_path, taking(4.7), trials_per_gpu="3", concurrency=2).resources.gangs == 2


def test_auto_decides_once_it_is_measured(tmp_path: Path) -> None:
    before = make_plan(options(tmp_path, trials_per_gpu="auto", trials=40), MACHINE)
    plan = planned(tmp_path, taking(4.7), trials_per_gpu="auto", trials=40)
    assert (before.resources.gangs, before.resources.gpus) == (2, 1.0)
    assert (plan.resources.gangs, plan.resources.gpus, plan.resources.workers) == (6, 0.3333, 1)
    assert before.disk is not None and plan.disk is not None and plan.disk.total > before.disk.total


@pytest.mark.parametrize("given", ["2", "auto"])
@pytest.mark.parametrize(
    ("more", "machine", "message"),
    [
        ({}, (2, 0), r"^--trials-per-gpu: there is no GPU"),
        ({"gpus_per_worker": 0.5}, MACHINE, r"^--trials-per-gpu and --gpus-per-worker 0.5 both say"),
        ({"workers_per_trial": 2}, MACHINE, r"^--trials-per-gpu: trials of 2 workers need whole GPUs"),
    ],
)
def test_what_does_not_go_with_it_is_one_line(
    tmp_path: Path, given: str, more: dict[str, Any], machine: tuple[int, int], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        make_plan(options(tmp_path, trials_per_gpu=given, **more), machine)


def test_what_is_measured_is_the_costliest_of_the_space() -> None:
    base = load_space("ralsgan_motorbike").base.model_dump() | {"data": {"image_size": 32}}
    search = {
        "data.batch_size": {"choice": [16, 128, 64]},
        "network.base_width": {"int": [8, 40]},
        "data.image_size": {"choice": [32, 64]},
    }
    config = costliest(build_space("s", {"base": base, "search": search}))
    assert (config.data.batch_size, config.network.base_width, config.data.image_size) == (128, 40, 64)
