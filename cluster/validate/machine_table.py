"""The GPU table (cluster/gpus.yaml) as the rules need it: by the name of the machine type."""

from collections.abc import Mapping
from dataclasses import dataclass

from cluster.gpus import GpuTable, load_gpus


@dataclass(frozen=True)
class GpuMachine:
    """A machine type with GPUs, or one of GCP's to which GPUs are attached."""

    gpu_type: str  # T4, L4, A10G, A100, A100-80GB or H100
    gpus: int  # in one machine; 0 where they are attached
    regions: frozenset[str]  # known to have it; empty: not known
    accelerator: str | None = None  # what is attached, e.g. nvidia-tesla-t4; None: the GPUs are the machine's own
    vcpus: int | None = None  # None: not known


# Cloud -> machine type -> what it is.
MachineTable = Mapping[str, Mapping[str, GpuMachine]]


def machine_table(table: GpuTable | None = None) -> MachineTable:
    """The machines of a table by cloud and name. None: the table of this package."""
    found: dict[str, dict[str, GpuMachine]] = {}
    for row in (table or load_gpus()).machines:
        gpus = 0 if row.accelerator else row.gpus
        machine = GpuMachine(str(row.gpu), gpus, frozenset(row.zones), row.accelerator, row.vcpus)
        found.setdefault(row.cloud, {})[row.name] = machine
    return found
