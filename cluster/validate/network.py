"""Doors that are open to the world; used by the rules of every kind of file."""

import ipaddress
import re
from collections.abc import Iterable, Iterator

from cluster.validate.finding import Problem, problem
from cluster.validate.tree import Item

# A range of so many fixed bits or fewer is no network of anyone's: 0.0.0.0/0, the halves that stand for it, ::/0.
_WIDEST = {4: 7, 6: 15}
_ANY_ADDRESS = r"[=\s]+['\"]?(0\.0\.0\.0|::|\[::\])(?![\d./])"
_DASHBOARD = re.compile(r"--dashboard-host" + _ANY_ADDRESS)
_OTHER_SERVER = re.compile(
    r"(?:--(host|bind|listen|address|ip)|\s-[hb])" + _ANY_ADDRESS + r"|--bind_all\b|(?:\b|_)HOST=0\.0\.0\.0\b"
)
_FIREWALL = re.compile(r"\bufw\s+(?:--force\s+)?(?:disable|allow\s+(?:in\s+)?(?:from\s+any\b|\d|[A-Z]))")
_RANGE = re.compile(r"(?<![\d.])(0\.0\.0\.0/0|::/0)")


def world_open(items: Iterable[Item]) -> Iterator[Problem]:
    """Address ranges that hold every address, wherever in a file they stand."""
    for item in items:
        if isinstance(item.value, str) and (_is_world(item.value.strip()) or _RANGE.search(item.value)):
            yield problem(
                item, "open to the whole internet: whoever reaches Ray's ports runs code there; name your own range"
            )


def open_servers(items: Iterable[Item]) -> Iterator[Problem]:
    """Servers that answer on every address of their machine. Ray's dashboard takes jobs, so it runs anyone's code."""
    for item in items:
        if _DASHBOARD.search(item.value):
            text = "the dashboard would answer on every address and runs what it is sent: reach it by `ray dashboard`"
            yield problem(item, text, nearest="--dashboard-host=127.0.0.1")
        elif match := _OTHER_SERVER.search(item.value):
            text = f"a server that answers on every address ({match[0]})"
            yield problem(item, text, nearest=f"--{match[1]}=127.0.0.1" if match[1] else None)
        if match := _FIREWALL.search(item.value):
            yield problem(item, f"opens the machine's firewall to every address ({match[0]}); say `allow from RANGE`")


def _is_world(text: str) -> bool:
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return "/" in text and network.prefixlen <= _WIDEST[network.version]
