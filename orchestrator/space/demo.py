"""``--demo`` shrinks any space so that it runs on two CPU cores in about two minutes."""

from typing import Any

from orchestrator.space.domains import Choice, Domain, IntRange, Value
from orchestrator.space.space import Space, possible_search
from trainers.config import TrainConfig

DEMO_BASE: dict[str, Any] = {
    "data.image_size": 32,
    "data.batch_size": 16,
    "network.base_width": 24,
    "network.latent_dim": 64,
    "init.checkpoint": None,
    "init.freeze_d_layers": 0,
    "schedule.epochs": 16,
    "schedule.window_first": 10,
    "schedule.checkpoint_every": 4,
    "schedule.samples_every": 4,
    "fid.extractor": "efficientnet_lite0",
    "fid.weights": None,
    "fid.n_fake": 256,
    "fid.n_fake_first": None,
    "fid.every": 4,
    "fid.at": (),
}
DEMO_TRIALS = 6
DEMO_IMAGES = 512  # in total, over all folders of this kind of picture


def demo_space(space: Space) -> Space:
    """Shrink a search to demo size. Searched epochs and batch sizes shrink with the base; `Space.points` are dropped.

    Trials start from fresh weights, since a checkpoint is of larger networks. The space's own ``demo:`` settings
    take precedence over `DEMO_BASE`.
    """
    changed = dict(space.demo)
    trials = changed.pop("trials", DEMO_TRIALS)
    base = TrainConfig.build(space.base.model_dump(), {**DEMO_BASE, **changed})
    search: dict[str, Domain] = {}
    first = space.known_points()[0]
    for name, domain in space.search.items():
        before, now = space.base.flat()[name], base.flat()[name]
        if name.startswith("init."):
            continue
        if name in ("schedule.epochs", "data.batch_size"):
            domain = _scaled(domain, now / before)
        if domain.contains(now) or name not in first:
            search[name] = domain
    grace = space.scheduler.scaled_grace(space.base.schedule.epochs, base.schedule.epochs)
    scheduler = space.scheduler.model_copy(update={"grace_epochs": max(grace, base.fid.every)})
    changes = {"base": base, "scheduler": scheduler, "points": (), "trials": trials, "demo": {}}
    return possible_search(space.model_copy(update={**changes, "search": search}))


def demo_images(kind: str) -> int:
    """How many pictures ``--demo`` draws into each folder of a kind."""
    return DEMO_IMAGES // 2 if kind == "domains" else DEMO_IMAGES


def _scaled(domain: Domain, ratio: float) -> Domain:
    match domain:
        case IntRange():
            low, high = (max(1, round(bound * ratio)) for bound in domain.bounds)
            return IntRange(bounds=(low, max(low + 1, high)), when=domain.when)
        case Choice():
            scaled: list[Value] = [max(1, round(float(value) * ratio)) for value in domain.choice if value is not None]
            return Choice(choice=tuple(dict.fromkeys(scaled)), when=domain.when)
        case _:
            return domain
