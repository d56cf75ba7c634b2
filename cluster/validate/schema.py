"""A walk through a JSON schema that names the line: Ray's ray-schema.json, KubeRay's CRDs, the clouds' field names.

Known are the words that these use: type, properties, patternProperties, additionalProperties, required, items, enum,
minimum, pattern, nullable, $ref, and Kubernetes' int-or-string. Others are passed over.
"""

import functools
import re
from collections.abc import Iterator
from typing import Any

from cluster.names import nearest_of
from cluster.validate.finding import Problem, listed, problem
from cluster.validate.tree import Item

_NAMES = {
    "object": "a mapping",
    "array": "a list",
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "nothing",
}


def check(item: Item, schema: dict[str, Any], root: dict[str, Any] | None = None) -> Iterator[Problem]:
    """What in `item` the schema does not allow. `root`: the document that a $ref of the schema starts from."""
    root = root if root is not None else schema
    if "$ref" in schema:
        schema = functools.reduce(lambda at, part: at[part], schema["$ref"].removeprefix("#/").split("/"), root)
    wanted = _types(schema)
    if wanted and not any(_is(item.value, kind) for kind in wanted):
        names = " or ".join(_NAMES[kind] for kind in wanted if kind != "null")
        quote = (
            ": quote it, because a colon makes a key" if wanted == ["string"] and isinstance(item.value, dict) else ""
        )
        near = _meant(item.value, wanted)
        hint = ": write it without quotes" if near and isinstance(item.value, str) else quote
        yield problem(item, f"must be {names}, not {described(item.value)}{hint}", nearest=near)
        return
    if isinstance(item.value, dict):
        yield from _mapping(item, schema, root)
    elif isinstance(item.value, list) and "items" in schema:
        for child in item.children.values():
            yield from check(child, schema["items"], root)
    else:
        yield from _scalar(item, schema)


def described(value: Any) -> str:
    """A value for people: its kind and, where it is short, itself."""
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return f"the truth value {str(value).lower()}"
    if isinstance(value, str):
        return f"the text {value[:60]!r}"
    if isinstance(value, int | float):
        return f"the number {value}"
    return f"{type(value).__name__} {value}"


def _types(schema: dict[str, Any]) -> list[str]:
    if schema.get("x-kubernetes-int-or-string"):
        return ["integer", "number", "string"]
    declared = schema.get("type", [])
    kinds = [declared] if isinstance(declared, str) else list(declared)
    return [*kinds, "null"] if schema.get("nullable") and kinds else kinds


def _is(value: Any, kind: str) -> bool:
    if kind == "object":
        return isinstance(value, dict)
    if kind == "array":
        return isinstance(value, list)
    if kind == "string":
        return isinstance(value, str)
    if kind == "boolean":
        return isinstance(value, bool)
    if kind == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    if kind == "number":
        return isinstance(value, int | float) and not isinstance(value, bool)
    return value is None


def _meant(value: Any, wanted: list[str]) -> str | None:
    """How a value of the wrong type would be written in the right one, where that is plain."""
    if isinstance(value, str):
        if "boolean" in wanted and value.lower() in ("true", "false"):
            return value.lower()
        if "integer" in wanted and value.strip().isdigit():
            return value.strip()
    if "string" in wanted and isinstance(value, int | float):
        return f'"{str(value).lower() if isinstance(value, bool) else value}"'
    return None


def _mapping(item: Item, schema: dict[str, Any], root: dict[str, Any]) -> Iterator[Problem]:
    known = schema.get("properties", {})
    patterns = schema.get("patternProperties", {})
    rest = schema.get("additionalProperties")
    for name, child in item.children.items():
        matching = [s for pattern, s in patterns.items() if re.search(pattern, str(name))]
        if name in known:
            yield from check(child, known[name], root)
        elif matching:
            for each in matching:
                yield from check(child, each, root)
        elif isinstance(rest, dict):
            yield from check(child, rest, root)
        elif rest is False:
            yield problem(child, f"unknown key; valid here: {listed(known)}", nearest=nearest_of(name, known))
    for name in schema.get("required", []):
        if name not in item.children:
            yield problem(item, f"the key {name!r} is missing", below=name)


def _scalar(item: Item, schema: dict[str, Any]) -> Iterator[Problem]:
    value = item.value
    allowed = schema.get("enum")
    if allowed and value not in allowed:
        names = [str(each) for each in allowed]
        yield problem(item, f"{described(value)} is none of {listed(names)}", nearest=nearest_of(value, names))
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and "minimum" in schema and value < schema["minimum"]:
        yield problem(item, f"must be {schema['minimum']} or more, not {value}")
    if number and "maximum" in schema and value > schema["maximum"]:
        yield problem(item, f"must be {schema['maximum']} or less, not {value}")
    if isinstance(value, str) and "pattern" in schema and not re.search(schema["pattern"], value):
        hint = "a quantity such as 500m, 4 or 16Gi" if "KMGTPE" in schema["pattern"] else schema["pattern"]
        yield problem(item, f"{described(value)} does not have the form of {hint}")
    if isinstance(value, str) and len(value) < schema.get("minLength", 0):
        yield problem(item, "must not be empty")
