"""Crops, flips, rotations, contrast: which images are drawn, where pixels go, and what is left alone."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torchvision.transforms.functional import adjust_contrast

from trainers.config import DataConfig
from trainers.data import Augmentation, augment, draw_augmentation, to_uint8, to_unit_range


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def only(flip: list[bool], angle: list[float]) -> Augmentation:
    ones, zeros = torch.ones(len(flip)), torch.zeros(len(flip))
    return Augmentation(torch.tensor(flip), torch.tensor(angle), zoom=ones, left=zeros, top=zeros, contrast=ones)


def picture(height: int = 32, width: int = 32, n: int = 1) -> torch.Tensor:
    return torch.rand(n, 3, height, width, generator=generator()) * 2 - 1


# Drawing


def test_shares_and_range() -> None:
    drawn = draw_augmentation(20_000, DataConfig(flip_p=0.5, rotation_p=0.3, rotation_degrees=5), generator())
    assert drawn.flip.dtype == torch.bool and drawn.angle.dtype == torch.float32 and len(drawn) == 20_000
    rotated = drawn.angle[drawn.angle != 0]
    assert abs(drawn.flip.float().mean() - 0.5) < 0.02 and abs(len(rotated) / 20_000 - 0.3) < 0.02
    assert rotated.min() < -4.9 and rotated.max() > 4.9 and rotated.abs().max() <= 5 and abs(rotated.mean()) < 0.15
    together = (drawn.flip & (drawn.angle != 0)).float().mean()
    assert abs(together - 0.15) < 0.02  # independent of one another


@pytest.mark.parametrize(("p", "share"), [(0.0, 0), (1.0, 1)])
def test_never_and_always(p: float, share: int) -> None:
    drawn = draw_augmentation(500, DataConfig(flip_p=p, rotation_p=p), generator())
    assert drawn.flip.float().mean() == share and (drawn.angle != 0).float().mean() == share


def test_draws_follow_the_generator_and_not_each_other() -> None:
    some, other = DataConfig(rotation_p=0.3), DataConfig(rotation_p=0.9)
    first, again, changed = generator(), generator(), generator()
    a, b, c = (draw_augmentation(64, d, g) for d, g in ((some, first), (some, again), (other, changed)))
    assert torch.equal(a.flip, b.flip) and torch.equal(a.angle, b.angle)
    assert torch.equal(a.flip, c.flip) and not torch.equal(a.angle, c.angle)
    assert torch.equal(first.get_state(), changed.get_state())
    assert not torch.equal(draw_augmentation(64, some, first).flip, a.flip)


CROPS = DataConfig(image_size=256, crop_margin=30 / 256)  # 286 to 256, as the CycleGAN code has it
CONTRASTS = DataConfig(contrast_p=0.5)


def test_crops_begin_at_any_pixel_that_the_enlarged_image_has() -> None:
    drawn = draw_augmentation(20_000, CROPS, generator())
    assert (drawn.zoom == 286 / 256).all()
    for start in (drawn.left * 256, drawn.top * 256):
        assert torch.equal(start.unique(), torch.arange(31.0)) and abs(start.mean() - 15) < 0.2
    assert abs(torch.corrcoef(torch.stack([drawn.left, drawn.top]))[0, 1]) < 0.03
    none = draw_augmentation(500, DataConfig(), generator())
    assert (none.zoom == 1).all() and not none.left.any() and not none.top.any()


def test_shares_and_range_of_contrasts() -> None:
    drawn = draw_augmentation(20_000, CONTRASTS, generator()).contrast
    changed = drawn[drawn != 1]
    assert abs(len(changed) / 20_000 - 0.5) < 0.02
    assert 0.9 <= changed.min() < 0.905 and 1.195 < changed.max() <= 1.2 and abs(changed.mean() - 1.05) < 0.01
    assert (draw_augmentation(500, DataConfig(), generator()).contrast == 1).all()


@pytest.mark.parametrize("more", [CROPS, CONTRASTS, DataConfig(crop_margin=0.5, contrast_p=1)])
def test_crops_and_contrasts_leave_the_other_draws_as_they_were(more: DataConfig) -> None:
    """Seeds of before: the three draws that flips and rotations take, and nothing else."""
    before, now = generator(), generator()
    for n in (1, 64):  # the second batch too
        uniform = [torch.rand(n, generator=before) for _ in range(3)]
        drawn = draw_augmentation(n, more, now)
        assert torch.equal(drawn.flip, uniform[0] < more.flip_p)
        angle = (2 * uniform[2] - 1) * more.rotation_degrees
        assert torch.equal(drawn.angle, angle * (uniform[1] < more.rotation_p))
        assert torch.equal(before.get_state(), now.get_state())
    both = DataConfig(crop_margin=0.2, contrast_p=0.5)
    alone = both.model_copy(update={"contrast_p": 0.1})
    assert torch.equal(draw_augmentation(64, both, generator()).left, draw_augmentation(64, alone, generator()).left)


def test_slices_of_a_batch_are_augmented_alike() -> None:
    drawn = draw_augmentation(16, DataConfig(rotation_p=0.5, crop_margin=0.2, contrast_p=0.5), generator())
    images = picture(n=16)
    halves = [augment(images[part], drawn[part]) for part in (slice(0, 8), slice(8, 16))]
    assert torch.equal(torch.cat(halves), augment(images, drawn))


# Doing


def test_nothing_drawn_is_the_very_same_tensor() -> None:
    images = picture(n=3)
    assert augment(images, only([False] * 3, [0.0] * 3)) is images


def test_flip_mirrors_the_flagged_and_leaves_the_rest_and_the_input() -> None:
    images = picture(n=3, width=20)
    before = images.clone()
    result = augment(images, only([True, False, True], [0.0] * 3))
    assert torch.equal(result, torch.stack([images[0].flip(2), images[1], images[2].flip(2)]))
    assert torch.equal(images, before)


def test_rotation_leaves_the_others_exactly_and_the_input() -> None:
    images = picture(n=3)
    before = images.clone()
    result = augment(images, only([False] * 3, [0.0, 5.0, 0.0]))
    assert torch.equal(result[0], images[0]) and torch.equal(result[2], images[2])
    assert not torch.equal(result[1], images[1]) and torch.equal(images, before)


@pytest.mark.parametrize("quarters", [1, 2, 3, -1])
@pytest.mark.parametrize("side", [16, 17])
def test_quarter_turns_are_exact_and_counter_clockwise(quarters: int, side: int) -> None:
    images = picture(side, side)
    result = augment(images, only([False], [90.0 * quarters]))
    torch.testing.assert_close(result, torch.rot90(images, quarters, (2, 3)), atol=2e-4, rtol=0)


def test_half_turn_of_an_oblong() -> None:
    images = picture(12, 20)
    torch.testing.assert_close(augment(images, only([False], [180.0])), images.flip(2, 3), atol=2e-4, rtol=0)


def test_quarter_turn_of_an_oblong_keeps_the_scale() -> None:
    images = picture(8, 16)
    result = augment(images, only([False], [90.0]))
    inner = torch.rot90(images, 1, (2, 3))[:, :, 4:12, :]  # [16, 8] of which 8 rows fit, in the middle 8 columns
    torch.testing.assert_close(result[:, :, :, 4:12], inner, atol=2e-4, rtol=0)
    torch.testing.assert_close(result[:, :, :, :4], torch.full((1, 3, 8, 4), -1.0), atol=2e-4, rtol=0)


@pytest.mark.parametrize(("height", "width", "angle"), [(64, 64, 5.0), (64, 64, -30.0), (48, 80, 20.0)])
def test_rotation_agrees_with_pillow(height: int, width: int, angle: float) -> None:
    grid = np.mgrid[0:height, 0:width].astype(np.float32)
    smooth = (127 + 100 * np.sin(grid[0] / 9) * np.cos(grid[1] / 7)).astype(np.uint8)
    turned = np.asarray(Image.fromarray(smooth).rotate(angle, Image.Resampling.BILINEAR)).astype(int)
    images = to_unit_range(torch.from_numpy(smooth).expand(1, 3, -1, -1))
    result = to_uint8(augment(images, only([False], [angle])))[0, 0].numpy().astype(int)
    # Inside the largest circle no border is in play, which blends with the fill here and is cut hard in Pillow.
    inside = np.hypot(grid[0] - (height - 1) / 2, grid[1] - (width - 1) / 2) < min(height, width) / 2 - 1
    assert np.abs(turned - result)[inside].max() <= 2


def test_a_point_above_the_centre_moves_left_when_turned_counter_clockwise() -> None:
    images = torch.full((1, 3, 33, 33), -1.0)
    images[:, :, 4, 16] = 1  # 12 above the centre
    result = augment(images, only([False], [30.0]))[0, 0]
    row, column = divmod(int(result.argmax()), 33)
    assert (row, column) == (round(16 - 12 * math.cos(math.radians(30))), round(16 - 12 * math.sin(math.radians(30))))


def test_corners_are_filled_with_black_and_nothing_leaves_the_range() -> None:
    result = augment(torch.ones(1, 3, 32, 32), only([False], [45.0]))
    assert (result[:, :, [0, 0, -1, -1], [0, -1, 0, -1]] == -1).all()
    torch.testing.assert_close(result[:, :, 8:24, 8:24], torch.ones(1, 3, 16, 16))
    assert result.min() >= -1 and result.max() <= 1 + 1e-5


@pytest.mark.parametrize(("left", "top"), [(0, 0), (4, 0), (1, 3), (4, 4)])
def test_a_crop_is_a_part_of_the_enlarged_image(left: int, top: int) -> None:
    images = picture(n=2)
    drawn = replace(only([False] * 2, [0.0] * 2), zoom=torch.full((2,), 36 / 32))
    drawn = replace(drawn, left=torch.tensor([left / 32, 2 / 32]), top=torch.tensor([top / 32, 2 / 32]))
    enlarged = F.interpolate(images, size=(36, 36), mode="bilinear", align_corners=False)
    result = augment(images, drawn)
    torch.testing.assert_close(result[0], enlarged[0, :, top : top + 32, left : left + 32], atol=1e-5, rtol=0)
    torch.testing.assert_close(result[1], enlarged[1, :, 2:34, 2:34], atol=1e-5, rtol=0)


def test_contrast_agrees_with_torchvision_and_leaves_the_others_exactly() -> None:
    images = picture(n=4)
    factors = [1.0, 0.9, 1.2, 3.0]
    result = augment(images, replace(only([False] * 4, [0.0] * 4), contrast=torch.tensor(factors)))
    assert torch.equal(result[0], images[0])
    for image, other, factor in zip(result, images, factors, strict=True):
        expected = adjust_contrast(other / 2 + 0.5, factor) * 2 - 1
        torch.testing.assert_close(image, expected, atol=1e-3, rtol=0)


def test_everything_at_once_goes_in_order() -> None:
    images, everything = picture(n=2), DataConfig(flip_p=1, rotation_p=1, crop_margin=0.2, contrast_p=1)
    drawn, none = draw_augmentation(2, everything, generator()), only([False] * 2, [0.0] * 2)
    result = augment(images, replace(none, zoom=drawn.zoom, left=drawn.left, top=drawn.top))
    result = augment(augment(result, replace(none, flip=drawn.flip)), replace(none, angle=drawn.angle))
    assert torch.equal(augment(images, drawn), augment(result, replace(none, contrast=drawn.contrast)))


def test_flip_comes_before_rotation() -> None:
    images = picture()
    both = augment(images, only([True], [5.0]))
    torch.testing.assert_close(both, augment(images.flip(3), only([False], [5.0])))
    assert not torch.allclose(both, augment(images, only([False], [5.0])).flip(3), atol=1e-3)


@pytest.mark.parametrize(
    "device", ["cpu", pytest.param("cuda", marks=pytest.mark.skipif("not torch.cuda.is_available()"))]
)
def test_channels_last_and_device_are_kept(device: str) -> None:
    images = picture(n=4).to(device)
    drawn = only([True, False, True, False], [5.0, -5.0, 0.0, 0.0])
    result = augment(images.contiguous(memory_format=torch.channels_last), drawn)
    assert result.device.type == device
    torch.testing.assert_close(result, augment(images, drawn))


# Ranges


def test_every_byte_survives_the_round_trip() -> None:
    every = torch.arange(256, dtype=torch.uint8)
    unit = to_unit_range(every)
    assert unit.dtype == torch.float32 and unit[0] == -1 and unit[-1] == 1 and unit[127] + unit[128] == 0
    assert torch.equal(to_uint8(unit), every)


@pytest.mark.parametrize(
    ("value", "byte"), [(-1.5, 0), (1.5, 255), (1e9, 255), (100.4 / 127.5 - 1, 100), (100.6 / 127.5 - 1, 101)]
)
def test_bytes_are_rounded_and_clamped(value: float, byte: int) -> None:
    assert to_uint8(torch.tensor([value])).tolist() == [byte]


def test_half_precision_is_quantised_in_single_precision() -> None:
    unit = torch.linspace(-1, 1, 4001).bfloat16()
    assert torch.equal(to_uint8(unit), (unit.double() * 127.5 + 127.5).round().clamp(0, 255).to(torch.uint8))
