"""Folders of images in object stores: each machine fetches them into a local copy, which is a folder as any other."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from filelock import FileLock

from trainers.errors import UserError
from trainers.folders import make_private
from trainers.pulse import beat
from trainers.remote import RemoteFile, is_newer, open_folder, uri_of

_STREAMS = 16  # files that are fetched at once


def fetch_images(folder: Path, progress: Callable[[int, int], None] | None = None) -> None:
    """Make the local copy of a remote folder of images what the folder is now; another folder is left as it is.

    Names and contents become the same, and so does what is computed from them: the fingerprint, the decoded cache.
    Hidden files are left out, as they are everywhere. Several processes may call this at once.

    Args:
        folder: the local copy, from `trainers.remote.local_copy`.
        progress: called with (done, total) while files are fetched.

    Raises:
        UserError: nothing is there, or the storage refuses.
    """
    if (uri := uri_of(folder)) is None:
        return
    remote = open_folder(uri)
    there = {name: file for name, file in remote.files().items() if not _is_hidden(name)}
    if not there:
        raise UserError(f"the image folder {uri} is empty, or does not exist")
    make_private(folder)
    with _lock(folder):
        _whole(folder).unlink(missing_ok=True)
        for path in [path for path in folder.rglob("*") if path.is_file()]:
            if path.relative_to(folder).as_posix() not in there:
                path.unlink()
        wanted = [name for name, file in there.items() if _differs(file, folder / name)]
        with ThreadPoolExecutor(_STREAMS) as pool:
            done = pool.map(lambda name: remote.download(name, folder, there[name]), wanted)
            for number, _ in enumerate(done, start=1):
                beat()
                if progress is not None:
                    progress(number, len(wanted))
        _whole(folder).touch()


def have_images(folder: Path) -> None:
    """Fetch the images where this machine does not have all of them; a copy that is whole is not looked at again.

    For processes of a sweep that runs: its images do not change. Errors as in `fetch_images`.
    """
    if uri_of(folder) is not None:
        make_private(folder.parent)
        with _lock(folder):
            whole = _whole(folder).exists()
        if not whole:
            fetch_images(folder)


def _differs(there: RemoteFile, file: Path) -> bool:
    return is_newer(there, file) or file.stat().st_size != there.size


def _lock(folder: Path) -> FileLock:
    return FileLock(folder.with_name(f".{folder.name}.lock"))


def _whole(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.whole")


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))
