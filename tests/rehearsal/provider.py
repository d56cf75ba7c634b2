"""Ray's fake provider of machines, in the process of its autoscaler: each machine is a raylet on this machine."""

from typing import Any

from ray._private import ray_constants
from ray.autoscaler._private.fake_multi_node.node_provider import FakeMultiNodeProvider


class Provider(FakeMultiNodeProvider):
    """Gives each machine a folder of its own for what jobs ship.

    A node unpacks that when it first needs it, and before removes what is there (ray 2.60): in a folder that all share,
    the working directory of the driver.
    """

    def _create_node_with_resources_and_labels(self, *arguments: Any) -> None:
        ray_constants.DEFAULT_RUNTIME_ENV_DIR_NAME = f"shipped-{self._next_node_id}"
        super()._create_node_with_resources_and_labels(*arguments)
