"""Whole sweeps: real Ray, Tune, Optuna, MLflow, DDP ranks, and processes that get killed."""

import contextlib
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import optuna
import psutil
import pytest
import torch
from click.testing import CliRunner
from mlflow import MlflowClient
from mlflow.entities import Run
from PIL import Image
from rich.console import Console

from orchestrator.cli import main
from orchestrator.commands.launch import launch
from orchestrator.plan.launch_options import LaunchOptions
from orchestrator.results.lineage import best_of_lineage
from orchestrator.results.records import TrialRecord
from orchestrator.results.store import ResultsStore, find_sweep
from orchestrator.results.verdict import State, TrialOutcome
from orchestrator.search.studies import ORIGIN, read_study
from orchestrator.space.sections import ConfirmConfig
from orchestrator.space.yaml_text import dump_yaml, parse_yaml
from orchestrator.sweep.broker_client import BrokerClient
from orchestrator.sweep.confirm import confirm_best
from orchestrator.sweep.housekeeper import Housekeeper
from orchestrator.sweep.stopper import SweepStopper
from orchestrator.tracking.described import in_digits
from tests.orchestrator.sweep_helpers import METRIC, SMALL, begun, proposal, recorder_of, roomy, sweep
from trainers.inference import load_generator
from trainers.run_report import EpochReport, RunEnd

ENDLESS = ("schedule.checkpoint_every=1", "schedule.epochs=5000", "scheduler.name=none")


def children(store: ResultsStore) -> tuple[MlflowClient, Run, list[Run]]:
    info = store.read_plan()
    client = MlflowClient(info.tracking_uri)
    experiment = client.get_experiment_by_name(info.space)
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id], f"tags.`gan_sweep.sweep` = '{info.sweep}'")
    parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    assert len(parents) == 1
    trials = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parents[0].info.run_id]
    return client, parents[0], sorted(trials, key=lambda run: run.data.tags["gan_sweep.trial"])


def test_every_trial_is_in_the_results(two_ranks: tuple[ResultsStore, str]) -> None:
    store, _ = two_ranks
    summary = store.summary()
    assert summary["status"] == "finished"
    assert summary["objective"] == METRIC
    assert [trial["trial_id"] for trial in summary["trials"]] == [f"{n:04d}" for n in range(5)]
    first = summary["trials"][0]
    assert first["params"]["optimizer.lr_g"] == 8e-4  # the document's own setting comes first
    assert (first["state"], first["epochs"]) == ("COMPLETED", 6)
    assert all(trial["state"] in ("COMPLETED", "PRUNED") for trial in summary["trials"])
    cut = [trial for trial in summary["trials"] if trial["state"] == "PRUNED"]
    assert cut and all(trial["verdict"] == "outranked" and trial["epochs"] in (2, 4) for trial in cut)
    assert all(0 < trial["fid_share"] < 1 for trial in summary["trials"])


def test_the_best_three_are_measured_again_and_the_lowest_mean_wins(two_ranks: tuple[ResultsStore, str]) -> None:
    store, screen = two_ranks
    trials = [trial for trial in store.read_trials() if trial.objective is not None]
    best_three = sorted(trials, key=lambda trial: (trial.objective, trial.trial_id))[:3]
    again = [trial for trial in trials if trial.confirmed]
    assert again and {trial.trial_id for trial in again} == {trial.trial_id for trial in best_three}
    for trial in again:
        assert len(set(trial.confirmed)) == 3 and trial.objective not in trial.confirmed
    best = store.summary()["best"]
    assert best["objective_mean"] == min(trial.objective_mean for trial in again)
    won = f"{METRIC} {best['objective_mean']:.2f} ± {best['objective_spread']:.2f} over 3 sets of fresh latents"
    in_training = f"(objective in training {best['objective']:.2f} at epoch {best['best_epoch']})"
    assert f"{best['trial_id']}: {won} {in_training}" in screen
    _, parent, runs = children(store)
    assert parent.data.metrics["objective_mean"] == in_digits(best["objective_mean"])
    for trial in again:
        for name in ("objective_mean", "objective_spread"):
            assert runs[int(trial.trial_id)].data.metrics[name] == in_digits(getattr(trial, name))


def test_without_gangs_nothing_is_waited_for(
    ray_instance: None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A real broker, whose only gang has died for good after the last trial."""

    class Gang:
        number, name, error, alive = 0, "gang-0", None, True

        def is_alive(self) -> bool:
            return self.alive

    said: list[str] = []
    store = begun(tmp_path / "s")
    gang, broker = Gang(), BrokerClient.start(store.directory)

    def say(line: str) -> None:
        said.append(line)
        gang.alive = False  # just when it is to measure

    broker.submit(proposal("0000"))
    broker.lease(0)
    (store.trials_dir / "0000").mkdir(parents=True)
    (store.trials_dir / "0000" / "best.pt").touch()
    broker.end("0000", TrialOutcome(verdict=RunEnd.COMPLETED, epochs=4, objective=80.0, best_epoch=4))
    stopper = SweepStopper(broker, [gang], recorder_of(store), roomy(store))
    confirm_best(ConfirmConfig(), store, broker, stopper, say)
    assert said == ["measuring the best trials again: 0000 ..."]
    assert "1 of 1 were not measured again: interrupted, or no gang is left" in caplog.text


def test_history_has_every_epoch(two_ranks: tuple[ResultsStore, str]) -> None:
    store, _ = two_ranks
    for trial in store.read_trials():
        history = store.read_history(trial.trial_id)
        assert [report.epoch for report in history] == list(range(1, trial.epochs + 1))
        measured = [report.measurement for report in history if report.measurement is not None]
        assert [one.epoch for one in measured] == [epoch for epoch in (2, 4, 6) if epoch <= trial.epochs]
        assert trial.objective == min((one.fid for one in measured if one.epoch >= 4), default=None)
        assert history[-1].images_seen == 48 * trial.epochs


def test_mlflow_has_parent_children_metrics_and_pictures(two_ranks: tuple[ResultsStore, str]) -> None:
    store, _ = two_ranks
    client, parent, runs = children(store)
    trials = store.read_trials()
    assert [run.data.tags["gan_sweep.trial"] for run in runs] == [trial.trial_id for trial in trials]
    assert parent.info.status == "FINISHED"
    assert parent.data.params["n_real"] == "48"
    for run, trial in zip(runs, trials, strict=True):
        assert run.data.params.keys() >= trial.params.keys() and "data.image_size" not in run.data.params
        assert float(run.data.params["optimizer.lr_g"]) == pytest.approx(trial.params["optimizer.lr_g"], rel=1e-5)
        assert (run.data.tags["verdict"], run.data.tags["state"]) == (str(trial.verdict), trial.state.value)
        history = client.get_metric_history(run.info.run_id, "d_loss")
        assert [metric.step for metric in history] == list(range(1, trial.epochs + 1))
        reports = store.read_history(trial.trial_id)
        measured = [report.measurement for report in reports if report.measurement is not None]
        assert measured[0].epoch == 2 and measured[0].name == "fid_efflite0_unit_64px_n8"
        for name in (METRIC, "fid_efflite0_unit_64px_n8"):
            fids = {metric.step: metric.value for metric in client.get_metric_history(run.info.run_id, name)}
            assert fids == {one.epoch: one.fid for one in measured if one.name == name}
        assert {"config.yaml", "images"} <= {item.path for item in client.list_artifacts(run.info.run_id)}
        pictures = [item.path for item in client.list_artifacts(run.info.run_id, "images")]
        found = [re.match(r"images/(\w+)\+step\+(\d+)\+.*png", path) for path in pictures]
        steps = {int(one[2]) for one in found if one and one[1] == "samples"}
        assert steps == {report.epoch for report in reports if report.samples is not None}
        once = {"real_vs_fake", *(["nearest"] if trial.confirmed else [])}
        assert 1 in steps and {one[1] for one in found if one} == {"samples", *once}
    assert store.directory.parent / "mlflow.db" == Path(store.read_plan().tracking_uri.removeprefix("sqlite:///"))


def test_optuna_knows_the_truth(two_ranks: tuple[ResultsStore, str]) -> None:
    store, _ = two_ranks
    study = read_study(store.directory / "study.journal", "two")
    states = {"COMPLETED": optuna.trial.TrialState.COMPLETE, "PRUNED": optuna.trial.TrialState.PRUNED}
    trials = store.read_trials()
    assert [trial.state for trial in study.trials] == [states[trial.state.value] for trial in trials]
    for ours, theirs in zip(trials, study.trials, strict=True):
        assert theirs.params == ours.params
        measured = [report.measurement for report in store.read_history(ours.trial_id) if report.measurement]
        assert theirs.intermediate_values == {one.epoch: one.fid for one in measured if one.epoch < 6}
        if ours.state.value == "COMPLETED":
            assert theirs.value == ours.objective


def test_two_objectives_in_sqlite_after_a_warm_start(
    two_ranks: tuple[ResultsStore, str], motorbikes: Path, tmp_path: Path
) -> None:
    """The trials of an earlier sweep come first in the study; this one's have the numbers after them."""
    earlier, _ = two_ranks
    values = parse_yaml((earlier.directory / "space.yaml").read_text(), "space.yaml")
    two = {"objectives": ["fid", "generator_parameters"], "sampler": {"name": "nsga2"}, "scheduler": {"name": "none"}}
    search = {**values["search"], "network.base_width": {"choice": [8, 16]}}
    space = tmp_path / "pair.yaml"
    space.write_text(dump_yaml({**values, **two, "search": search}))
    settings = tuple(setting for setting in SMALL if not setting.startswith("network.base_width"))
    options = {"space": str(space), "demo": False, "storage": "sqlite", "warm_start": (str(earlier.directory),)}
    screen = io.StringIO()
    asked = LaunchOptions(data=motorbikes, name="pair", sweeps_dir=tmp_path, trials=2, settings=settings, **options)
    assert launch(asked, console=Console(file=screen, width=200)) == 0
    store = find_sweep("pair", tmp_path)
    study = read_study(f"sqlite:///{store.directory / 'study.db'}", "pair")
    finished = [trial.trial_id for trial in earlier.read_trials()]
    assert [trial.user_attrs.get(ORIGIN) for trial in study.trials] == [
        *(f"two/{name}" for name in finished),
        None,
        None,
    ]
    assert f"{len(finished)} trials of two" in screen.getvalue()
    both = best_of_lineage(store)
    assert both is not None and f"best of both  {both[0].directory.name}/{both[1].trial_id}: " in screen.getvalue()
    trials = store.read_trials()
    assert [trial.trial_id for trial in trials] == ["0005", "0006"]
    for trial in trials:
        told = study.trials[int(trial.trial_id)]
        assert told.values == [trial.objective, trial.costs["generator_parameters"]]
        assert told.params == trial.params
        assert trial.params not in [before.params for before in earlier.read_trials()]
    front = store.summary()["pareto_front"]
    assert front and f"Pareto front  {', '.join(front)}" in screen.getvalue()


def test_a_sweep_can_be_replayed(two_ranks: tuple[ResultsStore, str]) -> None:
    store, _ = two_ranks
    shown = CliRunner().invoke(main, ["replay", str(store.directory), "--json", "--scheduler", "none"])
    assert shown.exit_code == 0, shown.output
    runs = {run["run"]: run for run in json.loads(shown.output)["runs"]}
    trials = {f"two/{trial.trial_id}": trial for trial in store.read_trials()}
    assert runs.keys() == trials.keys()
    for name, trial in trials.items():
        assert (runs[name]["best_objective"], runs[name]["last_step"]) == (trial.objective, trial.epochs)
        assert runs[name]["stopped_at_step"] is None, "rules that let a trial live let its replay live"


def test_the_winner_can_be_used(two_ranks: tuple[ResultsStore, str]) -> None:
    store, screen = two_ranks
    folder = store.trials_dir / store.summary()["best"]["trial_id"]
    assert str(folder / "best.pt") in screen
    images = load_generator(folder / "best.pt")(torch.randn(2, 16))
    assert images.shape == (2, 3, 32, 32)
    with Image.open(folder / "samples" / "epoch_0001.png") as grid:
        assert grid.width == grid.height > 8 * 32
    assert not list(store.trials_dir.glob("*/latest.pt"))


def test_a_killed_rank_costs_nothing_and_a_reached_target_ends_the_sweep(
    ray_instance: None, motorbikes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of two ranks gets SIGKILL in mid-trial; the trial goes on from its checkpoint and reaches the target FID."""
    killed: list[int] = []
    carry = Housekeeper.progressed

    def kill_once(self: Housekeeper, trial: TrialRecord, report: EpochReport) -> None:
        carry(self, trial, report)
        if report.epoch == 3 and not killed:
            killed.append(train_workers()[0])
            os.kill(killed[0], signal.SIGKILL)

    monkeypatch.setattr(Housekeeper, "progressed", kill_once)
    settings = (*ENDLESS, "schedule.window_first=12", "fid.every=12")
    options = {"workers_per_trial": 2, "target_fid": "1e9", "settings": settings}
    store, screen = sweep(tmp_path, motorbikes, "killed", trials=3, **options)
    assert killed
    assert "trial 0000  goes on from its last checkpoint" in screen
    summary = store.summary()
    assert summary["status"] == "target_reached" and "\ntarget reached: 1 of 3 trials" in screen
    (trial,) = store.read_trials()  # the second waited
    assert (trial.state.value, trial.verdict) == ("STOPPED", "target_reached")
    assert 12 <= trial.best_epoch <= trial.epochs < 5000
    assert len(trial.confirmed) == 3  # what ended the sweep has left its gang up
    assert summary["best"]["objective"] == trial.objective
    assert load_generator(store.trials_dir / "0000" / "best.pt")(torch.randn(2, 16)).shape == (2, 3, 32, 32)
    lines = (store.trials_dir / "0000" / "history.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == list(range(1, trial.epochs + 1)), "no gap, no epoch twice"
    study = read_study(store.directory / "study.journal", "killed")
    # What the end cut short, and what waited, is left open: `gan-sweep resume` goes on with both.
    assert [trial.state.is_finished() for trial in study.trials] == [False, False]
    _, parent, runs = children(store)
    assert [run.info.status for run in (parent, *runs)] == ["FINISHED", "KILLED"]


def test_a_trial_whose_workers_died_too_often_keeps_what_it_measured(
    ray_instance: None, motorbikes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three attempts are killed after a new checkpoint, which costs nothing, then as many as may be before one.

    Then the trial is given up, and still wins.
    """
    killed: list[int] = []
    progressed, started = Housekeeper.progressed, Housekeeper.started

    def kill_ranks() -> None:
        for rank in set(train_workers()) - set(killed):  # late reports of a dead rank find no rank, or the next
            killed.append(rank)
            os.kill(rank, signal.SIGKILL)

    def kill_after_progress(self: Housekeeper, trial: TrialRecord, report: EpochReport) -> None:
        progressed(self, trial, report)
        if report.objective is not None and report.checkpoint == report.epoch and len(killed) < 3:
            kill_ranks()

    def kill_before_progress(self: Housekeeper, trial: TrialRecord) -> None:
        started(self, trial)
        if len(killed) >= 3:
            kill_ranks()

    monkeypatch.setattr(Housekeeper, "progressed", kill_after_progress)
    monkeypatch.setattr(Housekeeper, "started", kill_before_progress)
    often = ("schedule.window_first=2", "fid.every=2")
    store, screen = sweep(tmp_path, motorbikes, "lost", trials=1, settings=(*ENDLESS, *often))
    (trial,) = store.read_trials()
    assert len(killed) >= 6 and trial.verdict == "lost"
    assert "its workers died 3 times in a row without progress" in trial.detail
    lines = (store.trials_dir / "0000" / "history.jsonl").read_text().splitlines()
    epochs = [json.loads(line)["epoch"] for line in lines]
    assert epochs == list(range(1, trial.epochs + 1)), "no gap, and no epoch twice"
    assert trial.state is State.COMPLETED and trial.objective is not None and trial.best_epoch is not None
    assert store.summary()["best"]["trial_id"] == "0000" and len(trial.confirmed) == 3
    assert "1 completed" in screen and "best trial   0000" in screen
    assert (store.trials_dir / "0000" / "samples" / f"epoch_{trial.best_epoch:04d}.png").is_file()
    (told,) = [one for one in read_study(store.directory / "study.journal", "lost").trials if one.number == 0]
    assert told.state is optuna.trial.TrialState.COMPLETE and told.value == trial.objective


def test_failures_end_their_trial_alone(
    ray_instance: None, motorbikes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two gangs; one trial's learning rate explodes, one finds another run's checkpoint, one a damaged one."""
    carry = Housekeeper.started

    def damage(self: Housekeeper, trial: TrialRecord) -> None:
        carry(self, trial)
        foreign, torn = (self._store.trials_dir / name / "latest.pt" for name in ("0003", "0004"))
        if trial.trial_id == "0000":  # long before these are taken: a file that is just being written is torn too
            for file in (foreign, torn):
                file.parent.mkdir(parents=True)
            torch.save({"config": {"seed": 99}, "progress": {}, "family": {}}, foreign)
            torn.write_bytes(b"not a checkpoint")

    monkeypatch.setattr(Housekeeper, "started", damage)
    space = tmp_path / "risky.yaml"
    space.write_text(
        """
        base: {data: {image_size: 32, batch_size: 16}, fid: {extractor: efficientnet_lite0}}
        search:
          optimizer.lr_g: {choice: [8e-4, 1e30]}
          optimizer.beta1: {float: [0.4, 0.6]}
        points: [{optimizer.lr_g: 1e30}]
        scheduler: {name: none}
        """
    )
    store, screen = sweep(tmp_path, motorbikes, "risky", space=str(space), trials=5, concurrency=2)
    trials = {trial.trial_id: trial for trial in store.read_trials()}
    assert len(trials) == 5
    damaged = trials.pop("0003")
    assert (damaged.state.value, str(damaged.verdict)) == ("FAILED", "error")
    assert "the checkpoint belongs to another config: " in damaged.detail and damaged.detail in screen
    assert "UserError" in (store.trials_dir / "0003" / "error.rank0.txt").read_text()
    log = (store.directory / "sweep.log").read_text()
    assert "0004/latest.pt is not a whole checkpoint: " in log and "; training from the start" in log
    exploded = [trial for trial in trials.values() if trial.params["optimizer.lr_g"] == 1e30]
    assert exploded
    for trial in exploded:
        assert (trial.state.value, str(trial.verdict)) == ("FAILED", "nonfinite")
        assert trial.detail.endswith(" at epoch 1") and trial.detail in screen
    healthy = [trial for trial in trials.values() if trial not in exploded]
    assert healthy and all(trial.state.value == "COMPLETED" for trial in healthy)
    study = read_study(store.directory / "study.journal", "risky")
    assert not [trial for trial in study.trials if not trial.state.is_finished()]
    _, _, runs = children(store)
    assert {run.info.status for run in runs} == {"FINISHED", "FAILED"}


def train_workers() -> list[int]:
    """Process ids of the gang's ranks, among what this very process has started."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if "RayTrainWorker" in " ".join(process.cmdline()):
                found.append(process.pid)
    return found


def test_ui_serves_the_sweep(two_ranks: tuple[ResultsStore, str]) -> None:
    """The real MLflow server, asked over HTTP for the runs of the sweep."""
    store, _ = two_ranks
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.listen()
        arguments = [sys.executable, "-m", "orchestrator.cli", "ui", str(store.directory), "--port", str(port)]
        taken = subprocess.run(arguments, capture_output=True, text=True, check=False)
        assert (taken.returncode, taken.stderr) == (2, f"gan-sweep: port {port} is taken: give another with --port\n")
    server = subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    try:
        assert server.stdout is not None
        assert any(line.startswith("MLflow shows two at ") for line in server.stdout)
        client = MlflowClient(f"http://127.0.0.1:{port}")
        experiment = client.get_experiment_by_name("ralsgan_motorbike")
        assert experiment is not None
        runs = client.search_runs([experiment.experiment_id], "tags.`gan_sweep.sweep` = 'two'")
        assert len(runs) == 6
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)
        if server.stdout is not None:
            server.stdout.close()
