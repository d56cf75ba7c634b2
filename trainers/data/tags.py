"""Tags of images, from a CSV of rows such as ``0,"blonde hair blue eyes"`` (the form of the anime faces' tags.csv)."""

import csv
import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path, PurePosixPath

from trainers.errors import UserError

# Of these, the one that comes first in a file separates ids from tags; any of them may separate tags.
_SEPARATORS = ",\t;"
# A first row is a header if its first cell is one of the first set, or a later cell is one of the second.
_ID_HEADERS = frozenset({"id", "image", "image_id", "file", "filename", "file_name", "name", "path"})
_TAG_HEADERS = frozenset({"tag", "tags", "label", "labels", "caption", "attributes"})
# Words that are attributes even if no two rows show it.
_ATTRIBUTES = frozenset({"hair", "eyes"})
# tags_clean.csv writes how often a tag was given: "blonde hair:30".
_COUNT = re.compile(r"\s*:\s*\d+$")


def read_tags(path: Path) -> dict[str, tuple[str, ...]]:
    """Read the tags of each id.

    A row is an id, then tags: ``0,"blonde hair blue eyes"``, ``1,blonde hair:30<tab>blue eyes:2``, ``2,red,shiny``. A
    header may come first. Tags are separated by tabs, semicolons or commas; counts after a colon are cut off. Rows of
    the same id add up.

    A text without a separator is split at its attributes: hair, eyes, and words that end pairs in at least two rows of
    the file. If the text consists of pairs that end in attributes, each pair is a tag. If it has attributes otherwise,
    each of them and the word before it are a tag, and every other word is one. Any other text is one tag.

    Returns:
        Id as written to its tags, such as ``{"0": ("blonde hair", "blue eyes")}``; a row without tags gives ``()``.

    Raises:
        UserError: the file cannot be read, is not text in UTF-8, or has no row of an id and tags.
    """
    rows = _read_rows(path)
    attributes = _attribute_words(text for _, text in rows)
    tags: dict[str, tuple[str, ...]] = {}
    for name, text in rows:
        tags[name] = tuple(dict.fromkeys((*tags.get(name, ()), *_split(text, attributes))))
    return tags


def read_tag_texts(path: Path) -> dict[str, str]:
    """The tags of each id as they are written; rows of the same id are joined by ``"; "``.

    Raises:
        UserError: the file cannot be read, is not text in UTF-8, or has no row of an id and tags.
    """
    texts: dict[str, list[str]] = {}
    for name, text in _read_rows(path):
        texts.setdefault(name, []).append(text)
    return {name: "; ".join(parts) for name, parts in texts.items()}


def find_id(file: str, ids: Collection[str]) -> str | None:
    """The id that stands for an image: its relative path or its name, each with or without suffix; None if none does.

    Args:
        file: relative posix path.
        ids: all ids; a dict or set, since it is searched often.
    """
    path = PurePosixPath(file)
    names = (file, path.with_suffix("").as_posix(), path.name, path.stem)
    return next((name for name in names if name in ids), None)


def _read_rows(path: Path) -> list[tuple[str, str]]:
    """Id and text of each row, header and blank rows left out."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"cannot read the tags file {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"the tags file {path} is not text in UTF-8 (byte {error.start})") from error
    lines = text.splitlines()
    separator = next((found for line in lines if (found := _first_separator(line)) is not None), None)
    if separator is None:
        raise UserError(f'the tags file {path} has no row of an id and tags, such as 0,"blonde hair blue eyes"')
    try:
        cells = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=separator)]
    except csv.Error as error:
        raise UserError(f"the tags file {path} is not a CSV: {error}") from error
    return _id_and_text(path, cells, separator)


def _id_and_text(path: Path, cells: list[list[str]], separator: str) -> list[tuple[str, str]]:
    rows = [(number, row) for number, row in enumerate(cells, 1) if any(row)]
    wanted = slice(1, None)
    header = [cell.lower() for cell in rows[0][1]] if rows else []
    if header and (header[0] in _ID_HEADERS or _TAG_HEADERS.intersection(header[1:])):
        rows = rows[1:]
        named = [i for i, cell in enumerate(header) if i and cell in _TAG_HEADERS]
        if named:  # the last column takes all that follows: unquoted commas between tags
            wanted = slice(named[0], named[0] + 1 if named[0] < len(header) - 1 else None)
    if nameless := next((number for number, row in rows if not row[0]), None):
        raise UserError(f"the tags file {path} has no id in row {nameless}")
    if not rows:
        raise UserError(f"the tags file {path} has a header and no rows")
    return [(row[0], separator.join(row[wanted])) for _, row in rows]


def _first_separator(line: str) -> str | None:
    outside = re.sub(r'"[^"]*"', "", line)
    places = [(outside.index(separator), separator) for separator in _SEPARATORS if separator in outside]
    return min(places)[1] if places else None


def _attribute_words(texts: Iterable[str]) -> frozenset[str]:
    """Words that end pairs in at least two rows, and more often end than begin one."""
    first: Counter[str] = Counter()
    second: Counter[str] = Counter()
    for words in map(str.split, texts):
        if len(words) % 2 == 0:
            first.update(set(words[::2]))
            second.update(set(words[1::2]))
    return _ATTRIBUTES | {word for word, rows in second.items() if rows > max(1, first[word])}


def _split(text: str, attributes: Collection[str]) -> list[str]:
    if any(separator in text for separator in _SEPARATORS):
        parts: Sequence[str] = re.split(f"[{_SEPARATORS}]", text)
    else:
        parts = _split_words(text.split(), attributes)
    stripped = (" ".join(_COUNT.sub("", part.strip()).split()) for part in parts)
    return [part for part in stripped if part]


def _split_words(words: list[str], attributes: Collection[str]) -> list[str]:
    if len(words) % 2 == 0 and all(word in attributes for word in words[1::2]):
        return [f"{value} {attribute}" for value, attribute in zip(words[::2], words[1::2], strict=True)]
    if not any(word in attributes for word in words):
        return [" ".join(words)]
    parts: list[str] = []
    for word in words:
        if word in attributes and parts and " " not in parts[-1]:
            parts[-1] += f" {word}"
        else:
            parts.append(word)
    return parts
