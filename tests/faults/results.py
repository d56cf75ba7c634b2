"""What a sweep says and has, read as its user would."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Results:
    """A sweep at one moment.

    Attributes:
        summary: what ``gan-sweep results --json`` prints.
        epochs: every recorded line of each trial's history, by trial.
        files: names in the sweep's directory and in its trials' folders.
    """

    summary: dict[str, Any]
    epochs: dict[str, list[dict[str, Any]]]
    files: frozenset[str]

    def trials(self) -> dict[str, dict[str, Any]]:
        """What has to be the same in a sweep of the same seed, by trial: everything but times."""
        same = ("params", "state", "verdict", "objective", "best_epoch", "epochs", "confirmed", "detail")
        return {
            trial["trial_id"]: {name: trial[name] for name in same}
            | {"fids": {line["epoch"]: line["fid"] for line in self.epochs.get(trial["trial_id"], [])}}
            for trial in self.summary["trials"]
        }


def read_epochs(directory: Path) -> dict[str, list[dict[str, Any]]]:
    """The whole lines of each trial's ``history.jsonl``, while the sweep runs too."""
    return {file.parent.name: _lines(file) for file in sorted(directory.glob("trials/*/history.jsonl"))}


def read_files(directory: Path) -> frozenset[str]:
    """Names in a sweep's directory and in its trials' folders, relative."""
    places = (*directory.glob("*"), *directory.glob("trials/*/*"))
    return frozenset(str(path.relative_to(directory)) for path in places)


def _lines(file: Path) -> list[dict[str, Any]]:
    found = []
    for line in file.read_bytes().split(b"\n"):
        try:
            values = json.loads(line)
        except ValueError:  # the last one is being written, or was torn
            continue
        if isinstance(values, dict) and "epoch" in values:
            found.append(values)
    return found
