"""Checks of a space that need the networks or the resources, before Ray starts."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from orchestrator.plan.resources import Resources
from orchestrator.space.demo import demo_images
from orchestrator.space.space import Space, possible_search
from trainers.config import TrainConfig
from trainers.errors import UserError, first_line

# What decides what is built.
_BUILT = ("network.", "loss.", "regime.", "regularizer.", "data.image_size", "init.freeze_d_layers")


def check_space_buildable(space: Space) -> None:
    """Check that networks, losses and regimes of every value that a trial may have can be built.

    Raises:
        UserError: naming what does not exist, or does not fit together.
    """
    from trainers.families import find_family

    find_family(space.base)
    if space.base.labels == "auto":  # `with_labels` checks again when the data's are known
        search = {name: domain for name, domain in space.search.items() if not name.startswith("loss.class_weights.")}
        space = possible_search(space.model_copy(update={"base": with_some_labels(space.base), "search": search}))
    for config in space.going_on() or [space.base]:
        _check_buildable(config)
    for name, domain in space.combined().items():
        if name.startswith(_BUILT):
            for value in domain.probes():
                _check_buildable(space.resolve(space.completed({name: value}) or {}))


def with_some_labels(config: TrainConfig) -> TrainConfig:
    """`config` with labels in place of ``auto``, which only the data tells, and without weights of unknown classes.

    Classes change the last layers of the networks only.
    """
    if config.labels != "auto":
        return config
    loss = config.loss.model_copy(update={"class_weights": {}})
    return config.model_copy(update={"labels": {"class": ("one", "other")}, "loss": loss})


def buildable_pair(config: TrainConfig) -> tuple[Any, Any]:
    """Generator and discriminator of `config` on the meta device: without memory or work.

    Raises:
        UserError: they cannot be built.
    """
    import torch

    from trainers.families import find_family

    with torch.device("meta"), _sizes_of(config):
        return find_family(config).build_pair(config)


def _check_buildable(config: TrainConfig) -> None:
    from trainers.families import check_buildable

    with _sizes_of(config):
        check_buildable(config)


@contextmanager
def _sizes_of(config: TrainConfig) -> Iterator[None]:
    """Name the keys that decide the size of a tensor that torch cannot even describe."""
    try:
        yield
    except (RuntimeError, OverflowError) as error:
        network = config.network
        raise UserError(
            f"networks of network.base_width {network.base_width} and network.latent_dim {network.latent_dim} cannot "
            f"be built: {first_line(error)}"
        ) from None


def check_images(space: Space, data: Path | None) -> None:
    """Check that there are enough files for a global batch, not all copies of few, before any is decoded.

    Args:
        space: of the sweep.
        data: the folder of images; None: the space's pictures will be drawn.

    Raises:
        UserError: there are not, or the folder does not suit the family.
    """
    from trainers.data import require_files
    from trainers.families import find_family

    batch = max(possible_values(space, "data.batch_size"))
    if data is not None:
        for folder in find_family(space.base).find_sources(data).values():
            require_files(folder, batch)
    elif (drawn := demo_images(str(space.synthetic))) < batch:
        raise UserError(f"--demo draws {drawn} pictures, fewer images than one batch of {batch}; lower data.batch_size")


def check_shares(space: Space, workers: int) -> None:
    """Check that every global batch can be shared by `workers` ranks.

    Raises:
        UserError: a batch size that is no multiple of them.
    """
    for batch in possible_values(space, "data.batch_size"):
        if batch % workers:
            raise UserError(f"data.batch_size {batch} cannot be shared by {workers} workers: not a multiple")


def check_elastic(space: Space, resources: Resources) -> None:
    """Check that trials mean the same with any number of ranks that they may have.

    Raises:
        UserError: they do not.
    """
    fewest = resources.min_workers
    if fewest is None:
        return
    given = f"--min-workers-per-trial {fewest}"
    if fewest > resources.workers:
        raise UserError(f"{given}: must be at most --workers-per-trial, which is {resources.workers}")
    even = gang_sizes(space, replace(resources, min_workers=1))
    if fewest not in even:
        raise UserError(f"{given}: must share every data.batch_size evenly, as {', '.join(map(str, even))} do")
    if not resources.elastic:
        return
    if not all(possible_values(space, "runtime.sync_batchnorm")):
        raise UserError(f"{given}: without runtime.sync_batchnorm a trial learns other things with fewer workers")
    if "device_seconds" in space.objectives:
        raise UserError(f"{given}: the objective device_seconds would depend on which machines were there")


def gang_sizes(space: Space, resources: Resources) -> tuple[int, ...]:
    """Numbers of ranks that a gang may have, ascending: those that share every global batch evenly."""
    batches = possible_values(space, "data.batch_size")
    fewest = resources.min_workers or resources.workers
    return tuple(n for n in range(fewest, resources.workers + 1) if all(batch % n == 0 for batch in batches))


def possible_values(space: Space, name: str) -> list[Any]:
    """The values of a key to check: those of its domain's `probes`, or the base's."""
    domain = space.search.get(name)
    return domain.probes() if domain is not None else [space.base.flat()[name]]
