"""`gan-sweep evaluate` between two folders, against the packages that measure the same, on the same features."""

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image
from prdc import compute_prdc

from orchestrator.cli import main
from tests.trainers.metrics.metrics_helpers import write_photos
from trainers.metrics import Extractor, build_extractor, find_images

pytestmark = pytest.mark.usefixtures("one_thread")
LITE = ("--fid-extractor", "efficientnet_lite0")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("folders")
    return write_photos(root / "a", 40, 32, seed=0), write_photos(root / "b", 30, 32, seed=1, warmth=20)


def features(folder: Path, extractor: Extractor) -> torch.Tensor:
    images = [np.array(Image.open(path).convert("RGB")) for path in find_images(folder)]
    return extractor(torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2))


def typed(*words: object) -> Result:
    return CliRunner().invoke(main, ["evaluate", *map(str, words)])


def found(*words: object) -> dict[str, Any]:
    result = typed(*words, "--json")
    assert result.exit_code == 0, result.output + repr(result.exception)
    values: dict[str, Any] = json.loads(result.stdout)
    return values


@pytest.mark.parametrize(("words", "k"), [((), 5), (("--neighbours", 3), 3)])
def test_prdc_is_that_of_the_package(folders: tuple[Path, Path], words: tuple[object, ...], k: int) -> None:
    extractor = build_extractor("efficientnet_lite0", None)
    a, b = (features(folder, extractor).double().numpy() for folder in folders)
    with contextlib.redirect_stdout(io.StringIO()):
        theirs = compute_prdc(a, b, k)
    ours = found(*folders, "--metrics", "prdc", *words, *LITE)["prdc"]
    assert ours == pytest.approx({**theirs, "k": k}, abs=1e-5)
    assert 0 < ours["recall"] < 1 and 0 < ours["precision"] < 1, "it could differ"


def test_the_text_says_the_neighbours(folders: tuple[Path, Path]) -> None:
    said = typed(*folders, "--neighbours", 3, *LITE).stdout
    assert "recall_k3_efflite0" in said and "_k5" not in said


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (
            ("--metrics", "fid,kid", "--neighbours", 3),
            "--neighbours has no meaning without prdc in --metrics, which are fid",
        ),
        (("--neighbours", 30), "prdc needs more than 30 images in each folder, "),
    ],
)
def test_what_has_no_meaning_is_refused(folders: tuple[Path, Path], words: tuple[object, ...], text: str) -> None:
    refused = typed(*folders, *words, *LITE)
    assert refused.exit_code == 2 and text in refused.stderr and refused.stderr.count("\n") == 1
