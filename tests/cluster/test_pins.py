"""The versions that all machines share."""

import platform
from importlib.metadata import version

import pytest

from cluster import pins
from cluster.errors import ClusterError
from cluster.pins import pins_here


def test_pins_are_those_of_this_process() -> None:
    found = pins_here()
    assert (found.python, found.ray, found.package) == (platform.python_version(), version("ray"), version("gan-sweep"))
    assert found.wheel == f"gan_sweep-{version('gan-sweep')}-py3-none-any.whl"


def test_a_missing_package_is_said_in_one_line() -> None:
    with pytest.raises(ClusterError, match=r"'no-such-package' is not installed") as error:
        pins._version("no-such-package")
    assert "\n" not in str(error.value)
