"""A real sweep whose objective is not FID."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from orchestrator.commands.launch import launch
from orchestrator.display.compare_text import print_comparison
from orchestrator.display.report.page import build_report
from orchestrator.display.status_text import print_one
from orchestrator.display.summary import print_results
from orchestrator.plan.launch_options import LaunchOptions
from orchestrator.replay.recorded import read_sweep
from orchestrator.results.store import ResultsStore
from orchestrator.search.studies import read_study
from orchestrator.space.load import load_space, space_as_yaml
from orchestrator.space.yaml_text import dump_yaml
from orchestrator.tracking.mlflow_sink import in_digits
from tests.orchestrator.sweep.test_sweep import children
from tests.orchestrator.sweep_helpers import METRIC, small, sweep
from trainers.checkpoint import load_checkpoint
from trainers.errors import UserError

KID = "kid_efflite0_unit_64px_n16"
SHORT = ("schedule.epochs=2", "schedule.window_first=2", "scheduler.name=none", "fid.every=1")


@pytest.fixture(scope="module")
def by_kid(
    ray_instance: None, motorbikes: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[ResultsStore, str, Path]:
    folder = tmp_path_factory.mktemp("objective")
    space = space_as_yaml(load_space("ralsgan_motorbike"))
    file = folder / "by_kid.yaml"
    file.write_text(dump_yaml({**space, "objectives": ["kid"], "confirm": {"top": 2, "seeds": 2}}))
    store, screen = sweep(folder, motorbikes, "by-kid", space=str(file), trials=5, settings=SHORT)
    return store, screen, file


def test_it_decides_on_the_winner(by_kid: tuple[ResultsStore, str, Path]) -> None:
    """FID, of the same generators, would have named another."""
    store, screen, _ = by_kid
    trials = store.read_trials()
    lasts = {trial.trial_id: store.read_history(trial.trial_id)[-1].measurement for trial in trials}
    for trial in trials:
        last = lasts[trial.trial_id]
        assert last is not None and (trial.objective, trial.best_epoch) == (last.beside[KID], 2)
        assert (
            load_checkpoint(store.trials_dir / trial.trial_id / "best.pt")["progress"]["objective"] == last.beside[KID]
        )
    first = sorted(trials, key=lambda trial: trial.objective or 0.0)[:2]
    assert {trial.trial_id for trial in trials if trial.confirmed} == {trial.trial_id for trial in first}
    for trial in first:
        assert trial.confirmed == [one[KID] for one in trial.confirmed_beside]
        assert all(one[METRIC] > 1 for one in trial.confirmed_beside), "FID is still known"
    summary = store.summary()
    best = summary["best"]
    assert best["objective_mean"] == min(trial.objective_mean or 0.0 for trial in first)
    assert min(lasts, key=lambda name: lasts[name].fid) not in {trial.trial_id for trial in first}  # type: ignore[union-attr]
    assert (summary["objective"], best["objectives"]) == (KID, {"kid": best["objective"]})
    assert f"best trial   {best['trial_id']}: {KID} {best['objective_mean']:.3g}" in screen
    assert "beside KID   FID 1" in screen and "best KID" in screen
    assert f"measured again  KID {best['objective_mean']:.3g}" in screen


def test_it_is_told_to_optuna_and_mlflow(by_kid: tuple[ResultsStore, str, Path]) -> None:
    store, _, _ = by_kid
    study = read_study(store.directory / "study.journal", "by-kid")
    assert study.metric_names == [KID]
    _, _, runs = children(store)
    for trial, run in zip(store.read_trials(), runs, strict=True):
        assert study.trials[trial.number].value == trial.objective
        first = store.read_history(trial.trial_id)[0].measurement
        assert first is not None and study.trials[trial.number].intermediate_values == {1: first.beside[KID]}
        assert run.data.metrics["objective"] == in_digits(trial.objective or 0.0)
        assert run.data.metrics[KID] == trial.objective
        assert f"Lowest KID {trial.objective:.3g} at epoch 2" in run.data.tags["mlflow.note.content"]


def test_results_and_report_call_it_by_its_name(by_kid: tuple[ResultsStore, str, Path]) -> None:
    store, _, _ = by_kid
    screen = io.StringIO()
    console = Console(file=screen, width=250)
    print_results(console, store)
    print_one(console, store, store.read_state())
    assert (
        "best KID" in screen.getvalue() and f"best    {store.summary()['best']['trial_id']}: {KID}" in screen.getvalue()
    )
    html = build_report([store], nearest_images=False).html
    assert "</span> KID</p>" in html and "KID by epoch" in html and "the lowest KID in the window" in html
    assert "</span> FID</p>" not in html and "FID by epoch" not in html


def test_sweeps_by_fid_do_not_compare(
    by_kid: tuple[ResultsStore, str, Path], two_ranks: tuple[ResultsStore, str], motorbikes: Path, tmp_path: Path
) -> None:
    store, _, file = by_kid
    fid, _ = two_ranks
    asked = LaunchOptions(
        space=str(file),
        data=motorbikes,
        name="after",
        sweeps_dir=tmp_path,
        settings=small(*SHORT),
        warm_start=(str(fid.directory),),
        demo=True,
    )
    with pytest.raises(UserError, match=f"do not compare: the objective was {METRIC}, is {KID} here"):
        launch(asked, dry_run=True, console=Console(file=io.StringIO()))
    screen = io.StringIO()
    print_comparison(Console(file=screen, width=200), store, fid)
    assert f"measures {KID}" in screen.getvalue() and "Not compared" in screen.getvalue()
    with pytest.raises(UserError, match="by-kid: its objective is kid, and a replay counts FIDs alone"):
        read_sweep(store)
