"""YAML in which ``8e-4`` is a number, as in YAML 1.2, and in which nothing is code or grows without bound.

PyYAML by itself reads ``8e-4`` as a string, and lets some hundred bytes of aliases stand for gigabytes.
"""

import re
from itertools import chain
from pathlib import Path
from typing import Any

import yaml

from trainers.errors import UserError, first_line

# A resolved space, the longest that is written here, has 3,000 characters. PyYAML reads 25,000 values a second.
MOST_LETTERS = 250_000
MOST_VALUES = 20_000  # with every alias written out
MOST_LEVELS = 50


class _Loader(yaml.SafeLoader):  # no tag of a safe loader makes anything but plain values
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._level = self._values = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Refuse deep nesting before Python's own limit, which depends on who calls, and many values while reading."""
        self._level, self._values = self._level + 1, self._values + 1
        if self._values > MOST_VALUES:
            raise yaml.MarkedYAMLError(None, None, f"more than {MOST_VALUES} values", self.peek_event().start_mark)
        if self._level > MOST_LEVELS:
            raise yaml.MarkedYAMLError(None, None, "nested too deeply", self.peek_event().start_mark)
        node = super().compose_node(parent, index)
        self._level -= 1
        return node

    def get_single_node(self) -> yaml.Node | None:
        """Refuse aliases that name what they stand in, or that stand for too much, before anything is made of them."""
        node = super().get_single_node()
        if node is not None:
            values, levels = _written_out(node, {})
            if values > MOST_VALUES:
                raise yaml.MarkedYAMLError(None, None, f"more than {MOST_VALUES} values, with its aliases written out")
            if levels > MOST_LEVELS:
                raise yaml.MarkedYAMLError(None, None, "nested too deeply, with its aliases written out")
        return node

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        """Refuse also hexadecimal numbers that Python could not print."""
        value = super().construct_yaml_int(node)
        str(value)
        return value

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Refuse a key that stands twice, of which PyYAML would keep the last."""
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if (key.tag, key.value) in seen:
                    raise yaml.MarkedYAMLError(None, None, f"the key {key.value!r} stands twice", key.start_mark)
                seen.add((key.tag, key.value))
        return super().construct_mapping(node, deep)


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)


def read_yaml(file: Path, what: str) -> Any:
    """Read a file of YAML.

    Args:
        file: its path.
        what: it is, such as ``"space"``, for the error.

    Raises:
        UserError: it cannot be read, or it is not valid YAML; one line.
    """
    try:
        with file.open(encoding="utf-8") as stream:
            text = stream.read(MOST_LETTERS + 1)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UserError(f"cannot read the {what} {file}: {reason}") from None
    return parse_yaml(text, str(file))


def parse_yaml(text: str, source: str) -> Any:
    """Parse `text` as YAML.

    Args:
        text: YAML.
        source: what to call it in an error, such as the file's name.

    Raises:
        UserError: it is not valid YAML; one line with the position.
    """
    if len(text) > MOST_LETTERS:
        raise UserError(f"{source}: longer than the {MOST_LETTERS} characters that are read")
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f" line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise UserError(f"{source}:{place} {error.problem}") from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # PyYAML lets a day 99 or 5000 digits through
        many = "a number has too many digits" if "digits" in str(error) else first_line(error)
        raise UserError(f"{source}: {many}") from None


def _written_out(node: yaml.Node, known: dict[int, tuple[int, int] | None]) -> tuple[int, int]:
    """How many values and levels `node` would have without aliases, itself included. Looks at each node once.

    Args:
        node: of a composed document.
        known: results by the node's id; None for one that is being looked at.
    """
    if isinstance(node, yaml.ScalarNode):
        return 1, 1
    if id(node) in known:
        found = known[id(node)]
        if found is None:
            raise yaml.MarkedYAMLError(None, None, "an alias stands inside what it names", node.start_mark)
        return found
    known[id(node)] = None
    parts = chain.from_iterable(node.value) if isinstance(node, yaml.MappingNode) else node.value
    sizes = [_written_out(part, known) for part in parts]
    total = 1 + sum(values for values, _ in sizes), 1 + max((levels for _, levels in sizes), default=0)
    known[id(node)] = total
    return total


def dump_yaml(value: Any) -> str:
    """`value` as YAML, keys in their own order."""
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True)
