"""Writes a space with comments, for people to change: `gan-sweep spaces new`."""

import textwrap
from collections.abc import Collection, Iterator
from typing import Any

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from orchestrator.pruning import RULES
from orchestrator.space.domains import Domain
from orchestrator.space.load import space_as_yaml
from orchestrator.space.schema import description_of
from orchestrator.space.space import Space
from trainers.config import TrainConfig

WIDE = 110  # letters of a comment's line
_HEAD = """\
# A space to start from, with the values of {name}.
# What a key means stands behind it. Where a # stands before a key, it has its default: take the # away to change it.
# Check it, and print the plan, before anything starts: gan-sweep launch --space FILE --data photos/ --dry-run
"""
_MODELINE = "# yaml-language-server: $schema={schema}\n"


def commented(space: Space, schema: str | None = None) -> str:
    """The YAML of a space, every section and key with a comment on what it means.

    Args:
        space: whose values it has.
        schema: path of a JSON schema that editors use, from the file's folder; None: there is none.
    """
    lines = [(_MODELINE.format(schema=schema) if schema else "") + _HEAD.format(name=space.name).rstrip()]
    values = space_as_yaml(space)
    for name, field in Space.model_fields.items():
        if name == "name":
            continue
        lines += ["", *textwrap.wrap(f"{field.description}", WIDE, initial_indent="# ", subsequent_indent="# ")]
        match name:
            case "base":
                lines += ["base:", *_base(space.base, space.search)]
            case "search":
                lines += ["search:", *_search(space.search)] if space.search else ["search: {}"]
            case "sampler" | "scheduler" | "confirm":
                lines += _section(name, getattr(space, name))
            case "pruning":
                lines += [f"# its rules: {', '.join(RULES)}", f"pruning: {_flow(values[name])}"]
            case "points":
                points = [f"  - {_flow(point)}" for point in values[name]]
                lines += ["points:", *points] if points else ["points: []"]
            case _:
                lines.append(f"{name}: {_flow(values[name])}")
    return "\n".join(lines) + "\n"


def _base(base: TrainConfig, searched: Collection[str]) -> Iterator[str]:
    for name, field in TrainConfig.model_fields.items():
        value = getattr(base, name)
        if isinstance(value, BaseModel):
            yield f"  # {(type(value).__doc__ or '').strip()}"
            yield from (f"  {line}" for line in _section(name, value, searched))
        else:
            yield "  " + _key(name, value, field, shown=name in searched)


def _section(name: str, section: BaseModel, searched: Collection[str] = ()) -> list[str]:
    """A section's keys; those with their defaults, and the section itself where all have, are comments."""
    keys = [
        _key(key, getattr(section, key), field, shown=f"{name}.{key}" in searched)
        for key, field in type(section).model_fields.items()
    ]
    mark = "# " if all(key.startswith("# ") for key in keys) else ""
    return [f"{mark}{name}:", *(f"{mark}  {key.removeprefix(mark)}" for key in keys)]


def _key(name: str, value: Any, field: FieldInfo, *, shown: bool) -> str:
    """``lr_g: 0.0008  # learning rate of G``, behind a ``#`` where that is the default and need not be `shown`."""
    mark = "# " if value == field.default and not shown else ""
    return f"{mark}{name}: {_flow(value)}{_meaning(field.description)}"


def _meaning(description: str | None) -> str:
    """A comment; what is None in Python is null in YAML."""
    return f"  # {description.replace('None:', 'null:')}" if description else ""


def _search(search: dict[str, Domain]) -> Iterator[str]:
    for name, domain in search.items():
        shown = domain.model_dump(by_alias=True, mode="json", exclude_defaults=True)
        yield f"  {name}: {_flow(shown)}{_meaning(description_of(name))}"


def _flow(value: Any) -> str:
    """A value in one line of YAML."""
    plain = list(value) if isinstance(value, tuple) else value
    if isinstance(plain, dict):
        plain = {key: list(one) if isinstance(one, tuple) else one for key, one in plain.items()}
    text = yaml.safe_dump(plain, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10**9)
    return text.removesuffix("\n").removesuffix("\n...")
