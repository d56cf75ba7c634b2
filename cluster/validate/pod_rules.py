"""Rules about the pods of KubeRay's manifests: names, resources, images."""

import re
from collections.abc import Iterator

from cluster.names import nearest_of
from cluster.validate import software
from cluster.validate.finding import Problem, listed, problem, some_gpus
from cluster.validate.machine_rules import SMALL_DISK_GB
from cluster.validate.manifest import GPU_RESOURCES, Manifests
from cluster.validate.software import START_OPTIONS
from cluster.validate.tree import Item

_BYTES = {"m": 1e-3, "": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


def start_params(file: Manifests) -> Iterator[Problem]:
    """rayStartParams are options of `ray start`; the CRD takes any text."""
    for document in file.clusters:
        for group in document.groups:
            for item in group.item.members("rayStartParams"):
                name = str(item.path[-1])
                if name not in START_OPTIONS:
                    near = nearest_of(name, START_OPTIONS)
                    yield problem(item, f"no option of `ray start`: {listed(START_OPTIONS)}", nearest=near)
                elif name in ("num-cpus", "num-gpus") and not str(item.value).strip().isdigit():
                    yield problem(item, f"must be a whole number in quotes, not {item.value!r}")


def resources(file: Manifests) -> Iterator[Problem]:
    """Names of resources; a mistyped GPU is one that no node has, so the pod waits for ever."""
    for document in file.clusters:
        scaler = document.spec.get("autoscalerOptions") if document.spec else None
        for container in [*document.containers(), *([scaler] if scaler else [])]:
            for kind in ("limits", "requests"):
                for item in container.members("resources", kind):
                    name = str(item.path[-1])
                    known = {"cpu", "memory", "ephemeral-storage", *GPU_RESOURCES}
                    near = nearest_of(name, known)
                    if name not in known and (near or "/" not in name) and not name.startswith("hugepages-"):
                        yield problem(item, f"no resource of Kubernetes: {listed(known)}", nearest=near)
                    elif name in ("memory", "ephemeral-storage") and (_size(item) or 2**24) < 2**24:
                        yield problem(item, f"{item.value} is {_size(item):g} bytes: a unit such as Gi is missing")
                    elif name in GPU_RESOURCES and not re.fullmatch(r"\d+", str(item.value)):
                        yield problem(item, f"GPUs are given out whole: {item.value!r} is no whole number")


def asked_and_limited(file: Manifests) -> Iterator[Problem]:
    """Pods of Ray have limits, ask for no more than these, and Ray counts the GPUs that its pod has."""
    for document in file.clusters:
        for group in document.groups:
            for container in group.containers[:1]:
                limits = container.get("resources", "limits")
                if isinstance(container.value, dict) and (limits is None or not limits.value):
                    text = "no limits: Ray takes a pod's CPUs and memory from them, or all of the node's"
                    yield problem(container, text, below="resources.limits", warning=group.is_head)
                for asked in container.members("resources", "requests"):
                    limit = container.get("resources", "limits", asked.path[-1])
                    most, wanted = (_size(limit) if limit else None), _size(asked)
                    if most is not None and wanted is not None and wanted > most:
                        yield problem(asked, f"asks for {asked.value}, more than its limit {limit and limit.value}")
                    elif asked.path[-1] in GPU_RESOURCES and (limit is None or most != wanted):
                        text = "Kubernetes refuses a pod whose `limits` do not give as many GPUs as it asks for"
                        yield problem(asked, text, nearest=f"limits: {{{asked.path[-1]}: {asked.value}}}")
            said, has = group.item.get("rayStartParams", "num-gpus"), group.resource(*GPU_RESOURCES)
            if said is not None and not group.is_head and str(said.value) != str(has.value if has else 0):
                text = f"its container has {some_gpus(has.value if has else 0)}, and Ray would believe {said.value}"
                yield problem(said, text, nearest=str(has.value if has else 0))
            cpus, limit = group.item.get("rayStartParams", "num-cpus"), group.resource("cpu")
            if cpus is not None and not group.is_head and str(cpus.value).strip().isdigit():
                most = _size(limit) if limit else None
                if int(cpus.value) == 0:
                    yield problem(cpus, "a worker without CPUs: Ray could place no trial there")
                elif most is not None and int(cpus.value) > most:
                    text = f"its container has {limit and limit.value} CPUs, and Ray would believe {cpus.value}"
                    yield problem(cpus, text, warning=True)


def volumes(file: Manifests) -> Iterator[Problem]:
    """What a container mounts is a volume of its pod."""
    for document in file.clusters:
        for group in document.groups:
            claims = group.item.members("template", "spec", "volumes")
            names = [volume.text("name") for volume in claims]
            for container in group.containers:
                for mount in container.members("volumeMounts"):
                    name = mount.get("name")
                    if name is not None and isinstance(name.value, str) and name.value not in names:
                        text = f"{name.value!r} is no volume of this pod: {listed(names) or 'it has none'}"
                        yield problem(name, text, nearest=nearest_of(name.value, names))


# Fixed values of Kubernetes that the CRDs take as any text.
_VALUES = {
    "serviceType": ("ClusterIP", "NodePort", "LoadBalancer", "ExternalName"),
    "effect": ("NoSchedule", "PreferNoSchedule", "NoExecute"),
    "imagePullPolicy": ("Always", "IfNotPresent", "Never"),
    "restartPolicy": ("Always", "OnFailure", "Never"),
    "submissionMode": ("K8sJobMode", "HTTPMode", "InteractiveMode", "SidecarMode"),
    "medium": ("Memory", "HugePages"),
    "protocol": ("TCP", "UDP", "SCTP"),
}


def pods(file: Manifests) -> Iterator[Problem]:
    """Each group is a pod with a container, there are workers, and Kubernetes' fixed values are among its own."""
    for document in file.clusters:
        if document.spec and document.heads and not document.workers:
            yield problem(document.spec, "no group of workers: no trial would run", below="workerGroupSpecs")
        for group in document.groups:
            if isinstance(group.item.value, dict) and not group.containers:
                yield problem(group.item, "its pod has no container", below="template.spec.containers")
        for item in document.root.walk():
            name = str(item.path[-1]) if item.path else ""
            valid = _VALUES.get(name, ())
            if name in ("containerPort", "hostPort") and isinstance(item.value, int) and not 0 < item.value < 65536:
                yield problem(item, f"{item.value} is no port: 1 to 65535")
            if name == "operator" and "tolerations" in item.path:
                valid = ("Exists", "Equal")
            if name == "operator" and "nodeAffinity" in item.path:
                valid = ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")
            if name == "medium" and item.value == "":
                valid = ()
            within = "env" in item.path or "labels" in item.path or "annotations" in item.path
            if valid and isinstance(item.value, str) and item.value not in valid and not within:
                text = f"{item.value!r} is none of {listed(valid)}"
                yield problem(item, text, nearest=nearest_of(_meant(item.value), valid))


def _meant(value: str) -> str:
    """NotExists, not_exists and the like are DoesNotExist, and no slip for Exists."""
    return "DoesNotExist" if re.fullmatch(r"(does|do)?[-_ ]?(not|n't|no)[-_ ]?exists?", value.lower()) else value


def group_names(file: Manifests) -> Iterator[Problem]:
    """Groups are told apart by their names."""
    for document in file.clusters:
        seen: dict[str, int] = {}
        for group in document.workers:
            name = group.item.text("groupName")
            if name and name in seen:
                text = f"the name {name!r} is given twice, first in line {seen[name]}"
                yield problem(group.item.children["groupName"], text)
            elif name:
                seen[name] = group.item.children["groupName"].line


def disk_size(file: Manifests) -> Iterator[Problem]:
    """A GPU worker that says how much disk it needs asks for enough."""
    for document in file.clusters:
        for group in document.workers:
            disk = group.resource("ephemeral-storage")
            size = (_size(disk) or 0) / 1e9 if disk else 0
            if group.gpus and disk and 0 < size < SMALL_DISK_GB:
                text = (
                    f"{size:.3g} GB is too small for a GPU worker, ask for {SMALL_DISK_GB}Gi: the image with CUDA and"
                )
                yield problem(disk, f"{text} torch, data, checkpoints and what Ray spills must fit")


def image_pinned(file: Manifests) -> Iterator[Problem]:
    """Every container has an image that is the same today and tomorrow."""
    for document in file.clusters:
        for container in document.containers():
            image = container.get("image")
            if image is None and isinstance(container.value, dict):
                yield problem(container, "no image is named", below="image")
            elif image is not None and isinstance(image.value, str):
                yield from software.unpinned_image(image)


def _size(item: Item) -> float | None:
    """Bytes, or CPUs, of a quantity such as 16Gi or 500m; None: it is none."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([kMGT]?i?|m)", str(item.value))
    return float(match[1]) * _BYTES[match[2]] if match and match[2] in _BYTES else None
