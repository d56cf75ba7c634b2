"""The clouds' own field names, as schemas: what may stand in `node_config`.

data/CLOUD_fields.yaml is in a short notation: a mapping is closed (no other key may stand in it), [x] is a list of x,
`str`, `int` (0 or more), `number`, `bool`, `texts` (a mapping of texts to texts) and `any` are types, and a|b|c is one
of these words.
"""

import functools
from pathlib import Path
from typing import Any

import yaml

_DATA = Path(__file__).parent / "data"
_TYPES: dict[str, dict[str, Any]] = {
    "str": {"type": "string"},
    "int": {"type": "integer", "minimum": 0},
    "number": {"type": "number"},
    "bool": {"type": "boolean"},
    "texts": {"type": "object", "additionalProperties": {"type": "string"}},
    "any": {},
}


def schema_of(short: Any, *, digits: bool = False) -> dict[str, Any]:
    """A JSON schema of the short notation. `digits`: whole numbers may be texts of digits, as in Google's JSON."""
    if isinstance(short, dict):
        properties = {key: schema_of(value, digits=digits) for key, value in short.items()}
        return {"type": "object", "properties": properties, "additionalProperties": False}
    if isinstance(short, list):
        return {"type": "array", "items": schema_of(short[0], digits=digits)}
    if short == "int" and digits:
        return {"type": ["integer", "string"], "pattern": r"^\d+$", "minimum": 0}
    if short in _TYPES:
        return dict(_TYPES[short])
    return {"type": "string", "enum": short.split("|")}


@functools.cache
def read(name: str) -> Any:
    """A file of data/."""
    return yaml.safe_load((_DATA / name).read_text())


@functools.cache
def node_config_schema(cloud: str) -> dict[str, Any]:
    """What a node type's node_config may hold on `cloud` (aws, gcp or azure)."""
    schema = schema_of(read(f"{cloud}_fields.yaml")["node_config"], digits=cloud == "gcp")
    if cloud == "gcp":
        # Ray's own examples write scheduling as a list of one mapping, and Google's API takes that too.
        one = schema["properties"]["scheduling"]
        schema["properties"]["scheduling"] = {**one, "type": ["object", "array"], "items": one}
    return schema


@functools.cache
def aws_instance_types() -> frozenset[str]:
    """Every instance type that EC2 knows."""
    return frozenset(f"{family}.{size}" for family, sizes in read("aws_instance_types.yaml").items() for size in sizes)


@functools.cache
def zone_letters(cloud: str, region: str) -> str:
    """The letters of a region's zones on aws or gcp, such as ``abc``; empty where they are not known."""
    return str(read("zones.yaml").get(cloud, {}).get(region, ""))


@functools.cache
def sizes(cloud: str) -> dict[str, list[int]]:
    """Families of gcp or azure that are complete (``g2-standard-#``), and the numbers that may stand for #."""
    return dict(read("machine_sizes.yaml").get(cloud, {}))


@functools.cache
def regions(cloud: str) -> frozenset[str]:
    """Every region of aws, gcp or azure (there: location) that was known when the file was made."""
    return frozenset(read("regions.yaml")[cloud])
