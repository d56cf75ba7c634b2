"""What `resume` changes about a sweep before it goes on."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.commands.resume import resume
from orchestrator.plan.dataset import prepare_data
from orchestrator.plan.launch_options import LaunchOptions
from orchestrator.plan.plan import make_plan
from orchestrator.plan.saved import to_saved
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import SweepStatus
from tests.orchestrator.sweep_helpers import begun, close
from trainers.errors import UserError


@pytest.fixture
def store(tmp_path: Path, motorbikes: Path) -> ResultsStore:
    """An interrupted sweep of gangs of two ranks."""
    where: dict[str, Any] = {"data": motorbikes, "sweeps_dir": tmp_path, "name": "s"}
    settings = ("data.batch_size=16",)
    options = LaunchOptions(space="ralsgan_motorbike", demo=True, workers_per_trial=2, settings=settings, **where)
    plan = make_plan(options)
    store = begun(tmp_path / "s", to_saved(plan, prepare_data(plan)))
    close(store, SweepStatus.INTERRUPTED)
    return store


def test_gangs_may_have_fewer_ranks_from_now_on(store: ResultsStore, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[Any] = []
    monkeypatch.setattr(
        "orchestrator.commands.resume.run_to_the_end", lambda *run, changed: runs.append([*run, changed])
    )
    before = store.read_plan()
    resume("s", store.directory.parent)
    resume("s", store.directory.parent, min_workers_per_trial=1)
    (same, *_, unchanged), (plan, *_, changed) = runs
    assert (same.resources.elastic, unchanged) == (False, None)
    assert (plan.resources.workers, plan.resources.elastic) == (2, True)
    assert changed.resources == {**before.resources, "min_workers": 1}


def test_fewer_ranks_that_cannot_be_are_one_line(store: ResultsStore) -> None:
    with pytest.raises(UserError, match="--min-workers-per-trial 3: must be at most --workers-per-trial, which is 2"):
        resume("s", store.directory.parent, min_workers_per_trial=3)
