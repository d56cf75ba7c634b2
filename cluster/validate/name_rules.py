"""Rules about names: what clouds and Kubernetes take as the name of a cluster, and as labels."""

import re
from collections.abc import Iterator

from cluster.validate.finding import Problem, problem
from cluster.validate.launcher import Launcher
from cluster.validate.manifest import Manifests

# Ray calls Google's instances, which have at most 63 letters, ray-NAME-worker-12345678-compute (its gcp/node.py), and
# Azure's ray-NAME-worker-1234-1234, cut after 64 (its _azure/node_provider.py): the end tells them apart.
_LONGEST = {"gcp": 35, "azure": 43}
_LONG = 63
_CLOUD_NAME = re.compile(r"[A-Za-z0-9]([\w.-]*[A-Za-z0-9])?", re.ASCII)
_DNS_LABEL = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_DNS_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
# MaxRayClusterNameLength and MaxRayJobNameLength of KubeRay's ray-operator/controllers/ray/utils/constant.go.
_KUBERAY_LONGEST = {"RayCluster": 53, "RayJob": 47}


def cluster_name(file: Launcher) -> Iterator[Problem]:
    """The cluster's name is part of what the cloud's machines are called and labelled by."""
    given = file.root.get("cluster_name")
    if given is None or not isinstance(given.value, str):
        return
    name, most = given.value, _LONGEST.get(file.cloud, _LONG)
    if not name.strip():
        yield problem(given, "must not be empty", nearest="gan-sweep")
    elif len(name) > most:
        yield problem(given, f"{len(name)} letters, and {most} at most make a machine's name on {file.cloud}")
    elif file.cloud == "gcp" and not _DNS_LABEL.fullmatch(name):
        text = f"{name!r} makes no name on Google Cloud: small letters, digits and dashes, a letter first"
        yield problem(given, text, nearest=_meant(name))
    elif not _CLOUD_NAME.fullmatch(name):
        text = f"{name!r} is part of file names and shell commands: letters, digits, dashes, dots and underscores"
        yield problem(given, text, nearest=_meant(name))


def cloud_labels(file: Launcher) -> Iterator[Problem]:
    """Labels of Google Cloud have small letters."""
    for node in file.node_types if file.cloud == "gcp" else ():
        for item in node.item.members("node_config", "labels"):
            key = str(item.path[-1])
            if not re.fullmatch(r"(?!\d)[^\WA-Z][\w-]{0,62}", key) or key != key.lower():
                yield problem(
                    item, "no label of Google Cloud: small letters, digits, _ and -, at most 63, a letter first"
                )
            elif isinstance(item.value, str) and (
                not re.fullmatch(r"[\w-]{0,63}", item.value) or item.value != item.value.lower()
            ):
                text = (
                    f"{item.value!r} is no value of a label of Google Cloud: small letters, digits, _ and -, at most 63"
                )
                yield problem(item, text, nearest=_meant(item.value))


def names(file: Manifests) -> Iterator[Problem]:
    """What Kubernetes, and KubeRay, take as names."""
    for root in file.documents:
        given = root.get("metadata", "name")
        if given is None or not isinstance(given.value, str):
            continue
        kind, name = root.text("kind"), given.value
        most = _KUBERAY_LONGEST.get(kind, 253)
        if len(name) > most:
            yield problem(
                given, f"{len(name)} letters, and {kind} takes {most}: names of its services are made from it"
            )
        elif kind in _KUBERAY_LONGEST and not _DNS_LABEL.fullmatch(name):
            text = f"{name!r} is no name for KubeRay: small letters, digits and dashes, a letter first"
            yield problem(given, text, nearest=_meant(name))
        elif not _DNS_SUBDOMAIN.fullmatch(name):
            text = f"{name!r} is no name for Kubernetes: small letters, digits, dashes and dots"
            yield problem(given, text, nearest=_meant(name))


def labels(file: Manifests) -> Iterator[Problem]:
    """Keys and values of labels have the form that Kubernetes takes; annotations have such keys."""
    for item in (item for root in file.documents for item in root.walk()):
        place = item.path[-3:-1]
        known = place in {("metadata", "labels"), ("metadata", "annotations")} or place[-1:] == ("nodeSelector",)
        if len(item.path) < 2 or not known:
            continue
        prefix, slash, name = str(item.path[-1]).rpartition("/")
        if not _is_value(name) or not name or (slash and (not _DNS_SUBDOMAIN.fullmatch(prefix) or len(prefix) > 253)):
            text = "no key of a label: PREFIX/NAME or NAME, of letters, digits, -, _ and ., at most 63 letters"
            yield problem(item, text)
        elif "annotations" not in place and isinstance(item.value, str) and not _is_value(item.value):
            text = f"{item.value[:80]!r} is no value of a label: letters, digits, -, _ and ., at most 63"
            yield problem(item, text, nearest=_meant(item.value, capitals=True))


def _is_value(text: str) -> bool:
    return not text or (len(text) <= 63 and bool(_CLOUD_NAME.fullmatch(text)))


def _meant(name: str, *, capitals: bool = False) -> str | None:
    """The same with dashes for what is not taken; None where nothing is left."""
    text = name if capitals else name.lower()
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-")[:_LONG] or None
