"""Files and folders that come into being whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path, *, sync: bool = False, shared: bool = False) -> Iterator[Path]:
    """Give a temporary path to write to; at the end of the block the file there becomes `path`.

    A reader of `path` finds the old file or the new one, never a part. When the block raises, the old file stays and
    the temporary one is removed. A process that is killed leaves the old file and at most one temporary one, which the
    next replacement of `path` removes.

    The temporary path lies in the folder of `path`, since a rename works within one file system only. It does not exist
    yet. Its name begins with a dot, so that no search for pictures or shards finds it, and ends as `path` does, since
    Pillow and torchvision choose a format by the suffix.

    Args:
        path: the file to replace, or to make; its folder must be there.
        sync: write the bytes to the disk before the rename. Without it, a machine that loses power may keep the new
            name but not the bytes; a killed process does no harm either way.
        shared: several processes may replace `path` at once without a lock. The temporary name then contains the
            process id, and the temporary file of a killed process stays.

    Raises:
        OSError: the block wrote nothing, or `path` cannot be replaced.
    """
    number = f".{os.getpid()}" if shared else ""
    part = path.with_name(f".{path.stem}{number}.part{path.suffix}")
    part.unlink(missing_ok=True)
    try:
        yield part
        if sync:
            with part.open("rb") as file:
                os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        # Needed after a success too: a rename does nothing where both names are links to one file.
        part.unlink(missing_ok=True)


def write_text(path: Path, text: str, *, sync: bool = False) -> None:
    """Replace `path` by a file that holds `text` in UTF-8; see `replacing` for what `sync` adds.

    Raises:
        OSError: it cannot be written; the old file stays.
    """
    with replacing(path, sync=sync) as part:
        part.write_text(text, encoding="utf-8")


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder to fill; at the end of the block it becomes `path`, which is missing or empty before.

    When the block raises, nothing is left, but for missing parents of `path`, which are made. A process that is killed
    leaves the temporary folder, beside `path` and with a name that begins with a dot.

    Raises:
        OSError: `path` or one of its parents cannot be made, or is not empty at the end.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        yield part
        part.chmod(0o755)  # mkdtemp's folders are private
        os.replace(part, path)
    finally:
        shutil.rmtree(part, ignore_errors=True)  # it is not there any more where all went well
