"""YAML as values that know their line: one tree of Items per document.

Refused here: what PyYAML would pass silently or not at all (a key given twice, a key that is no text, tabs, an alias
inside itself, tags that make Python objects).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

# An alias is written out wherever it is used, so a small file can stand for billions of values.
MAX_ITEMS = 100_000


class TreeError(ValueError):
    """The text is no YAML that can be used; `line` and `column` count from 1."""

    def __init__(self, line: int, text: str, key: str = "", column: int | None = None) -> None:
        super().__init__(text)
        self.line = line
        self.key = key
        self.column = column


@dataclass(frozen=True)
class Item:
    """A value, the line of its key (in a list: its own line) and the keys and positions that lead to it."""

    value: Any
    line: int
    path: tuple[str | int, ...] = ()
    children: dict[str | int, "Item"] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The path as one word: provider.worker_ips[0]."""
        text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in self.path)
        return text.removeprefix(".")

    def get(self, *path: str | int) -> "Item | None":
        """What lies below under these keys; None where nothing does."""
        item: Item | None = self
        for part in path:
            item = item.children.get(part) if item else None
        return item

    def nearest(self, path: tuple[str | int, ...]) -> "Item":
        """What lies deepest on this path."""
        item = self
        for part in path:
            if part not in item.children:
                break
            item = item.children[part]
        return item

    def text(self, *path: str | int) -> str:
        """The text under these keys; empty where there is none, or something else."""
        item = self.get(*path)
        return item.value if item and isinstance(item.value, str) else ""

    def number(self, *path: str | int) -> float | None:
        """The number under these keys; None where there is none, or something else."""
        item = self.get(*path)
        number = item.value if item else None
        return number if isinstance(number, int | float) and not isinstance(number, bool) else None

    def members(self, *path: str | int) -> list["Item"]:
        """The values of the list or mapping under these keys, in their order."""
        item = self.get(*path)
        return list(item.children.values()) if item else []

    def walk(self) -> Iterator["Item"]:
        """This item and everything below it."""
        yield self
        for child in self.children.values():
            yield from child.walk()


def documents(text: str) -> list[Item]:
    """The documents of a text; those without content are left out.

    Raises:
        TreeError: the text is no YAML, or holds something that is refused.
    """
    found: list[Item] = []
    try:
        _build_all(text, found)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise TreeError(_line(error), _reason(error, text), column=mark.column + 1 if mark else None) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        column = error.position - text.rfind("\n", 0, error.position)
        raise TreeError(
            line, f"holds the character {error.character!r}, which YAML does not allow", column=column
        ) from None
    except RecursionError:
        raise TreeError(1, "nested too deeply to be a cluster file") from None
    return found


def _build_all(text: str, found: list[Item]) -> None:
    loader = yaml.SafeLoader(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            assert node is not None  # check_node said so
            item = _Builder(loader).build(node, node.start_mark.line + 1, (), ())
            if item.value is not None:
                found.append(item)
    finally:
        loader.dispose()


class _Builder:
    """Turns the nodes of one document into Items."""

    def __init__(self, loader: yaml.SafeLoader) -> None:
        self._loader = loader
        self._count = 0

    def build(self, node: Any, line: int, path: tuple[str | int, ...], above: tuple[int, ...]) -> Item:
        self._count += 1
        if self._count > MAX_ITEMS:
            raise TreeError(line, f"stands for more than {MAX_ITEMS} values: its aliases multiply")
        if id(node) in above:
            raise TreeError(line, "an alias stands inside what it stands for")
        above = (*above, id(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, line, path, above)
        if isinstance(node, yaml.SequenceNode):
            _refuse_tag(node, "seq", Item(None, line, path))
            items = [self.build(n, n.start_mark.line + 1, (*path, i), above) for i, n in enumerate(node.value)]
            return Item([item.value for item in items], line, path, dict(enumerate(items)))
        try:
            return Item(self._loader.construct_object(node), line, path)
        except ValueError as error:  # 2026-13-45 looks like a date
            raise TreeError(line, f"holds a value that YAML cannot read: {error}", Item(None, line, path).key) from None

    def _mapping(self, node: Any, line: int, path: tuple[str | int, ...], above: tuple[int, ...]) -> Item:
        _refuse_bad_keys(node, self._loader, Item(None, line, path))
        _refuse_tag(node, "map", Item(None, line, path))
        pairs = [pair for pair in node.value if pair[0].tag != "tag:yaml.org,2002:merge"]
        own = {key.value for key, _ in pairs}
        self._loader.flatten_mapping(node)  # what `<<` brings stands first
        children: dict[str | int, Item] = {}
        for key, value in node.value:
            if key.value in own and not any(key is mine for mine, _ in pairs):
                continue
            children[key.value] = self.build(value, key.start_mark.line + 1, (*path, key.value), above)
        return Item({key: child.value for key, child in children.items()}, line, path, children)


def _refuse_tag(node: Any, plain: str, at: Item) -> None:
    if node.tag != f"tag:yaml.org,2002:{plain}":
        raise TreeError(at.line, f"the tag {node.tag} is not plain YAML", at.key)


def _refuse_bad_keys(node: Any, loader: yaml.SafeLoader, at: Item) -> None:
    """PyYAML keeps the last of two equal keys and drops the other; `yes:` and `1:` are no texts."""
    seen: dict[str, int] = {}
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if key.tag == "tag:yaml.org,2002:merge":
            continue
        if not isinstance(key, yaml.ScalarNode):
            raise TreeError(line, "a key must be a text, not a list or a mapping; quote it", at.key)
        if not isinstance(loader.construct_object(key), str):
            raise TreeError(line, f"the key {key.value!r} is no text to YAML; quote it", at.key)
        name = Item(None, line, (*at.path, key.value)).key
        if key.value in seen:
            raise TreeError(line, f"given twice, first in line {seen[key.value]}; only one would count", name)
        seen[key.value] = line


def _line(error: yaml.MarkedYAMLError) -> int:
    mark = error.problem_mark or error.context_mark
    return mark.line + 1 if mark else 1


def _reason(error: yaml.MarkedYAMLError, text: str) -> str:
    lines = text.splitlines()
    line = lines[_line(error) - 1] if _line(error) <= len(lines) else ""
    if "\t" in line[: len(line) - len(line.lstrip())] or "'\\t'" in str(error.problem):
        return "holds a tab; YAML is indented with spaces"
    # The place of the error is often below the mistake: what began before it, and is not over, stands there.
    began = error.context_mark
    place = f" that begins in line {began.line + 1}" if began and began.line + 1 != _line(error) else ""
    context = f" ({error.context}{place})" if error.context else ""
    return f"is no YAML: {error.problem}{context}"
