"""Rules about the head: small, on demand, and not for training."""

from collections.abc import Iterator

from cluster.validate import software
from cluster.validate.finding import Problem, problem, some_gpus
from cluster.validate.launcher import Launcher


def head_gpu(file: Launcher) -> Iterator[Problem]:
    """The head lives as long as the cluster; a GPU in it is paid for all that time."""
    for head in file.heads:
        said = head.item.get("resources", "GPU")
        if said is not None and head.gpus:
            yield problem(said, "the head has GPUs: they are paid for as long as the cluster is up")
        elif head.gpu_machine and head.machine:
            text = f"the head is a {head.machine_name} with {some_gpus(head.gpu_machine.gpus)}"
            yield problem(head.machine, f"{text}, paid as long as the cluster is up")
        elif head.accelerators:
            yield problem(head.accelerators[0], "the head has GPUs: they are paid for as long as the cluster is up")


def head_trains(file: Launcher) -> Iterator[Problem]:
    """`resources: {CPU: 0}` keeps trials away from the head, where broker, driver and MLflow run."""
    for head in file.heads:
        cpus = head.item.get("resources", "CPU")
        resources = head.item.get("resources")
        if cpus is None and resources is not None and isinstance(resources.value, dict):
            yield problem(
                resources, "the head would train: give it `CPU: 0`, so that trials go to workers", below="CPU"
            )
        elif cpus is not None and head.item.number("resources", "CPU"):
            yield problem(cpus, "the head would train: give it `CPU: 0`, so that trials go to workers")
    commands = [item for item in file.root.members("head_start_ray_commands") if isinstance(item.value, str)]
    yield from software.head_resources(commands, named=file.cloud == "local")


def head_spot(file: Launcher) -> Iterator[Problem]:
    """When a spot head is taken back, the cluster and its sweep go with it."""
    for head in file.heads:
        if head.spot:
            yield problem(head.spot, "the head is a spot machine: the sweep would end when the cloud takes it back")
