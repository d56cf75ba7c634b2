"""A generator from a folder that was exported."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.contracts.family_cases import case_config, fresh_family
from trainers.errors import UserError
from trainers.inference import FinishedGenerator, is_exported, load_exported
from trainers.inference.export import Origin, write_model

pytestmark = pytest.mark.usefixtures("one_thread")


def generator_of(case: str, **overrides: Any) -> FinishedGenerator:
    """Of a run that learnt nothing, of a contract's case, in the memory order of one that was loaded."""
    config = case_config(case, overrides)
    network = fresh_family(config).generator.to(memory_format=torch.contiguous_format)
    return FinishedGenerator(config, network, epoch=4, source="here")


def exported(tmp_path: Path, case: str = "adversarial") -> tuple[FinishedGenerator, Path]:
    generator = generator_of(case)
    (tmp_path / "out").mkdir()
    write_model(generator, tmp_path / "out", ["safetensors"], Origin(), "unknown")
    return generator, tmp_path / "out"


@pytest.mark.parametrize("case", ["adversarial", "acgan"])
@torch.no_grad()
def test_it_makes_the_same_images(case: str, tmp_path: Path) -> None:
    generator, out = exported(tmp_path, case)
    found = load_exported(out)
    inputs = found.inputs(range(5), seed=3)
    assert torch.equal(found.images(inputs), generator.images(generator.inputs(range(5), seed=3)))
    assert (found.digest, found.epoch, found.classes) == (generator.digest, 4, generator.classes)
    assert is_exported(out) and not is_exported(tmp_path)
    exact = load_exported(out, dtype=torch.float64).images(inputs)
    assert exact.dtype == torch.float64
    torch.testing.assert_close(exact.float(), found.images(inputs), atol=1e-5, rtol=0)


def test_it_translates_the_same(tmp_path: Path) -> None:
    generator, out = exported(tmp_path, "cyclegan")
    images = torch.rand(3, 3, 32, 32) * 2 - 1
    for direction in ("a2b", "b2a"):
        assert torch.equal(load_exported(out).translated(images, direction), generator.translated(images, direction))


def edit(out: Path, **changes: Any) -> None:
    model = json.loads((out / "model.json").read_text())
    (out / "model.json").write_text(json.dumps({**model, **changes}))


def test_what_is_wrong_is_one_line(tmp_path: Path) -> None:
    _, out = exported(tmp_path)

    def refused(message: str) -> None:
        with pytest.raises(UserError, match=message) as caught:
            load_exported(out)
        assert "\n" not in str(caught.value)

    edit(out, digest="0" * 16)
    refused("its weights are not those that model.json names")
    edit(out, config={"netwrk": 1})
    refused(r"model\.json is damaged: unknown config key 'netwrk'")
    edit(out, config=5)
    refused(r"model\.json is damaged: ValueError: config: 5 is no settings of a run")
    edit(out, config={})
    refused(r"model\.safetensors does not fit the config of model\.json: \S+ is \[.*\], and not \[.*\]")
    edit(out, config={"network": {"name": "dcgan"}}, epoch="4")
    refused("epoch: '4' is no whole number")
    for files in ([], {"onnx": ["../x"]}, {"onnx": 1}):
        edit(out, files=files)
        refused("model.json is damaged")
    edit(out, format=2)
    refused(r"newer gan-sweep \(format 2\)")
    (out / "model.json").write_text("[]")
    refused("model.json is damaged")
    (out / "model.json").unlink()
    refused("holds no model.json")


def test_damaged_and_missing_weights(tmp_path: Path) -> None:
    _, out = exported(tmp_path)
    weights = out / "model.safetensors"
    content = weights.read_bytes()
    for damaged in (content[:-1], b"", content[8:]):
        weights.write_bytes(damaged)
        with pytest.raises(UserError, match=r"model\.safetensors is damaged"):
            load_exported(out)
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))  # whole, with another number
    with pytest.raises(UserError, match="its weights are not those"):
        load_exported(out)
    weights.unlink()
    edit(out, files={"onnx": ["model.onnx"]})
    with pytest.raises(UserError, match=r"holds no model\.safetensors.*\(it holds onnx\).*--to safetensors"):
        load_exported(out)


def test_metadata_explains_the_columns(tmp_path: Path) -> None:
    from safetensors import safe_open

    _, out = exported(tmp_path, "acgan")
    with safe_open(out / "model.safetensors", "pt") as file:
        metadata = file.metadata()
    inputs = json.loads(metadata["inputs"])
    assert inputs["shape"] == ["batch", 13]
    spans = [(column["name"], column["first"], column["last"]) for column in inputs["columns"]]
    assert spans == [("latent", 0, 7), ("hair", 8, 10), ("eyes", 11, 12)]
    assert inputs["columns"][1]["classes"] == ["red", "blue", "green"]
