"""The extractors by name. To add one: a file with a builder, and a row here (or a call of `register_extractor`)."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from trainers.errors import unknown_name
from trainers.metrics import efficientnet_lite0, inception
from trainers.metrics.extractor import Extractor

Builder = Callable[[Path | None], Extractor]
Check = Callable[[Path | None], object]


@dataclass(frozen=True)
class _Row:
    build: Builder
    check: Check | None = None


_EXTRACTORS = {
    "inception": _Row(inception.build, inception.find_weights),
    "efficientnet_lite0": _Row(efficientnet_lite0.build, efficientnet_lite0.find_weights),
}


def register_extractor(name: str, build: Builder, check: Check | None = None) -> None:
    """Make an extractor known, or replace one.

    Args:
        name: what ``--fid-extractor`` and ``fid.extractor`` call it.
        build: takes a file with weights, or None for its own, and returns the extractor. May raise UserError.
        check: takes the same and raises UserError when `build` could not succeed; cheap.
    """
    _EXTRACTORS[name] = _Row(build, check)


def extractor_names() -> list[str]:
    """Every registered name, sorted."""
    return sorted(_EXTRACTORS)


def check_extractor(name: str, weights: str | Path | None = None) -> None:
    """Make sure that `name` can be built, without building it. May download its weights.

    Raises:
        UserError: no such extractor, or its weights or packages cannot be had.
    """
    check = _row(name).check
    if check is not None:
        check(_as_path(weights))


def build_extractor(
    name: str, weights: str | Path | None = None, device: torch.device | str | None = None
) -> Extractor:
    """Build the extractor `name` on `device` (None: CPU). Leaves the global random generator where it was.

    Args:
        name: a registered name.
        weights: file with its weights; None: its own cache, package or download.
        device: where it runs.

    Raises:
        UserError: no such extractor, or its weights or packages cannot be had or are not what they should be.
    """
    row = _row(name)
    # Constructors draw random weights before the right ones are loaded; a run must not depend on whether this happened.
    with torch.random.fork_rng(devices=[]):
        extractor = row.build(_as_path(weights))
    return extractor.to(device or "cpu")


def _row(name: str) -> _Row:
    if name not in _EXTRACTORS:
        raise unknown_name("FID extractor", name, _EXTRACTORS)
    return _EXTRACTORS[name]


def _as_path(weights: str | Path | None) -> Path | None:
    return None if weights is None else Path(weights)
