"""Small real things for the metrics' tests. A plain module, so that spawned ranks can import it too."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from PIL import Image
from torch import Tensor, nn

from trainers.metrics import Extractor, Moments, RealStatistics, measure_fid

SIDE = 8
DIM = 12


class Tiny(nn.Module):
    """A random convolution: enough for features that differ from image to image. Counts its images."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.weight = nn.Parameter(torch.randn(DIM, 3, 5, 5, generator=generator) / 9)
        self.images = 0

    def forward(self, images: Tensor) -> Tensor:
        self.images += len(images)
        return nn.functional.conv2d(images.float() / 255, self.weight).square().mean((2, 3))


def tiny_extractor(seed: int = 0) -> Extractor:
    return Extractor(Tiny(seed), protocol=f"tiny_{SIDE}px", dim=DIM)


class Photos:
    """Real images in memory, with the interface of `trainers.data.ImageCache`."""

    def __init__(self, n: int, digest: str = "photos", seed: int = 1) -> None:
        self.pixels = torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (n, 3, SIDE, SIDE), np.uint8))
        self.digest = digest

    def __len__(self) -> int:
        return len(self.pixels)

    def batches(self, batch_size: int) -> Iterator[Tensor]:
        return iter(self.pixels.split(batch_size))


def draw_photo(rng: np.random.Generator, side: int, warmth: float = 0.0) -> Image.Image:
    """Two soft colour gradients with a disc and a bar on them; `warmth` shifts its colours towards red."""
    base = rng.uniform(20, 200, (3, 3, 3)) + np.array([warmth, 0, -warmth])
    image = Image.fromarray(base.clip(0, 255).astype(np.uint8)).resize((side, side), Image.Resampling.BICUBIC)
    pixels = np.array(image)
    y, x = np.mgrid[:side, :side] / side
    disc = (x - rng.uniform(0.2, 0.8)) ** 2 + (y - rng.uniform(0.2, 0.8)) ** 2 < rng.uniform(0.05, 0.3) ** 2
    pixels[disc] = rng.integers(0, 256, 3)
    top = rng.uniform(0, 0.9)
    pixels[(y > top) & (y < top + 0.1)] = rng.integers(0, 256, 3)
    return Image.fromarray(pixels)


def write_photos(folder: Path, n: int, side: int, seed: int, warmth: float = 0.0) -> Path:
    rng = np.random.default_rng(seed)
    folder.mkdir()
    for i in range(n):
        draw_photo(rng, side, warmth).save(folder / f"{i:04d}.png")
    return folder


def photo_tensor(n: int, side: int, seed: int) -> Tensor:
    """Drawn photos, uint8 [n, 3, side, side]."""
    rng = np.random.default_rng(seed)
    return torch.from_numpy(np.stack([np.asarray(draw_photo(rng, side)) for _ in range(n)])).permute(0, 3, 1, 2)


def real_of(images: Tensor, extractor: Extractor) -> RealStatistics:
    moments = Moments(extractor.dim)
    moments.update(extractor(images))
    return RealStatistics.from_moments(moments)


def write_inception(file: Path) -> None:
    """Random Inception weights, where the true ones would be a download.

    torchvision's Inception has the same names and shapes as pytorch-fid's. Its default initialisation shrinks the
    signal layer by layer until all images look the same; He's keeps it, and the biases tell the channels apart.
    """
    import torchvision

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = torchvision.models.inception_v3(num_classes=1008, aux_logits=False, weights=None, init_weights=False)
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
            elif isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.bias, -0.5, 0.5)
    torch.save(network.state_dict(), file)


# What two ranks do. Each case returns something that torch.save can hold.


def feature_rows(n: int, dim: int) -> Tensor:
    """Correlated features far from zero, where naive sums of squares lose digits."""
    rng = np.random.default_rng(n)
    return torch.from_numpy(1e4 + rng.standard_normal((n, dim)) @ rng.standard_normal((dim, dim)))


def moments_case(first_rank_has: int, n: int, dim: int) -> dict[str, object]:
    rows = feature_rows(n, dim)
    share = rows[:first_rank_has] if dist.get_rank() == 0 else rows[first_rank_has:]
    mine = Moments(dim)
    for batch in share.split(7):
        mine.update(batch)
    total = mine.all_reduce()
    return {"n": total.n, "mean": total.mean, "covariance": total.covariance, "folded": total.centred is None}


def fid_case(n_fake: int, spoiled: int | None) -> dict[str, object]:
    extractor = tiny_extractor()
    result = measure_fid(
        real_of(Photos(50).pixels, tiny_extractor()),
        fake_sampler(n_fake, spoiled),
        n_fake=n_fake,
        extractor=extractor,
        batch_size=4,
        device="cpu",
    )
    return {"value": result.value, "name": result.name, "n_fake": result.n_fake, "seen": extractor.network.images}


def fake_sampler(n: int, spoiled: int | None = None) -> Callable[[int, int], Tensor]:
    fakes = torch.randn(n, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(n)) * 0.3
    if spoiled is not None:
        fakes[spoiled, 1, 2, 3] = torch.inf
    return lambda start, stop: fakes[start:stop]


CASES: dict[str, Callable[[], dict[str, object]]] = {
    "even_folded": lambda: moments_case(40, 80, 6),
    "uneven_folded": lambda: moments_case(3, 80, 6),
    "one_rank_empty": lambda: moments_case(0, 80, 6),
    "few": lambda: moments_case(5, 18, 24),
    "few_on_one_rank": lambda: moments_case(18, 18, 24),
    "fid_odd": lambda: fid_case(33, None),
    "fid_few": lambda: fid_case(7, None),
    "fid_nonfinite_on_rank_1": lambda: fid_case(33, 30),
}


def run_rank(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    torch.save({name: case() for name, case in CASES.items()}, f"{folder}/rank{rank}.pt")
    dist.destroy_process_group()


def run_two_ranks(folder: Path) -> list[dict[str, dict[str, object]]]:
    """Run every case in two gloo processes. Returns what each rank got, by case."""
    mp.spawn(run_rank, args=(str(folder),), nprocs=2)
    return [torch.load(folder / f"rank{rank}.pt", weights_only=True) for rank in range(2)]
