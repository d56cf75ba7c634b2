"""Images in S3: the local copy is the folder as it is there, and counts as the same data."""

import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from orchestrator.cli import main
from tests.s3_server import S3Server
from tests.trainers.data.cache_helpers import build
from trainers.data.remote_images import fetch_images, have_images
from trainers.errors import UserError
from trainers.remote import RemoteFolder, local_copy, open_folder


def typed(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


@pytest.fixture
def photos(s3: S3Server, motorbikes: Path, request: pytest.FixtureRequest) -> RemoteFolder:
    """The drawn motorbikes in a bucket of their own."""
    remote = open_folder(f"{s3.bucket(f'i{abs(hash(request.node.name))}')}/my%20photos")
    for name in visible(motorbikes):
        remote.write(name, (motorbikes / name).read_bytes())
    return remote


def visible(folder: Path) -> list[str]:
    files = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in files if not name.startswith("."))


def test_the_same_images_are_the_same_data(photos: RemoteFolder, motorbikes: Path, tmp_path: Path) -> None:
    copy, seen = local_copy(photos.uri, tmp_path), []
    fetch_images(copy, lambda done, total: seen.append((done, total)))
    there, here = build(copy, tmp_path / "one"), build(motorbikes, tmp_path / "two")
    assert there.path.stem == here.path.stem and there.digest == here.digest
    assert seen[-1] == (len(visible(motorbikes)),) * 2
    fetch_images(copy, lambda done, total: pytest.fail("fetched again"))


def test_what_changes_there_changes_here(photos: RemoteFolder, tmp_path: Path) -> None:
    copy = local_copy(photos.uri, tmp_path)
    fetch_images(copy)
    first, second, *_ = sorted(photos.files())
    photos.delete(first)
    photos.write(second, b"no picture any more")
    photos.write(".hidden", b"nobody looks")
    photos.write("new/one.png", b"nor a picture")
    have_images(copy)  # of a sweep that runs: it does not look
    assert (copy / first).exists()
    fetch_images(copy)
    assert not (copy / first).exists() and not (copy / ".hidden").exists()
    assert (copy / second).read_bytes() == b"no picture any more" and (copy / "new/one.png").exists()


def test_a_copy_that_is_not_whole_is_fetched_before_it_is_used(photos: RemoteFolder, tmp_path: Path) -> None:
    copy = local_copy(photos.uri, tmp_path)
    copy.mkdir()
    have_images(copy)
    assert visible(copy) == sorted(photos.files())


def test_a_name_that_leads_out_is_refused(photos: RemoteFolder, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="leads out of"):
        photos.download("../../etc/x.png", tmp_path, next(iter(photos.files().values())))


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("s3://no-such-bucket/x", "the image folder s3://no-such-bucket/x is empty, or does not exist"),
        ("s3:///x", "Missing bucket name"),
        ("zz://a/b", "neither pyarrow nor fsspec opens it"),
        ("s3://me:hidden@photos/x", "AWS_SECRET_ACCESS_KEY"),
    ],
)
def test_a_wrong_uri_is_one_line(s3: S3Server, own_cache: Path, uri: str, said: str) -> None:
    result = typed("data", "inspect", uri)
    assert result.exit_code == 2 and said in result.stderr and len(result.stderr.splitlines()) == 1
    assert "hidden" not in result.stderr


def test_a_dataset_is_prepared_from_there(photos: RemoteFolder, motorbikes: Path, tmp_path: Path) -> None:
    for source, name in ((photos.uri, "there"), (str(motorbikes), "here")):
        result = typed("data", "prepare", source, str(tmp_path / name), "--size", "16")
        assert result.exit_code == 0, result.stderr
    there, here = (build(tmp_path / name, tmp_path / "cache") for name in ("there", "here"))
    assert there.path == here.path
    assert os.listdir(tmp_path / "there") == os.listdir(tmp_path / "here")
