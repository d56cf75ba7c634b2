"""The table of GPU types, machines and prices."""

import datetime
from pathlib import Path

import pytest

from cluster.errors import ClusterError
from cluster.gpus import Machine, load_gpus

TABLE = load_gpus()


def test_the_types_that_the_table_is_for() -> None:
    assert list(TABLE.types) == ["T4", "L4", "A10G", "A100", "A100-80GB", "H100"]
    assert TABLE.names("aws") == list(TABLE.types)
    assert set(TABLE.names("gcp")) == {"T4", "L4", "A100", "A100-80GB", "H100"}
    assert set(TABLE.names("azure")) == {"T4", "A100", "A100-80GB", "H100"}


@pytest.mark.parametrize("machine", [*TABLE.machines, *TABLE.heads.values()], ids=lambda m: f"{m.cloud} {m.name}")
def test_a_price_never_comes_from_nowhere(machine: Machine) -> None:
    price = machine.price
    known = [usd for usd in (price.on_demand, price.spot) if usd is not None]
    assert all(0 < usd < 200 for usd in known)
    if known:
        assert price.source and price.region and datetime.date.fromisoformat(str(price.date))
    else:
        assert price.source is None
    if price.on_demand and price.spot:
        assert price.spot < price.on_demand


@pytest.mark.parametrize("machine", TABLE.machines, ids=lambda m: f"{m.cloud} {m.name}")
def test_machines_have_what_a_machine_has(machine: Machine) -> None:
    assert machine.gpus >= 1 and machine.vcpus >= 4 * (machine.gpus > 0) and machine.memory_gb >= 16
    assert machine.zones
    if machine.cloud == "gcp":
        assert all(zone and zone.rsplit("-", 1)[0] == region for region, zone in machine.zones.items())


def test_no_machine_stands_there_twice() -> None:
    names = [(machine.cloud, machine.name, machine.gpus) for machine in TABLE.machines]
    assert len(set(names)) == len(names)


def test_none_is_the_smallest_machine() -> None:
    assert TABLE.machine("aws", "A100").gpus == 8
    assert TABLE.machine("gcp", "A100").gpus == 1


@pytest.mark.parametrize(
    ("cloud", "gpu", "gpus", "text"),
    [
        ("azure", "L4", 1, "unknown GPU type of azure 'L4': did you mean T4? valid: T4, A100, A100-80GB, H100"),
        (
            "aws",
            "h100",
            8,
            "unknown GPU type of aws 'h100': did you mean H100? valid: T4, L4, A10G, A100, A100-80GB, H100",
        ),
        ("aws", "T4", 2, "unknown number of T4 GPUs per machine of aws '2': valid: 1, 4, 8"),
    ],
)
def test_a_wrong_choice_says_the_right_ones(cloud: str, gpu: str, gpus: int, text: str) -> None:
    with pytest.raises(ClusterError) as error:
        TABLE.machine(cloud, gpu, gpus)
    assert str(error.value) == text


def test_a_file_of_the_users_replaces_and_adds_rows(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        """
gpu_types:
  B200: {memory_gb: 180, product: NVIDIA-B200}
sources:
  contract: {region: us-east-1, date: 2026-10-01, text: our contract}
machines:
  aws:
    - {gpu: T4, gpus: 1, machine: g4dn.xlarge, vcpus: 4, memory_gb: 16, on_demand: 0.4, source: contract,
       regions: [us-east-1]}
    - {gpu: B200, gpus: 8, machine: p6-b200.48xlarge, vcpus: 192, memory_gb: 2048, regions: [us-west-2]}
"""
    )
    mine = load_gpus(file)
    assert mine.machine("aws", "T4", 1).price.on_demand == 0.4
    assert mine.machine("aws", "T4", 1).price.source == "our contract"
    assert mine.machine("aws", "B200", 8).gpu_memory_gb == 180
    assert mine.machine("aws", "T4", 4) == TABLE.machine("aws", "T4", 4)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("machnies: {}", r"unknown section of .* 'machnies': did you mean machines\?"),
        ("[1]", "a GPU table has sections"),
        ("machines: {aws: [{gpu: T5, machine: x}]}", r"unknown GPU type of a machine of aws 'T5'"),
        ("machines: {aws: [{gpu: T4, machine: x, vcpus: 4, memory_gb: 1, on_demand: 1}]}", "unknown source of a price"),
        ("machines: {aws: [{gpu: T4, machine: x, vcpus: 4, memory_gb: 1, gpu_count: 1}]}", "unknown key of a machine"),
        ("machines: {aws: [{gpu: T4}]}", "a GPU table has the form of cluster/gpus.yaml"),
        ("machines: {aws: 3}", "a GPU table has the form of cluster/gpus.yaml"),
        ("a: [", "a GPU table is a readable YAML file"),
    ],
)
def test_a_wrong_file_is_said_in_one_line(tmp_path: Path, text: str, match: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(ClusterError, match=match) as error:
        load_gpus(file)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="a GPU table is a readable YAML file"):
        load_gpus(tmp_path / "nothing.yaml")
