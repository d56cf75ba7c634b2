"""Lets the ranks of a gang on several hosts find each other where gloo, by itself, would not."""

import os
from collections.abc import Mapping, Sequence
from ipaddress import ip_address

import psutil
import ray
from ray.train.v2._internal.execution.callback import WorkerCallback

GLOO = "GLOO_SOCKET_IFNAME"


class NamesInterface(WorkerCallback):
    """Lets gloo use the interface that has the address by which Ray knows the rank's node; the user's choice wins.

    gloo takes the address that the host's name stands for. On Debian and Ubuntu that is 127.0.1.1: each rank then
    listens for itself alone, and the gang's ranks on other hosts never reach it.
    """

    def after_init_train_context(self) -> None:
        """Called by Ray Train in every rank's main thread, before the ranks connect."""
        addresses = {name: [one.address for one in all_] for name, all_ in psutil.net_if_addrs().items()}
        name = interface_of(ray.util.get_node_ip_address(), addresses)
        if name is not None:
            os.environ.setdefault(GLOO, name)


def interface_of(node: str, interfaces: Mapping[str, Sequence[str]]) -> str | None:
    """The interface with a node's address; None where none has it.

    Args:
        node: its address.
        interfaces: addresses of each, those of hardware among them.
    """
    for name, addresses in interfaces.items():
        if node in (address.partition("%")[0] for address in addresses):
            return name
    if ip_address(node).is_loopback:  # the loopback interface has all of 127.0.0.0/8, and lists 127.0.0.1
        return next((name for name, addresses in interfaces.items() if "127.0.0.1" in addresses), None)
    return None
