"""The resources of a sweep that goes on: the same, or those that are given."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from orchestrator.cli import main
from orchestrator.commands.launch import launch
from orchestrator.commands.resume import resume
from orchestrator.plan.dataset import prepare_data
from orchestrator.plan.launch_options import LaunchOptions
from orchestrator.plan.plan import make_plan
from orchestrator.plan.saved import to_saved
from orchestrator.results.events import Changed
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import SweepStatus
from tests.orchestrator.sweep_helpers import begun, close
from trainers.download import DownloadError
from trainers.errors import UserError


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


def test_the_launch_typed_again_keeps_the_trials_that_were_added(
    store: ResultsStore, options: dict[str, Any], runs: list[Any]
) -> None:
    launched = store.read_plan().trials
    store.append(Changed(at=1.0, session=1, trials=launched + 3))
    launch(LaunchOptions(**options, resume=True, trials=launched))
    launch(LaunchOptions(**options, resume=True, trials=launched + 1))
    assert [plan.trials for plan, _ in runs] == [launched + 3, launched + 1]


def test_resume_takes_fewer_trials_at_once(store: ResultsStore, runs: list[Any]) -> None:
    resume("s", store.directory.parent, concurrency=1)
    resume("s", store.directory.parent, concurrency=2)
    (same, unchanged), (more, changed) = runs
    assert (same.resources.gangs, unchanged) == (1, None)
    assert more.resources == replace(same.resources, gangs=2) and changed.resources == vars(more.resources)


@pytest.mark.parametrize(
    ("kept", "there", "said"),
    [
        ({"gangs": 8, "gpus": 1.0}, (16, 5), "need 16 GPUs, this machine has 5: --concurrency 2 fits"),
        ({"gangs": 4, "gpus": 0.5}, (3, 4), "need 4 CPUs, this machine has 3: --concurrency 3 fits"),
        ({"gangs": 8, "gpus": 1.0}, (3, 4), "--concurrency 2 fits"),  # of both kinds
        ({"gpus": 1.0}, (16, 1), "need 2 GPUs, this machine has 1: one trial needs a larger machine, or a cluster"),
    ],
)
def test_a_smaller_machine_is_told_what_fits(
    kept: dict[str, Any], there: tuple[int, int], said: str, store: ResultsStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With words that `resume` knows."""
    plan = store.read_plan()
    store.write_plan(replace(plan, resources={**plan.resources, **kept}))
    monkeypatch.setattr("orchestrator.plan.resources.machine", lambda: there)
    with pytest.raises(UserError, match=said):
        resume("s", store.directory.parent)


def test_resume_detaches_as_launch_does(store: ResultsStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.sweep.detach.run_detached", lambda: 7)
    words = ["resume", "s", "--sweeps-dir", str(store.directory.parent), "--detach"]
    assert CliRunner().invoke(main, words).exit_code == 7


@pytest.mark.parametrize("given", ["sqlite", "sqlite:///s/study.db"])
def test_storage_and_tracking_uri_are_taken_as_launch_took_them(
    given: str, store: ResultsStore, options: dict[str, Any], runs: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(store.directory.parent)
    file = f"sqlite:///{store.directory / 'study.db'}"
    store.write_plan(replace(store.read_plan(), storage=file, tracking_uri=file))
    resume("s", store.directory.parent, storage=given, tracking_uri="sqlite:///s/study.db")
    ((plan, _),) = runs
    assert (plan.storage, plan.tracking_uri) == (file, file)


def test_weights_that_are_not_there_are_asked_for_in_words_that_resume_knows(
    store: ResultsStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(*_: Any) -> Path:
        raise DownloadError("http://h/w.pth", Path("/hub/w.pth"), "no network")

    monkeypatch.setattr("trainers.metrics.inception.hub_file", offline)
    plan = store.read_plan()
    base = plan.definition["base"]
    store.write_plan(
        replace(
            plan, definition={**plan.definition, "base": {**base, "fid": {**base["fid"], "extractor": "inception"}}}
        )
    )
    with pytest.raises(UserError, match=r"no network\); put the file at /hub/w.pth$"):
        resume("s", store.directory.parent)
