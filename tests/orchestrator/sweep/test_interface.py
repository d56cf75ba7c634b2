"""The interface that gloo is told. That gangs need it is shown by the rows of `tests.faults.hosts`."""

import pytest

from orchestrator.sweep.interface import interface_of

FOUND = {
    "lo": ["127.0.0.1", "::1", "00:00:00:00:00:00"],
    "eth0": ["10.0.0.7", "fe80::1%eth0", "02:fc:00:00:00:01"],
    "eth0:1": ["10.0.0.8"],
}


@pytest.mark.parametrize(
    ("node", "name"),
    [
        ("10.0.0.7", "eth0"),
        ("10.0.0.8", "eth0:1"),
        ("fe80::1", "eth0"),
        ("127.0.0.1", "lo"),
        ("127.0.0.2", "lo"),  # nodes of one machine, such as those of a test
        ("::1", "lo"),
        ("10.0.0.9", None),  # the address of a gateway, say, in front of a container
    ],
)
def test_it_has_the_address_of_the_node(node: str, name: str | None) -> None:
    assert interface_of(node, FOUND) == name
