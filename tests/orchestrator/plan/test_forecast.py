"""The ceiling of a sweep: by epochs that were measured, and not at all without any."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.display.arithmetic_text import arithmetic_rows, warnings
from orchestrator.plan.budgets import Budgets
from orchestrator.plan.forecast import Forecast, Speed, find_speed, forecast_of
from orchestrator.plan.memory import MemoryNeed
from orchestrator.plan.plan import Plan
from orchestrator.plan.resources import Resources
from orchestrator.plan.saved import from_saved
from orchestrator.plan.starting import most_epochs
from orchestrator.results.places import EVENTS_FILE
from orchestrator.results.prices import Prices
from orchestrator.results.records import TrialRecord
from orchestrator.results.saved_plan import PLAN_FILE, SavedPlan
from orchestrator.results.verdict import StopReason, TrialOutcome
from orchestrator.space.load import build_space, space_as_yaml
from tests.orchestrator.sweep_helpers import PLAN, begun, epoch, keep
from trainers.checkpoint import Progress, save_checkpoint
from trainers.config import TrainConfig

FOUR_GANGS = Resources(gangs=4, workers=2, cpus=1.0, gpus=1.0, threads=1)
PRICES = Prices(gpu_hour=2.0, head_hour=0.5)


def saved(**base: Any) -> SavedPlan:
    """A sweep of 5 trials of at most 10 epochs."""
    base = {"schedule": {"epochs": 10, "window_first": 2}, **base}
    space = build_space("x", {"base": base, "search": {"optimizer.lr_g": {"float": [1e-4, 1e-2]}}, "trials": 5})
    return replace(PLAN, definition=space_as_yaml(space), fingerprint="f", trials=5, resources=vars(FOUR_GANGS))


def planned(directory: Path, plan: SavedPlan | None = None, **others: Any) -> Plan:
    plan = plan or saved()
    return replace(from_saved(plan, directory, plan.definition), **others)


def ran(directory: Path, seconds: float, plan: SavedPlan | None = None, *, fid: bool = True) -> None:
    """A sweep with a trial of two epochs of so many seconds each, a tenth of it on FID where that was measured."""
    store, trial = begun(directory, plan or saved()), TrialRecord("0000", {}, 10, 0.0)
    for number in (1, 2):
        report = epoch(number, fid=90.0 if fid else None, seconds=seconds / 10)
        trial.progress(replace(report, ended=seconds))
    trial.end(TrialOutcome(verdict=StopReason.OUTRANKED, epochs=2), seconds=3 * seconds)
    keep(store, trial)


def aged(directory: Path, seconds: float) -> None:
    """Make a sweep so much older."""
    file = directory / PLAN_FILE
    at = file.stat().st_mtime - seconds
    os.utime(file, (at, at))


def test_the_newest_sweep_that_trained_the_same_tells(tmp_path: Path) -> None:
    assert find_speed(planned(tmp_path / "new"), "f") is None, "nothing is invented"
    ran(tmp_path / "older", 8.0)
    ran(tmp_path / "newer", 6.0, fid=False)
    begun(tmp_path / "without-an-epoch", saved())
    aged(tmp_path / "older", 100.0)
    aged(tmp_path / "newer", 50.0)
    assert find_speed(planned(tmp_path / "new"), "f") == Speed(seconds=6.0, epochs=2, sweep="newer", with_fid=False)
    itself = find_speed(planned(tmp_path / "older"), "f")
    assert itself == Speed(seconds=8.0, epochs=2, sweep="older", with_fid=True)


@pytest.mark.parametrize(
    ("plan", "fingerprint", "resources"),
    [
        (saved(network={"base_width": 16}), "f", FOUR_GANGS),
        (saved(), "other images", FOUR_GANGS),
        (saved(), "f", replace(FOUR_GANGS, workers=1)),
    ],
)
def test_another_base_or_other_images_or_devices_tell_nothing(
    plan: SavedPlan, fingerprint: str, resources: Resources, tmp_path: Path
) -> None:
    ran(tmp_path / "earlier", 6.0)
    assert find_speed(planned(tmp_path / "new", plan, resources=resources), fingerprint) is None


def test_seed_number_of_gangs_and_damaged_sweeps_do_not_matter(tmp_path: Path) -> None:
    ran(tmp_path / "earlier", 6.0)
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / PLAN_FILE).write_text("{")
    other = planned(tmp_path / "new", saved(seed=7), resources=replace(FOUR_GANGS, gangs=1))
    found = find_speed(other, "f")
    assert found is not None and found.seconds == 6.0


def test_a_sweep_whose_log_is_damaged_tells_nothing(tmp_path: Path) -> None:
    ran(tmp_path / "earlier", 6.0)
    log = tmp_path / "earlier" / EVENTS_FILE
    log.write_text(log.read_text().replace('"submitted"', '"submittet"'))
    assert find_speed(planned(tmp_path / "new"), "f") is None


def forecast(plan: Plan) -> Forecast:
    return Forecast(epochs=50, speed=Speed(seconds=720.0, epochs=9, sweep="earlier", with_fid=True), plan=plan)


def test_the_ceiling_is_trials_by_epochs_by_seconds(tmp_path: Path) -> None:
    """5 trials x 10 epochs x 720 s are 10 hours of gangs, 2.5 of each, on 2 GPUs each."""
    found = forecast(planned(tmp_path / "new", prices=PRICES))
    assert (found.gang_seconds, found.seconds, found.gpu_hours, found.cost) == (36000.0, 9000.0, 20.0, 41.25)
    cpus = forecast(planned(tmp_path / "new", prices=PRICES, resources=replace(FOUR_GANGS, gpus=0.0, gangs=8)))
    assert (cpus.seconds, cpus.gpu_hours, cpus.cost) == (7200.0, 0.0, 1.0), "no more gangs than trials have work"
    assert forecast(planned(tmp_path / "new")).cost is None
    ran(tmp_path / "earlier", 6.0)
    whole = forecast_of(planned(tmp_path / "new"), "f")
    assert whole is not None and (whole.epochs, whole.gang_seconds) == (50, 300.0)


def test_what_a_checkpoint_has_behind_it_is_not_trained(tmp_path: Path) -> None:
    """Two trials that go on, from epoch 4 to 10 and from epoch 7 to 9: 6 epochs at most."""
    points = []
    for name, done, epochs in (("a.pt", 4, 10), ("b.pt", 7, 9)):
        save_checkpoint(tmp_path / name, TrainConfig.build({}), Progress(epoch=done), {})
        points.append({"init.checkpoint": str(tmp_path / name), "schedule.epochs": epochs})
    base = {"schedule": {"epochs": 10, "window_first": 2}, "init": {"checkpoint": points[0]["init.checkpoint"]}}
    base["init"]["parts"] = "generator,discriminator,progress"
    search = {name: {"choice": [point[name] for point in points]} for name in points[0]}
    space = build_space(
        "x", {"base": base, "search": search, "points": points[1:], "trials": 2, "scheduler": {"name": "none"}}
    )
    assert most_epochs(space) == 6
    assert most_epochs(planned(tmp_path / "new").space) == 10


def test_epochs_that_another_trained_do_not_make_an_epoch_short(tmp_path: Path) -> None:
    store, trial = begun(tmp_path / "earlier", saved()), TrialRecord("0000", {}, 10, 0.0)
    for number in (8, 9):
        trial.progress(replace(epoch(number, fid=90.0, seconds=1.0), ended=6.0))
    trial.end(TrialOutcome(verdict=StopReason.OUTRANKED, epochs=9), seconds=18.0)
    keep(store, trial)
    speed = find_speed(planned(tmp_path / "new"), "f")
    assert speed is not None and (speed.seconds, speed.epochs) == (6.0, 2)


def test_the_plan_says_what_is_asked_of_machines_and_owner(tmp_path: Path) -> None:
    memory = MemoryNeed(rank=400_000_000, ranks=8, gpu=250_000_000)
    plan = planned(tmp_path / "new", prices=PRICES, memory=memory, address="h:6379")
    rows = arithmetic_rows(plan, forecast(plan))
    assert rows["in all"] == "4 gangs x 2 workers: 8 workers, 8 CPUs, 8 GPUs"
    assert rows["memory"].startswith("at least 0.4 GB of each node for each of its workers, and 0.2 GB of each GPU's")
    assert rows["memory"].endswith(", and 0.7 GB on a node of each trial for Ray Train's controller")
    assert rows["head"] == (
        "about 3.0 GB of memory besides, where the driver runs: driver, broker, Ray itself, and 0.4 GB for each trial "
        "at once (Ray Train's cleaner, Tune's actor)"
    )
    many = replace(plan, resources=replace(plan.resources, gangs=10**6))
    assert arithmetic_rows(many, None)["head"].endswith(": take a larger one, or lower --concurrency")
    here = arithmetic_rows(replace(plan, address=None), None)["head"]
    assert here.startswith("about 5.7 GB ") and here.endswith(" (Ray Train's controller and cleaner, Tune's actor)")
    assert rows["at most"] == (
        "about 41.25 USD, 20.00 GPU hours, 2 h 30 min: 5 trials x 10 epochs x 720 s, the mean of 9 epochs of earlier; "
        "cuts make it less"
    )
    assert rows["price"] == "16.50 USD per hour while all gangs are up: 8 GPUs x 2 + 0.5 of the head"
    limited = replace(plan, budgets=Budgets(time_s=5400.0))
    assert arithmetic_rows(limited, None)["price"].endswith(" of the head; 24.75 USD at most by --time-budget")
    nothing = arithmetic_rows(replace(plan, prices=Prices(head_hour=0.5)), None)
    assert "price" not in nothing and "USD" not in str(nothing)
    assert "how long an epoch takes is not known before the first" in nothing["at most"]


@pytest.mark.parametrize(
    ("budgets", "said"),
    [
        (
            Budgets(cost=41.0),
            "the ceiling of 41.25 USD is above --max-cost 41: the sweep ends before all trials have run",
        ),
        (Budgets(gpu_hours=19.0), "the ceiling of 20.00 GPU hours is above --max-gpu-hours 19: the sweep"),
        (Budgets(cost=42.0, gpu_hours=20.0), ""),
    ],
)
def test_a_ceiling_above_a_budget_is_said_before_the_start(budgets: Budgets, said: str, tmp_path: Path) -> None:
    plan = planned(tmp_path / "new", prices=PRICES, budgets=budgets)
    found = list(warnings(plan, forecast(plan)))
    assert len(found) == bool(said) and "".join(found).startswith(said)
    assert list(warnings(plan, None)) == []
