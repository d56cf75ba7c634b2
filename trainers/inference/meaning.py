"""What the inputs and outputs of a generator mean, in words that stand in every exported file."""

import json
from typing import Any

from trainers.inference.finished import FinishedGenerator

INPUT, OUTPUT = "inputs", "images"  # names of the tensors in files that name them
_PIXELS = "RGB values from -1 (black) to 1; a byte is round(value * 127.5 + 127.5), clamped to 0..255"


def describe_inputs(generator: FinishedGenerator) -> dict[str, Any]:
    """What its networks take: shape and, where columns differ, what each of them is."""
    size = generator.image_size
    if generator.directions:
        meaning = f"images of the domain to translate from, {_PIXELS}"
        return {"name": INPUT, "type": "float32", "shape": ["batch", 3, size, size], "meaning": meaning}
    dim, sigma = generator.config.network.latent_dim, generator.config.noise.latent_sigma
    normal = f"normal random numbers of mean 0 and standard deviation {sigma:g}"
    columns: list[dict[str, Any]] = [{"name": "latent", "first": 0, "last": dim - 1, "meaning": normal}]
    for attribute, classes in generator.classes.items():
        first = columns[-1]["last"] + 1
        meaning = "1 in the column of the wanted class, 0 in the others"
        columns.append(
            {
                "name": attribute,
                "first": first,
                "last": first + len(classes) - 1,
                "meaning": meaning,
                "classes": list(classes),
            }
        )
    width = columns[-1]["last"] + 1
    return {"name": INPUT, "type": "float32", "shape": ["batch", width], "columns": columns}


def describe_output(generator: FinishedGenerator) -> dict[str, Any]:
    """What its networks give."""
    size = generator.image_size
    return {"name": OUTPUT, "type": "float32", "shape": ["batch", 3, size, size], "meaning": _PIXELS}


def file_metadata(generator: FinishedGenerator, network: str, licence: str) -> dict[str, str]:
    """What a file of one network says of itself, as texts.

    Args:
        generator: that it is of.
        network: name of the network: a direction, or ``model`` for the only one.
        licence: of the weights.
    """
    from importlib.metadata import version

    return {
        "producer": f"gan-sweep {version('gan-sweep')}",
        "network": network,
        "family": generator.config.family,
        "architecture": generator.config.network.name,
        "epoch": str(generator.epoch),
        "digest": generator.digest,
        "license": licence,
        "inputs": json.dumps(describe_inputs(generator)),
        "outputs": json.dumps(describe_output(generator)),
    }
