"""Checkpoints: written under a temporary name, then renamed; loaded with ``weights_only=True``.

A checkpoint holds the networks, the moving average, the optimisers and the counters. It needs no random state
and no position in the data: it is written between epochs, and `trainers.randomness` reseeds from the epoch number.
"""

import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from trainers.atomic import replacing
from trainers.config import TrainConfig, flatten
from trainers.errors import UserError, first_line

LATEST, BEST = "latest.pt", "best.pt"


@dataclass(kw_only=True)
class Progress:
    """How far a run is.

    Attributes:
        epoch: epochs finished.
        images_seen: real images shown to D, over all ranks.
        objective: lowest FID inside the window so far.
        best_epoch: the epoch it was measured at.
    """

    epoch: int = 0
    images_seen: int = 0
    objective: float | None = None
    best_epoch: int | None = None


def save_checkpoint(path: Path, config: TrainConfig, progress: Progress, family_state: dict[str, Any]) -> None:
    """Write a checkpoint, whole or not at all."""
    content = {"config": config.model_dump(), "progress": asdict(progress), "family": family_state}
    # An open file, since from a path torch would name the archive's top folder after the temporary file.
    with replacing(path) as part, part.open("wb") as file:
        torch.save(content, file)


def keep_as_best(run_dir: Path) -> None:
    """Make ``best.pt`` the current ``latest.pt``: a hard link where the file system has them, else a copy."""
    with replacing(run_dir / BEST) as part:
        try:
            os.link(run_dir / LATEST, part)
        except OSError:
            shutil.copyfile(run_dir / LATEST, part)


def load_checkpoint(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """The checkpoint's ``config``, ``progress`` and ``family``.

    Raises:
        UserError: the file is missing or is no checkpoint.
    """
    try:
        checkpoint = torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError:
        raise UserError(f"no checkpoint at {path}") from None
    except Exception as error:  # zip reader and unpickler raise many types for damaged files: OSError, KeyError, ...
        raise UserError(f"{path} is not a whole checkpoint: {first_line(error)}") from None
    if not isinstance(checkpoint, dict) or not {"config", "progress", "family"} <= checkpoint.keys():
        raise UserError(f"{path} is not a checkpoint of a run")
    return checkpoint


def check_same_config(saved: dict[str, Any], config: TrainConfig) -> None:
    """Refuse to continue a run of another config; ``runtime.*`` may differ.

    A key that is younger than the checkpoint had its default's meaning then.

    Raises:
        UserError: naming every key that differs.
    """
    defaults, now = TrainConfig().flat(), config.flat()
    before = {name: defaults[name] for name in defaults.keys() & now.keys()} | flatten(saved)
    changed = [
        f"{name} was {before.get(name)!r}, is {now.get(name)!r}"
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name) and not name.startswith("runtime.")
    ]
    if changed:
        raise UserError(f"the checkpoint belongs to another config: {'; '.join(changed)}")
