"""What a running trial does at this moment: ``now/0003.json``, for people who wait for a long epoch.

Nothing depends on it, and nothing is kept of it: its rank replaces it about every second, and removes it at the end.
"""

import json
import logging
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from orchestrator.results.records import TrialRecord
from orchestrator.results.verdict import State
from trainers.atomic import write_text

log = logging.getLogger(__name__)

OLD_S = 60.0  # what has stood still for so long is not shown: its rank may be dead


@dataclass(frozen=True, kw_only=True)
class Now:
    """What a trial does.

    Attributes:
        what: a word or two, such as ``training`` or ``FID``.
        share: how much of it is done, 0 to 1.
        epoch: that it belongs to, from 1; 0 before the first.
        left_s: seconds until it is done, at the pace so far; None where that is not known.
        at: when that was so, seconds since 1970.
    """

    what: str
    share: float
    epoch: int
    left_s: float | None
    at: float


def now_file(directory: Path, trial_id: str) -> Path:
    """Where it stands."""
    return directory / "now" / f"{trial_id}.json"


def write_now(directory: Path, trial_id: str, now: Now) -> None:
    """Replace what is said of a trial.

    Raises:
        OSError: it cannot be written.
    """
    file = now_file(directory, trial_id)
    file.parent.mkdir(exist_ok=True)
    write_text(file, json.dumps(asdict(now)))


def read_now(directory: Path, trial: TrialRecord) -> Now | None:
    """What a trial does; None where it does not run, or nothing fresh is said of the epoch that it is in."""
    if trial.state is not State.RUNNING:
        return None
    file = now_file(directory, trial.trial_id)
    try:
        now = Now(**json.loads(file.read_text()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:  # a disk that is full, or a version of its own
        log.debug("%s is not read: %s", file, error)
        return None
    fresh = abs(time.time() - now.at) < OLD_S
    first = trial.epochs == 0  # which is a later one where it goes on from another run's checkpoint
    return now if fresh and (first or now.epoch in (0, trial.epochs + 1)) else None
