"""Plain words for what pydantic finds wrong: its own speak of inputs, and of Python's types."""

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel

# By the type of the problem, as pydantic calls it; with its context.
_WORDS: dict[str, str] = {
    "missing": "is missing",
    "extra_forbidden": "no such key",
    "invalid_key": "a key must be a text",
    "none_required": "must be null",
    "bool_type": "needs true or false",
    "bool_parsing": "needs true or false",
    "int_type": "needs a whole number",
    "int_parsing": "needs a whole number",
    "int_parsing_size": "needs a whole number of fewer digits",
    "int_from_float": "needs a whole number",
    "float_type": "needs a number",
    "float_parsing": "needs a number",
    "finite_number": "needs a finite number",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "string_type": "needs a text",
    "string_unicode": "needs a text in UTF-8",
    "string_too_short": "needs a text of at least {min_length} characters",
    "string_too_long": "needs a text of at most {max_length} characters",
    "string_pattern_mismatch": "must match {pattern}",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "list_type": "needs a list",
    "tuple_type": "needs a list",
    "set_type": "needs a list",
    "frozen_set_type": "needs a list",
    "iterable_type": "needs a list",
    "too_short": "needs at least {min_length} of them",
    "too_long": "takes at most {max_length} of them",
    "dict_type": "needs a mapping",
    "mapping_type": "needs a mapping",
    "model_type": "needs a mapping of its keys",
    "model_attributes_type": "needs a mapping of its keys",
    "dataclass_type": "needs a mapping of its keys",
    "value_error": "{error}",
    "assertion_error": "{error}",
}
_OF_A_TYPE = {"float": "a number", "int": "a whole number", "str": "a text", "bool": "true or false"}
_KEY = "[key]"  # how pydantic calls the key of a mapping


def plain_words(problem: Mapping[str, Any]) -> str:
    """What is wrong, without the value: ``must be at least 1``, ``needs a list``.

    Args:
        problem: of `ValidationError.errors`.
    """
    kind, context = problem["type"], problem.get("ctx", {})
    if problem["loc"][-1:] == (_KEY,):
        return f"a key of it {plain_words({**problem, 'loc': ()})}"
    if context.get("min_length") == 1:
        return "must not be empty"
    plain = {name: int(value) if _is_whole(value) else value for name, value in context.items()}
    text = _WORDS[kind].format(**plain) if kind in _WORDS else str(problem["msg"])
    if kind in ("literal_error", "enum"):
        names = re.findall(r"'([^']*)'", str(context["expected"]))
        close = get_close_matches(str(problem["input"]), names, n=1)
        text += f": did you mean {close[0]}?" if close else ""
    return text


def _is_whole(value: Any) -> bool:
    return isinstance(value, float) and value.is_integer()


def first_of(problems: Sequence[Mapping[str, Any]]) -> tuple[tuple[int | str, ...], str]:
    """Where the first of some problems is, and what: one of the types that a value may have are one problem.

    Args:
        problems: of `ValidationError.errors`, one at least.
    """
    place = tuple(problems[0]["loc"])
    types = [str(one["loc"][-1]) for one in problems if place and tuple(one["loc"][:-1]) == place[:-1]]
    if len(types) > 1 and set(types) <= _OF_A_TYPE.keys():
        kinds = [_OF_A_TYPE[one] for one in _OF_A_TYPE if one in types and not (one == "int" and "float" in types)]
        return place[:-1], f"needs {' or '.join(filter(None, (', '.join(kinds[:-1]), kinds[-1])))}"
    return (place[:-1] if place[-1:] == (_KEY,) else place), plain_words(problems[0])


def place_text(place: Sequence[int | str]) -> str:
    """``points[0].loss.name``; empty for the whole. Types that pydantic tells apart there are left out."""
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in place if "[" not in str(part)]
    return "".join(parts).removeprefix(".")


def keys_at(model: type[BaseModel], place: Sequence[int | str]) -> list[str]:
    """The keys that are known where a key of a file lies, as the file writes them.

    Args:
        model: of the whole.
        place: of the key, as pydantic has it.
    """
    for part in place[:-1]:
        fields = {field.alias or name: field.annotation for name, field in model.model_fields.items()}
        model = next(_models(fields[str(part)]), model) if part in fields else model
    return [field.alias or name for name, field in model.model_fields.items()]


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for one in get_args(annotation):
        yield from _models(one)
