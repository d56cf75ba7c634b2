"""Code that loads an exported generator, as its model card shows it; tests run it."""

import json
from collections.abc import Callable, Iterator
from typing import Any

COUNT = 16  # images that the code makes


def snippets(model: dict[str, Any]) -> Iterator[str]:
    """Markdown for each format that there is: a sentence, and a block of code.

    Args:
        model: contents of ``model.json``.
    """
    for kind, names in model["files"].items():
        text, code = _SNIPPETS[kind](model, names[0])
        yield text
        yield f"```python\n{code}```"


def _safetensors(model: dict[str, Any], _: str) -> tuple[str, str]:
    text = (
        "With gan-sweep, from `safetensors`. `gan-sweep serve .` offers the same over HTTP, with a page to try it on:"
    )
    load = 'from trainers.inference import load_exported\n\ngenerator = load_exported(".")\n'
    if not model["directions"]:
        first = {name: names[0] for name, names in model["classes"].items()}
        wanted = f", classes={json.dumps(first)}" if first else ""
        make = f"pixels = generator.pixels(generator.inputs(range({COUNT}), seed=0{wanted}))"
        return text, f"{load}{make}  # uint8{_made(model, COUNT)}\n"
    direction, size = model["directions"][0], model["image_size"]
    make = f"images = torch.zeros(1, 3, {size}, {size})  # yours, in [-1, 1]\n"
    return text, f'import torch\n{load}{make}translated = generator.translated(images, "{direction}")\n'


def _torchscript(model: dict[str, Any], name: str) -> tuple[str, str]:
    text = "With torch alone (TorchScript, which torch calls deprecated and still reads):"
    load = f'import torch\n\ngenerator = torch.jit.load("{name}")\n'
    make = _inputs(model, "torch.zeros", "torch.randn")
    return text, f"{load}{make}images = generator(inputs)  #{_made(model)}, RGB from -1 to 1\n"


def _onnx(model: dict[str, Any], name: str) -> tuple[str, str]:
    load = f'import numpy as np\nimport onnxruntime\n\nsession = onnxruntime.InferenceSession("{name}")\n'
    make = _inputs(model, "np.zeros", "np.random.default_rng(0).standard_normal")
    names = model["outputs"]["name"], model["inputs"]["name"]
    run = '(images,) = session.run(["{}"], {{"{}": inputs.astype(np.float32)}})'.format(*names)
    return "With ONNX Runtime:", f"{load}{make}{run}  #{_made(model)}, RGB from -1 to 1\n"


def _inputs(model: dict[str, Any], zeros: str, normal: str) -> str:
    """Lines that make `inputs` by a library's two functions."""
    if model["directions"]:
        size = model["image_size"]
        return f"inputs = {zeros}((1, 3, {size}, {size}))  # the images to translate, RGB from -1 to 1\n"
    dim, sigma, width = model["latent_dim"], model["latent_sigma"], model["inputs"]["shape"][1]
    lines = [f"inputs = {zeros}(({COUNT}, {width}))", f"inputs[:, :{dim}] = {sigma!r} * {normal}(({COUNT}, {dim}))"]
    for column in model["inputs"]["columns"][1:]:
        lines.append(f"inputs[:, {column['first']}] = 1  # {_word(column['name'])}: {_word(column['classes'][0])}")
    return "\n".join(lines) + "\n"


def _word(text: str) -> str:
    """A name that came from a file, in one line of a comment."""
    return " ".join(text.replace("`", "'").split())


def _made(model: dict[str, Any], count: int | None = None) -> str:
    size = model["image_size"]
    count = count or (1 if model["directions"] else COUNT)
    return f" [{count}, 3, {size}, {size}]"


_SNIPPETS: dict[str, Callable[[dict[str, Any], str], tuple[str, str]]] = {
    "onnx": _onnx,
    "safetensors": _safetensors,
    "torchscript": _torchscript,
}
