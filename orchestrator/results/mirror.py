"""A sweep whose home is a remote folder: here is a local working copy of it, with the same layout.

Everything that appends, locks and reads works on the copy. Each file has one owner, who pushes it: rank 0 the trial
that it trains, the driver all else (`orchestrator.sweep.pusher`). A command on another machine pulls first.
"""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

from filelock import FileLock

from orchestrator.results.driver_lock import driver_lives, note_beat
from orchestrator.results.places import (
    EVENTS_FILE,
    LOG_FILE,
    MARK_FILE,
    SCHEDULE_FILE,
    SPACE_FILE,
    STUDY_FILE,
    TRACKED_FILE,
)
from orchestrator.results.saved_plan import PLAN_FILE
from trainers.atomic import replacing
from trainers.errors import UserError
from trainers.folders import make_private
from trainers.remote import RemoteFile, RemoteFolder, is_newer, is_same, open_folder, uri_of

APPENDED = (STUDY_FILE, EVENTS_FILE)  # the study first: it may know more than the log, never less
DRIVERS = (LOG_FILE, SPACE_FILE, SCHEDULE_FILE, *APPENDED, PLAN_FILE)  # the plan last: with it the sweep exists
_STREAMS = 16  # files that are fetched at once


@dataclass(frozen=True, kw_only=True)
class Mark:
    """``driver.json`` of a remote sweep: who drives it, and how much of its files counts.

    It is written last, in one request. So log and study are those of one moment, whenever a driver's machine is lost:
    what lies beyond their `sizes` is cut away when they are pulled. Its time of change is the driver's heartbeat.

    Attributes:
        driver: a word that only this driver has; empty when it has ended.
        host: of the driver.
        process: says on that host whether the driver lives, see `orchestrator.sweep.driver_mark`.
        sizes: bytes of the files in `APPENDED` that count.
    """

    driver: str
    host: str
    process: str
    sizes: dict[str, int] = field(default_factory=dict)

    def to_json(self) -> bytes:
        """The content of ``driver.json``."""
        return json.dumps(asdict(self)).encode()


def home_of(directory: Path) -> RemoteFolder | None:
    """The remote folder of a sweep; None of a sweep that is at home here.

    Args:
        directory: of the sweep.
    """
    uri = uri_of(directory.parent)
    return None if uri is None else open_folder(uri).below(directory.name)


def read_mark(home: RemoteFolder) -> Mark | None:
    """A sweep's mark; None where there is no sweep.

    Raises:
        UserError: it is damaged.
    """
    content = home.read(MARK_FILE)
    try:
        return None if content is None else Mark(**json.loads(content))
    except (ValueError, TypeError):
        raise UserError(f"{home.uri}/{MARK_FILE} is damaged: no mark of a driver") from None


def whole_lines(file: Path) -> bytes:
    """The whole lines of a file to which somebody may be appending; none where there is no file."""
    content = file.read_bytes() if file.exists() else b""
    return content[: content.rfind(b"\n") + 1]


def pull(directory: Path, *, whole: bool = False) -> None:
    """Bring the local copy of a remote sweep up to date; nothing happens where there is no such sweep.

    The copy of a machine whose own driver was the last to write is left as it is: it may have what could not be pushed.

    Args:
        directory: of the sweep; one that is at home here is left alone.
        whole: fetch checkpoints and grids too; if not, what says how the sweep stands.

    Raises:
        UserError: the storage refuses or is away.
    """
    home = home_of(directory)
    if home is None or driver_lives(directory) or (mark := read_mark(home)) is None:
        return
    make_private(directory.parent)
    with FileLock(directory.parent / f".{directory.name}.pull"):
        theirs = {name: (home.read(name) or b"")[: mark.sizes.get(name, 0)] for name in APPENDED}
        ours = whole_lines(directory / EVENTS_FILE)
        if not (directory / PLAN_FILE).exists() or not ours.startswith(theirs[EVENTS_FILE]):
            make_private(directory)
            if not theirs[EVENTS_FILE].startswith(ours):  # two drivers went on from one point: the other one counts
                shutil.rmtree(directory / "trials", ignore_errors=True)
            (directory / TRACKED_FILE).unlink(missing_ok=True)  # counts bytes of files that change now
            _pull_drivers(home, directory, theirs)
        fetch_trials(home, directory, suffix="" if whole else ".jsonl")
        beat = home.look(MARK_FILE)
        if beat is not None:
            note_beat(directory, beat.changed)


def _pull_drivers(home: RemoteFolder, directory: Path, appended: dict[str, bytes]) -> None:
    there = home.files_here(DRIVERS)
    for name in DRIVERS:
        if appended.get(name):
            with replacing(directory / name) as part:
                part.write_bytes(appended[name])
        elif name in there and name not in appended:
            home.download(name, directory, there[name])


def fetch_trials(home: RemoteFolder, directory: Path, *, under: str = "trials", suffix: str = "") -> None:
    """Download files of trials that were written there later than here, several at once.

    Args:
        home: of the sweep.
        directory: of the sweep, here.
        under: folder in it.
        suffix: of the files' names.
    """
    newer = {
        name: file
        for name, file in home.files(under).items()
        if name.endswith(suffix)
        and not _is_part(name)
        and is_newer(file, directory / name)
        and not _is_longer(directory / name, file)
    }
    with ThreadPoolExecutor(_STREAMS) as pool:
        for _ in pool.map(lambda name: home.download(name, directory, newer[name]), newer):
            pass


def _is_longer(file: Path, there: RemoteFile) -> bool:
    """Whether a history here has epochs that the one there has not, whatever the clocks say."""
    return file.suffix == ".jsonl" and file.exists() and file.stat().st_size > there.size


def _is_part(name: str) -> bool:
    return name.rpartition("/")[2].startswith(".")


class TrialFiles:
    """Pushes the files of one trial, each where it has changed.

    Args:
        home: of the sweep.
        directory: of the sweep, here.
        trial_id: of the trial.
    """

    def __init__(self, home: RemoteFolder, directory: Path, trial_id: str) -> None:
        self._home, self._directory, self._under = home, directory, f"trials/{trial_id}"
        self._pushed: dict[str, tuple[int, int, int]] | None = None  # what the storage has of each, see `_identity`
        self._older: dict[str, tuple[int, int, int]] = {}  # what is not to be pushed: another node has written it since

    def pull(self, only: str = "") -> None:
        """Fetch what another node, or an earlier driver elsewhere, has written later; `only` one file, or all."""
        fetch_trials(self._home, self._directory, under=self._under, suffix=only)

    def differ(self, there: dict[str, RemoteFile]) -> bool:
        """Whether anything here is not among what is there."""
        return self._same(there).keys() != set(self._local())

    def push(self) -> None:
        """Push what is new: epochs, config and grids, then checkpoints, the oldest first: it may be there already."""
        if self._pushed is None:
            there = self._home.files(self._under)
            self._pushed = self._same(there)
            older = [name for name in self._local() if name in there and is_newer(there[name], self._directory / name)]
            self._older = {name: self._identity(name) for name in older}
        for name in self._local():
            file, identity = self._directory / name, self._identity(name)
            if identity in (self._pushed.get(name), self._older.get(name)):
                continue
            twin = next((other for other, pushed in self._pushed.items() if pushed == identity), None)
            if twin is not None:  # a checkpoint that has two names here: it is sent once
                self._home.copy(twin, name)
            else:
                self._home.upload(file, name)
            self._pushed[name] = self._identity(name)

    def _local(self) -> list[str]:
        files = [path for path in (self._directory / self._under).rglob("*") if path.is_file()]
        files.sort(key=lambda path: (path.suffix == ".pt", path.stat().st_mtime_ns, path.name))
        names = [path.relative_to(self._directory).as_posix() for path in files]
        return [name for name in names if not _is_part(name)]

    def _same(self, there: dict[str, RemoteFile]) -> dict[str, tuple[int, int, int]]:
        """Of the files that are here, those that the storage has already."""
        names = [name for name in self._local() if name in there]
        return {name: self._identity(name) for name in names if is_same(there[name], self._directory / name)}

    def _identity(self, name: str) -> tuple[int, int, int]:
        """Changes with the file's content; two names of one file have the same."""
        status = (self._directory / name).stat()
        return status.st_ino, status.st_size, status.st_mtime_ns


def push_trials(home: RemoteFolder, directory: Path) -> None:
    """Push what nobody could push of trials that nobody trains now."""
    there = home.files("trials")
    for trial_id in trials_here(directory):
        files = TrialFiles(home, directory, trial_id)
        if files.differ(there):
            files.push()


def trials_here(directory: Path) -> list[str]:
    """The trials that have a folder here."""
    return sorted(path.name for path in (directory / "trials").glob("*") if path.is_dir())
