"""Rules about keys and types: what Ray's own check says, and what it does not look at."""

import contextlib
import copy
import functools
import io
import ipaddress
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cluster.names import nearest_of
from cluster.validate.fields import node_config_schema, read, schema_of
from cluster.validate.finding import Problem, listed, problem
from cluster.validate.launcher import CLOUDS, Launcher
from cluster.validate.schema import check
from cluster.validate.tree import Item

# What ray/autoscaler/_private of Ray 2.60.0 reads from the provider section, cloud by cloud.
# Ray's schema allows any key.
_EVERY_PROVIDER = {
    "type": "str",
    "use_internal_ips": "bool",
    "disable_node_updaters": "bool",
    "disable_launch_config_check": "bool",
    "foreground_node_launch": "bool",
    "worker_liveness_check": "bool",
}
_PROVIDERS: dict[str, dict[str, Any]] = {
    "aws": {
        "region": "str",
        "availability_zone": "str",
        "cache_stopped_nodes": "bool",
        "key_pair": {"key_name": "str"},
        "aws_credentials": "any",
        "cloudwatch": "any",
    },
    "gcp": {
        "region": "str",
        "availability_zone": "str",
        "cache_stopped_nodes": "bool",
        "project_id": "any",
        "gcp_credentials": {"type": "credentials_token|service_account", "credentials": "str"},
    },
    "azure": {
        "location": "str",
        "resource_group": "str",
        "subscription_id": "str",
        "availability_zone": "str",
        "cache_stopped_nodes": "bool",
        "use_external_head_ip": "bool",
        "unique_id": "str",
        "subnet_mask": "str",
        "msi_name": "str",
        "msi_resource_group": "str",
        "tags": "texts",
    },
    "local": {
        "head_ip": "str",
        "worker_ips": ["str"],
        "external_head_ip": "str",
        "coordinator_address": "str",
    },
}
_REQUIRED = {
    "aws": ["region"],
    "gcp": ["region", "availability_zone", "project_id"],
    "azure": ["location", "resource_group"],
    "local": [],
}


def provider_type(file: Launcher) -> Iterator[Problem]:
    """provider.type is one of the clouds that this package knows."""
    given = file.root.get("provider", "type")
    if given is not None and isinstance(given.value, str) and given.value not in CLOUDS:
        text = f"{given.value!r} is none of {listed(CLOUDS)}"
        yield problem(given, text, nearest=nearest_of(given.value, CLOUDS))
    near = nearest_of("type", (str(key) for key in file.provider.children)) if given is None else None
    if near:
        yield problem(file.provider.children[near], "unknown key", nearest="type")


def layout(file: Launcher) -> Iterator[Problem]:
    """Keys and types of everything but node_config: Ray's ray-schema.json, and what Ray reads from a provider."""
    yield from check(file.root, layout_schema(file.cloud))


@functools.cache
def layout_schema(cloud: str) -> dict[str, Any]:
    """Ray's schema of a launcher file, made strict about the provider section of `cloud`."""
    import ray

    schema: dict[str, Any] = json.loads((Path(ray.__file__).parent / "autoscaler/ray-schema.json").read_text())
    provider = schema["properties"]["provider"]
    if cloud in _PROVIDERS:
        known = schema_of(_EVERY_PROVIDER | _PROVIDERS[cloud])["properties"]
        if cloud == "aws":
            rule = schema_of(read("aws_fields.yaml")["ip_permission"])
            # -1 stands for every port.
            for port in ("FromPort", "ToPort"):
                rule["properties"][port]["minimum"] = -1
            known["security_group"] = copy.deepcopy(provider["properties"]["security_group"])
            known["security_group"]["properties"]["IpPermissions"]["items"] = rule
        provider |= {"properties": known, "additionalProperties": False, "required": ["type"]}
    if cloud == "local" or (cloud not in CLOUDS and nearest_of(cloud, CLOUDS) == "local"):
        # Ray moves this one to the only node type that a list of hosts has.
        schema["properties"]["min_workers"] = {"type": "integer", "minimum": 0}
    elif nearest_of(cloud, CLOUDS) != "local":
        schema["required"] += ["available_node_types", "head_node_type"]
    node_type = schema["properties"]["available_node_types"]["patternProperties"][".*"]["properties"]
    for options in ("run_options", "head_run_options", "worker_run_options"):
        schema["properties"]["docker"]["properties"][options]["items"] = {"type": "string"}
    schema["properties"]["file_mounts"]["additionalProperties"] = {"type": "string"}
    node_type["min_workers"]["minimum"] = node_type["max_workers"]["minimum"] = 0
    return schema


def provider_required(file: Launcher) -> Iterator[Problem]:
    """What a cloud needs to be told and Ray notices only when machines are asked for."""
    for name in _REQUIRED.get(file.cloud, []):
        given = file.provider.get(name)
        if given is None:
            yield problem(file.provider, f"the key {name!r} is missing: Ray would not know where", below=name)
        elif given.value in ("", None):
            yield problem(given, "must not be empty")
    if file.cloud == "local" and not file.provider.get("coordinator_address"):
        for name in ("head_ip", "worker_ips"):
            if file.provider.get(name) is None:
                near = nearest_of(name, (str(key) for key in file.provider.children))
                yield problem(file.provider, f"the key {name!r} is missing", below=name, nearest=near)


def node_config(file: Launcher) -> Iterator[Problem]:
    """Keys and types inside node_config, by the cloud's own field names; Ray looks at none of them."""
    if not file.on_cloud:
        return
    for node in file.node_types:
        config = node.item.get("node_config")
        if config is None:
            continue
        yield from check(config, node_config_schema(file.cloud))
        if isinstance(config.value, dict) and node.machine is None and not config.get("LaunchTemplate"):
            name = {"aws": "InstanceType", "gcp": "machineType", "azure": "azure_arm_parameters.vmSize"}[file.cloud]
            yield problem(config, f"the key {name!r} is missing: no machine type", below=name)


_AWS_IDS = {
    "ImageId": r"ami-[0-9a-f]{8,17}|latest_dlami|resolve:ssm:\S+",
    "SubnetId": r"subnet-[\w-]+",
    "SubnetIds": r"subnet-[\w-]+",
    "SecurityGroupIds": r"sg-[\w-]+",
    "Groups": r"sg-[\w-]+",
}


def aws_ids(file: Launcher) -> Iterator[Problem]:
    """Images, subnets and security groups of AWS are named by ids."""
    for node in file.node_types if file.cloud == "aws" else []:
        for item in node.item.walk():
            name = next((part for part in reversed(item.path) if isinstance(part, str)), "")
            form = _AWS_IDS.get(name)
            # ami-..., sg-... and the like with words in it are places to fill in.
            if form and isinstance(item.value, str) and not re.fullmatch(f"({form})|.*[A-Z]{{4}}.*", item.value):
                yield problem(item, f"{item.value!r} is no id for {name}: {form.split('-')[0]}-...")


def local_hosts(file: Launcher) -> Iterator[Problem]:
    """A list of hosts names each of them once, and has no node types."""
    if file.cloud != "local":
        return
    for name in ("available_node_types", "head_node_type", "head_node", "worker_nodes"):
        if (given := file.root.get(name)) is not None:
            yield problem(given, "a list of hosts has no node types: Ray asks each host what it has")
    for item in file.provider.walk():
        name = next((part for part in reversed(item.path) if isinstance(part, str)), "")
        if (
            name in ("head_ip", "worker_ips", "external_head_ip")
            and isinstance(item.value, str)
            and not _host(item.value)
        ):
            yield problem(item, f"{item.value!r} is no address and no name of a host")
    seen = {file.provider.text("head_ip"): "the head"}
    for host in file.provider.members("worker_ips"):
        if isinstance(host.value, str) and host.value in seen:
            yield problem(host, f"{host.value!r} is also {seen[host.value]}: Ray would start twice on it")
        elif isinstance(host.value, str):
            seen[host.value] = f"the host of line {host.line}"
    listed_hosts = file.provider.get("worker_ips")
    if listed_hosts is not None and listed_hosts.value == []:
        yield problem(listed_hosts, "lists no host: no trial would run")
    hosts = len(file.provider.members("worker_ips"))
    for name in ("min_workers", "max_workers"):
        number = file.root.number(name)
        if number is not None and number > hosts and file.provider.get("worker_ips"):
            yield problem(file.root.children[name], f"{number} workers, but worker_ips lists {hosts}")


def _host(text: str) -> bool:
    if re.fullmatch(r"[\d.]+|.*:.*", text):
        try:
            ipaddress.ip_address(text)
        except ValueError:
            return False
        return True
    return bool(re.fullmatch(r"[A-Za-z0-9]([\w.-]*[A-Za-z0-9])?", text))


def ray_accepts(file: Launcher) -> Iterator[Problem]:
    """Ray's own prepare_config and validate_config, as `ray up` runs them."""
    if file.cloud not in CLOUDS or not isinstance(file.provider.value, dict):
        return
    from ray.autoscaler._private.util import prepare_config, validate_config

    said = io.StringIO()
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            validate_config(prepare_config(copy.deepcopy(file.root.value)))
    except Exception as error:  # whatever Ray raises is its verdict: it has no class of its own for that
        yield _rays_verdict(file.root, error, said.getvalue())
    finally:
        logging.disable(level)


def _rays_verdict(root: Item, error: Exception, said: str) -> Problem:
    path = getattr(error, "absolute_path", None)  # of jsonschema's ValidationError
    message = getattr(error, "message", None) or str(error) or said or type(error).__name__
    text = f"Ray refuses it: {type(error).__name__}: {message[:200]}"
    if path is not None:
        return problem(root.nearest(tuple(path)), text)
    for name in re.findall(r"[`'\"](\w+)[`'\"]", message):
        if name in root.children:
            return problem(root.children[name], text)
    return problem(root, text)
