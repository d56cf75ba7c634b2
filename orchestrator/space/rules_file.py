"""A ``pruning:`` block in a file of its own, as ``gan-sweep replay --tune`` prints it."""

from pathlib import Path
from typing import Any

from orchestrator.pruning import build_rules
from orchestrator.space.yaml_text import parse_yaml
from trainers.errors import UserError


def read_block(file: Path) -> bool | dict[str, Any]:
    """Read the block; the key ``pruning:`` above it is optional.

    Raises:
        UserError: it cannot be read, or it is invalid.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UserError(f"cannot read the rules {file}: {reason}") from None
    values = parse_yaml(text, str(file))
    if isinstance(values, dict) and set(values) == {"pruning"}:
        values = values["pruning"]
    build_rules(values)
    return values
