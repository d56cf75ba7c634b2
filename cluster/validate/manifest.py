"""Manifests for KubeRay as the rules see them: the documents of one file."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from cluster.pins import Pins
from cluster.validate.tree import Item

KINDS = ("RayCluster", "RayJob")
GPU_RESOURCES = ("nvidia.com/gpu", "amd.com/gpu")
# Labels by which Kubernetes services mark nodes that may be taken back, and the values that say so.
SPOT_LABELS = {
    "cloud.google.com/gke-spot": "true",
    "cloud.google.com/gke-preemptible": "true",
    "eks.amazonaws.com/capacitytype": "spot",
    "karpenter.sh/capacity-type": "spot",
    "kubernetes.azure.com/scalesetpriority": "spot",
}


@dataclass(frozen=True)
class Group:
    """The head or one group of workers: a template of a pod."""

    item: Item
    is_head: bool

    @property
    def containers(self) -> list[Item]:
        """The pod's containers; Ray runs in the first."""
        return self.item.members("template", "spec", "containers")

    def resource(self, *names: str) -> Item | None:
        """A resource that the first container asks for, as a limit or a request."""
        for kind in ("limits", "requests"):
            for name in names:
                found = self.containers[0].get("resources", kind, name) if self.containers else None
                if found is not None:
                    return found
        return None

    @property
    def gpus(self) -> Item | None:
        """What asks for GPUs; None: none."""
        found = self.resource(*GPU_RESOURCES) or self.item.get("rayStartParams", "num-gpus")
        return None if found is None or str(found.value) == "0" else found

    @property
    def spot(self) -> Item | None:
        """What puts this group on spot nodes."""
        for item in self.item.walk():
            name = str(item.path[-1]).lower() if item.path else ""
            if SPOT_LABELS.get(name) == str(item.value).lower():
                return item
            key = item.get("key")
            values = [str(value.value).lower() for value in item.members("values")]
            if key and SPOT_LABELS.get(str(key.value).lower()) in values and item.text("operator") == "In":
                return key
        return None


@dataclass(frozen=True)
class RayDocument:
    """One RayCluster or RayJob."""

    root: Item

    @property
    def kind(self) -> str:
        """RayCluster or RayJob."""
        return self.root.text("kind")

    @cached_property
    def spec(self) -> Item | None:
        """The cluster's spec, which a job holds inside its own."""
        path = ("spec", "rayClusterSpec") if self.kind == "RayJob" else ("spec",)
        spec = self.root.get(*path)
        return spec if spec is not None and isinstance(spec.value, dict) else None

    @cached_property
    def groups(self) -> list[Group]:
        """The head's group, if there is one, then the workers'."""
        if self.spec is None:
            return []
        head = self.spec.get("headGroupSpec")
        workers = [Group(item, False) for item in self.spec.members("workerGroupSpecs")]
        return [*([Group(head, True)] if head else []), *workers]

    @property
    def workers(self) -> list[Group]:
        """The groups of workers."""
        return [group for group in self.groups if not group.is_head]

    @property
    def heads(self) -> list[Group]:
        """The head's group, in a list that may be empty."""
        return [group for group in self.groups if group.is_head]

    def containers(self) -> Iterator[Item]:
        """Every container of every pod, those that only prepare included."""
        pods = [group.item.get("template", "spec") for group in self.groups]
        pods.append(self.root.get("spec", "submitterPodTemplate", "spec"))
        for pod in pods:
            if pod is not None:
                yield from (*pod.members("initContainers"), *pod.members("containers"))


@dataclass(frozen=True)
class Manifests:
    """The documents of one file, and what they are compared with."""

    documents: list[Item]
    here: Pins

    @cached_property
    def clusters(self) -> list[RayDocument]:
        """The documents that are KubeRay's, as far as this package knows them."""
        return [RayDocument(root) for root in self.documents if root.text("kind") in KINDS]

    @property
    def heads(self) -> list[Group]:
        """The heads of all of them."""
        return [head for document in self.clusters for head in document.heads]
