"""The resources of a sweep that goes on: the same, or those that are given."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.commands.launch import launch
from orchestrator.commands.resume import resume
from orchestrator.plan.dataset import prepare_data
from orchestrator.plan.launch_options import LaunchOptions
from orchestrator.plan.plan import make_plan
from orchestrator.plan.saved import to_saved
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import SweepStatus
from tests.orchestrator.sweep_helpers import begun, close


@pytest.fixture
def options(tmp_path: Path, motorbikes: Path) -> dict[str, Any]:
    where: dict[str, Any] = {"data": motorbikes, "sweeps_dir": tmp_path, "name": "s"}
    return {"space": "ralsgan_motorbike", "demo": True, "settings": ("data.batch_size=16",), **where}


@pytest.fixture
def store(tmp_path: Path, options: dict[str, Any]) -> ResultsStore:
    """An interrupted sweep: one gang of two ranks with half a CPU each."""
    plan = make_plan(LaunchOptions(**options, workers_per_trial=2, cpus_per_worker=0.5))
    store = begun(tmp_path / "s", to_saved(plan, prepare_data(plan)))
    close(store, SweepStatus.INTERRUPTED)
    return store


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What would have been run: of each the plan, and the one to save."""
    runs: list[Any] = []
    monkeypatch.setattr(
        "orchestrator.commands.resume.run_to_the_end", lambda plan, *rest, changed: runs.append((plan, changed))
    )
    return runs


def test_a_launch_that_goes_on_has_the_sweeps_resources(
    store: ResultsStore, options: dict[str, Any], runs: list[Any]
) -> None:
    before = store.read_plan()
    launch(LaunchOptions(**options, resume=True))
    ((plan, changed),) = runs
    assert vars(plan.resources) == before.resources and changed is None


def test_what_is_given_to_it_is_kept(store: ResultsStore, options: dict[str, Any], runs: list[Any]) -> None:
    before = store.read_plan()
    launch(LaunchOptions(**options, resume=True, workers_per_trial=1, concurrency=2))
    ((plan, changed),) = runs
    assert vars(plan.resources) == {**before.resources, "gangs": 2, "workers": 1}
    assert (changed.resources, before.devices, changed.devices) == (vars(plan.resources), 2, 1)
