"""Checkpoints are written whole or not at all, and refused if they are damaged or of another config."""

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.trainers.trainer_helpers import Recorder, small_config
from trainers.assets import Assets
from trainers.checkpoint import Progress, check_same_config, keep_as_best, load_checkpoint, save_checkpoint
from trainers.config import TrainConfig
from trainers.errors import UserError
from trainers.loop import train

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def trained(assets: Assets, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a finished run."""
    folder = tmp_path_factory.mktemp("trained")
    train(small_config(), assets, folder, Recorder())
    return folder


def complaint(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        load_checkpoint(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    return str(caught.value)


# Whole or not there


class Unwritable:
    """Fails when it is pickled, which is after the file was begun."""

    def __reduce__(self) -> Any:
        raise OSError("disk full")


def test_a_checkpoint_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    path, config = tmp_path / "latest.pt", small_config()
    save_checkpoint(path, config, Progress(epoch=3), {"weight": torch.ones(1000)})
    before = path.read_bytes()
    with pytest.raises(OSError, match="disk full"):
        save_checkpoint(path, config, Progress(epoch=4), {"weight": torch.ones(1000), "last": Unwritable()})
    assert path.read_bytes() == before and load_checkpoint(path)["progress"]["epoch"] == 3


def test_what_is_saved_is_what_is_loaded(tmp_path: Path) -> None:
    path, config = tmp_path / "latest.pt", small_config({"regime.ema_halflife_images": None})
    save_checkpoint(path, config, Progress(epoch=3, images_seen=9, objective=1.5, best_epoch=2), {"w": torch.ones(2)})
    checkpoint = load_checkpoint(path)
    assert TrainConfig.build(checkpoint["config"]) == config
    assert Progress(**checkpoint["progress"]) == Progress(epoch=3, images_seen=9, objective=1.5, best_epoch=2)
    assert torch.equal(checkpoint["family"]["w"], torch.ones(2))
    assert [file.name for file in tmp_path.iterdir()] == ["latest.pt"]
    with zipfile.ZipFile(path) as archive:
        assert {name.split("/")[0] for name in archive.namelist()} == {"archive"}  # not the temporary name


def test_the_best_stays_when_the_latest_moves_on(tmp_path: Path) -> None:
    config = small_config()
    for epoch in (1, 2, 3):
        save_checkpoint(tmp_path / "latest.pt", config, Progress(epoch=epoch), {})
        if epoch < 3:
            keep_as_best(tmp_path)
            assert load_checkpoint(tmp_path / "latest.pt")["progress"]["epoch"] == epoch  # still there to go on from
    epochs = {name: load_checkpoint(tmp_path / name)["progress"]["epoch"] for name in ("latest.pt", "best.pt")}
    assert epochs == {"latest.pt": 3, "best.pt": 2}
    assert sorted(file.name for file in tmp_path.iterdir()) == ["best.pt", "latest.pt"]


# Damaged


@pytest.mark.parametrize("share", [0, 0.001, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.9999])
def test_a_truncated_checkpoint(trained: Path, tmp_path: Path, share: float) -> None:
    content = (trained / "latest.pt").read_bytes()
    (tmp_path / "cut.pt").write_bytes(content[: int(share * len(content))])
    assert "not a whole checkpoint" in complaint(tmp_path / "cut.pt")


def pickled(value: object) -> bytes:
    stream = io.BytesIO()
    torch.save(value, stream)
    return stream.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"404 Not Found\n",
        b"hello world, this is text\n",
        bytes(1000),
        pickled([1, 2]),
        pickled(torch.zeros(3)),
        pickled({"model": {}}),
        pickled({"config": Path("somewhere"), "progress": {}, "family": {}}),  # weights_only refuses code
    ],
    ids=["text", "more_text", "zeros", "list", "tensor", "other_keys", "unsafe"],
)
def test_another_kind_of_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "other.pt").write_bytes(content)
    assert "not a" in complaint(tmp_path / "other.pt") and "checkpoint" in complaint(tmp_path / "other.pt")


def test_a_missing_checkpoint(tmp_path: Path) -> None:
    assert complaint(tmp_path / "none.pt").startswith("no checkpoint at ")


def test_a_damaged_latest_ends_the_run_before_it_trains(assets: Assets, trained: Path, tmp_path: Path) -> None:
    (tmp_path / "latest.pt").write_bytes((trained / "latest.pt").read_bytes()[:5000])
    recorder = Recorder()
    with pytest.raises(UserError, match="not a whole checkpoint"):
        train(small_config(), assets, tmp_path, recorder)
    assert recorder.reports == []


# Of another config


def resume(assets: Assets, trained: Path, tmp_path: Path, overrides: dict[str, Any]) -> None:
    (tmp_path / "latest.pt").write_bytes((trained / "latest.pt").read_bytes())
    train(small_config(overrides), assets, tmp_path, Recorder())


@pytest.mark.parametrize(
    ("name", "before", "now"),
    [
        ("optimizer.lr_g", 0.005, 0.25),
        ("seed", 3, 4),
        ("regime.ema_halflife_images", 100.0, None),
        ("schedule.epochs", 6, 7),
        ("fid.n_fake", 30, 31),
        ("data.flip_p", 0.5, 0.25),
    ],
)
def test_another_config_is_refused_with_a_diff(
    assets: Assets, trained: Path, tmp_path: Path, name: str, before: object, now: object
) -> None:
    with pytest.raises(UserError) as caught:
        resume(assets, trained, tmp_path, {name: now})
    assert str(caught.value) == f"the checkpoint belongs to another config: {name} was {before!r}, is {now!r}"


def test_a_key_that_is_younger_than_the_checkpoint_had_its_default() -> None:
    saved = small_config().model_dump()
    del saved["network"]["batchnorm"]
    check_same_config(saved, small_config())
    with pytest.raises(UserError, match=r"network\.batchnorm was True, is False"):
        check_same_config(saved, small_config({"network.batchnorm": False}))


def test_the_diff_names_every_key(assets: Assets, trained: Path, tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"loss\.real_label was None, is 1\.0; noise\.instance_sigma was 0\.1, is 0\.2$"
    ):
        resume(assets, trained, tmp_path, {"loss.real_label": 1.0, "noise.instance_sigma": 0.2})


@pytest.mark.parametrize(
    "overrides",
    [
        {"runtime.precision": "bf16"},
        {"runtime.channels_last": False},
        {"runtime.sync_batchnorm": False},
    ],
    ids=str,
)
def test_how_it_runs_may_change(assets: Assets, trained: Path, tmp_path: Path, overrides: dict[str, Any]) -> None:
    resume(assets, trained, tmp_path, overrides)
