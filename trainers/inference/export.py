"""A finished generator as files that others load: a folder with ``model.json`` and a file per network and format."""

import json
import platform
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trainers.atomic import write_text
from trainers.errors import UserError
from trainers.inference.exported import MODEL_FILE, MODEL_FORMAT, networks
from trainers.inference.finished import FinishedGenerator
from trainers.inference.formats import FORMATS
from trainers.inference.meaning import describe_inputs, describe_output, file_metadata

COMPARED = 4  # images by which a file is compared with its generator; a 256 px translation takes seconds on a CPU
MOST_DIFFERENCE = 1e-4  # of a value in [-1, 1]: a hundredth of what a byte can show


@dataclass(frozen=True, kw_only=True)
class Written:
    """A file of weights.

    Attributes:
        name: of the file.
        format: as in `FORMATS`.
        size: bytes.
        difference: largest difference of a value of its images, in [-1, 1], from the generator's own.
    """

    name: str
    format: str
    size: int
    difference: float


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a generator comes from, as far as that is known.

    Attributes:
        sweep: name of its sweep.
        trial: its number there.
        objective_name: the metric, protocol included.
        objective: its value at the exported epoch, measured in training.
        confirmed_mean: mean of the values of that epoch measured again, each on fresh latents.
        confirmed_spread: their sample standard deviation.
        confirmed_seeds: how many there are: sets of latents, not training seeds.
        training_mean: mean FID of its setting, trained again with fresh training seeds.
        training_spread: the sample standard deviation of those.
        training_seeds: how many there are.
        data_fingerprint: hash of the training images.
        data_images: how many there were.
    """

    sweep: str | None = None
    trial: str | None = None
    objective_name: str | None = None
    objective: float | None = None
    confirmed_mean: float | None = None
    confirmed_spread: float | None = None
    confirmed_seeds: int = 0
    training_mean: float | None = None
    training_spread: float | None = None
    training_seeds: int = 0
    data_fingerprint: str | None = None
    data_images: int | None = None


def write_model(
    generator: FinishedGenerator, folder: Path, formats: Collection[str], origin: Origin, licence: str
) -> list[Written]:
    """Write weights and ``model.json`` into a folder that is there, and compare what each file makes.

    Args:
        generator: in float32 on the CPU.
        folder: to write to.
        formats: names of `FORMATS`.
        origin: where the generator comes from.
        licence: of the weights.

    Raises:
        UserError: a package is missing, or a file makes other images than the generator.
    """
    written = []
    for name, network in networks(generator.module).items():
        inputs = example_inputs(generator)
        expected = network(inputs)
        for kind in formats:
            file = folder / f"{name}{FORMATS[kind].suffix}"
            FORMATS[kind].write(network, inputs[:2], file, file_metadata(generator, name, licence))
            made = FORMATS[kind].run(file, network, inputs)
            difference = (made - expected).abs().max().item()
            if not difference <= MOST_DIFFERENCE:
                raise UserError(f"{file.name} would not make the checkpoint's images: they differ by {difference:.2g}")
            written.append(Written(name=file.name, format=kind, size=file.stat().st_size, difference=difference))
    files = {kind: [one.name for one in written if one.format == kind] for kind in formats}
    text = json.dumps(describe(generator, files, origin, licence), indent=1)
    write_text(folder / MODEL_FILE, text + "\n")
    return written


def example_inputs(generator: FinishedGenerator) -> Tensor:
    """Inputs to compare files by; where they are images, noise."""
    if not generator.directions:
        return generator.inputs(range(COMPARED))
    size = generator.image_size
    return torch.rand(COMPARED, 3, size, size, generator=torch.Generator().manual_seed(0)) * 2 - 1


def describe(
    generator: FinishedGenerator, files: Mapping[str, Sequence[str]], origin: Origin, licence: str
) -> dict[str, Any]:
    """The contents of ``model.json``; every key is explained in trainers/inference/README.md."""
    config = generator.config
    # The paths of the extractor's weights and of the checkpoint that it started from are of this machine alone.
    start = config.init.checkpoint and Path(config.init.checkpoint).name
    changes: dict[str, dict[str, str | None]] = {"fid": {"weights": None}, "init": {"checkpoint": start}}
    plain = config.model_copy(
        update={section: getattr(config, section).model_copy(update=values) for section, values in changes.items()}
    )
    return {
        "format": MODEL_FORMAT,
        "family": config.family,
        "classes": {name: list(classes) for name, classes in generator.classes.items()},
        "directions": list(generator.directions),
        "image_size": generator.image_size,
        "latent_dim": None if generator.directions else config.network.latent_dim,
        "latent_sigma": None if generator.directions else config.noise.latent_sigma,
        "inputs": describe_inputs(generator),
        "outputs": describe_output(generator),
        "epoch": generator.epoch,
        "digest": generator.digest,
        "files": dict(files),
        "license": licence,
        "origin": asdict(origin),
        "versions": {name: version(name) for name in ("gan-sweep", "torch")} | {"python": platform.python_version()},
        "exported": datetime.now(UTC).isoformat(timespec="seconds"),
        "config": plain.model_dump(mode="json"),
    }
