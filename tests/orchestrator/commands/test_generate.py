"""`gan-sweep generate` and `gan-sweep fid --sweep` on a sweep that trained."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from orchestrator.cli import main
from orchestrator.results.store import ResultsStore
from tests.trainers.metrics.metrics_helpers import write_inception

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def store(two_ranks: tuple[ResultsStore, str]) -> ResultsStore:
    return two_ranks[0]


def typed(*words: object) -> Result:
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exit_code == 0, result.output + repr(result.exception)
    return result


def measured(*words: object) -> dict[str, object]:
    found: dict[str, object] = json.loads(typed("fid", *words, "--json").stdout)
    return found


def test_images_of_the_winner_and_the_fid_that_the_sweep_measured(store: ResultsStore, tmp_path: Path) -> None:
    """On as many images as the sweep's 16, in sets."""
    images = tmp_path / "images"
    said = typed("generate", store.directory, "--out", images, "--count", 200).stdout
    assert "200 images of 32 px" in said and "images/s, limited by the generator: it took" in said
    assert "200 of them were there before" in typed("generate", store.directory, "--out", images, "--count", 200).stdout
    again = measured("--sweep", store.directory, "--seeds", 3)
    confirmed = again["confirmed"]
    assert isinstance(confirmed, list) and len(confirmed) == 3 and again["differences"] == []
    # One process and not two ranks: another order of sums.
    assert again["fresh_latents"] == pytest.approx(confirmed, rel=1e-4)
    assert again["measured_again"] == pytest.approx(again["in_training"], rel=1e-4)
    text = typed("fid", images, "--sweep", store.directory).stdout
    assert "over 12 sets of 16 of the images" in text and ": agrees (the means are" in text
    assert "of all images: more images give a lower FID" in text
    of_folder = measured(images, "--sweep", store.directory)
    sets = of_folder["sets"]
    assert isinstance(sets, list) and len(sets) == 12
    assert np.mean(sets) == pytest.approx(np.mean(confirmed), rel=0.05)
    assert of_folder["whole"]["value"] < min(sets)  # type: ignore[index]


def test_what_differs_is_said(store: ResultsStore, tmp_path: Path) -> None:
    plan = store.read_plan()
    moved = tmp_path / "moved"
    shutil.copytree(plan.data, moved)
    assert "not as in the sweep" not in typed("fid", "--sweep", store.directory, "--data", moved).stdout
    for picture in sorted(moved.glob("*.jpg"))[:12]:
        picture.unlink()
    text = typed("fid", "--sweep", store.directory, "--data", moved).stdout
    assert "DIFFERS" in text
    assert f"not as in the sweep: the images in {moved} are not those of the launch" in text
    images = tmp_path / "narrow"
    typed("generate", store.directory, "--out", images, "--count", 40, "--truncation", 0.2)
    text = typed("fid", images, "--sweep", store.directory).stdout
    assert "DIFFERS" in text and "the images were made with truncation 0.2" in text
    other = next(path.parent.name for path in store.trials_dir.glob("*/best.pt") if not _is_winner(store, path))
    text = typed("fid", images, "--sweep", store.directory, "--trial", other).stdout
    assert f"and not by {store.directory.name}/{other}" in text


def _is_winner(store: ResultsStore, best: Path) -> bool:
    return best.parent.name == store.summary()["best"]["trial_id"]


def test_pictures_and_animations(store: ResultsStore, tmp_path: Path) -> None:
    typed("generate", store.directory, "--out", tmp_path, "--grid", "2x3")
    typed("generate", store.directory, "--out", tmp_path, "--interpolate", 2, "--frames", 3)
    typed("generate", store.directory, "--out", tmp_path, "--interpolate", 2, "--frames", 3, "--grid", "1x2", "--mp4")
    winner = store.summary()["best"]["trial_id"]
    typed("generate", store.directory, "--out", tmp_path, "--epochs", "--trial", winner)
    epochs = f"two_{winner}_epochs.gif"
    assert {path.name for path in tmp_path.iterdir()} == {
        "grid_2x3_seed0.png",
        "walk_2_seed0.gif",
        "walk_2_seed0.mp4",
        epochs,
    }
    with Image.open(tmp_path / epochs) as film:
        grids = sorted((store.trials_dir / winner / "samples").glob("epoch_*.png"))
        assert film.n_frames == len(grids) > 1
    with Image.open(tmp_path / "walk_2_seed0.gif") as walk:
        assert walk.n_frames == 6


def test_images_of_other_sizes_are_explained(store: ResultsStore, tmp_path: Path) -> None:
    for folder, sides in (("same", (32, 32)), ("mixed", (32, 50))):
        (tmp_path / folder).mkdir()
        for number, side in enumerate(sides):
            Image.new("RGB", (side, 40), (90 * number, 0, 0)).save(tmp_path / folder / f"{number}.png")
    extractor = ("--fid-extractor", "efficientnet_lite0")
    assert typed("fid", tmp_path / "same", tmp_path / "same", *extractor).stderr == ""
    said = typed("fid", tmp_path / "same", tmp_path / "mixed", *extractor).stderr
    assert "same: 32x40; mixed: 2 sizes, 32x40 to 50x40" in said and "`gan-sweep fid GENERATED --sweep NAME`" in said


def test_evaluate_compares_folders_checkpoints_and_sweeps(store: ResultsStore, tmp_path: Path) -> None:
    """Of a generator it makes images; beside it a folder's are decoded as for its training."""
    lite = ("--fid-extractor", "efficientnet_lite0", "--json")
    photos, images, trial = store.read_plan().data, tmp_path / "images", best_of(store)
    against = json.loads(typed("evaluate", photos, store.directory, "--count", 24, *lite).stdout)
    assert (against["a"], against["n_fake"]) == (str(photos), 24)
    assert against["kid"]["mean"] > 0 and 0 <= against["prdc"]["recall"] <= 1
    typed("generate", store.directory, "--out", images, "--count", 24, "--seed", 1)
    with Image.open(next(Path(photos).glob("*.jpg"))) as photo:
        assert photo.size != (32, 32), "it is decoded"
    by_hand = json.loads(typed("evaluate", trial, images, "--count", 24, *lite).stdout)
    assert by_hand["value"] < against["value"], "the same generator against itself, with other latents"
    same = json.loads(typed("evaluate", images, trial, "--count", 24, "--seed", 1, *lite).stdout)
    assert same["value"] == pytest.approx(0, abs=1e-3), "one generator has the seed that was given, on either side"
    said = typed("evaluate", trial, store.directory, "--count", 6, "--fid-extractor", "efficientnet_lite0").stdout
    assert f"{store.directory.name}/" in said and "6 images, seed 1" in said and "recall" in said


def test_evaluate_says_a_folder_without_images_before_it_makes_any(store: ResultsStore, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    refused = CliRunner().invoke(
        main, ["evaluate", str(tmp_path / "empty"), str(store.directory), "--fid-extractor", "efficientnet_lite0"]
    )
    assert refused.exit_code == 2 and "images" in refused.output
    assert f"{tmp_path}/empty" in refused.output and "generating" not in refused.output


@pytest.mark.parametrize(
    ("metrics", "count", "line"),
    [
        ("prdc", 5, "--count 5: prdc with 5 neighbours needs at least 6 images"),
        ("prdc,inception_score", 9, "--count 9: inception_score needs at least 10 images"),
    ],
)
def test_evaluate_says_too_few_images_before_it_makes_any(
    store: ResultsStore, tmp_path: Path, metrics: str, count: int, line: str
) -> None:
    write_inception(tmp_path / "inception.pth")
    words = ("evaluate", store.directory, store.directory, "--metrics", metrics, "--count", count)
    words += ("--fid-weights", tmp_path / "inception.pth")
    refused = CliRunner().invoke(main, [str(word) for word in words])
    assert refused.exit_code == 2 and refused.output.splitlines() == [f"gan-sweep: {line}"]


def test_evaluate_of_two_folders_is_fid(store: ResultsStore, tmp_path: Path) -> None:
    images = tmp_path / "images"
    typed("generate", store.directory, "--out", images, "--count", 8)
    lite = ("--fid-extractor", "efficientnet_lite0", "--metrics", "fid", "--json")
    assert json.loads(typed("evaluate", images, images, *lite).stdout)["value"] == pytest.approx(0, abs=1e-6)
    refused = CliRunner().invoke(main, ["evaluate", str(images), str(images), "--count", "9"])
    assert refused.exit_code == 2 and "--count has no meaning between two folders" in refused.stderr


def best_of(store: ResultsStore) -> Path:
    return next(path for path in store.trials_dir.glob("*/best.pt") if _is_winner(store, path))
