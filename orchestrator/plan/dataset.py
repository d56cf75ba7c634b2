"""The images of a planned sweep: drawn, decoded, and asked for their labels."""

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

from orchestrator.plan.checks import check_space_buildable, possible_values
from orchestrator.plan.plan import Plan
from orchestrator.plan.starting import check_checkpoints
from orchestrator.space.demo import demo_images
from orchestrator.space.space import config_names, possible_search
from trainers.config import FidConfig
from trainers.errors import UserError
from trainers.metric_names import PRDC


def prepare_data(plan: Plan, progress: Callable[[int, int], None] | None = None) -> list[Any]:
    """Draw the synthetic images if the plan needs them, and decode all images at every size and fit in the space.

    Args:
        plan: the sweep.
        progress: called with (done, total) while images are decoded.

    Returns:
        The image caches (`trainers.data.ImageCache`): for each size and fit, one per folder that the family finds in
        the data. Those of the base's size and fit come first.

    Raises:
        UserError: the folder is missing, has fewer usable images than one global batch, than neighbourhoods need or
            few distinct ones, holds out too many or too few, or does not suit the family.
    """
    from trainers.data import build_cache, draw_synthetic, require_distinct, require_images, split
    from trainers.families import find_family

    space = plan.space
    if plan.synthetic:
        assert space.synthetic is not None
        draw_synthetic(space.synthetic, plan.data, count=demo_images(space.synthetic))
    sources = find_family(space.base).find_sources(plan.data).values()
    base = (space.base.data.image_size, space.base.data.fit)
    shapes = dict.fromkeys(
        [base, *product(possible_values(space, "data.image_size"), possible_values(space, "data.fit"))]
    )
    data, batch = space.base.data, max(possible_values(space, "data.batch_size"))
    caches = []
    for size, fit in shapes:
        for source in sources:
            cache = build_cache(source, image_size=size, fit=fit, cache_dir=plan.cache_dir, progress=progress)
            require_images(cache, batch)
            require_distinct(cache)
            training = split(cache, source, data.heldout, data.heldout_seed, batch)[0] if data.heldout else cache
            _require_neighbours(space.base.fid, len(training), source)
            caches.append(cache)
    return caches


def _require_neighbours(fid: FidConfig, images: int, source: Path) -> None:
    if PRDC in fid.metrics and images <= fid.neighbours:
        raise UserError(
            f"fid.neighbours {fid.neighbours}: {PRDC} needs more than {fid.neighbours} images to compare with, "
            f"{source} has {images}"
        )


def with_labels(plan: Plan, cache: Any) -> Plan:
    """Resolve ``labels: auto`` from the data, where the family does so.

    Searched keys of labels that the data does not have are dropped.

    Args:
        plan: the sweep.
        cache: images of the family's first folder, from `prepare_data`.

    Raises:
        UserError: the images do not have the labels that the family needs.
    """
    from trainers.families import find_family

    space, family = plan.space, find_family(plan.space.base)
    folder, *_ = family.find_sources(plan.data).values()
    base = family.resolve_labels(space.base, folder, cache.paths())
    if base == space.base:
        return plan
    known = config_names(base)
    search = {name: domain for name, domain in space.search.items() if name in known}
    space = possible_search(space.model_copy(update={"base": base, "search": search}))
    check_space_buildable(space)
    check_checkpoints(space)
    return replace(plan, space=space)
