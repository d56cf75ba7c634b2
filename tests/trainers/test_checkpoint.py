"""Checkpoints are written whole or not at all, passed over if they are damaged, refused if of another config."""

import errno
import io
import logging
import os
import random
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.trainers.trainer_helpers import Recorder, differing, load, small_config, still_times
from trainers.assets import Assets
from trainers.checkpoint import (
    DamagedCheckpointError,
    Progress,
    check_same_config,
    keep_as_best,
    load_checkpoint,
    restore_latest,
    save_checkpoint,
    save_latest,
)
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


def test_what_damages_one_checkpoint_damages_no_other(tmp_path: Path) -> None:
    config = small_config()
    for epoch in (1, 2):
        save_latest(tmp_path, config, Progress(epoch=epoch), {}, {})
        keep_as_best(tmp_path)
    restore_latest(tmp_path)
    for name in ("latest.pt", "previous.pt", "best.pt"):
        load_checkpoint(tmp_path / name)
        (tmp_path / name).write_bytes(b"in place")


def epochs_of(folder: Path) -> dict[str, int]:
    return {file.name: load_checkpoint(file)["progress"]["epoch"] for file in folder.glob("*.pt")}


def no_links(*_: object) -> None:
    raise OSError("this file system has no hard links")


@pytest.mark.parametrize("links", [True, False], ids=["hard links", "copies"])
def test_the_newest_two_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
    if not links:
        monkeypatch.setattr(os, "link", no_links)
    config = small_config()
    for epoch in range(1, 5):
        save_latest(tmp_path, config, Progress(epoch=epoch), {}, {})
        assert epochs_of(tmp_path) == {"latest.pt": epoch, **({"previous.pt": epoch - 1} if epoch > 1 else {})}
    with pytest.raises(OSError, match="disk full"):
        save_latest(tmp_path, config, Progress(epoch=5), {"last": Unwritable()}, {})
    assert epochs_of(tmp_path) == {"latest.pt": 4, "previous.pt": 3}
    restore_latest(tmp_path)
    assert epochs_of(tmp_path) == {"latest.pt": 3, "previous.pt": 3}
    save_latest(tmp_path, config, Progress(epoch=4), {}, {})
    assert epochs_of(tmp_path) == {"latest.pt": 4, "previous.pt": 3}


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


def flipped(content: bytes, bit: int) -> bytes:
    damaged = bytearray(content)
    damaged[bit // 8] ^= 1 << bit % 8
    return bytes(damaged)


def inside_a_tensor(content: bytes) -> int:
    """A bit in the middle of the largest part of the file."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        largest = max(archive.infolist(), key=lambda part: part.file_size)
        data = archive.read(largest)
    return 8 * (content.index(data) + len(data) // 2) + 3


def test_a_flipped_bit_inside_a_tensor(trained: Path, tmp_path: Path) -> None:
    content, path = (trained / "latest.pt").read_bytes(), tmp_path / "flipped.pt"
    path.write_bytes(flipped(content, inside_a_tensor(content)))
    assert differing(load(path), load(trained / "latest.pt"))  # torch takes it
    assert re.search(r"not a whole checkpoint: archive/data/\d+ fails its checksum$", complaint(path))


def test_a_flipped_bit_is_found_wherever_it_matters(trained: Path, tmp_path: Path) -> None:
    """Some bits say nothing: padding, dates. Whatever is loaded is what was saved."""
    content, path, draw = (trained / "latest.pt").read_bytes(), tmp_path / "flipped.pt", random.Random(0)
    whole, found = load(trained / "latest.pt"), 0
    end = 8 * len(content)
    bits = [draw.randrange(end) for _ in range(60)] + [draw.randrange(end - 8 * 4000, end) for _ in range(60)]
    for bit in bits:
        path.write_bytes(flipped(content, bit))
        try:
            assert differing(load_checkpoint(path), whole) == []
        except DamagedCheckpointError:
            found += 1
    assert found > 60


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "torn": lambda content: content[: len(content) // 2],
    "empty": lambda content: b"",
    "zeros": lambda content: bytes(len(content)),
    "flipped": lambda content: flipped(content, inside_a_tensor(content)),
}


def damage(path: Path, how: str) -> None:
    path.write_bytes(DAMAGE[how](path.read_bytes()))  # in place: another name of the same file would be damaged too


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_latest_falls_back_to_the_one_before(
    assets: Assets, trained: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    train(small_config(), assets, tmp_path, Recorder(4), times=still_times())
    assert epochs_of(tmp_path).items() >= {"latest.pt": 4, "previous.pt": 3}.items()
    damage(tmp_path / "latest.pt", how)
    recorder = Recorder(4)
    with caplog.at_level(logging.WARNING, "trainers"):  # Ray raises the root's level in this process
        train(small_config(), assets, tmp_path, recorder, times=still_times())
    (said,) = [record for record in caplog.records if record.name.startswith("trainers")]
    assert said.levelname == "WARNING" and said.message.endswith("; going on from previous.pt")
    assert said.message.startswith(f"{tmp_path / 'latest.pt'} is not a whole checkpoint: ")
    assert [report.epoch for report in recorder.reports] == [3, 4]  # 3 is repeated
    assert epochs_of(tmp_path)["previous.pt"] == 3  # not the damaged one, which would leave none while 4 is written
    train(small_config(), assets, tmp_path, Recorder())
    assert differing(load(tmp_path / "latest.pt")["family"], load(trained / "latest.pt")["family"]) == []


def test_two_damaged_checkpoints_are_a_new_start(
    assets: Assets, trained: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    train(small_config(), assets, tmp_path, Recorder(4), times=still_times())
    damage(tmp_path / "latest.pt", "flipped")
    damage(tmp_path / "previous.pt", "torn")
    recorder = Recorder()
    with caplog.at_level(logging.WARNING, "trainers"):
        train(small_config(), assets, tmp_path, recorder)
    said = [record.message for record in caplog.records if record.name.startswith("trainers")]
    assert [line.split("; ")[-1] for line in said] == ["going on from previous.pt", "training from the start"]
    assert [str(tmp_path / name) in line for name, line in zip(("latest.pt", "previous.pt"), said, strict=True)]
    assert [report.epoch for report in recorder.reports] == [1, 2, 3, 4, 5, 6]
    assert differing(load(tmp_path / "latest.pt")["family"], load(trained / "latest.pt")["family"]) == []


def test_a_whole_file_of_another_kind_is_refused(assets: Assets, trained: Path, tmp_path: Path) -> None:
    (tmp_path / "latest.pt").write_bytes(pickled({"model": {}}))
    (tmp_path / "previous.pt").write_bytes((trained / "latest.pt").read_bytes())
    recorder = Recorder()
    with pytest.raises(UserError, match=r"latest\.pt is not a checkpoint of a run"):
        train(small_config(), assets, tmp_path, recorder)
    assert recorder.reports == []


def test_what_cannot_be_opened_is_not_called_damaged(assets: Assets, tmp_path: Path) -> None:
    (tmp_path / "latest.pt").mkdir()
    with pytest.raises(UserError, match="cannot be opened: Is a directory") as caught:
        train(small_config(), assets, tmp_path, Recorder())
    assert not isinstance(caught.value, DamagedCheckpointError)


@pytest.mark.parametrize("opens", [False, True], ids=["not opened", "not read"])
def test_storage_that_does_not_answer_is_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opens: bool
) -> None:
    save_checkpoint(tmp_path / "latest.pt", small_config(), Progress(epoch=3), {})

    def stale(*_: object, **__: object) -> None:
        raise OSError(errno.ESTALE, "Stale file handle")

    monkeypatch.setattr(*((torch, "load", stale) if opens else (Path, "open", stale)))
    with pytest.raises(OSError, match="Stale file handle"):
        load_checkpoint(tmp_path / "latest.pt")


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


def test_another_scheduler_measures_at_other_epochs() -> None:
    saved = small_config({"fid.at": (1, 3)}).model_dump()
    check_same_config(saved, small_config())
    with pytest.raises(UserError, match=r"fid\.every was "):
        check_same_config(saved, small_config({"fid.every": 7}))


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
