"""What MLflow says of a trial, on a real SQLite store."""

from dataclasses import replace
from pathlib import Path

from mlflow import MlflowClient
from PIL import Image

from orchestrator.results.events import Closed, Opened
from orchestrator.results.records import TrialRecord
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import SweepStatus, TrialOutcome
from orchestrator.tracking.pictures import corner, real_above
from tests.orchestrator.sweep_helpers import begun, close, ended, epoch, events_of, keep, keep_epochs, life
from tests.orchestrator.tracking.test_tracker import deliver, plan_at, run_of

SPACE = {
    "base": {"schedule": {"epochs": 4, "window_first": 2}, "data": {"image_size": 32}},
    "search": {"optimizer.lr_g": {"float": [1e-4, 1], "log": True}, "optimizer.beta1": {"float": [0, 0.9]}},
}
PARAMS = {"optimizer.lr_g": 0.001, "optimizer.beta1": 0.25}


def grid(store: ResultsStore, trial: str, number: int) -> str:
    """A sample grid of 8x8 tiles of 64 pixels, as `trainers.samples` draws it."""
    name = f"samples/epoch_{number:04d}.png"
    path = store.trials_dir / trial / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (530, 530), (number, 0, 0)).save(path)
    return name


def test_a_trial_says_what_was_searched_and_how_it_ended(database: str, tmp_path: Path) -> None:
    plan = replace(plan_at(database), definition=SPACE, fingerprint="f" * 64, version="1.2")
    store = begun(tmp_path / "s", plan)
    best = ended("0000", "completed", 61.8)
    best.params = PARAMS
    never_measured = TrialRecord("0002", {}, total_epochs=4, started=100.0)
    never_measured.end(TrialOutcome(verdict="d_collapse", epochs=1), seconds=1.0)
    keep(store, best, ended("0001", "outranked", None), never_measured)
    keep_epochs(store, "0000", replace(epoch(3, fid=61.8, objective=61.8), samples=grid(store, "0000", 3)))
    keep_epochs(store, "0001", epoch(1, fid=99.0))
    close(store, SweepStatus.FINISHED)
    assert deliver(store, plan) == ""

    client = MlflowClient(database)
    run = run_of(client, "0000")
    assert run.data.params == {"optimizer.lr_g": "0.001", "log10_optimizer.lr_g": "-3.000", "optimizer.beta1": "0.25"}
    assert (run.info.run_name, run.info.status) == ("0000 · 61.8 · completed · s", "FINISHED")
    expected = {"space": "x", "sweep": "s", "family": "adversarial", "state": "COMPLETED", "verdict": "completed"}
    expected |= {"gang": "0", "data_fingerprint": "f" * 64, "code_version": "1.2", "rank": "1", "top10": "true"}
    assert expected.items() <= run.data.tags.items() and {"loss", "regime"} <= run.data.tags.keys()
    metrics = {"objective": 61.8, "fid_best": 61.8, "best_epoch": 3.0, "fid_test_n2": 61.8, "images_seen": 3.0}
    assert metrics.items() <= run.data.metrics.items() and "seconds" in run.data.metrics
    note = run.data.tags["mlflow.note.content"]
    assert "Lowest FID 61.8 at epoch 3." in note and f"get-artifact?path=samples.png&run_uuid={run.info.run_id}" in note
    assert "samples.png" in {item.path for item in client.list_artifacts(run.info.run_id)}
    (dataset,) = run.inputs.dataset_inputs
    assert (dataset.dataset.name, dataset.dataset.digest) == ("photos", "f" * 36)

    pruned, failed = run_of(client, "0001"), run_of(client, "0002")
    assert (pruned.info.status, pruned.data.tags["state"], pruned.data.tags["rank"]) == ("FINISHED", "PRUNED", "2")
    assert pruned.data.metrics["fid_best"] == 99.0 and pruned.info.run_name == "0001 · ~99.0 · outranked · s"
    assert (failed.info.status, failed.data.tags["state"]) == ("FAILED", "FAILED")
    assert not {"rank", "top10"} & failed.data.tags.keys()


def test_ranks_are_right_after_the_sweep_has_gone_on(database: str, tmp_path: Path) -> None:
    plan = replace(plan_at(database), definition=SPACE)
    store = begun(tmp_path / "s", plan)
    keep(store, *(ended(f"{number:04d}", "completed", 50.0 + number) for number in range(11)))
    close(store, SweepStatus.FINISHED)
    assert deliver(store, plan) == ""
    client = MlflowClient(database)
    assert [run_of(client, name).data.tags["top10"] for name in ("0009", "0010")] == ["true", "false"]
    (opened,) = events_of(store.directory, Opened)
    end = Closed(at=400.0, session=2, status=SweepStatus.FINISHED, ended=400.0)
    for event in (opened, *life(ended("0011", "completed", 40.0)), end):
        store.append(replace(event, session=2))
    assert deliver(store, plan) == ""
    assert [run_of(client, name).data.tags["top10"] for name in ("0011", "0008", "0009")] == ["true", "true", "false"]
    assert run_of(client, "0011").data.tags["rank"] == "1"


def test_params_of_an_older_version_stay(database: str, tmp_path: Path) -> None:
    """MLflow refuses to change one; it wrote more digits, and every key of the config."""
    plan = replace(plan_at(database), definition=SPACE)
    store = begun(tmp_path / "s", plan)
    keep(store, TrialRecord("0000", {**PARAMS, "optimizer.lr_g": 0.0012345678}, total_epochs=4, started=100.0))
    assert deliver(store, plan) == ""
    client = MlflowClient(database)
    old = run_of(client, "0000")
    client.log_param(old.info.run_id, "data.batch_size", "16")
    plan = replace(plan, definition={**SPACE, "base": {**SPACE["base"], "data": {"image_size": 32, "batch_size": 8}}})
    (store.directory / "tracked.json").unlink()
    assert deliver(store, plan) == ""
    assert run_of(client, "0000").data.params == old.data.params | {"data.batch_size": "16"}


def test_pictures_are_logged_once_and_legible(database: str, tmp_path: Path, motorbikes: Path) -> None:
    plan = replace(plan_at(database), definition=SPACE, data=str(motorbikes))
    store = begun(tmp_path / "s", plan)
    trial = ended("0000", "outranked", None)
    trial.params = PARAMS
    keep(store, trial)
    reports = [replace(epoch(number, fid=90.0), samples=grid(store, "0000", number)) for number in (1, 2)]
    keep_epochs(store, "0000", *reports)
    for _ in range(2):
        (store.directory / "tracked.json").unlink(missing_ok=True)
        assert deliver(store, plan) == ""
    client = MlflowClient(database)
    run = run_of(client, "0000").info.run_id
    names = [item.path for item in client.list_artifacts(run, "images") if item.path.endswith(".png")]
    keys = sorted(name.split("timestamp")[0] for name in names)
    assert keys == ["images/real_vs_fake+step+0+", "images/samples+step+1+", "images/samples+step+2+"]
    strip = Image.open(client.download_artifacts(run, names[0]))
    assert strip.width == 266 and len(strip.getcolors(1 << 20) or ()) > 100, "real images stand above the samples"


def test_part_of_a_grid_has_whole_tiles() -> None:
    assert corner(Image.new("RGB", (530, 530)), 32).size == (266, 266)
    assert corner(Image.new("RGB", (2 * 130 + 2, 3 * 130 + 2)), 128).size == (262, 392)
    real = [Image.new("RGB", (32, 32), "red")] * 4
    assert real_above(Image.new("RGB", (530, 530)), real).size == (266, 66 + 6 + 200)
