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
from torch_fidelity.metric_isc import isc_features_to_metric

from orchestrator.cli import main
from tests.trainers.metrics.metrics_helpers import write_inception, write_photos
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


@pytest.mark.slow  # two passes of Inception and a square root of a 2048 x 2048 matrix
@pytest.mark.filterwarnings("ignore:Matrix is singular")
def test_the_inception_score_is_that_of_torch_fidelity(folders: tuple[Path, Path], tmp_path: Path) -> None:
    """Of the second folder: turned round it is another."""
    weights = tmp_path / "inception.pth"
    write_inception(weights)
    state, made = torch.load(weights, weights_only=True), features(folders[1], build_extractor("inception", weights))
    classes, mean = state["fc.weight"], made.mean(0)
    classes -= torch.outer(classes @ mean, mean) / (mean @ mean)  # or all random images are of one class
    classes *= 2 / (made @ classes.T).std()
    torch.save(state, weights)
    theirs = isc_features_to_metric(made @ classes.T)["inception_score_mean"]
    assert theirs > 1.3, "it could differ"
    words = ("--metrics", "inception_score", "--fid-weights", weights)
    assert found(*folders, *words)["inception_score"] == pytest.approx(theirs, rel=1e-4)
    turned = typed(folders[1], folders[0], *words).stdout.splitlines()[-1]
    assert turned.startswith("inception_score_inception2048_n40 ") and turned.endswith("second folder's images alone)")
    assert float(turned.split()[1]) != pytest.approx(theirs, rel=1e-2)


def test_the_text_says_the_neighbours(folders: tuple[Path, Path]) -> None:
    said = typed(*folders, "--neighbours", 3, *LITE).stdout
    assert "recall_efflite0_unit_64px_n30_k3 " in said and "_k5" not in said


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (
            ("--metrics", "fid,kid", "--neighbours", 3),
            "--neighbours has no meaning without prdc in --metrics, which are fid",
        ),
        (("--metrics", "inception_score"), "inception_score needs --fid-extractor inception, got efficientnet_lite0"),
        (("--neighbours", 30), "prdc needs more than 30 images in each folder, "),
    ],
)
def test_what_has_no_meaning_is_refused(folders: tuple[Path, Path], words: tuple[object, ...], text: str) -> None:
    refused = typed(*folders, *words, *LITE)
    assert refused.exit_code == 2 and text in refused.stderr and refused.stderr.count("\n") == 1
