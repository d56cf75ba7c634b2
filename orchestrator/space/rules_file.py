"""A ``pruning:`` block in a file of its own, as ``gan-sweep replay --tune`` prints it."""

from pathlib import Path
from typing import Any

from orchestrator.pruning import build_rules
from orchestrator.space.yaml_text import read_yaml


def pruning_of(given: str) -> bool | dict[str, Any]:
    """What ``--rules`` names: ``on``, ``off``, or a file.

    Raises:
        UserError: as of `read_block`.
    """
    return {"on": True, "off": False}[given] if given in ("on", "off") else read_block(Path(given))


def read_block(file: Path) -> bool | dict[str, Any]:
    """Read the block; the key ``pruning:`` above it is optional.

    Raises:
        UserError: it cannot be read, or it is invalid.
    """
    values = read_yaml(file, "rules")
    if isinstance(values, dict) and set(values) == {"pruning"}:
        values = values["pruning"]
    build_rules(values)
    return values
