"""Extractors from outside: a factory of a module that the user allows."""

from pathlib import Path

import pytest
import torch

from trainers.errors import UserError
from trainers.metric_names import EXTRACTORS_ENV as ENV
from trainers.metrics import build_extractor

SOURCE = """
import torch
from trainers.metrics import Extractor

def means(weights):
    class Means(torch.nn.Module):
        def forward(self, images):
            return images.float().mean((2, 3)) + (0 if weights is None else float(weights.read_text()))
    return Extractor(Means(), protocol="means3", dim=3)

def network(weights):
    return torch.nn.Identity()

def shouting(weights):
    return Extractor(torch.nn.Identity(), protocol="Means 3", dim=3)

def failing(weights):
    raise KeyError("no weights")

def untyped(weights):
    return Extractor(torch.nn.Identity(), protocol=None, dim=3)

def taken(weights):
    return Extractor(means(None).network, protocol="inception2048", dim=3)

def too_long(weights):
    return Extractor(torch.nn.Flatten(), protocol="flat", dim=3)

def infinite(weights):
    class Infinite(torch.nn.Module):
        def forward(self, images):
            return images.float().mean((2, 3)) / 0
    return Extractor(Infinite(), protocol="infinite", dim=3)

number = 3
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Its name, which is of this test alone."""
    name = f"outside_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(SOURCE)
    (tmp_path / f"{name}_broken.py").write_text("import no_such_package\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv(ENV, f"other, {name},{name}_broken,{name}_missing")
    return name


def test_a_factory_makes_the_extractor_and_names_its_protocol(module: str, tmp_path: Path) -> None:
    images = torch.full((2, 3, 8, 8), 5, dtype=torch.uint8)
    extractor = build_extractor(f"{module}:means")
    assert extractor.protocol == "means3"
    assert torch.equal(extractor(images), torch.full((2, 3), 5.0))
    (tmp_path / "weights").write_text("2")
    assert torch.equal(build_extractor(f"{module}:means", tmp_path / "weights")(images), torch.full((2, 3), 7.0))


def test_no_space_may_choose_code_by_itself(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENV, "other")
    with pytest.raises(UserError, match=f"which no space may choose by itself.* set {ENV}=other,{module}"):
        build_extractor(f"{module}:means")
    monkeypatch.delenv(ENV)
    with pytest.raises(UserError, match=f"set {ENV}=os$"):
        build_extractor("os:system", "/bin/true")


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        ("_broken:means", "cannot be imported on .*: No module named 'no_such_package'"),
        ("_missing:means", "cannot be imported on .*: No module named"),
        (":averages", "has no function averages"),
        (":number", "has no function number"),
        (":network", "network returned Identity, not a trainers.metrics.Extractor"),
        (":shouting", "lower case letters, digits and _, got 'Means 3'"),
        (":failing", "failing failed: 'no weights'"),
        (":taken", "inception2048 is the protocol of another"),
        (":untyped", "digits and _, got None"),
        (":too_long", r"fails on two images of 32 px: features have the shape \(2, 3072\), dim asks for \(2, 3\)"),
        (":infinite", "features of two images of 32 px are not finite"),
        (":means:twice", "is named module:factory"),
        (":", "is named module:factory"),
    ],
)
def test_what_is_wrong_is_said(module: str, rest: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        build_extractor(f"{module}{rest}")
