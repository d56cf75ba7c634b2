"""GPU types, the machines that hold them, and indicative prices: `gpus.yaml`, and a file of the user's over it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from cluster.errors import ClusterError
from cluster.names import one_of, wrong_name

TABLE = Path(__file__).parent / "gpus.yaml"
_SECTIONS = ("gpu_types", "sources", "heads", "machines")


@dataclass(frozen=True, kw_only=True)
class Price:
    """US dollars per machine and hour, without disks, traffic and taxes.

    Attributes:
        on_demand, spot: None where no source was found.
        region: where it holds.
        date: when it was read, YYYY-MM-DD.
        source: where it was read.
        key: what the table calls that source.
    """

    on_demand: float | None = None
    spot: float | None = None
    region: str | None = None
    date: str | None = None
    source: str | None = None
    key: str | None = None


@dataclass(frozen=True, kw_only=True)
class GpuType:
    """Attributes:
    memory_gb: memory of one GPU.
    gke, product, karpenter: what Kubernetes nodes with it are labelled with; None where nobody labels it so.
    """

    name: str
    memory_gb: int
    gke: str | None = None
    product: str | None = None
    karpenter: str | None = None


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A machine type of one cloud.

    Attributes:
        gpu, gpus: type and number of its GPUs; None and 0 for a head.
        gpu_memory_gb: memory of one GPU.
        name: the provider's name of the machine type.
        memory_gb: main memory.
        accelerator: what has to be attached to the machine to have the GPUs; None where it brings them.
        zones: region -> zone, None where the provider chooses one itself.
        table: the file of the user's that the row is from; None for the table of this package.
    """

    cloud: str
    gpu: str | None
    gpus: int
    gpu_memory_gb: int
    name: str
    vcpus: int
    memory_gb: int
    accelerator: str | None
    zones: Mapping[str, str | None]
    price: Price
    table: Path | None = None


@dataclass(frozen=True, kw_only=True)
class GpuTable:
    """All of them; `heads` has one machine without GPUs per cloud."""

    types: Mapping[str, GpuType]
    heads: Mapping[str, Machine]
    machines: tuple[Machine, ...]

    def of(self, cloud: str) -> tuple[Machine, ...]:
        """The GPU machines of a cloud; none for one that has no machine types of its own."""
        return tuple(machine for machine in self.machines if machine.cloud == cloud)

    def names(self, cloud: str) -> list[str]:
        """The GPU types that a cloud has, in the table's order."""
        return list(dict.fromkeys(str(machine.gpu) for machine in self.of(cloud)))

    def machine(self, cloud: str, gpu: str, gpus: int | None = None) -> Machine:
        """The machine type with so many GPUs of a type; None for the fewest that there are.

        Raises:
            ClusterError: the cloud has no such type, or no machine with that number of them.
        """
        one_of(f"GPU type of {cloud}", gpu, self.names(cloud))
        found = {machine.gpus: machine for machine in self.of(cloud) if machine.gpu == gpu}
        if gpus is None:
            return found[min(found)]
        if gpus not in found:
            raise wrong_name(f"number of {gpu} GPUs per machine of {cloud}", gpus, sorted(found))
        return found[gpus]


def load_gpus(override: Path | None = None) -> GpuTable:
    """The table of this package; rows of `override`, a file of the same form, replace its rows or are added.

    Raises:
        ClusterError: the file cannot be read, or is not of that form.
    """
    tables = [_read(TABLE)] + ([_read(override)] if override else [])
    try:
        return _build(tables, override)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, ClusterError):
            raise
        where = override or TABLE
        raise ClusterError(
            f"a GPU table has the form of cluster/gpus.yaml: {where}: {type(error).__name__}: {error}"
        ) from None


def _read(file: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(file.read_text()) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise ClusterError(f"a GPU table is a readable YAML file: {file}: {reason}") from None
    if not isinstance(found, dict):
        raise ClusterError(f"a GPU table has sections: {file}: valid: {', '.join(_SECTIONS)}")
    for section in found:
        one_of(f"section of {file}", str(section), _SECTIONS)
    return found


def _build(tables: list[dict[str, Any]], override: Path | None) -> GpuTable:
    def merged(section: str) -> dict[str, Any]:
        return {name: row for table in tables for name, row in (table.get(section) or {}).items()}

    sources = merged("sources")
    types = {name: GpuType(name=name, **row) for name, row in merged("gpu_types").items()}
    files = (None, override)
    heads = {
        cloud: _machine(cloud, row, types, sources, file)
        for table, file in zip(tables, files, strict=False)
        for cloud, row in (table.get("heads") or {}).items()
    }
    rows: dict[tuple[str, str | None, int], Machine] = {}
    for table, file in zip(tables, files, strict=False):
        for cloud, lines in (table.get("machines") or {}).items():
            for line in lines:
                machine = _machine(cloud, line, types, sources, file)
                rows[cloud, machine.gpu, machine.gpus] = machine
    return GpuTable(types=MappingProxyType(types), heads=MappingProxyType(heads), machines=tuple(rows.values()))


def _machine(
    cloud: str, row: Mapping[str, Any], types: Mapping[str, GpuType], sources: Mapping[str, Any], table: Path | None
) -> Machine:
    row = dict(row)
    gpu, regions = row.pop("gpu", None), row.pop("regions", {})
    if gpu is not None:
        one_of(f"GPU type of a machine of {cloud}", str(gpu), types)
    machine = Machine(
        cloud=cloud,
        gpu=gpu,
        gpus=int(row.pop("gpus", 0)),
        gpu_memory_gb=int(row.pop("gpu_memory_gb", types[gpu].memory_gb if gpu else 0)),
        name=row.pop("machine"),
        vcpus=int(row.pop("vcpus")),
        memory_gb=int(row.pop("memory_gb")),
        accelerator=row.pop("accelerator", None),
        zones=MappingProxyType(dict(regions) if isinstance(regions, dict) else dict.fromkeys(regions)),
        price=_price(cloud, row, sources),
        table=table,
    )
    for key in row:
        raise wrong_name(
            f"key of a machine of {cloud}", key, ("gpu", "gpus", "machine", "vcpus", "memory_gb", "regions")
        )
    return machine


def _price(cloud: str, row: dict[str, Any], sources: Mapping[str, Any]) -> Price:
    """Take the price out of a row. A price never comes without its source."""
    on_demand, spot, source = row.pop("on_demand", None), row.pop("spot", None), row.pop("source", None)
    if on_demand is None and spot is None:
        return Price()
    about = sources[one_of(f"source of a price of {cloud}", str(source), sources)]
    where, when = about["region"], str(about["date"])
    return Price(on_demand=on_demand, spot=spot, region=where, date=when, source=about["text"], key=str(source))
