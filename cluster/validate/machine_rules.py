"""Rules about machine types, their GPUs and their disks."""

import re
from collections.abc import Iterable, Iterator, Mapping

from cluster.names import nearest_of
from cluster.validate.fields import aws_instance_types, read, regions, sizes
from cluster.validate.finding import Problem, listed, problem, some_gpus
from cluster.validate.launcher import Launcher, NodeType
from cluster.validate.machine_table import GpuMachine
from cluster.validate.tree import Item

# Families with NVIDIA GPUs, by the names that the clouds give them.
_GPU_FAMILIES = {
    "aws": re.compile(r"(p\d|g\d|gr\d)\w*(-\w+)*\."),
    "gcp": re.compile(r"(a2|a3|a4|a4x|g2|g4)-"),
    "azure": re.compile(r"Standard_N", re.IGNORECASE),
}
_FORMS = {
    "aws": (re.compile(r"[a-z0-9-]+\.[a-z0-9-]+"), "m7i.large"),
    "gcp": (re.compile(r"[a-z]\w*-[a-z0-9-]+"), "n2-standard-4"),
    "azure": (re.compile(r"(Standard|Basic)_[A-Z][\w-]*"), "Standard_D4s_v5"),
}
_GCP_KINDS = frozenset(read("options.yaml")["gcp_machine_kinds"])
# This package and what it needs take about 7 GB installed (Makefile), and more as an image, which is stored packed and
# unpacked; drivers, data, checkpoints and what Ray spills to disk come on top. The templates have this size.
SMALL_DISK_GB = 100
SMALL_HEAD_DISK_GB = 50


def machine_type(file: Launcher) -> Iterator[Problem]:
    """The machine type exists; one with GPUs is in the GPU table and known to be had in the region."""
    for node in file.node_types:
        name = node.machine_name
        if not file.on_cloud or not name or node.machine is None:
            continue
        table = file.machines.get(file.cloud, {})
        form, example = _FORMS[file.cloud]
        if not form.fullmatch(name):
            yield problem(node.machine, f"{name!r} is no machine type", nearest=_like(file, node) or example)
        elif file.cloud == "gcp" and name.split("-")[1] not in _GCP_KINDS:
            text = f"{name!r} is no machine type: {listed(_GCP_KINDS, 20)} may follow the family"
            yield problem(node.machine, text, nearest=nearest_of(name.split("-")[1], _GCP_KINDS))
        elif file.cloud == "aws" and name not in aws_instance_types():
            family = [known for known in aws_instance_types() if known.startswith(_family("aws", name) + ".")]
            others = f": {listed(family)}" if family else ""
            yield problem(
                node.machine, f"{name!r} is no instance type of EC2{others}", nearest=_like(file, node, family)
            )
        elif (numbers := sizes(file.cloud).get(_family(file.cloud, name))) and _size(name) not in numbers:
            pattern = _family(file.cloud, name).replace("#", "{}")
            closest = pattern.format(min(numbers, key=lambda number: abs(number - _size(name))))
            near = _like(file, node, [closest])
            text = f"there is no {name!r}: {', '.join(pattern.format(number) for number in numbers)}"
            yield problem(node.machine, text, nearest=near)
        elif table and not node.gpu_machine and _brings_gpus(file, node):
            yield _not_in_table(file, node, node.machine)
        else:
            yield from _in_region(file, node, node.machine)


def _like(file: Launcher, node: NodeType, first: Iterable[str] = ()) -> str | None:
    """The machine most like the one named, of those in `first`, then of all; for a head one without GPUs."""
    table = file.machines.get(file.cloud, {})
    every = set(aws_instance_types()) if file.cloud == "aws" else set()
    every |= {form.replace("#", str(n)) for form, numbers in sizes(file.cloud).items() for n in numbers}
    for names in (first, () if node.is_head else table, every):
        fit = [name for name in names if not (node.is_head and _GPU_FAMILIES[file.cloud].match(name))]
        if near := nearest_of(node.machine_name, fit):
            return near
    return None


def _not_in_table(file: Launcher, node: NodeType, machine: Item) -> Problem:
    """A machine with GPUs that the table does not have: of a family that it has, it may be another size."""
    cloud, name, table = file.cloud, node.machine_name, file.machines[file.cloud]
    if cloud == "gcp" and name.startswith("n1-"):
        text = f"{name!r} has no GPUs of its own, and `guestAccelerators` attaches none: Ray would wait for them"
        return problem(machine, text)
    like = next((known for known in table if _family(cloud, known) == _family(cloud, name)), None)
    if like is not None:
        text = f"{name!r} is not in the GPU table as {like!r} is: its GPUs and regions are not checked"
        return problem(machine, f"{text}; --gpus-file adds it", warning=True)
    text = f"{name!r} is not in the GPU table, to which --gpus-file adds; its GPU machines of {cloud}: {listed(table)}"
    return problem(machine, text, nearest=None if node.is_head else nearest_of(name, table))


def _family(cloud: str, name: str) -> str:
    """What machines of several sizes have in common: ``g5``, ``g2-standard-#``, ``Standard_NC#as_T4_v3``."""
    if cloud == "aws":
        return name.split(".")[0]
    return re.sub(r"\d+(?=[a-z]*$)", "#", name) if cloud == "gcp" else re.sub(r"\d+", "#", name, count=1)


def _size(name: str) -> int:
    """The number that `_family` leaves out of a name of gcp or azure; 0: it has none."""
    number = re.search(r"\d+(?=[a-z]*$)", name) if "-" in name else re.search(r"\d+", name)
    return int(number[0]) if number else 0


def _vcpus(cloud: str, name: str, table: Mapping[str, GpuMachine]) -> tuple[int | None, bool]:
    """How many vCPUs a machine has, None where nothing says it, and whether that is certain."""
    if (row := table.get(name)) is not None and row.vcpus:
        return row.vcpus, True
    if _size(name) in sizes(cloud).get(_family(cloud, name), ()) and not name.endswith("g"):
        return _size(name), True
    if cloud == "aws" and (size := re.fullmatch(r"[a-z0-9-]+\.(\d*)xlarge", name)):
        return 4 * int(size[1] or 1), False  # so it is in nearly all families
    return None, False


def worker_cpus(file: Launcher) -> Iterator[Problem]:
    """`resources: {CPU: n}` of a worker is what its machine has: Ray believes the number."""
    for node in file.node_types if file.heads else ():
        said = node.item.number("resources", "CPU")
        has, certain = _vcpus(file.cloud, node.machine_name, file.machines.get(file.cloud, {}))
        if node.is_head or said is None:
            continue
        item = node.item.children["resources"].children["CPU"]
        if said <= 0:
            text = "a worker without CPUs: Ray could place no trial there"
            yield problem(item, text, nearest=str(has) if has else None)
        elif has is not None and said > has:
            text = f"{node.machine_name} has {has} vCPUs{'' if certain else ' by its name'}, not {said:g}"
            yield problem(item, text, nearest=str(has), warning=not certain)


def _brings_gpus(file: Launcher, node: NodeType) -> bool:
    """Whether the GPUs must be the machine's own: only GCP can attach some."""
    family = _GPU_FAMILIES[file.cloud].match(node.machine_name)
    return bool(family) or bool(node.gpus and not node.accelerators)


def accelerator(file: Launcher) -> Iterator[Problem]:
    """GPUs that GCP attaches to a machine are of a type that exists."""
    known = {row.accelerator: row for row in file.machines.get(file.cloud, {}).values() if row.accelerator}
    zone = file.provider.text("availability_zone")
    for each in (each for node in file.node_types for each in node.accelerators):
        given = each.get("acceleratorType")
        name = str(given.value).rsplit("/", 1)[-1] if given else ""
        names = [str(key) for key in known]
        if given is None and isinstance(each.value, dict):
            yield problem(each, "the key 'acceleratorType' is missing", below="acceleratorType")
        elif given is not None and known and name not in known:
            text = f"{name!r} is not in the GPU table: {listed(names)}"
            yield problem(given, text, nearest=nearest_of(name, names))
        elif given is not None and "zones/" in str(given.value) and f"zones/{zone}/" not in str(given.value):
            yield problem(given, f"is of another zone than {zone!r}")
        count = each.number("acceleratorCount")
        if count is not None and count not in (1, 2, 4, 8):
            yield problem(
                each.children["acceleratorCount"], f"{count:g} GPUs: Google attaches 1, 2, 4 or 8 to a machine"
            )
    for node in file.node_types:
        if (
            node.accelerators
            and node.machine
            and node.machine_name
            and not node.machine_name.startswith(("n1-", "custom-"))
        ):
            yield problem(
                node.machine, f"Google attaches GPUs to machines of the n1 series, not to {node.machine_name!r}"
            )


def _in_region(file: Launcher, node: NodeType, machine: Item) -> Iterator[Problem]:
    place = file.provider.text("location" if file.cloud == "azure" else "region")
    row = node.gpu_machine
    if file.cloud == "azure":
        place = place.replace(" ", "").lower()  # "West US 2" is westus2
    if row and place in regions(file.cloud) and row.regions and place not in row.regions:  # others: rule region
        text = f"{node.machine_name} ({row.gpu_type}) is not known to be had in {place}; known: {listed(row.regions)}"
        yield problem(machine, text, nearest=nearest_of(place, row.regions))


def gpu_count(file: Launcher) -> Iterator[Problem]:
    """`resources: {GPU: n}` is what the machine has: Ray believes the number and waits for GPUs that are not there."""
    for node in file.node_types:
        said = node.item.number("resources", "GPU")
        has = _machine_gpus(node)
        if said is not None and has is not None and said != has and not node.is_head:
            text = f"{node.machine_name} has {some_gpus(has)}, not {said:g}"
            yield problem(node.item.children["resources"].children["GPU"], text, nearest=f"{has:g}")
        elif said is None and has and not node.is_head and node.item.get("resources"):
            text = f"{node.machine_name} has {some_gpus(has)}, and `resources` does not say so: add GPU: {has:g}"
            yield problem(node.item.children["resources"], text, below="GPU", warning=True)


def resource_names(file: Launcher) -> Iterator[Problem]:
    """Ray's resources are CPU, GPU and memory; another spelling is a resource that nobody asks for."""
    known = ("CPU", "GPU", "TPU", "memory", "object_store_memory")
    for node in file.node_types:
        for item in node.item.members("resources"):
            near = nearest_of(item.path[-1], known)
            if near and item.path[-1] not in known:
                yield problem(item, f"no resource of Ray's: {listed(known)}", nearest=near)


def host_maintenance(file: Launcher) -> Iterator[Problem]:
    """Google cannot move a machine with GPUs while it runs; it must be ended instead."""
    for node in file.node_types if file.cloud == "gcp" else []:
        for place in (("scheduling",), ("scheduling", 0)):
            given = node.item.get("node_config", *place, "onHostMaintenance")
            if given is not None and given.value == "MIGRATE" and node.gpus:
                yield problem(given, "a machine with GPUs cannot be moved while it runs", nearest="TERMINATE")


def _machine_gpus(node: NodeType) -> float | None:
    if node.accelerators:
        return node.accelerators[0].number("acceleratorCount")
    return node.gpu_machine.gpus if node.gpu_machine else None


def disk_size(file: Launcher) -> Iterator[Problem]:
    """A GPU worker's disk holds the image with CUDA and torch, data, checkpoints, spilled objects; the head's less."""
    for head in file.heads:
        disk, size = _disk(head)
        if size is not None and size < SMALL_HEAD_DISK_GB:
            text = f"a disk of {size:g} GB is too small for the head, give {SMALL_HEAD_DISK_GB}"
            yield problem(disk, f"{text}: the machine's image, Python with torch, MLflow's tables and logs must fit")
    reason = "CUDA, torch, the image packed and unpacked, data, checkpoints and what Ray spills must fit"
    for node in file.gpu_workers:
        disk, size = _disk(node)
        if size is not None and size < SMALL_DISK_GB:
            yield problem(disk, f"a disk of {size:g} GB is too small for a GPU worker, give {SMALL_DISK_GB}: {reason}")
        elif size is None and file.on_cloud and node.item.get("node_config"):
            text = f"no disk size: the image's own disk is often under {SMALL_DISK_GB} GB, and {reason}"
            yield problem(disk, text, warning=True)


def _disk(node: NodeType) -> tuple[Item, float | None]:
    """The item that says how large the largest disk is, and its size in GB; None: it does not say."""
    config = node.item.get("node_config") or node.item
    if node.cloud == "aws":
        sizes = [disk.get("Ebs", "VolumeSize") for disk in config.members("BlockDeviceMappings")]
    elif node.cloud == "gcp":
        boot = [disk for disk in config.members("disks") if disk.get("initializeParams")]
        sizes = [disk.get("initializeParams", "diskSizeGb") or disk.get("diskSizeGb") for disk in boot]
    else:
        sizes = [config.get("azure_arm_parameters", "osDiskSize")]
    known = [(float(item.value), item) for item in sizes if item and re.fullmatch(r"\d+(\.\d+)?", str(item.value))]
    if not known:
        return config, None
    size, item = max(known, key=lambda pair: pair[0])
    return item, size
