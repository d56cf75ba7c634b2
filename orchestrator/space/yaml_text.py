"""YAML in which ``8e-4`` is a number, as in YAML 1.2; PyYAML by itself reads it as a string."""

import re
from typing import Any

import yaml

from trainers.errors import UserError, first_line


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Refuse a key that stands twice, of which PyYAML would keep the last."""
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if (key.tag, key.value) in seen:
                    raise yaml.MarkedYAMLError(None, None, f"the key {key.value!r} stands twice", key.start_mark)
                seen.add((key.tag, key.value))
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)


def parse_yaml(text: str, source: str) -> Any:
    """Parse `text` as YAML.

    Args:
        text: YAML.
        source: what to call it in an error, such as the file's name.

    Raises:
        UserError: it is not valid YAML; one line with the position.
    """
    try:
        value = yaml.load(text, Loader=_Loader)
        _refuse_loops(value, source, (), set())
        return value
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f" line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise UserError(f"{source}:{place} {error.problem}") from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # PyYAML lets a day 99 or 5000 digits through
        many = "a number has too many digits" if "digits" in str(error) else first_line(error)
        raise UserError(f"{source}: {many}") from None
    except RecursionError:
        raise UserError(f"{source}: nested too deeply") from None


def _refuse_loops(value: Any, source: str, above: tuple[int, ...], done: set[int]) -> None:
    """Refuse a mapping or list that an alias has put inside itself. Visits each once, however many aliases name it."""
    if not isinstance(value, dict | list) or id(value) in done:
        return
    if id(value) in above:
        raise UserError(f"{source}: an alias stands inside what it names")
    for part in value.values() if isinstance(value, dict) else value:
        _refuse_loops(part, source, (*above, id(value)), done)
    done.add(id(value))


def dump_yaml(value: Any) -> str:
    """`value` as YAML, keys in their own order."""
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True)
