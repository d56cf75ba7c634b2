"""From few options to a complete file that Ray's launcher, kubectl or sbatch takes."""

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from cluster.clouds import CLOUDS, Cloud
from cluster.errors import ClusterError
from cluster.gpus import GpuTable, Machine, load_gpus
from cluster.names import one_of, wrong_name
from cluster.pins import Pins, pins_here
from cluster.validate import software
from cluster.validate.tree import Item

TEMPLATES = Path(__file__).parent / "templates"
IDLE_MINUTES = 5
MOST_GPUS = 16  # per machine, where no table of machines says it
_DEFAULTS: dict[str, Any] = {"spot": True, "max_workers": 4, "ssh_user": "ubuntu"}
# Options that some clouds have no use for, and the clouds that take them.
_OWNERS = {
    "project": ("gcp",),
    "security_group": ("aws",),
    "hosts": ("local",),
    "gpus": ("aws", "gcp", "azure", "kuberay", "slurm"),
    "spot": ("aws", "gcp", "azure", "kuberay", "slurm"),
    "max_workers": ("aws", "gcp", "azure", "kuberay", "slurm"),
    "ssh_user": ("aws", "gcp", "azure", "local"),
}
_NAME = re.compile(r"[a-z]([-a-z0-9]{0,28}[a-z0-9])?")
_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
_PLAIN = re.compile(r"[^\s\x00-\x1f\x7f'\"`$\\;&|<>(){}]+")


@dataclass(frozen=True, kw_only=True)
class RenderOptions:
    """What a person chooses. Every text goes into files that shells read, so quotes, spaces and `$` are refused.

    Attributes:
        gpu_type: a name of `gpus.yaml`.
        gpus: GPUs per machine; None for the smallest machine that has the type.
        spot: spot machines first, with on-demand ones of the same kind where there are none; False: on-demand only;
            None for spot.
        region: None for the cloud's own choice (`Cloud.region`).
        max_workers: at most so many GPU machines at a time, spot and on-demand together; 1 to 1000; None for 4.
        image: a container image with Python, Ray and this package in it, with a tag other than `latest` or a digest;
            None installs them from the lock file. A tag that names another Ray or Python is refused.
        bucket: where sweeps, data and MLflow's artifacts go; None leaves a place that has to be filled in.
        name: of the cluster: small letters, digits and dashes, at most 30.
        project: the project of Google Cloud; None leaves a place that has to be filled in.
        security_group: the security group of AWS, `sg-...`; None leaves a place that has to be filled in.
        hosts: addresses of `local`: the head first, then the machines that train.
        ssh_user: whose SSH key opens the machines; None for `ubuntu`.
    """

    gpu_type: str = "T4"
    gpus: int | None = None
    spot: bool | None = None
    region: str | None = None
    max_workers: int | None = None
    image: str | None = None
    bucket: str | None = None
    name: str = "gan-sweep"
    project: str | None = None
    security_group: str | None = None
    hosts: tuple[str, ...] = ()
    ssh_user: str | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or not isinstance(yaml.safe_load(self.name), str):  # true, null, yes
            raise ClusterError(
                f"name: small letters, digits and dashes, at most 30, a letter first: {self.name!r}; such as gan-sweep"
            )
        for key, value, most in (("gpus", self.gpus, MOST_GPUS), ("max_workers", self.max_workers, 1000)):
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
                raise ClusterError(f"{key}: a whole number from 1 to {most}: {value!r}")
        _check_plain("region", self.region and self.region.replace(" ", ""))  # Azure's portal says "East US"
        for key in ("image", "bucket", "project", "security_group", "ssh_user"):
            _check_plain(key, getattr(self, key))
        for host in self.hosts:
            _check_plain("hosts", host)
        if self.image is not None:
            _check_pinned(self.image)
        if self.security_group is not None and not self.security_group.startswith("sg-"):
            raise ClusterError(f"security_group: an id: {self.security_group!r}; such as sg-0123456789abcdef0")


def _check_plain(key: str, value: str | None) -> None:
    if value is not None and not _PLAIN.fullmatch(value):
        raise ClusterError(f"{key}: a word without spaces, quotes and signs of the shell: {value!r}")


def _check_pinned(image: str) -> None:
    tag = image.rpartition("/")[2].partition("@")[0].partition(":")[2]
    if not _DIGEST.search(image) and tag in ("", "latest"):
        raise ClusterError(
            f"image: one with a fixed tag or a digest, so that all nodes run the same: {image!r}; such as NAME:0.1.0"
        )


def render(cloud: str, options: RenderOptions, *, gpus_file: Path | None = None, pins: Pins | None = None) -> str:
    """The text of a file for a cloud.

    Args:
        cloud: a name of `CLOUDS`.
        options: what a person chose.
        gpus_file: a GPU table over the one of this package.
        pins: versions on all machines; None for those of this process.

    Raises:
        ClusterError: the cloud, or an option for it, does not exist; one line says what does.
    """
    row = CLOUDS[one_of("cloud", cloud, CLOUDS)]
    pins = pins or pins_here()
    _check_own(row, options)
    _check_image(options.image, pins)
    given = {key: value for key in _DEFAULTS if (value := getattr(options, key)) is not None}
    options = replace(options, **(_DEFAULTS | given))
    table = load_gpus(gpus_file)
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters["json"] = json.dumps
    environment.filters["dedent"] = _dedent
    text = environment.get_template(row.template).render(_values(row, options, table, pins))
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def doubt(options: RenderOptions, *, pins: Pins | None = None) -> str | None:
    """What may be wrong with a rendered file, and cannot be seen from here; None: nothing."""
    if options.image is None or software.names_ray(options.image):
        return None
    here = pins or pins_here()
    return (
        f"image: {options.image!r} does not say which Ray and Python are in it, which must be {here.ray} and"
        f" {here.python}, as here: a tag such as {here.package}-py{here.python}-ray{here.ray} would say so"
    )


def _dedent(text: str, columns: int) -> str:
    """The same lines so many columns further to the left."""
    return re.sub(rf"^ {{{columns}}}", "", text, flags=re.MULTILINE)


def _values(cloud: Cloud, options: RenderOptions, table: GpuTable, pins: Pins) -> dict[str, Any]:
    """What the templates may use."""
    machine = _machine(cloud, options, table)
    region = _region(cloud, options, table, machine)
    bucket = _bucket(cloud, options.bucket)
    return {
        "artifacts": f"{_mlflow_address(bucket)}/mlflow",
        "bucket": bucket,
        "cloud": cloud,
        "gpu": table.types[options.gpu_type],
        "gpus": machine.gpus if machine else options.gpus or 1,
        "head": table.heads.get(cloud.name),
        "hosts": _hosts(cloud, options),
        "idle_minutes": IDLE_MINUTES,
        "image": options.image,
        "machine": machine,
        "options": options,
        "pins": pins,
        "prices": _prices(machine, table.heads.get(cloud.name), region),
        "region": region,
        "zone": machine.zones.get(region) if machine and region else None,
    }


def _machine(cloud: Cloud, options: RenderOptions, table: GpuTable) -> Machine | None:
    """The machine type, None where machines are not ours to choose."""
    if table.of(cloud.name):
        return table.machine(cloud.name, options.gpu_type, options.gpus)
    one_of(f"GPU type of {cloud.name}", options.gpu_type, table.types)
    return None


def _region(cloud: Cloud, options: RenderOptions, table: GpuTable, machine: Machine | None) -> str | None:
    if machine is None:
        if options.region is not None:
            raise ClusterError(f"region: {cloud.name} has none to choose, leave it out: {options.region!r}")
        return None
    known = list(machine.zones)
    if options.region is None:
        return cloud.region if cloud.region in known else known[0]
    everywhere = list(dict.fromkeys(region for other in table.of(cloud.name) for region in other.zones))
    if options.region in everywhere and options.region not in known:
        what = f"region of {cloud.name} with {machine.gpus} x {machine.gpu} ({machine.name})"
        raise wrong_name(what, options.region, known)
    return one_of(f"region of {cloud.name}", options.region, everywhere)


def _prices(machine: Machine | None, head: Machine | None, region: str | None) -> dict[str, float]:
    """What the head's environment says of US dollars per hour: of a GPU at most, so on demand, and of the head.

    Only what the table has for the very region: elsewhere the same machine costs something else.
    """
    found = {}
    if machine is not None and machine.price.on_demand is not None and machine.price.region == region:
        found["GAN_SWEEP_GPU_PRICE"] = round(machine.price.on_demand / machine.gpus, 6)
    if head is not None and head.price.on_demand is not None and head.price.region == region:
        found["GAN_SWEEP_HEAD_PRICE"] = head.price.on_demand
    return found


def _bucket(cloud: Cloud, bucket: str | None) -> str:
    """The bucket's address: a bare name gets the cloud's scheme, where a name alone says it all."""
    if bucket is None:
        return cloud.bucket_example.replace("my-", "REPLACE-ME-").replace("myaccount", "REPLACEMEACCOUNT")
    if "://" not in bucket and cloud.bucket_scheme and cloud.name != "azure":
        bucket = cloud.bucket_scheme + bucket
    if cloud.bucket_scheme and not bucket.startswith(cloud.bucket_scheme):
        raise ClusterError(
            f"bucket of {cloud.name}: begins with {cloud.bucket_scheme}: {bucket!r}; such as {cloud.bucket_example}"
        )
    if not cloud.bucket_scheme and "://" not in bucket and not bucket.startswith("/"):
        raise ClusterError(
            f"bucket of {cloud.name}: an address or an absolute path: {bucket!r}; such as {cloud.bucket_example}"
        )
    scheme, colon, place = bucket.partition("://")
    if (colon and not re.fullmatch(r"[a-z][a-z0-9+]*", scheme)) or not (place if colon else scheme).strip("/"):
        raise ClusterError(f"bucket of {cloud.name}: names no place: {bucket!r}; such as {cloud.bucket_example}")
    return bucket.rstrip("/")


def _check_own(cloud: Cloud, options: RenderOptions) -> None:
    """An option of another cloud is refused, not passed over."""
    for key, owners in _OWNERS.items():
        given = getattr(options, key)
        if given not in (None, ()) and cloud.name not in owners:
            words = ", ".join(given) if isinstance(given, tuple) else given
            if isinstance(given, bool):
                words = "spot" if given else "on-demand"
            raise ClusterError(f"{key}: for {', '.join(owners)} alone, leave it out for {cloud.name}: {words!r}")


def _check_image(image: str | None, pins: Pins) -> None:
    for found in software.differing([Item(image, 1, ("image",))] if image else [], pins):
        raise ClusterError(f"image: {image!r} has {found.text}")


def _mlflow_address(bucket: str) -> str:
    """MLflow calls Azure's stores wasbs://CONTAINER@ACCOUNT.blob.core.windows.net."""
    if bucket.startswith("abfs://"):
        return "wasbs://" + bucket.removeprefix("abfs://").replace(".dfs.core.", ".blob.core.")
    return bucket


def _hosts(cloud: Cloud, options: RenderOptions) -> tuple[str, ...]:
    if cloud.name != "local":
        return ()
    hosts = options.hosts or ("REPLACE-ME-HEAD", "REPLACE-ME-WORKER-1")
    if len(set(hosts)) != len(hosts) or len(hosts) < 2:
        raise ClusterError(f"hosts of local: the head and at least one other machine, each once: {', '.join(hosts)!r}")
    return hosts
