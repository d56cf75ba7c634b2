"""Names of the files in a sweep's directory, and where caches are."""

import os
from collections.abc import Sequence
from pathlib import Path

from trainers.errors import UserError, first_line
from trainers.folders import inside

EVENTS_FILE = "events.jsonl"
REQUESTS_FILE = "requests.jsonl"
LOCK_FILE = "driver.lock"
MARK_FILE = "driver.json"  # of a remote sweep, and only there: who drives it, and how much of it counts
STUDY_FILE = "study.journal"
LOG_FILE = "sweep.log"
SPACE_FILE = "space.yaml"
SCHEDULE_FILE = "schedule.yaml"  # what a population has found
TRACKED_FILE = "tracked.json"
TRACKING_DB, TRACKING_FILES = "mlflow.db", "mlartifacts"  # MLflow's, beside the sweeps of a folder
ROOM_FILE = "room"  # given up on a full disk, so that the sweep's end can be written


def history_file(directory: Path, trial_id: str) -> Path:
    """The epochs of a trial.

    Raises:
        UserError: a link leads out of the sweep's directory.
    """
    return inside(directory, f"trials/{trial_id}/history.jsonl")


def default_cache_dir() -> Path:
    """``$GAN_SWEEP_CACHE``, else ``gan-sweep`` in the user's cache directory.

    Raises:
        UserError: the variable names what cannot be a folder.
    """
    given = os.environ.get("GAN_SWEEP_CACHE")
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    try:
        return (Path(given) if given else base / "gan-sweep").resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links
        raise UserError(f"$GAN_SWEEP_CACHE {given!r} is no folder: {first_line(error)}") from None


def sweeps_root() -> Path:
    """Where the local copies of remote folders of sweeps are."""
    return default_cache_dir() / "remote-sweeps"


def images_root() -> Path:
    """Where the local copies of remote folders of images are."""
    return default_cache_dir() / "remote-images"


def page_file(sweeps: Sequence[str]) -> Path:
    """Where the report of such sweeps is written unless the user says otherwise."""
    return Path("+".join(sweeps)[:80] + ".html")
