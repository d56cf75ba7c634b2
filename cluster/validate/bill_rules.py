"""Rules about what is paid for though nothing runs on it, or more than once. What may be meant is a warning."""

import re
from collections.abc import Iterator

from cluster.validate.batch_script import BatchScript
from cluster.validate.finding import Problem, problem
from cluster.validate.launcher import Launcher
from cluster.validate.manifest import Manifests

_DISK_STAYS = "the disk stays when its machine goes, and is paid for until somebody deletes it"
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
            yield problem(item, _DISK_STAYS, nearest="true", warning=True)
        if item.key.endswith(".evictionPolicy") and item.value == "Deallocate":
            text = "a machine that is taken back is stopped, not ended: its disk is paid for until somebody deletes it"
            yield problem(item, text, nearest="Delete", warning=True)
    for node in file.node_types if file.cloud == "gcp" else ():
        for disk in node.item.members("node_config", "disks"):
            # One that is made with its machine; others were there before, and SCRATCH ones always go with it.
            if disk.get("initializeParams") is None or disk.text("type") == "SCRATCH":
                continue
            delete = disk.get("autoDelete")
            if delete is None:
                text = f"Google's own choice is false: {_DISK_STAYS}"
                yield problem(disk, text, below="autoDelete", nearest="autoDelete: true", warning=True)
            elif delete.value is False:
                yield problem(delete, _DISK_STAYS, nearest="true", warning=True)


def spot_request(file: Launcher) -> Iterator[Problem]:
    """A request for a spot machine ends with its machine: a persistent one is opened again, whoever ended that."""
    for item in file.root.walk() if file.cloud == "aws" else ():
        if item.key.endswith(".SpotInstanceType") and item.value == "persistent":
            text = "when Ray ends the machine AWS opens the request again, and starts another that nobody ends"
            yield problem(item, text, nearest="one-time")


def pods_always_up(file: Manifests) -> Iterator[Problem]:
    """As `always_up`."""
    for document in file.clusters:
        for group in document.workers:
            if (group.item.number("minReplicas") or 0) > 0:
                yield problem(group.item.children["minReplicas"], _NEVER_GOES.replace("machines", "pods"), warning=True)


def rented_again(file: Manifests) -> Iterator[Problem]:
    """A RayJob that failed is tried again on a cluster of its own, which is paid for as the first one was."""
    for document in file.clusters:
        tries = document.root.number("spec", "backoffLimit") if document.kind == "RayJob" else None
        if tries is not None and tries > 1:
            item = document.root.children["spec"].children["backoffLimit"]
            text = (
                f"a sweep that fails is begun again up to {tries:g} times, each time on a new cluster that is paid for"
            )
            yield problem(item, text, nearest="0", warning=True)


def job_array(file: BatchScript) -> Iterator[Problem]:
    """A sweep is one job: an array is that many allocations, each with nodes and a Ray of its own."""
    for each in file.values("--array"):
        jobs = 0
        for first, last, step in re.findall(r"(\d+)(?:-(\d+))?(?::(\d+))?", (each.value or "").partition("%")[0]):
            jobs += max(0, int(last or first) - int(first)) // max(1, int(step or 1)) + 1
        if jobs > 1:
            text = f"Slurm runs the script {jobs} times, each time with all the nodes and GPUs that it asks for"
            yield problem(each.item, text, warning=True)
