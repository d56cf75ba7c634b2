"""Which clouds there are, and what one of them has, as text."""

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


def test_a_cloud_that_is_none() -> None:
    with pytest.raises(ClusterError, match=r"unknown cloud 'asw': did you mean aws\? valid: aws, gcp"):
        describe("asw")
