"""`gan-sweep fid A B` against pytorch-fid on the same files, with the same random Inception weights."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pytorch_fid import fid_score

from tests.trainers.metrics.metrics_helpers import DIM, Tiny, draw_photo, photo_tensor, tiny_extractor, write_photos
from trainers.errors import UserError
from trainers.metrics import (
    METRICS,
    Extractor,
    Moments,
    build_extractor,
    compare_folders,
    fid_between_folders,
    find_images,
)
from trainers.metrics.inception_score import inception_score
from trainers.metrics.kid import kid
from trainers.metrics.neighbours import neighbours


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Drawn photos at 32 px, as PNG and JPEG, and files that pytorch-fid passes over."""
    root = tmp_path_factory.mktemp("folders")
    a, b = write_photos(root / "a", 24, 32, seed=0), write_photos(root / "b", 23, 32, seed=1, warmth=20)
    rng = np.random.default_rng(2)
    draw_photo(rng, 32).convert("L").save(a / "grey.png")
    draw_photo(rng, 32).convert("RGBA").save(a / "alpha.webp", lossless=True)
    draw_photo(rng, 32).save(b / "photo.jpg")
    draw_photo(rng, 32).save(b / "photo.jpeg")
    draw_photo(rng, 32).save(b / "PHOTO.PNG")
    (b / "notes.txt").write_text("not an image")
    (b / "more").mkdir()
    draw_photo(rng, 32).save(b / "more" / "deep.png")
    return a, b


@pytest.fixture(scope="session")
def inception(torch_home: Path) -> Extractor:
    return build_extractor("inception", torch_home / "hub/checkpoints/pt_inception-2015-12-05-6726825d.pth")


def test_inception_features_equal_pytorch_fid(
    folders: tuple[Path, Path], inception: Extractor, torch_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(torch_home))
    theirs = fid_score.InceptionV3([3])
    files = sorted(folders[0].glob("*.png"))[:8]
    mean, covariance = fid_score.calculate_activation_statistics(files, theirs, batch_size=4, num_workers=0)
    moments = Moments(2048)
    for path in files:
        pixels = np.array(Image.open(path).convert("RGB"))
        moments.update(inception(torch.from_numpy(pixels).permute(2, 0, 1)[None]))
    alive = mean > 0
    spread = np.sqrt(covariance.diagonal()[alive]) / mean[alive]
    assert alive.mean() > 0.5  # the random network answers, and tells images apart
    assert np.median(spread) > 0.01
    np.testing.assert_allclose(moments.mean, mean, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(moments.covariance, covariance, atol=1e-4 * covariance.max())


def test_reads_the_files_that_pytorch_fid_reads(folders: tuple[Path, Path]) -> None:
    result = fid_between_folders(*folders, extractor=tiny_extractor())
    theirs = [len([p for e in fid_score.IMAGE_EXTENSIONS for p in folder.glob(f"*.{e}")]) for folder in folders]
    assert [result.n_real, result.n_fake] == theirs == [26, 25]
    assert result.name == "fid_tiny_8px_n25"


@pytest.mark.slow  # SciPy's square root of a 2048 x 2048 matrix takes a minute
@pytest.mark.filterwarnings("ignore:Matrix is singular")
def test_value_equals_pytorch_fid(
    folders: tuple[Path, Path], inception: Extractor, torch_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(torch_home))
    theirs = fid_score.calculate_fid_given_paths([str(f) for f in folders], 50, "cpu", 2048, num_workers=0)
    result = fid_between_folders(*folders, extractor=inception, batch_size=7)
    assert result.value == pytest.approx(theirs, rel=1e-4)
    assert (result.name, result.n_real, result.n_fake) == ("fid_inception2048_n25", 26, 25)


def test_mixed_sizes_run_at_their_own_size(tmp_path: Path) -> None:
    a, b = write_photos(tmp_path / "a", 20, 16, seed=0), write_photos(tmp_path / "b", 20, 16, seed=1)
    for i, side in enumerate((16, 24, 24, 40)):
        draw_photo(np.random.default_rng(i), side).save(a / f"more{i}.png")
    extractor = tiny_extractor()
    moments = [Moments(extractor.dim), Moments(extractor.dim)]
    for folder, of_folder in zip((a, b), moments, strict=True):
        for path in sorted(folder.iterdir()):
            of_folder.update(extractor(torch.from_numpy(np.array(Image.open(path))).permute(2, 0, 1)[None]))
    theirs = fid_score.calculate_frechet_distance(
        moments[0].mean.numpy(), moments[0].covariance.numpy(), moments[1].mean.numpy(), moments[1].covariance.numpy()
    )
    result = fid_between_folders(a, b, extractor=extractor, batch_size=3)
    assert result.value == pytest.approx(theirs, rel=1e-5)
    assert (result.n_real, result.n_fake) == (24, 20)


def test_missing_folder_is_named(tmp_path: Path) -> None:
    folder = write_photos(tmp_path / "a", 2, 16, seed=0)
    for pair in ((folder, tmp_path / "b"), (tmp_path / "b", folder), (folder / "0000.png", folder)):
        with pytest.raises(UserError, match=r"(b|0000\.png) is not a folder"):
            fid_between_folders(*pair, extractor=tiny_extractor())


def test_fewer_than_two_images_is_an_error(tmp_path: Path) -> None:
    a, b = write_photos(tmp_path / "a", 2, 16, seed=0), write_photos(tmp_path / "b", 1, 16, seed=0)
    with pytest.raises(UserError, match=r"at least 2 images, .*b has 1"):
        fid_between_folders(a, b, extractor=tiny_extractor())


@pytest.mark.parametrize("keep", [0, 20, 200])
def test_unreadable_file_is_named(tmp_path: Path, keep: int) -> None:
    a, b = write_photos(tmp_path / "a", 3, 16, seed=0), write_photos(tmp_path / "b", 3, 16, seed=1)
    broken = b / "0001.png"
    broken.write_bytes(broken.read_bytes()[:keep])
    with pytest.raises(UserError, match=r"b/0001\.png cannot be read as an image"):
        fid_between_folders(a, b, extractor=tiny_extractor())


def test_photos_differ_from_image_to_image() -> None:
    assert len({bytes(image.contiguous().numpy()) for image in photo_tensor(20, 16, seed=0)}) == 20


def test_other_metrics_come_from_the_same_features(folders: tuple[Path, Path]) -> None:
    classes = torch.randn(7, DIM, generator=torch.Generator().manual_seed(0))
    extractor = Extractor(Tiny(), protocol="tiny_8px", dim=DIM, classes=classes)
    features = []
    for folder in folders:
        images = [np.array(Image.open(path).convert("RGB")) for path in find_images(folder)]
        features.append(torch.cat([extractor(torch.from_numpy(one).permute(2, 0, 1)[None]) for one in images]))
    found = compare_folders(*folders, extractor=extractor, metrics=METRICS, batch_size=7)
    assert found.fid.value == pytest.approx(fid_between_folders(*folders, extractor=extractor).value)
    assert found.kid is not None and found.neighbours is not None
    assert found.kid.mean == pytest.approx(kid(*features).mean, abs=1e-9) and found.kid.subset_size == 12
    assert found.neighbours == neighbours(*features)
    assert found.inception_score == pytest.approx(inception_score(features[1], classes), abs=1e-9)
    assert found.inception_score != inception_score(features[0], classes)
    alone = compare_folders(*folders, extractor=extractor, metrics=["inception_score"])
    assert (alone.inception_score, alone.kid) == (pytest.approx(found.inception_score, abs=1e-6), None)
    assert compare_folders(*folders, extractor=extractor, metrics=["kid"]).neighbours is None


def test_what_the_inception_score_needs(tmp_path: Path) -> None:
    a, b = write_photos(tmp_path / "a", 12, 16, seed=0), write_photos(tmp_path / "b", 9, 16, seed=1)
    with pytest.raises(UserError, match="inception_score needs the extractor inception: tiny_8px has no classes"):
        compare_folders(a, b, extractor=tiny_extractor(), metrics=["inception_score"])
    knows = Extractor(Tiny(), protocol="tiny_8px", dim=DIM, classes=torch.ones(7, DIM))
    with pytest.raises(UserError, match=r"inception_score needs at least 10 images, .*b has 9"):
        compare_folders(a, b, extractor=knows, metrics=["inception_score"])
    assert compare_folders(b, a, extractor=knows, metrics=["inception_score"]).inception_score == pytest.approx(1)


def test_too_few_images_for_neighbourhoods(tmp_path: Path) -> None:
    a, b = write_photos(tmp_path / "a", 8, 16, seed=0), write_photos(tmp_path / "b", 5, 16, seed=1)
    with pytest.raises(UserError, match=r"prdc needs more than 5 images in each folder, .*b has 5"):
        compare_folders(a, b, extractor=tiny_extractor(), metrics=["prdc"])
