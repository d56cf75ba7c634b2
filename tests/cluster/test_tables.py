"""Which clouds there are, and what one of them has, as text."""

from pathlib import Path

import pytest

from cluster.clouds import CLOUDS
from cluster.errors import ClusterError
from cluster.gpus import load_gpus
from cluster.tables import describe, list_clouds


def test_every_cloud_is_listed() -> None:
    lines = list_clouds().splitlines()
    assert [line.split()[0] for line in lines] == ["cloud", *CLOUDS]


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_cloud_is_shown_with_its_machines_and_sources(cloud: str) -> None:
    text = describe(cloud)
    assert CLOUDS[cloud].installed in text
    for machine in load_gpus().of(cloud):
        assert machine.name in text
        assert not machine.price.source or machine.price.source in text


def test_each_row_says_whose_it_is_and_where_its_price_is_from(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "sources: {mine: {region: us-east-1, date: 2026-10-01, text: our contract}}\n"
        "machines: {aws: [{gpu: T4, gpus: 1, machine: g4dn.xlarge, vcpus: 4, memory_gb: 16,"
        " on_demand: 0.4, source: mine, regions: [us-east-1]}]}\n"
    )
    lines = describe("aws", file).splitlines()
    (own,) = [line for line in lines if "g4dn.xlarge" in line]
    assert "0.400" in own and "mine, 2026-10-01" in own and str(file) in own
    (head,) = [line for line in lines if line.startswith("(head)")]
    assert "m6i.xlarge" in head and "0.192" in head and "aws-list, 2026-11-29" in head and "gan-sweep" in head
    assert "  mine: us-east-1, 2026-10-01: our contract" in lines


def test_a_cloud_that_is_none() -> None:
    with pytest.raises(ClusterError, match=r"unknown cloud 'asw': did you mean aws\? valid: aws, gcp"):
        describe("asw")
