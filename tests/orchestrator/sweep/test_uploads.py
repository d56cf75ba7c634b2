"""Files of trials whose gangs run on other nodes: each node has a disk of its own, and all meet in S3."""

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.results.mirror import home_of
from orchestrator.sweep import uploads as uploads_module
from orchestrator.sweep.epochs_elsewhere import EpochsElsewhere
from orchestrator.sweep.uploads import Uploads
from orchestrator.tracking.grids import GridFetcher
from tests.orchestrator.sweep_helpers import begun, ended, epoch, keep_epochs
from tests.s3_server import S3Server
from trainers.remote import local_copy


@pytest.fixture
def nodes(s3: S3Server, tmp_path: Path, request: pytest.FixtureRequest) -> tuple[Path, Path]:
    """One sweep's directory on two nodes."""
    home = f"{s3.bucket(f'u{abs(hash(request.node.name))}')}/sweeps"
    first, second = (local_copy(home, tmp_path / name / "remote-sweeps") / "s" for name in ("first", "second"))
    for node in (first, second):
        (node / "trials" / "0000").mkdir(parents=True)
    return first, second


def test_a_trial_goes_on_on_another_node(nodes: tuple[Path, Path]) -> None:
    first, second = nodes
    (first / "trials/0000/latest.pt").write_bytes(b"epoch 5")
    (first / "trials/0000/history.jsonl").write_text("{}\n")
    Uploads(first).push("0000")
    elsewhere = Uploads(second)
    elsewhere.pull("0000", "best.pt")
    assert not (second / "trials/0000/latest.pt").exists()
    elsewhere.pull("0000")
    assert (second / "trials/0000/latest.pt").read_bytes() == b"epoch 5"
    assert (second / "trials/0000/history.jsonl").read_text() == "{}\n"


def test_what_the_storage_did_not_take_is_pushed_later(
    nodes: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = nodes
    nowhere = second.parent.parent / "s3~3A~2F~2Fnowhere~2Fsweeps" / "s"
    latest = first / "trials/0000/latest.pt"
    uploads = Uploads(first)
    with monkeypatch.context() as away:
        away.setattr(uploads, "_home", home_of(nowhere))
        latest.write_bytes(b"epoch 5")
        uploads.push("0000")
    home = home_of(first)
    assert home is not None and home.files() == {}
    uploads.push("0000")  # a moment after a failure nothing is tried
    assert home.files() == {}
    monkeypatch.setattr(uploads, "_next_try", 0.0)
    monkeypatch.setattr(uploads._files["0000"], "_home", home)
    latest.unlink()
    latest.write_bytes(b"epoch 6")
    uploads.finish("0000")
    assert home.read("trials/0000/latest.pt") == b"epoch 6" and uploads._files == {}


def test_a_rank_that_exits_pushes_what_waits(nodes: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads_module, "PAUSE_S", 0.0)
    first, _ = nodes
    (first / "trials/0000/best.pt").write_bytes(b"best")
    uploads = Uploads(first)
    uploads._next_try = float("inf")
    uploads.finish("0000")
    home = home_of(first)
    assert home is not None and home.files() == {}
    uploads.close()
    assert home.read("trials/0000/best.pt") == b"best"


def test_a_trial_that_another_node_may_take_is_pushed_before(
    nodes: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pushed later, it would lie over what that node has written by then."""
    first, second = nodes
    latest = first / "trials/0000/latest.pt"
    latest.write_bytes(b"epoch 2")
    uploads = Uploads(first)
    uploads._next_try = float("inf")  # the storage failed a moment ago
    uploads.finish("0000")
    uploads.settle("0000")
    Uploads(second).pull("0000")
    assert (second / "trials/0000/latest.pt").read_bytes() == b"epoch 2"
    later = second / "trials/0000/latest.pt"
    later.unlink()
    later.write_bytes(b"epoch 4")
    os.utime(later, (time.time() + 5, time.time() + 5))  # S3 tells times in whole seconds
    Uploads(second).push("0000")
    uploads.retry()
    home = home_of(first)
    assert home is not None and home.read("trials/0000/latest.pt") == b"epoch 4"


def test_epochs_of_another_node_are_written_here_once(nodes: tuple[Path, Path]) -> None:
    store = begun(nodes[0].with_name("other"))
    epochs = EpochsElsewhere(store.directory)
    keep_epochs(store, "0000", epoch(1))  # a rank of this node
    epochs.keep("0000", epoch(1))
    epochs.keep("0000", epoch(2))
    epochs.keep("0000", epoch(2))
    epochs.keep("0001", epoch(1))
    lines = (store.trials_dir / "0000" / "history.jsonl").read_text().splitlines()
    assert len(lines) == 2 and [report.epoch for report in store.read_history("0000")] == [1, 2]
    assert [report.epoch for report in store.read_history("0001")] == [1]


def test_on_shared_storage_nobody_else_writes_epochs(tmp_path: Path) -> None:
    store = begun(tmp_path / "s")
    EpochsElsewhere(store.directory).keep("0000", epoch(1))
    assert store.read_history("0000") == []


def test_a_grid_of_another_node_is_fetched(nodes: tuple[Path, Path]) -> None:
    first, second = nodes
    grid = "samples/epoch_0001.png"
    (first / "trials/0000/samples").mkdir()
    (first / "trials/0000" / grid).write_bytes(b"picture")
    Uploads(first).push("0000")
    GridFetcher(second).progressed(ended("0000", "completed", 1.0), replace(epoch(1), samples=grid))
    assert (second / "trials/0000" / grid).read_bytes() == b"picture"


def test_pictures_of_what_another_node_measured_again_are_fetched(nodes: tuple[Path, Path]) -> None:
    first, second = nodes
    (first / "trials/0000/samples").mkdir()
    for name in ("nearest_a2b.png", "nearest_b2a.png", "epoch_0001.png"):
        (first / "trials/0000/samples" / name).write_bytes(name.encode())
    Uploads(first).finish("0000")
    trial = ended("0000", "completed", 1.0)
    GridFetcher(second).confirmed(trial)
    there = {path.name: path.read_text() for path in (second / "trials/0000/samples").iterdir()}
    assert there == {name: name for name in ("nearest_a2b.png", "nearest_b2a.png")}
    (first / "trials/0001").mkdir()
    GridFetcher(second).confirmed(replace(trial, trial_id="0001"))
