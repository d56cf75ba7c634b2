"""Free space against what a sweep of a usual size would write."""

from collections.abc import Iterator
from pathlib import Path

import ray

from orchestrator.doctor.finding import Asked, Finding, Level
from orchestrator.plan.disk import forecast_disk, free_bytes
from orchestrator.plan.memory import largest_networks
from orchestrator.plan.resources import choose_resources, machine
from orchestrator.results.places import default_cache_dir
from orchestrator.space.load import load_space
from orchestrator.sweep.ray_session import cluster_size
from trainers.data.files import find_files
from trainers.remote import uri_of

SPACE = "ralsgan_motorbike"


def check_disk_forecast(asked: Asked) -> Iterator[Finding]:
    """A line for the sweeps' disk, and one for the cache's. The cluster's size counts where one is connected."""
    space = load_space(SPACE)
    cpus, gpus = cluster_size() if asked.address is not None and ray.is_initialized() else machine()
    resources = choose_resources(
        concurrency=None,
        workers=None,
        cpus=None,
        gpus=None,
        available_cpus=cpus,
        available_gpus=gpus,
        local=asked.address is None,
    )
    needed = forecast_disk(space, largest_networks(space), resources).total
    sweep = f"a sweep of {SPACE} ({resources.gangs} at once) needs about"
    yield _compared(f"sweeps in {asked.sweeps_dir}", asked.place, needed, sweep, "--sweeps-dir DIR")
    cache, side = default_cache_dir(), space.base.data.image_size
    if asked.data is None or uri_of(asked.data) is not None:
        more = "--data DIR compares with what a folder's images need"
        text = f"cache in {cache}: {free_bytes(cache) / 1e9:,.1f} GB free; {more}"
        yield Finding(name="disk", level=Level.OK, text=text)
        return
    images = len(find_files(asked.data))
    what = f"{images} images (--data) decoded to {side} px need up to"
    yield _compared(f"cache in {cache}", cache, 3 * images * side**2, what, "$GAN_SWEEP_CACHE")


def _compared(folder: str, place: Path, needed: int, what: str, option: str) -> Finding:
    free = free_bytes(place)
    level = Level.OK if free >= needed else Level.WARNING
    cure = "" if level is Level.OK else f"make room, or name a place on another disk with {option}"
    text = f"{folder}: {free / 1e9:,.1f} GB free, {what} {needed / 1e9:,.1f} GB"
    return Finding(name="disk", level=level, text=text, cure=cure)
