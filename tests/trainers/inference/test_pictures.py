"""Pictures of several images, walks through latents, and their files."""

import pkgutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence

from tests.trainers.trainer_helpers import small_config
from trainers import inference
from trainers.config import TrainConfig
from trainers.families import find_family
from trainers.inference import FinishedGenerator, save_animation, tiled, walk, with_text
from trainers.inference.pictures import _between


def untrained(config: TrainConfig | None = None) -> FinishedGenerator:
    config = config or small_config()
    torch.manual_seed(0)
    module, _ = find_family(config).build_pair(config)
    return FinishedGenerator(config, module, epoch=1, source="test", dtype=torch.float64)


def test_a_picture_is_read_row_by_row() -> None:
    pixels = torch.arange(6, dtype=torch.uint8).view(6, 1, 1, 1).expand(6, 3, 64, 64)
    picture = tiled(pixels, 3)
    assert picture.shape == (2 * 66 + 2, 3 * 66 + 2, 3)
    assert [picture[row * 66 + 9, column * 66 + 9, 0] for row in range(2) for column in range(3)] == [*range(6)]
    assert tiled(pixels[:1, :, :32, :32], 1).shape == (256, 256, 3)


def test_a_walk_passes_through_the_images_of_the_seed_and_returns() -> None:
    generator = untrained()
    frames = list(walk(generator, 3, 4, seed=5))
    assert len(frames) == 12
    stops = [tiled(pixels[None], 1) for pixels in generator.pixels(generator.inputs(range(3), seed=5))]
    assert all(np.array_equal(frames[4 * number], stop) for number, stop in enumerate(stops))
    steps = [np.abs(a.astype(int) - b).mean() for a, b in zip(frames, [*frames[1:], frames[0]], strict=True)]
    jumps = [np.abs(a.astype(int) - b).mean() for a, b in zip(stops, [*stops[1:], stops[0]], strict=True)]
    assert max(steps) < min(jumps)
    grids = list(walk(generator, 2, 3, rows=2, columns=3))
    assert len(grids) == 6 and grids[0].shape == (2 * 66 + 2, 3 * 66 + 2, 3)


def test_latents_go_along_the_sphere_and_classes_straight() -> None:
    a, b = torch.tensor([[3.0, 0, 1, 0]]), torch.tensor([[0.0, 3, 0, 1]])
    for share in (0.0, 0.3, 0.5, 1.0):
        middle = _between(a, b, share, 2)
        assert middle[:, :2].norm() == pytest.approx(3)
        assert middle[0, 2:].tolist() == pytest.approx([1 - share, share])
    assert torch.equal(_between(0 * a, 0 * b, 0.5, 4), 0 * a)  # truncation 0
    assert torch.allclose(_between(a, a, 0.5, 4), a)


def test_classes_that_are_asked_for_stay() -> None:
    config = TrainConfig.build({}, {**small_config().flat(), "family": "acgan", "labels": {"hair": ("red", "blue")}})
    generator = untrained(config)
    red = generator.inputs(range(2), classes={"hair": "red"})
    frames = list(walk(generator, 2, 1, classes={"hair": "red"}))
    assert np.array_equal(frames[1], tiled(generator.pixels(red)[1:], 1))


@pytest.mark.parametrize("suffix", [".gif", ".mp4"])
def test_an_animation_has_every_frame_for_its_time(suffix: str, tmp_path: Path) -> None:
    told: list[int] = []
    frames = [np.full((31, 40, 3), 20 * number, np.uint8) for number in range(12)]
    path = tmp_path / f"a{suffix}"
    save_animation(path, iter(frames), times=2, last=3, tell=told.append)
    assert told == [*range(1, 13)] and [file.name for file in tmp_path.iterdir()] == [path.name]
    if suffix == ".gif":
        with Image.open(path) as gif:
            shown = [
                (frame.info["duration"], frame.convert("RGB").getpixel((9, 9))[0])
                for frame in ImageSequence.Iterator(gif)
            ]
            assert gif.info["loop"] == 0
        assert [duration for duration, _ in shown] == [80] * 11 + [240]
        assert [grey for _, grey in shown] == pytest.approx([20 * number for number in range(12)], abs=2)
    else:
        import av

        with av.open(str(path)) as video:
            decoded = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
            assert video.streams.video[0].average_rate == 25
        assert len(decoded) == 2 * 11 + 2 * 3 and decoded[0].shape == (32, 40, 3)
        assert [image[9, 9, 0] for image in decoded[:22:2]] == pytest.approx([20 * n for n in range(11)], abs=4)


def test_text_stands_below_the_picture() -> None:
    picture = Image.new("RGB", (200, 50), "red")
    said = with_text(picture, "epoch 16    FID 45.6")
    assert said.width == 200 and said.height > 60 and said.crop((0, 0, 200, 50)).tobytes() == picture.tobytes()
    assert np.asarray(said)[50:].max() == 255
    assert with_text(picture, "epoch 8").tobytes() != said.tobytes()


def test_no_module_hides_a_name_of_the_package() -> None:
    """A submodule of the same name would replace it as soon as somebody imports that."""
    modules = {module.name for module in pkgutil.iter_modules(inference.__path__)}
    assert modules & set(inference.__all__) == {"generate"}  # which its own package imports first, and then replaces
