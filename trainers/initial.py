"""Where a run starts whose ``init.checkpoint`` names a checkpoint of another run: with weights of that one.

Everything else starts anew: objective and learning rates, and unless ``progress`` is among ``init.parts`` also epochs,
images seen, the regime and a buffer of older fakes.
"""

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trainers.checkpoint import Progress, checksum, load_checkpoint
from trainers.config import TrainConfig, flatten
from trainers.distributed import all_or_none, same_everywhere, world_size
from trainers.engine.optimizers import follow_memory_order
from trainers.errors import UserError, shortened
from trainers.families import Family, find_family
from trainers.regularizers import apply_spectral_norm

# Keys that decide which weights a network has, for the text of an error.
_BOTH = ("family", "labels", "data.image_size", "network.name", "network.base_width", "network.batchnorm")
_DECIDING = {
    "generator": (*_BOTH, "network.latent_dim"),
    "discriminator": (*_BOTH, "regularizer.spectral_norm"),
}


def start_from_checkpoint(config: TrainConfig, family: Family, device: torch.device, progress: Progress) -> None:
    """Load what ``init.parts`` names of ``init.checkpoint`` into `family` and `progress`.

    Every rank calls this, at a run's start alone: a run that goes on has all of it in its own checkpoint. The moving
    average starts as G where `average` is no part, or the checkpoint has none.

    Args:
        config: the run; nothing is loaded where it names no checkpoint.
        family: its networks and optimisers, as `build_family` made them.
        device: where the run trains.
        progress: of a run that has not begun.

    Raises:
        UserError: the file is missing, damaged, or of other networks, on this rank or another, or the ranks see
            different files.
    """
    init = config.init
    if init.checkpoint is None:
        return
    with all_or_none():
        try:
            saved = read_initial(init.checkpoint, device)
        except UserError as error:
            raise UserError(f"{error}; every machine that trains must read it, here {socket.gethostname()}") from None
        check_fits(saved, config)
        check_has_epochs_left(saved, config)
    if world_size() > 1 and not same_everywhere([checksum(Path(init.checkpoint))], device):
        raise UserError(f"init.checkpoint {init.checkpoint}: the ranks see different files there")
    _load(saved["family"], config, family)
    if init.takes("progress"):
        progress.epoch, progress.images_seen = epochs_done(saved), saved["progress"]["images_seen"]


def check_has_epochs_left(saved: Mapping[str, Any], config: TrainConfig) -> None:
    """Check that a run that goes on counting a checkpoint's epochs has some left.

    Raises:
        UserError: it has none.
    """
    if config.init.takes("progress") and (done := epochs_done(saved)) >= config.schedule.epochs:
        raise UserError(
            f"init.checkpoint {config.init.checkpoint}: it has {done} epochs already, and with progress in init.parts "
            f"they count: schedule.epochs {config.schedule.epochs} must be more"
        )


def epochs_done(saved: Mapping[str, Any]) -> int:
    """The epochs that the run of a checkpoint had finished."""
    done: int = saved["progress"]["epoch"]
    return done


def read_initial(path: str, device: torch.device | str = "cpu") -> dict[str, Any]:
    """The checkpoint of another run, as `load_checkpoint` gives it.

    Raises:
        UserError: it is missing, may not be opened, is damaged, or is no checkpoint.
    """
    try:
        if os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path)):
            raise UserError(f"{path} is not a file")  # a pipe would be waited for
        return load_checkpoint(Path(path), device)
    except UserError as error:
        raise UserError(f"init.checkpoint: {error}") from None


def check_fits(saved: Mapping[str, Any], config: TrainConfig) -> None:
    """Check that what a run takes of a checkpoint fits its own networks, by names and shapes of all tensors.

    Classes must be the same ones in the same order; the heads of others would have the same shapes.

    Args:
        saved: from `read_initial`.
        config: the run; its labels are resolved.

    Raises:
        UserError: it does not fit; names the settings that differ.
    """
    family = find_family(config)
    with torch.device("meta"):
        generator, discriminator = family.build_pair(config)
        if config.regularizer.spectral_norm:
            apply_spectral_norm(discriminator)
    before, now = _values(saved["config"]), _values(config.model_dump())
    other_classes = bool(family.classes(config)) and before["labels"] != now["labels"]
    for part, network in {"generator": generator, "discriminator": discriminator}.items():
        if not config.init.takes(part):
            continue
        tensors = _first_difference(saved["family"].get(part, {}), network.state_dict())
        if tensors or other_classes:
            keys = [key for key in _DECIDING[part] if before.get(key) != now[key]]
            differences = [f"{key} is {_text(before.get(key))} there and {_text(now[key])} here" for key in keys]
            raise _unfit(config, part, "; ".join(differences) or tensors)
    key = "optimizer.name"
    if config.init.takes("optimizers") and before[key] != now[key]:
        raise _unfit(config, "optimizers", f"{key} is {before[key]} there and {now[key]} here")
    if config.init.takes("progress"):
        _check_goes_on(saved, before, now, config)


def _check_goes_on(saved: Mapping[str, Any], before: dict[str, Any], now: dict[str, Any], config: TrainConfig) -> None:
    """Check that a run can count a checkpoint's epochs as its own."""
    for key in ("family", "regime.name"):
        if before[key] != now[key]:
            raise _unfit(config, "progress", f"{key} is {before[key]} there and {now[key]} here")
    if saved.get("inside") is not None:
        raise UserError(
            f"init.checkpoint {config.init.checkpoint}: it was written inside an epoch, which progress in init.parts "
            "cannot go on with"
        )


def _unfit(config: TrainConfig, part: str, why: str) -> UserError:
    return UserError(f"init.checkpoint {config.init.checkpoint}: {part} of another kind: {why}")


def _values(dump: Mapping[str, Any]) -> dict[str, Any]:
    """A config by dotted names, with the labels in one: pairs of an attribute and its classes."""
    labels = dump.get("labels") or {}
    pairs = labels if isinstance(labels, str) else [(name, tuple(classes)) for name, classes in labels.items()]
    return {**TrainConfig().flat(), **flatten(dump), "labels": pairs}


def _text(value: Any) -> str:
    if not isinstance(value, list):
        return str(value)
    return shortened({name: list(classes) for name, classes in value}, 160) if value else "none"


def _first_difference(there: Mapping[str, Tensor], here: Mapping[str, Tensor]) -> str:
    """Of two state dicts, in words; empty where all names and shapes are the same."""
    for name in [*here, *there]:
        if name not in there or name not in here:
            return f"{name} is {'here' if name in here else 'there'} alone"
        if there[name].shape != here[name].shape:
            return f"{name} is {tuple(there[name].shape)} there and {tuple(here[name].shape)} here"
    return ""


def _load(state: dict[str, Any], config: TrainConfig, family: Family) -> None:
    networks = {"generator": family.generator, "discriminator": family.discriminator}
    for part, network in networks.items():
        if config.init.takes(part):
            network.load_state_dict(state[part])
    if family.average is not None:
        own = family.generator.state_dict()
        family.average.load_state_dict(state.get("average", own) if config.init.takes("average") else own)
    if config.init.takes("progress"):
        family.load_beside(state)
    if not config.init.takes("optimizers"):
        return
    for part, descent, key in (
        ("generator", family.descent_g, "optimizer_g"),
        ("discriminator", family.descent_d, "optimizer_d"),
    ):
        if config.init.takes(part):
            # Moments alone: rates and decays are this run's.
            groups = descent.optimizer.state_dict()["param_groups"]
            descent.optimizer.load_state_dict({"state": state[key]["state"], "param_groups": groups})
            follow_memory_order(descent.optimizer)
