"""Folders in object stores: S3, Google Cloud Storage, and whatever else pyarrow or fsspec open by a URI.

A remote folder has a local copy, a folder whose name is the URI itself, so that a path alone says what it is a copy of.
"""

import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from trainers.atomic import replacing
from trainers.errors import UserError, first_line
from trainers.folders import inside
from trainers.masking import has_secret, masked

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_BLOCK = 1 << 23  # bytes that are copied at a time
_SAME_S = 1.0  # some stores give the time of a change in whole seconds
_WITHOUT_FOLDERS = ("s3", "gcs", "abfs")  # pyarrow's names of stores that have keys alone
_GOOGLE_S = 30
_LONGEST_NAME = 200  # bytes of a local copy's name; a part of a path may have 255


class StorageError(UserError):
    """A remote folder did not do what it was asked for; it may be away for a while, or refuse."""


@dataclass(frozen=True, kw_only=True)
class RemoteFile:
    """Attributes:
    size: bytes.
    changed: when it was written, by the store's clock, seconds since 1970.
    """

    size: int
    changed: float


def is_uri(text: str) -> bool:
    """Whether a folder is named by a URI."""
    return _URI.match(text) is not None


def local_copy(uri: str, root: Path) -> Path:
    """Where the local copy of a remote folder is, below `root`; nothing is made.

    Raises:
        UserError: the URI has blanks or a secret, or is too long.
    """
    if has_secret(uri) or any(letter.isspace() for letter in uri):
        raise UserError(
            f"{masked(uri)}: write a URI without blanks (%20) and without keys, which `ps` would show: give keys as "
            "the store's tools take them, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile or a role"
        )
    path, question, query = uri.partition("?")
    if not path.rstrip("/").partition("://")[2]:
        raise UserError(f"{uri}: names no bucket or folder")
    # Not "%": it means something in the URI of SQLite's file, which may lie in there.
    name = quote(f"{path.rstrip('/')}{question}{query}", safe="").replace("~", "%7E").replace("%", "~")
    if len(name) > _LONGEST_NAME:
        raise UserError(f"{uri[:80]}...: a URI may have some {_LONGEST_NAME} characters here, this has {len(uri)}")
    return root / name


def uri_of(folder: Path) -> str | None:
    """The URI of the remote folder that `folder` is the local copy of; None where it is none."""
    return unquote(folder.name.replace("~", "%")) if "~3A~2F~2F" in folder.name else None


def shown(folder: Path) -> str:
    """A folder as people know it: the URI of a remote one, else its path."""
    return uri_of(folder) or str(folder)


def child(uri: str, name: str) -> str:
    """The URI of a folder in the one at `uri`."""
    path, question, query = uri.partition("?")
    return f"{path.rstrip('/')}/{name}{question}{query}"


def open_folder(uri: str) -> "RemoteFolder":
    """The folder at a URI, which need not be there.

    Raises:
        UserError: no such kind of store is known, or it is not installed.
        StorageError: the store refuses.
    """
    from pyarrow import ArrowInvalid, ArrowNotImplementedError
    from pyarrow.fs import FileSystem

    try:
        files, root = FileSystem.from_uri(_with_limits(uri))
    except (ArrowInvalid, ArrowNotImplementedError) as error:
        if "nrecognized filesystem" not in str(error):
            raise UserError(f"{masked(uri)}: {first_line(error, 200)}") from None
        files, root = _by_fsspec(uri)
    except OSError as error:
        raise StorageError(f"{masked(uri)}: {first_line(error, 300)}") from error
    if not root.strip("/"):
        raise UserError(f"{masked(uri)}: names no bucket or folder")
    return RemoteFolder(uri, files, root.rstrip("/"))


def _with_limits(uri: str) -> str:
    """Google's client would try a request that fails for 15 minutes."""
    if not uri.startswith(("gs://", "gcs://")) or "retry_limit_seconds=" in uri:
        return uri
    return f"{uri}{'&' if '?' in uri else '?'}retry_limit_seconds={_GOOGLE_S}"


def _by_fsspec(uri: str) -> tuple[Any, str]:
    import fsspec
    from pyarrow.fs import FSSpecHandler, PyFileSystem

    try:
        files, root = fsspec.core.url_to_fs(uri)
    except (ImportError, ValueError) as error:
        raise UserError(f"{masked(uri)}: neither pyarrow nor fsspec opens it: {first_line(error, 200)}") from None
    return PyFileSystem(FSSpecHandler(files)), str(root)


class RemoteFolder:
    """Files below a URI. Names are relative, with ``/``. Every method may raise `StorageError`.

    Args:
        uri: for people.
        files: pyarrow's file system.
        root: path of the folder in it.
    """

    def __init__(self, uri: str, files: Any, root: str) -> None:
        self.uri = uri
        self._files, self._root = files, root

    def below(self, name: str) -> "RemoteFolder":
        """A folder in this one."""
        return RemoteFolder(child(self.uri, name), self._files, self._path(name))

    def files(self, under: str = "") -> dict[str, RemoteFile]:
        """Every file below it by name, or below its folder `under`; none where there is no such folder."""
        from pyarrow.fs import FileSelector, FileType

        start = self._path(under) if under else self._root
        with self._asking():
            infos = self._files.get_file_info(FileSelector(start, recursive=True, allow_not_found=True))
        whole = len(self._root) + 1
        return {info.path[whole:]: _described(info) for info in infos if info.type is FileType.File}

    def folders_with(self, file: str) -> list[str]:
        """Names of the folders right below it that hold such a file."""
        from pyarrow.fs import FileSelector, FileType

        with self._asking():
            infos = self._files.get_file_info(FileSelector(self._root, allow_not_found=True))
            names = [info.base_name for info in infos if info.type is FileType.Directory]
            found = self._files.get_file_info([self._path(f"{name}/{file}") for name in names])
        return sorted(name for name, info in zip(names, found, strict=True) if info.type is FileType.File)

    def look(self, name: str) -> RemoteFile | None:
        """A file; None where there is none."""
        from pyarrow.fs import FileType

        with self._asking():
            info = self._files.get_file_info(self._path(name))
        if info.type is not FileType.File:
            return None
        return _described(info)

    def files_here(self, names: Iterable[str]) -> dict[str, RemoteFile]:
        """Those of the files that are there."""
        found = {name: self.look(name) for name in names}
        return {name: file for name, file in found.items() if file is not None}

    def read(self, name: str) -> bytes | None:
        """A small file; None where there is none."""
        with self._asking():
            try:
                with self._files.open_input_stream(self._path(name), compression=None) as stream:
                    content: bytes = stream.read()
            except FileNotFoundError:
                return None
        return content

    def write(self, name: str, content: bytes) -> None:
        """Write or replace a small file, in one request where the store has such."""
        with self._asking(), self._writing(name) as stream:
            stream.write(content)

    def upload(self, file: Path, name: str) -> None:
        """Write or replace a file: whole under another name first, so that `name` never is a part of it.

        The local file's time of change becomes the store's: so `is_newer` can compare them.
        """
        folder, slash, last = name.rpartition("/")
        part = f"{folder}{slash}.{last}.part"
        with self._asking():
            with file.open("rb") as source, self._writing(part) as stream:
                shutil.copyfileobj(source, stream, _BLOCK)
            self._files.move(self._path(part), self._path(name))
        self._date(file, name)

    def copy(self, name: str, other: str) -> None:
        """Make or replace `other` by a copy of `name`, without sending it again."""
        with self._asking():
            self._files.copy_file(self._path(name), self._path(other))

    def download(self, name: str, folder: Path, there: RemoteFile) -> None:
        """Write or replace ``folder / name``, whole or not at all, with the store's time of change.

        Args:
            name: of the file.
            folder: local; what is missing of folders is made.
            there: the file.

        Raises:
            UserError: the name leads out of `folder`.
        """
        target = inside(folder, name)
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(target, shared=True) as part:
            with (
                self._asking(),
                self._files.open_input_stream(self._path(name), compression=None) as stream,
                part.open("wb") as file,
            ):
                shutil.copyfileobj(stream, file, _BLOCK)
            os.utime(part, (there.changed, there.changed))

    def delete(self, name: str) -> None:
        """Remove a file, if it is there."""
        self._remove(self._files.delete_file, name)

    def delete_folder(self, name: str) -> None:
        """Remove a folder with all that is in it, if it is there."""
        self._remove(self._files.delete_dir, name)

    def _remove(self, delete: Callable[[str], None], name: str) -> None:
        with self._asking(), suppress(FileNotFoundError):
            delete(self._path(name))

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _date(self, file: Path, name: str) -> None:
        there = self.look(name)
        if there is not None and file.exists():
            os.utime(file, (there.changed, there.changed))

    @contextmanager
    def _writing(self, name: str) -> Iterator[Any]:
        path = self._path(name)
        if self._files.type_name not in _WITHOUT_FOLDERS:
            self._files.create_dir(path.rpartition("/")[0], recursive=True)
        with self._files.open_output_stream(path, compression=None) as stream:
            yield stream

    @contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # each store has its own
            raise StorageError(f"{masked(self.uri)}: {first_line(error, 300, with_type=True)}") from error


def _described(info: Any) -> RemoteFile:
    """What pyarrow says of a file."""
    return RemoteFile(size=info.size, changed=info.mtime.timestamp() if info.mtime else 0.0)


def is_newer(there: RemoteFile, file: Path) -> bool:
    """Whether a remote file was written after the local one, or there is no local one."""
    try:
        return there.changed >= file.stat().st_mtime + _SAME_S
    except FileNotFoundError:
        return True


def is_same(there: RemoteFile, file: Path) -> bool:
    """Whether a remote file is the local one, which was sent or fetched and not written since."""
    status = file.stat()
    return status.st_size == there.size and abs(there.changed - status.st_mtime) < _SAME_S
