"""Rules about what is paid for though nothing runs on it. It may be meant, so each is a warning."""

from collections.abc import Iterator

from cluster.validate.finding import Problem, problem
from cluster.validate.launcher import Launcher
from cluster.validate.manifest import Manifests

_NEVER_GOES = (
    "so many machines are there, and paid for, as long as the cluster is up; 0: they come when a sweep needs them"
)


def always_up(file: Launcher) -> Iterator[Problem]:
    """Machines with GPUs come and go with the sweeps."""
    for node in file.gpu_workers if file.on_cloud else ():
        if node.item.number("min_workers"):
            yield problem(node.item.children["min_workers"], _NEVER_GOES, warning=True)


def kept_disks(file: Launcher) -> Iterator[Problem]:
    """Nothing of a machine is kept when it goes."""
    stopped = file.provider.get("cache_stopped_nodes")
    if stopped is not None and stopped.value is True:
        text = "machines are stopped, not ended: their disks are paid for until somebody deletes them"
        yield problem(stopped, text, nearest="false", warning=True)
    for item in file.root.walk():
        if item.key.endswith(".DeleteOnTermination") and item.value is False:
            text = "the disk stays when its machine goes, and is paid for until somebody deletes it"
            yield problem(item, text, nearest="true", warning=True)


def pods_always_up(file: Manifests) -> Iterator[Problem]:
    """As `always_up`."""
    for document in file.clusters:
        for group in document.workers:
            if (group.item.number("minReplicas") or 0) > 0:
                yield problem(group.item.children["minReplicas"], _NEVER_GOES.replace("machines", "pods"), warning=True)
