"""A JSON schema of space files, for editors: names, types, ranges, and what each key means.

It follows from the models that check a space, so it knows what they know of one key at a time. What depends on several
keys, such as a window inside the epochs, only `gan-sweep launch --dry-run` checks.
"""

from typing import Any

from orchestrator.pruning import RULES
from orchestrator.space.domains import searchable
from orchestrator.space.objectives import COSTS
from orchestrator.space.sections import SAMPLERS, SCHEDULERS
from orchestrator.space.space import Space
from trainers.config import TrainConfig, field_names
from trainers.metric_names import VALUES, measurable

FILE = "space.schema.json"
# Words that YAML 1.1, which is read here, takes for true and false, and YAML 1.2, as editors read it, for texts.
_ON_OFF = {"enum": [True, False, "on", "off", "yes", "no"]}
_CLASS_WEIGHTS = r"^loss\.class_weights\..+"


def space_schema() -> dict[str, Any]:
    """The schema, as JSON Schema 2020-12."""
    from trainers.families import FAMILIES
    from trainers.losses import LOSSES
    from trainers.metrics import extractor_names
    from trainers.metrics.outside import FORM
    from trainers.networks import NETWORKS, TRANSLATORS
    from trainers.regimes import REGIMES

    schema = Space.model_json_schema(by_alias=True)
    parts, keys = schema["$defs"], schema["properties"]
    del keys["name"]
    schema["required"].remove("name")
    for part, name, values in (
        ("TrainConfig", "family", FAMILIES),
        ("NetworkConfig", "name", [*NETWORKS, *TRANSLATORS]),
        ("LossConfig", "name", LOSSES),
        ("RegimeConfig", "name", REGIMES),
        ("SamplerConfig", "name", SAMPLERS),
        ("SchedulerConfig", "name", SCHEDULERS),
    ):
        parts[part]["properties"][name]["enum"] = sorted(values)
    names = [{"enum": extractor_names()}, {"type": "string", "pattern": f"^{FORM.pattern}$"}]
    parts["FidConfig"]["properties"]["extractor"] |= {"anyOf": names}
    for part in ("FidConfig", "ConfirmConfig"):
        parts[part]["properties"]["metrics"]["items"] = {"enum": list(VALUES)}
    bound = {"type": "string", "pattern": r"^\s*(>=|<=)\s*\S+\s*$"}
    keys["constraints"] |= {"properties": dict.fromkeys(measurable(), bound), "additionalProperties": False}
    keys["objectives"]["items"] = {"enum": [*measurable(), *COSTS]}
    keys["pruning"]["anyOf"] = [_ON_OFF, _rules()]
    domain = keys["search"]["additionalProperties"]
    for one in ("FloatRange", "IntRange", "Choice"):
        several = parts[one]["properties"]["when"]["additionalProperties"]
        parts[one]["properties"]["when"]["additionalProperties"] = {"anyOf": [several, several["items"]]}
    keys["search"] |= _by_key({name: domain for name in field_names() if searchable(name)}, domain)
    value = parts["Choice"]["properties"]["choice"]["items"]
    keys["points"]["items"] |= _by_key(dict.fromkeys(filter(searchable, field_names()), value), value)
    keys["demo"] |= _by_key({**dict.fromkeys(field_names(), value), "trials": keys["trials"]}, value)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "gan-sweep space"}


def _by_key(properties: dict[str, Any], class_weight: Any) -> dict[str, Any]:
    """The schema of a mapping from dotted names of a config, each with what it means."""
    described = {
        name: {**schema, **({"description": text} if (text := description_of(name)) else {})}
        for name, schema in properties.items()
    }
    return {
        "properties": described,
        "patternProperties": {_CLASS_WEIGHTS: class_weight},
        "additionalProperties": False,
    }


def description_of(name: str) -> str:
    """What a dotted key of a config means; empty where the config does not say it."""
    model: Any = TrainConfig
    *sections, key = name.split(".")
    for section in sections:
        model = getattr(model.model_fields.get(section), "annotation", None)
        if not hasattr(model, "model_fields"):
            return ""
    field = model.model_fields.get(key)
    return (field.description or "") if field is not None else ""


def _rules() -> dict[str, Any]:
    """The ``pruning:`` mapping."""
    rules = {name: {"anyOf": [_ON_OFF, rule.model_json_schema()]} for name, rule in RULES.items()}
    return {"type": "object", "properties": rules, "additionalProperties": False}
