"""A file of Ray's cluster launcher as the rules see it."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from cluster.pins import Pins
from cluster.validate.machine_table import GpuMachine, MachineTable
from cluster.validate.tree import Item

CLOUDS = ("aws", "gcp", "azure", "local")
COMMAND_LISTS = (
    "initialization_commands",
    "setup_commands",
    "head_setup_commands",
    "worker_setup_commands",
    "head_start_ray_commands",
    "worker_start_ray_commands",
)


@dataclass(frozen=True)
class NodeType:
    """One entry of available_node_types."""

    name: str
    item: Item
    is_head: bool
    cloud: str
    machines: MachineTable

    @property
    def machine(self) -> Item | None:
        """The machine type as the file gives it."""
        config = {
            "aws": ("InstanceType",),
            "gcp": ("machineType",),
            "azure": ("azure_arm_parameters", "vmSize"),
        }
        return self.item.get("node_config", *config[self.cloud]) if self.cloud in config else None

    @property
    def machine_name(self) -> str:
        """The machine type without the address that GCP lets one write before it."""
        name = self.machine.value if self.machine else ""
        return name.rsplit("/", 1)[-1] if isinstance(name, str) else ""

    @property
    def gpu_machine(self) -> GpuMachine | None:
        """Its row of the GPU table, if the GPUs are the machine's own."""
        row = self.machines.get(self.cloud, {}).get(self.machine_name)
        return row if row and not row.accelerator else None

    @property
    def gpus(self) -> float:
        """GPUs that this type is said to have, or that its machine has."""
        said = self.item.number("resources", "GPU")
        if said is not None:
            return said
        return self.gpu_machine.gpus if self.gpu_machine else float(bool(self.accelerators))

    @property
    def accelerators(self) -> list[Item]:
        """GCP attaches GPUs to a machine that has none of its own."""
        return self.item.members("node_config", "guestAccelerators") if self.cloud == "gcp" else []

    @property
    def spot(self) -> Item | None:
        """What makes this a spot machine; None: it is on demand."""
        config = self.item.get("node_config")
        if config is None:
            return None
        if self.cloud == "aws":
            market = config.get("InstanceMarketOptions", "MarketType")
            return market if market and market.value == "spot" else None
        if self.cloud == "azure":
            priority = config.get("azure_arm_parameters", "priority")
            return priority if priority and priority.value in ("Spot", "Low") else None
        for scheduling in (config.get("scheduling"), config.get("scheduling", 0)):
            preemptible = scheduling.get("preemptible") if scheduling else None
            model = scheduling.get("provisioningModel") if scheduling else None
            if preemptible and preemptible.value is True:
                return preemptible
            if model and model.value == "SPOT":
                return model
        return None


@dataclass(frozen=True)
class Launcher:
    """The file, and what it is compared with."""

    root: Item
    here: Pins  # versions of the process that asks
    machines: MachineTable

    @property
    def cloud(self) -> str:
        """provider.type; empty where it is missing or no text."""
        return self.root.text("provider", "type")

    @property
    def provider(self) -> Item:
        """The provider section, or the file where it is missing."""
        return self.root.get("provider") or self.root

    @property
    def on_cloud(self) -> bool:
        """Whether machines are rented: everything but a list of hosts."""
        return self.cloud in ("aws", "gcp", "azure")

    @cached_property
    def node_types(self) -> list[NodeType]:
        """Every node type that is a mapping."""
        head = self.root.text("head_node_type")
        items = [item for item in self.root.members("available_node_types") if isinstance(item.value, dict)]
        return [NodeType(str(i.path[-1]), i, i.path[-1] == head, self.cloud, self.machines) for i in items]

    @property
    def heads(self) -> list[NodeType]:
        """The head's type, in a list that is empty where the file names none that exists."""
        return [node for node in self.node_types if node.is_head]

    @property
    def gpu_workers(self) -> list[NodeType]:
        """Node types with GPUs that are not the head's."""
        return [node for node in self.node_types if not node.is_head and node.gpus]

    def commands(self) -> Iterator[Item]:
        """Every shell command, of the file and of its node types."""
        for place in (self.root, *(node.item for node in self.node_types)):
            for name in COMMAND_LISTS:
                yield from (item for item in place.members(name) if isinstance(item.value, str))

    def images(self) -> Iterator[Item]:
        """Every container image."""
        for place in (self.root, *(node.item for node in self.node_types)):
            for name in ("image", "head_image", "worker_image"):
                image = place.get("docker", name)
                if image is not None and isinstance(image.value, str):
                    yield image
