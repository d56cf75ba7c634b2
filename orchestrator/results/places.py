"""Names of the files in a sweep's directory."""

from pathlib import Path

from trainers.folders import inside

EVENTS_FILE = "events.jsonl"
REQUESTS_FILE = "requests.jsonl"
LOCK_FILE = "driver.lock"
SPACE_FILE = "space.yaml"
TRACKED_FILE = "tracked.json"
ROOM_FILE = "room"  # given up on a full disk, so that the sweep's end can be written


def history_file(directory: Path, trial_id: str) -> Path:
    """The epochs of a trial.

    Raises:
        UserError: a link leads out of the sweep's directory.
    """
    return inside(directory, f"trials/{trial_id}/history.jsonl")
