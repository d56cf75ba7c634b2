"""What MLflow has of a sweep: what ``tracked.json`` says."""

import json
import logging
from dataclasses import asdict, dataclass, field
from pathlib import Path

from orchestrator.results.events import Closed, from_json
from orchestrator.results.follower import Position
from orchestrator.results.lines import LineReader
from orchestrator.results.places import EVENTS_FILE, TRACKED_FILE
from trainers.atomic import write_text
from trainers.remote import uri_of

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Tracked:
    """What MLflow has of a sweep.

    Attributes:
        position: how far its log was written.
        refused: how many writes before that the server refused.
        first_refused: where the first of them lies, or before it.
    """

    position: Position = field(default_factory=Position)
    refused: int = 0
    first_refused: Position | None = None

    def write(self, directory: Path) -> None:
        """Keep it in a sweep's directory."""
        first = None if self.first_refused is None else asdict(self.first_refused)
        kept = {**asdict(self.position), "refused": self.refused, "first_refused": first}
        write_text(directory / TRACKED_FILE, json.dumps(kept))


def read_tracked(directory: Path) -> Tracked:
    """What MLflow has; nothing where no driver came so far. Every write may be repeated, so that does no harm."""
    file = directory / TRACKED_FILE
    try:
        kept = json.loads(file.read_text())
        first = kept.get("first_refused")
        return Tracked(
            position=Position(events=kept["events"], histories=kept["histories"]),
            refused=kept.get("refused", 0),
            first_refused=None if first is None else Position(**first),
        )
    except FileNotFoundError:
        return Tracked()
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        log.warning("%s is damaged, everything is written again: %s", file, error)
        return Tracked()


def left_over(directory: Path) -> str:
    """A sentence on what MLflow does not have of a sweep without a driver; empty where it has everything.

    Only where the log has an end that was not delivered: what comes after that does not count.
    """
    if not (directory / TRACKED_FILE).exists() and uri_of(directory.parent) is not None:
        return ""  # a copy of a remote sweep: what another machine delivered is not known here
    tracked = read_tracked(directory)
    rest = LineReader(directory / EVENTS_FILE, tracked.position.events).read()
    if any(isinstance(from_json(line), Closed) for line in rest):
        return "MLflow has not taken everything"
    return f"MLflow refused {tracked.refused} writes" if tracked.refused else ""
