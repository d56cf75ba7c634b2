"""KubeRay's own schemas: CustomResourceDefinitions, in the folder that GAN_SWEEP_KUBERAY_CRDS names.

They are part of KubeRay (ray-operator/config/crd/bases of its repository, or `kubectl get crd -o yaml`), and far too
large to be copied into this package.
"""

import functools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from cluster.names import nearest_of
from cluster.validate.finding import Problem, problem
from cluster.validate.manifest import KINDS, Manifests, RayDocument
from cluster.validate.schema import check

try:  # a definition has a megabyte, which takes the C loader a sixth of the time
    from yaml import CSafeLoader as SafeLoader
except ImportError:
    from yaml import SafeLoader  # type: ignore[assignment]

VARIABLE = "GAN_SWEEP_KUBERAY_CRDS"
_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
# What one writes by hand of Kubernetes' ObjectMeta, which the CRDs leave open.
_METADATA = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "generateName": {"type": "string"},
        "namespace": {"type": "string"},
        "labels": _TEXTS,
        "annotations": _TEXTS,
        "finalizers": {"type": "array"},
        "ownerReferences": {"type": "array"},
    },
    "additionalProperties": False,
}

# Without the definitions: the outermost keys, and those by which the rules find their way.
_DOCUMENT = {
    "type": "object",
    "properties": {"apiVersion": {}, "kind": {}, "metadata": {}, "spec": {}, "status": {}},
    "additionalProperties": False,
}
_SPEC = (
    *("rayVersion", "authOptions", "enableInTreeAutoscaling", "autoscalerOptions", "headGroupSpec", "workerGroupSpecs"),
    *("suspend", "upgradeStrategy"),
)
_GROUP = ("groupName", "replicas", "minReplicas", "maxReplicas", "rayStartParams", "template", "priority")

_WHOLE, _TRUTH = {"type": "integer"}, {"type": "boolean"}
# What the rules read as a number or a truth value: as a text it would pass them by.
_TYPED: dict[str, Any] = {
    "properties": {
        **dict.fromkeys(("suspend", "shutdownAfterJobFinishes"), _TRUTH),
        **dict.fromkeys(("ttlSecondsAfterFinished", "backoffLimit", "activeDeadlineSeconds"), _WHOLE),
        **dict.fromkeys(("replicas", "minReplicas", "maxReplicas"), _WHOLE),
        "autoscalerOptions": {"properties": {"idleTimeoutSeconds": _WHOLE}},
    }
}


def kinds(file: Manifests) -> Iterator[Problem]:
    """Each document says what it is; KubeRay's are RayCluster and RayJob of ray.io/v1."""
    for root in file.documents:
        kind, version = root.get("kind"), root.get("apiVersion")
        for name in ("kind", "apiVersion"):
            if not root.text(name):
                yield problem(root, f"the key {name!r} is missing or no text", below=name)
        if not root.text("kind"):  # else `structure` looks at the keys
            near = nearest_of("kind", (str(key) for key in root.children))
            if near and near != "kind":
                yield problem(root.children[near], "unknown key", nearest="kind")
        ray = root.text("apiVersion").startswith("ray.io")
        if kind and (ray or root.text("kind").startswith("Ray")) and root.text("kind") not in KINDS:
            text = f"{kind.value!r} is not a kind that is known here: RayCluster or RayJob"
            yield problem(kind, text, nearest=nearest_of(kind.value, KINDS))
        if version and root.text("kind") in KINDS and version.value not in ("ray.io/v1", "ray.io/v1alpha1"):
            yield problem(version, f"{version.value!r} is no version of KubeRay's", nearest="ray.io/v1")


def structure(file: Manifests) -> Iterator[Problem]:
    """Types, unknown fields, required ones and fixed values, by KubeRay's own schemas."""
    folder = os.environ.get(VARIABLE, "")
    for document in file.clusters:
        metadata = document.root.get("metadata")
        if metadata is None:
            yield problem(document.root, "the key 'metadata' is missing", below="metadata")
        else:
            yield from check(metadata, _METADATA)
            if not metadata.get("name") and not metadata.get("generateName"):
                yield problem(metadata, "the key 'name' is missing", below="name")
        if document.root.get("spec") is None:
            yield problem(document.root, "the key 'spec' is missing", below="spec")
        schema = crd_schema(folder, document.kind, document.root.text("apiVersion").rpartition("/")[2])
        if schema is None:
            where = f"holds no such definition ({folder})" if folder else "is not set"
            text = f"the structure of this {document.kind} is not checked: {VARIABLE} {where}"
            yield from check(document.root, _DOCUMENT)
            yield from _slips(document)
            if document.root.text("apiVersion"):
                yield problem(document.root, text, warning=True)
        else:
            found = check(document.root, schema)
            yield from (each for each in found if each.key.split(".")[-1] != "rayVersion")  # `versions` knows which


def _slips(document: RayDocument) -> Iterator[Problem]:
    """Keys that are very like one that is not there; others may be those of a newer KubeRay."""
    places = [(document.spec, _SPEC), *((group.item, _GROUP) for group in document.groups)]
    for place, known in places:
        for name, child in place.children.items() if place else ():
            near = nearest_of(name, (key for key in known if place and key not in place.children), cutoff=0.8)
            if near and name not in known:
                yield problem(child, "unknown key", nearest=near)
    typed = [document.root.get("spec"), document.spec, *(group.item for group in document.groups)]
    for path in dict.fromkeys(item.path for item in typed if item):
        yield from check(document.root.nearest(path), _TYPED)
    if document.spec and not document.heads:
        yield problem(document.spec, "the key 'headGroupSpec' is missing", below="headGroupSpec")


@functools.cache
def crd_schema(folder: str, kind: str, version: str) -> dict[str, Any] | None:
    """The schema of `kind` in the definitions of a folder; None where it is not there."""
    if not folder or not Path(folder).is_dir():
        return None
    for path in sorted(Path(folder).glob(f"*{kind.lower()}s.y*ml")):
        try:
            definition = yaml.load(path.read_bytes(), Loader=SafeLoader)
            versions = definition["spec"]["versions"]
            schema = next(v["schema"]["openAPIV3Schema"] for v in versions if v["name"] == version)
        except (yaml.YAMLError, KeyError, TypeError, StopIteration):
            continue
        schema["properties"]["metadata"] = {"type": "object"}
        return _closed(schema)
    return None


def _closed(schema: Any) -> Any:
    """The same schema, where a mapping takes only the keys that are listed: Kubernetes drops the others unsaid."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    open_ended = "additionalProperties" in schema or schema.get("x-kubernetes-preserve-unknown-fields")
    # A property of a resource may itself be called "properties"; a schema has a type beside it.
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object" and not open_ended:
        closed["additionalProperties"] = False
    return closed
