"""The launcher's rules, for KubeRay's manifests."""

import shlex
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import PurePath

from cluster.validate import network, secret_rules, software
from cluster.validate.finding import Problem, problem
from cluster.validate.manifest import Manifests, RayDocument
from cluster.validate.schema import described
from cluster.validate.tree import Item
from cluster.validate.worker_rules import LONG_IDLE_MINUTES


def worker_counts(file: Manifests) -> Iterator[Problem]:
    """minReplicas <= replicas <= maxReplicas of each group."""
    for document in file.clusters:
        for group in document.workers:
            low, now, high = (group.item.number(name) for name in ("minReplicas", "replicas", "maxReplicas"))
            if low is not None and low < 0:
                yield problem(group.item.children["minReplicas"], f"must be 0 or more, not {low}")
            elif low is not None and high is not None and low > high:
                text = f"minReplicas {low} is more than maxReplicas {high}"
                yield problem(group.item.children["minReplicas"], text)
            elif now is not None and high is not None and now > high:
                yield problem(group.item.children["replicas"], f"replicas {now} is more than maxReplicas {high}")
            elif now is not None and low is not None and now < low:
                yield problem(group.item.children["replicas"], f"replicas {now} is less than minReplicas {low}")


def max_workers(file: Manifests) -> Iterator[Problem]:
    """Each group says how large it may grow: KubeRay's own limit is 2,147,483,647."""
    for document in file.clusters:
        for group in document.workers:
            if isinstance(group.item.value, dict) and group.item.get("maxReplicas") is None:
                yield problem(group.item, "the key 'maxReplicas' is missing", below="maxReplicas")
        if document.workers and all(group.item.number("maxReplicas") == 0 for group in document.workers):
            item = document.workers[0].item.children["maxReplicas"]
            yield problem(item, "no worker may ever start: no trial would run")


def idle_timeout(file: Manifests) -> Iterator[Problem]:
    """Autoscaling is on, idle pods go, and a job's cluster goes with the job."""
    for document in file.clusters:
        if document.spec is None:
            continue
        scaling = document.spec.get("enableInTreeAutoscaling")
        idle = document.spec.get("autoscalerOptions", "idleTimeoutSeconds")
        seconds = document.spec.number("autoscalerOptions", "idleTimeoutSeconds")
        if scaling is None or scaling.value is not True:
            item, below = (scaling, "") if scaling else (document.spec, "enableInTreeAutoscaling")
            yield problem(item, "without autoscaling workers stay up when they have nothing to do", below=below)
        elif idle is None:
            text = "say after how many idle seconds a pod goes"
            yield problem(document.spec, text, below="autoscalerOptions.idleTimeoutSeconds")
        elif seconds is not None and seconds < 0:
            yield problem(idle, f"must be 0 or more, not {seconds}")
        elif seconds is not None and seconds > LONG_IDLE_MINUTES * 60:
            yield problem(idle, f"an idle pod is paid for {seconds / 60:g} minutes", warning=True)
        yield from _job_ends(document)


def _job_ends(document: RayDocument) -> Iterator[Problem]:
    spec = document.root.get("spec")
    if document.kind != "RayJob" or spec is None:
        return
    shutdown = spec.get("shutdownAfterJobFinishes")
    if shutdown is None or shutdown.value is not True:
        item, below = (shutdown, "") if shutdown else (spec, "shutdownAfterJobFinishes")
        yield problem(item, "must be true, or the cluster stays up, and is paid for, after the job", below=below)
    seconds = spec.number("ttlSecondsAfterFinished")
    if seconds is not None and seconds > LONG_IDLE_MINUTES * 60:
        text = f"the cluster is paid for {seconds / 60:g} minutes after the job"
        yield problem(spec.children["ttlSecondsAfterFinished"], text, warning=True)


def entrypoint(file: Manifests) -> Iterator[Problem]:
    """A job has something to do, and a cluster to do it on."""
    for document in file.clusters:
        spec = document.root.get("spec")
        if document.kind == "RayJob" and spec is not None and isinstance(spec.value, dict):
            if not spec.text("entrypoint").strip() and spec.text("submissionMode") != "InteractiveMode":
                given = spec.get("entrypoint")
                below = "" if given else "entrypoint"
                yield problem(given or spec, "a job without entrypoint does nothing", below=below)
            yield from _launched(spec)
            if spec.get("rayClusterSpec") is None and spec.get("clusterSelector") is None:
                yield problem(spec, "the key 'rayClusterSpec' is missing", below="rayClusterSpec")


def _launched(spec: Item) -> Iterator[Problem]:
    """A `gan-sweep launch` without an address starts a Ray of its own in the head's pod, which has no GPU."""
    try:
        words = shlex.split(spec.text("entrypoint"))
    except ValueError:  # a quote too many, which the shell will say
        return
    if not any(PurePath(one).name == "gan-sweep" and then == "launch" for one, then in pairwise(words)):
        return
    given = {word.partition("=")[0] for word in words}
    if "--address" not in given:
        text = "without --address `gan-sweep launch` trains on a Ray of its own in the head's pod: --address auto"
        yield problem(spec.children["entrypoint"], text)
    if "--sweeps-dir" not in given:
        text = "without --sweeps-dir the sweep is kept in the head's pod, and goes with it: name a bucket"
        yield problem(spec.children["entrypoint"], text, warning=True)


def head_gpu(file: Manifests) -> Iterator[Problem]:
    """The head lives as long as the cluster; a GPU in it is paid for all that time."""
    for head in file.heads:
        if head.gpus:
            yield problem(head.gpus, "the head has GPUs: they are paid for as long as the cluster is up")


def head_trains(file: Manifests) -> Iterator[Problem]:
    """`num-cpus: "0"` keeps trials away from the head, where broker, driver and MLflow run."""
    for head in file.heads:
        params, cpus = head.item.get("rayStartParams"), head.item.get("rayStartParams", "num-cpus")
        if cpus is None:
            below = "num-cpus" if params else "rayStartParams.num-cpus"
            yield problem(params or head.item, 'the head would train: give it num-cpus: "0"', below=below)
        elif str(cpus.value).strip() != "0":
            yield problem(cpus, 'the head would train: give it num-cpus: "0"')


def head_spot(file: Manifests) -> Iterator[Problem]:
    """When a spot head is taken back, the cluster and its sweep go with it."""
    for head in file.heads:
        if head.spot:
            yield problem(head.spot, "the head is on a spot node: the sweep would end when it is taken back")


def spot_fallback(file: Manifests) -> Iterator[Problem]:
    """Where spot nodes run out, a group on demand lets the sweep go on."""
    for document in file.clusters:
        groups = [group for group in document.workers if group.gpus]
        spot = [group.spot for group in groups if group.spot]
        if spot and len(spot) == len(groups):
            yield problem(spot[0], "every group with GPUs is on spot nodes; have one that is not", warning=True)


def versions(file: Manifests) -> Iterator[Problem]:
    """Ray, Python and this package are the same in rayVersion, images, commands and here."""
    for document in file.clusters:
        version = document.spec.get("rayVersion") if document.spec else None
        given = version.value if version else None
        if version is None and document.spec is not None:
            text = "not given: KubeRay chooses what it does by it"
            yield problem(document.spec, text, below="rayVersion", nearest=file.here.ray, warning=True)
        elif version and not isinstance(given, str):
            text = f"must be a version as a text, to the patch, not {described(given)}"
            yield problem(version, text, nearest=file.here.ray)
        elif version and isinstance(given, str) and not software.same(given, file.here.ray, patch=True):
            text = f"Ray {given}, and here it is {file.here.ray}: a cluster refuses jobs of another Ray"
            yield problem(version, text, nearest=file.here.ray)
        texts = list(_texts(document))
        yield from software.differing(texts, file.here)
        yield from software.unpinned_ray(texts, file.here)


def variables(file: Manifests) -> Iterator[Problem]:
    """What gan-sweep reads from the environment has the names that it reads."""
    for document in file.clusters:
        names = [item.children["name"] for item in document.root.walk() if "env" in item.path and item.text("name")]
        yield from software.unknown_variables([*names, *_texts(document)])


def open_server(file: Manifests) -> Iterator[Problem]:
    """Servers beside Ray, such as MLflow, answer inside their pod. Ray's dashboard must answer on 0.0.0.0 there."""
    opened = any(
        item.path and item.path[-1] in ("serviceType", "type") and item.value in ("LoadBalancer", "NodePort")
        for root in file.documents
        for item in root.walk()
    )
    for container in (each for document in file.clusters for each in document.containers()):
        for part in ("command", "args"):
            given = container.get(part)
            words = " ".join(str(item.value) for item in container.members(part))
            if given is None or "ray start" in words:
                continue
            for found in network.open_servers([replace(given, value=words)]):
                reach = "whoever reaches its service" if opened else "every pod of the Kubernetes cluster"
                text = f"{found.text}: {reach} could use it, and no token of Ray's stands before it"
                yield replace(found, text=text, warning=not opened)


def open_port(file: Manifests) -> Iterator[Problem]:
    """No service is open to the world. The dashboard's host is not looked at: inside a pod it must be 0.0.0.0."""
    for root in file.documents:
        yield from network.world_open(item for item in root.walk() if "egress" not in item.key.lower())
        for item in root.walk():
            last = item.path[-1] if item.path else ""
            if last in ("serviceType", "type") and item.value in ("LoadBalancer", "NodePort"):
                limited = root.nearest(item.path[:-1]).get("loadBalancerSourceRanges")
                if last == "serviceType" or not limited:
                    text = (
                        f"a {item.value} opens the dashboard to whoever reaches the nodes, and it runs what it is sent"
                    )
                    yield problem(item, text, nearest="ClusterIP")
            if last == "externalIPs" and item.value:
                yield problem(item, "opens the service to whoever reaches these addresses")
            if last == "hostPort":
                yield problem(item, "opens the port on the machine itself, to whoever reaches the nodes")
            if last == "kind" and len(item.path) == 1 and item.value == "Ingress":
                yield problem(
                    item, "an Ingress opens the service to whoever reaches it; `kubectl port-forward` does not"
                )
            if last in ("hostNetwork", "privileged") and item.value is True:
                yield problem(item, "takes away the walls between the pod and its machine")


def secret(file: Manifests) -> Iterator[Problem]:
    """Nothing secret in clear."""
    for root in file.documents:
        yield from secret_rules.secret(root)
        for item in [*root.members("data"), *root.members("stringData")] if root.text("kind") == "Secret" else []:
            if item.value and not any(True for _ in secret_rules.secret_here(root, item)):
                text = "base64 hides nothing: make the Secret with `kubectl create secret`, and leave it out of files"
                yield problem(item, text)


def _texts(document: RayDocument) -> Iterator[Item]:
    """Images, commands, and the environment that runtimeEnvYAML asks for."""
    for item in document.root.walk():
        part = next((p for p in reversed(item.path) if isinstance(p, str)), "")
        if isinstance(item.value, str) and part in ("image", "command", "args", "entrypoint", "runtimeEnvYAML"):
            yield item
