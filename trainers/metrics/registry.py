"""The extractors by name. To add one: a file with a builder, and a row here (or a call of `register_extractor`)."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from trainers.errors import UserError, unknown_name
from trainers.metrics import efficientnet_lite0, inception
from trainers.metrics.extractor import Extractor
from trainers.metrics.outside import build_outside, is_outside

Builder = Callable[[Path | None], Extractor]

_EXTRACTORS: dict[str, Builder] = {
    "inception": inception.build,
    "efficientnet_lite0": efficientnet_lite0.build,
}


def register_extractor(name: str, build: Builder) -> None:
    """Register an extractor, or replace one.

    Args:
        name: what ``--fid-extractor`` and ``fid.extractor`` call it.
        build: takes a file with weights, or None for its own, and returns the extractor. May raise UserError.
    """
    _EXTRACTORS[name] = build


def extractor_names() -> list[str]:
    """Every registered name, sorted."""
    return sorted(_EXTRACTORS)


def build_extractor(
    name: str, weights: str | Path | None = None, device: torch.device | str | None = None
) -> Extractor:
    """Build the extractor `name` on `device` (None: CPU). Does not advance the global random generator.

    Args:
        name: a registered name, or ``module:factory`` of a module that the user allows (see `outside`).
        weights: file with its weights; None: its own cache, package or download.
        device: where it runs.

    Raises:
        UserError: no such extractor, or its weights or packages are missing or wrong.
    """
    build = partial(build_outside, name) if is_outside(name) else _EXTRACTORS.get(name)
    if build is None:
        raise unknown_name("FID extractor", name, _EXTRACTORS)
    # Constructors draw random weights before the right ones are loaded; a run must not depend on whether this happened.
    with torch.random.fork_rng(devices=[]):
        extractor = build(None if weights is None else Path(weights))
    if is_outside(name) and extractor.protocol in (inception.PROTOCOL, efficientnet_lite0.PROTOCOL):
        raise UserError(f"FID extractor {name!r}: {extractor.protocol} is the protocol of another: name it otherwise")
    return extractor.to(device or "cpu")
