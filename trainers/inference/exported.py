"""A folder that `gan-sweep export` wrote: what it says of its generator, and the generator itself.

``model.json`` says what the generator is and where it comes from; the weights lie beside it, in a file per network and
format. What is read here is data: JSON and safetensors. A TorchScript archive is code, and is not run.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from trainers.config import TrainConfig
from trainers.errors import UserError, first_line, shortened
from trainers.families import find_family
from trainers.inference.finished import FinishedGenerator
from trainers.inference.packages import needs

MODEL_FILE = "model.json"
MODEL_FORMAT = 1  # of `MODEL_FILE`
WEIGHTS_SUFFIX = ".safetensors"
WHOLE = "model"  # the name of the only network's files; those of translations are named after their direction


def is_exported(path: Path | str) -> bool:
    """Whether `path` is a folder that `gan-sweep export` wrote."""
    return (Path(path) / MODEL_FILE).is_file()


def read_model(directory: Path | str) -> dict[str, Any]:
    """What ``model.json`` says; its keys are in trainers/inference/README.md.

    Raises:
        UserError: it is missing or damaged, or a newer version wrote it.
    """
    file = Path(directory) / MODEL_FILE
    try:
        model = json.loads(file.read_text(encoding="utf-8"))
        if (number := model["format"]) > MODEL_FORMAT:
            raise UserError(f"{file} was written by a newer gan-sweep (format {number}): install that to load it")
        names = [name for of_format in model["files"].values() for name in of_format]
        if not all(isinstance(name, str) and Path(name).name == name for name in names):
            raise ValueError(f"files: {shortened(names)}")
        if missing := {"config", "epoch", "digest"} - model.keys():
            raise ValueError(f"no {', '.join(sorted(missing))}")
        if not isinstance(model["config"], dict):
            raise ValueError(f"config: {shortened(model['config'])} is no settings of a run")
        if type(model["epoch"]) is not int:
            raise ValueError(f"epoch: {shortened(model['epoch'])} is no whole number")
    except FileNotFoundError:
        raise UserError(f"{directory} is no exported model: it holds no {MODEL_FILE}") from None
    except UserError:
        raise
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UserError(f"{file} is damaged: {first_line(error, with_type=True)}") from None
    return model


def load_exported(
    directory: Path | str, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> FinishedGenerator:
    """The generator of a folder that `gan-sweep export` wrote.

    Args:
        directory: the folder.
        device: where to compute.
        dtype: see `FinishedGenerator`.

    Raises:
        UserError: it is no such folder, is damaged, or holds no safetensors.
    """
    directory = Path(directory)
    model = read_model(directory)
    try:
        config = TrainConfig.build(model["config"])
    except UserError as error:
        raise UserError(f"{directory / MODEL_FILE} is damaged: {error}") from None
    with torch.device("meta"):  # the weights are taken as they were read
        module, _ = find_family(config).build_pair(config)
    for name, network in networks(module).items():
        _load_weights(network, directory / f"{name}{WEIGHTS_SUFFIX}", model)
    found = FinishedGenerator(config, module, epoch=model["epoch"], source=str(directory), device=device, dtype=dtype)
    if found.digest != model["digest"]:
        raise UserError(f"{directory} is damaged: its weights are not those that {MODEL_FILE} names")
    return found


def networks(module: nn.Module) -> dict[str, nn.Module]:
    """The networks of a generator, by the name of their files: one, or one per direction."""
    return dict(module.items()) if isinstance(module, nn.ModuleDict) else {WHOLE: module}


def _load_weights(network: nn.Module, file: Path, model: dict[str, Any]) -> None:
    if not file.is_file():
        there = ", ".join(name for name in model["files"]) or "nothing"
        raise UserError(
            f"{file.parent} holds no {file.name}, from which a model is loaded (it holds {there}): export it again "
            "with --to safetensors"
        )
    load_file = needs("safetensors.torch").load_file
    try:
        weights = load_file(file)
    except Exception as error:  # safetensors raises types of its own for damage
        raise UserError(f"{file} is damaged: {first_line(error, 200)}") from None
    if misfits := _misfits(network, weights):
        more = f" ({len(misfits) - 1} more differ)" if misfits[1:] else ""
        raise UserError(f"{file} does not fit the config of {MODEL_FILE}: {misfits[0]}{more}")
    network.load_state_dict(weights, assign=True)


def _misfits(network: nn.Module, weights: Mapping[str, Tensor]) -> list[str]:
    """What keeps the network from taking the weights, which torch says in many lines."""
    wanted = {name: list(value.shape) for name, value in network.state_dict().items()}
    given = {name: list(value.shape) for name, value in weights.items()}
    return [
        *(
            f"{name} is {given[name]}, and not {wanted[name]}"
            for name in wanted
            if given.get(name, wanted[name]) != wanted[name]
        ),
        *(f"{name} is missing" for name in wanted if name not in given),
        *(f"{name} is no part of the network" for name in given if name not in wanted),
    ]
