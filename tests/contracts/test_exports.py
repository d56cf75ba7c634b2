"""The contract of exports: every network makes the same images from a file of every format, any number of them."""

import json
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import onnx
import onnxruntime
import pytest
import torch
from safetensors import safe_open
from torch import Tensor, nn

from trainers.config import NetworkConfig
from trainers.inference.formats import FORMATS
from trainers.networks import NETWORKS, TRANSLATORS, build_networks, build_translators

pytestmark = pytest.mark.usefixtures("one_thread")

SIZE, LATENT, CLASSES = 32, 6, 5
CLOSE = 1e-4  # largest difference, as a share of how much values vary: fresh networks make nearly grey images
METADATA = {"digest": "0123", "inputs": json.dumps({"shape": ["batch", 11], "meaning": "é"})}


def numbers(count: int, *shape: int) -> Tensor:
    return torch.randn(count, *shape, generator=torch.Generator().manual_seed(count))


def generator(name: str) -> tuple[nn.Module, Callable[[int], Tensor]]:
    """A narrow generator in eval mode whose BatchNorm has seen images, and what gives so many of its inputs."""
    config = NetworkConfig(name=name, latent_dim=LATENT, base_width=4)
    torch.manual_seed(0)
    if name in TRANSLATORS:
        network, _ = build_translators(config, SIZE)
        shape: tuple[int, ...] = (3, SIZE, SIZE)
    else:
        network, _ = build_networks(config, SIZE, CLASSES)
        shape = (LATENT + CLASSES,)
    with torch.no_grad():
        network(numbers(8, *shape))
    return network.eval().requires_grad_(False), lambda count: numbers(count, *shape)


def parts_of(file: Path) -> list[bytes]:
    """Its content, unpacked where it is an archive."""
    if not zipfile.is_zipfile(file):
        return [file.read_bytes()]
    with zipfile.ZipFile(file) as archive:
        return [archive.read(name) for name in archive.namelist()]


def test_there_are_the_formats_of_the_issue() -> None:
    assert list(FORMATS) == ["onnx", "safetensors", "torchscript"]


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("name", [*NETWORKS, *TRANSLATORS])
def test_a_file_makes_the_same_images(name: str, kind: str, tmp_path: Path) -> None:
    network, inputs = generator(name)
    file = tmp_path / f"model{FORMATS[kind].suffix}"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        FORMATS[kind].write(network, inputs(2), file, METADATA)
        twin, _ = generator(name)
        for count in (1, 2, 5):
            expected = network(inputs(count))
            made = FORMATS[kind].run(file, twin, inputs(count))
            assert made.shape == (count, 3, SIZE, SIZE) and made.dtype == torch.float32
            assert (made - expected).abs().max() < CLOSE * expected.std()
    parts = parts_of(file)
    for place in (Path(torch.__file__).parents[1], Path(__file__).parents[2]):
        assert not any(str(place).encode() in part for part in parts), "a path of this machine is in the file"
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_a_file_says_what_it_is(tmp_path: Path) -> None:
    network, inputs = generator("dcgan")
    files = {kind: tmp_path / f"model{FORMATS[kind].suffix}" for kind in FORMATS}
    for kind, file in files.items():
        FORMATS[kind].write(network, inputs(2), file, METADATA)
    with safe_open(files["safetensors"], "pt") as weights:
        assert weights.metadata() == METADATA
    session = onnxruntime.InferenceSession(files["onnx"], providers=["CPUExecutionProvider"])
    assert session.get_modelmeta().custom_metadata_map == METADATA
    assert [(one.name, one.shape) for one in session.get_inputs()] == [("inputs", ["batch", LATENT + CLASSES])]
    assert [(one.name, one.shape) for one in session.get_outputs()] == [("images", ["batch", 3, SIZE, SIZE])]
    onnx.checker.check_model(onnx.load(files["onnx"]), full_check=True)
    found = {"metadata.json": ""}
    with pytest.warns(FutureWarning, match="deprecated"):
        torch.jit.load(files["torchscript"], _extra_files=found)
    assert json.loads(found["metadata.json"]) == METADATA
