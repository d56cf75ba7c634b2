"""Checks before a dataset is prepared."""

import json
import os
from pathlib import Path
from typing import Any

from trainers.data.files import require_folder
from trainers.data.manifest import find_manifest
from trainers.errors import UserError


def check_places(source: Path, destination: Path) -> None:
    """Check that `source` can be read and `destination` filled.

    Raises:
        UserError: they cannot, or one lies in the other.
    """
    require_folder(source)
    if not os.access(source, os.R_OK | os.X_OK):
        raise UserError(f"the image folder {source} cannot be read")
    if find_manifest(source) is not None:
        raise UserError(f"{source} is a prepared dataset already; name the folder that it was made from")
    if destination.exists() and not destination.is_dir():
        raise UserError(f"{destination} is a file; name a folder for the dataset")
    if destination.resolve().is_relative_to(source.resolve()):
        raise UserError(f"{destination} lies inside the image folder {source}, which would change it")
    if source.resolve().is_relative_to(destination.resolve()):
        raise UserError(f"the image folder {source} lies inside {destination}; name a folder beside it")


def read_start(path: Path) -> dict[str, Any]:
    """The version, source hash and arguments that an unfinished dataset was begun with.

    Raises:
        UserError: the file is damaged.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return {name: values[name] for name in ("version", "source_sha256", "arguments")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is damaged ({error}): remove {path.parent.parent} and start again") from error


def check_same(destination: Path, theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    """Check that a dataset was begun by the same call as this one.

    Args:
        destination: its folder.
        theirs: version, source_sha256 and arguments that it was begun with.
        ours: the same of this call.

    Raises:
        UserError: the first difference.
    """
    advice = "name another folder, or remove this one"
    if theirs["version"] != ours["version"]:
        raise UserError(f"{destination} was made by version {theirs['version']}, this is {ours['version']}: {advice}")
    before, now = theirs["arguments"], ours["arguments"]
    for name in now:
        if before.get(name) != now[name]:
            option = "--" + {"drop_tags": "drop-tag"}.get(name, name.replace("_", "-"))
            raise UserError(
                f"{destination} was made with {option} {_as_text(before.get(name))}, "
                f"not {_as_text(now[name])}: {advice}"
            )
    if theirs["source_sha256"] != ours["source_sha256"]:
        raise UserError(f"{destination} was made from other files than the image folder has now: {advice}")


def _as_text(value: Any) -> str:
    if value is None or value == []:
        return "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    return ", ".join(value) if isinstance(value, list) else str(value)
