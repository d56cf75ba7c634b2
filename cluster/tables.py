"""Text tables: which clouds there are, and what one of them has."""

from collections.abc import Sequence
from pathlib import Path

from cluster.clouds import CLOUDS
from cluster.gpus import GpuTable, Machine, load_gpus
from cluster.names import one_of

_HEAD = (
    *("GPU", "GPUs", "GB each", "machine", "vCPUs", "GB"),
    *("$/h", "$/h spot", "price from", "row of", "regions"),
)


def list_clouds(gpus_file: Path | None = None) -> str:
    """One line per cloud: its name, what it is, its GPU types."""
    table = load_gpus(gpus_file)
    rows = [(cloud.name, cloud.title, ", ".join(table.names(cloud.name) or table.types)) for cloud in CLOUDS.values()]
    return _table(("cloud", "what", "GPU types"), rows)


def describe(cloud: str, gpus_file: Path | None = None) -> str:
    """What a cloud has: its machines with their prices, the prices' sources, and what the laptop needs for it.

    Raises:
        ClusterError: there is no such cloud, or the GPU table is wrong.
    """
    row, table = CLOUDS[one_of("cloud", cloud, CLOUDS)], load_gpus(gpus_file)
    machines = [*table.of(cloud), *([table.heads[cloud]] if cloud in table.heads else [])]
    parts = [row.title, f"needs: {row.installed}", f"bucket: such as {row.bucket_example}"]
    if row.region:
        parts.append(f"region where none is given: {row.region}")
    if machines:
        parts += ["", _table(_HEAD, [_line(machine) for machine in machines]), "", *_prices(table, cloud)]
    else:
        parts.append(f"GPU types: {', '.join(table.types)}; the machines are those that it has")
    return "\n".join(parts)


def _line(machine: Machine) -> tuple[str, ...]:
    price = machine.price
    return (
        machine.gpu or "(head)",
        *(str(number) if machine.gpu else "-" for number in (machine.gpus, machine.gpu_memory_gb)),
        machine.name,
        str(machine.vcpus),
        str(machine.memory_gb),
        *("?" if usd is None else f"{usd:.3f}" for usd in (price.on_demand, price.spot)),
        f"{price.key}, {price.date}" if price.key else "-",
        str(machine.table or "gan-sweep"),
        " ".join(machine.zones) or "-",
    )


def _prices(table: GpuTable, cloud: str) -> list[str]:
    rows = [*table.of(cloud), *(head for name, head in table.heads.items() if name == cloud)]
    sources = {(m.price.key, m.price.region, m.price.date, m.price.source) for m in rows if m.price.source}
    found = [f"  {key}: {region}, {date}: {source}" for key, region, date, source in sorted(sources, key=str)]
    return [
        "Prices are indicative: US dollars per machine and hour, without disks and traffic; ?: no source. From:",
        *found,
    ]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in [head, *rows]]
    return "\n".join(line.rstrip() for line in lines)
