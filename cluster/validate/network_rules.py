"""Rules about who can reach a cluster of Ray's launcher."""

import ipaddress
import re
from collections.abc import Iterator

from cluster.validate import network
from cluster.validate.finding import Problem, problem
from cluster.validate.launcher import Launcher
from cluster.validate.tree import Item

_FIREWALL = re.compile(r"\bufw\b.*\benable\b|\b(iptables|nft|firewall-cmd)\b", re.DOTALL)


def open_port(file: Launcher) -> Iterator[Problem]:
    """No security group, command or server lets the whole internet in."""
    commands = list(file.commands())
    yield from network.open_servers(commands)
    yield from network.world_open(file.root.walk())
    docker = [i for i in file.root.walk() if i.path[:1] == ("docker",) and isinstance(i.value, str)]
    for item in docker:
        if item.value.startswith(("-p", "--publish")) and "127.0.0.1" not in item.value:
            yield problem(item, "publishes a port on every address of the machine")
    if file.on_cloud and file.root.get("head_start_ray_commands") is None:
        text = "without this key Ray takes its own, with --dashboard-host=0.0.0.0"
        yield problem(file.root, text, below="head_start_ray_commands", warning=True)
    yield from _default_group(file)
    yield from _default_network(file)
    yield from _no_firewall(file)


def _no_firewall(file: Launcher) -> Iterator[Problem]:
    """Ray's template for Azure always has a rule that lets the whole world try SSH; only the machine can refuse it."""
    inside = file.provider.get("use_internal_ips")
    if file.cloud != "azure" or (inside is not None and inside.value is True):
        return
    if not any(_FIREWALL.search(item.value) for item in file.commands()):
        text = "no firewall on the machines: Ray opens SSH on Azure to the whole internet, so set one first"
        given = file.root.get("initialization_commands")
        below = "" if given else "initialization_commands"
        yield problem(given or file.root, text, below=below, nearest="sudo ufw --force enable", warning=True)


def _default_group(file: Launcher) -> Iterator[Problem]:
    """Ray's own security group lets 0.0.0.0/0 try SSH (_create_default_ssh_inbound_rules), whatever else is given."""
    if file.cloud != "aws":
        return
    for node in file.node_types:
        config = node.item.get("node_config")
        if config is None:
            continue
        given = [config.get(key) for key in ("SecurityGroupIds", "NetworkInterfaces", "LaunchTemplate")]
        if any(item and item.value for item in given):
            continue
        text = "without a security group of yours Ray makes one that opens SSH to 0.0.0.0/0"
        empty = config.get("SecurityGroupIds")
        if empty is not None:
            yield problem(empty, f"names no group: {text}")
        else:
            yield problem(config, text, below="SecurityGroupIds", warning=True)


def _default_network(file: Launcher) -> Iterator[Problem]:
    """Google's default network has a rule default-allow-ssh, for every address.

    Where none is named Ray takes the first subnetwork of the region (_configure_subnet of its gcp/config.py).
    """
    inside = file.provider.get("use_internal_ips")
    if file.cloud != "gcp" or (inside is not None and inside.value is True):
        return
    why = "the project's default network lets the whole world try SSH: name a network of your own"
    for node in file.node_types:
        config = node.item.get("node_config")
        if config is None or not isinstance(config.value, dict):
            continue
        if not config.get("networkInterfaces"):
            text = f"without it Ray takes the region's first network, and {why}"
            yield problem(config, text, below="networkInterfaces", warning=True)
        for each in config.members("networkInterfaces"):
            given = [each.get("network"), each.get("subnetwork")]
            default = [i for i in given if i and re.search(r"(^|/)default$", str(i.value))]
            if default:
                yield problem(default[0], why, warning=True)


def address_range(file: Launcher) -> Iterator[Problem]:
    """Security groups hold address ranges and protocols that exist."""
    for item in file.root.walk():
        name = item.path[-1] if item.path else ""
        if not isinstance(item.value, str):
            continue
        if name in ("CidrIp", "CidrIpv6") and not _is_range(item):
            yield problem(item, f"{item.value!r} is no range of addresses, such as 203.0.113.7/32")
        elif name == "IpProtocol" and not re.fullmatch(r"tcp|udp|icmp|icmpv6|-1|\d{1,3}", item.value):
            yield problem(item, f"{item.value!r} is no protocol: tcp, udp, icmp, icmpv6, -1 for all, or a number")
    for item in file.root.members("provider", "security_group", "IpPermissions"):
        first, last = item.number("FromPort"), item.number("ToPort")
        if item.text("IpProtocol") not in ("tcp", "udp") or first is None or last is None:
            continue
        if not -1 <= first <= last <= 65535:
            text = f"{first} to {last} is no range of ports: 0 to 65535, the smaller one first"
            yield problem(item.children["FromPort"], text)


def _is_range(item: Item) -> bool:
    try:
        ipaddress.ip_network(item.value, strict=False)
    except ValueError:
        return False
    return True
