"""DiffAugment: what each part does to pixels and gradients, and which numbers are drawn."""

import pytest
import torch
from torch import Tensor

from tests.trainers.regularizers.regularizer_ranks import numbers, source
from trainers.errors import UserError
from trainers.regularizers import check_policy, diff_augment
from trainers.regularizers.diffaugment import PARTS, color, cutout, translate

EVERYTHING = "color,translation,cutout"
HALF = 0.5  # the draw that changes no colour and shifts nothing
LARGEST = 1 - 2**-24  # the largest float32 below 1


def draws(*rows: list[float]) -> Tensor:
    return torch.tensor(rows)


def ramp(height: int, width: int, n: int = 1) -> Tensor:
    """Every value is another one, and none is 0."""
    return torch.arange(1.0, 1 + n * 3 * height * width).view(n, 3, height, width)


# Colour


def test_the_middle_of_the_range_changes_nothing() -> None:
    images = numbers(2, 3, 4, 6)
    torch.testing.assert_close(color(images, draws([HALF] * 3, [HALF] * 3)), images)


def test_brightness_is_added() -> None:
    images = numbers(2, 3, 4, 6)
    brighter = color(images, draws([0.0, HALF, HALF], [0.75, HALF, HALF]))
    torch.testing.assert_close(brighter - images, torch.tensor([-0.5, 0.25]).view(2, 1, 1, 1).expand_as(images))


def test_saturation_scales_the_distance_from_grey() -> None:
    pixel = torch.tensor([0.0, 0.3, 0.9]).view(1, 3, 1, 1)  # grey 0.4
    for draw, expected in ((0.0, [0.4, 0.4, 0.4]), (0.75, [-0.2, 0.25, 1.15])):
        # Of one pixel alone the image's mean is the pixel's grey, so contrast 1 leaves it be.
        result = color(pixel, draws([HALF, draw, HALF]))
        torch.testing.assert_close(result.flatten(), torch.tensor(expected))


def test_contrast_scales_the_distance_from_the_mean() -> None:
    grey = torch.tensor([0.0, 0.8]).view(1, 1, 1, 2).expand(1, 3, 1, 2)  # mean 0.4
    for draw, expected in ((0.0, [0.2, 0.6]), (0.75, [-0.1, 0.9])):
        result = color(grey, draws([HALF, HALF, draw]))
        torch.testing.assert_close(result[0, 1, 0], torch.tensor(expected))


# Translation


# An eighth of 16 and 24 is 2 and 3: 5 and 7 shifts, of which the draw picks one evenly.
@pytest.mark.parametrize(
    ("draw", "down", "right"),
    [((HALF, HALF), 0, 0), ((0.0, HALF), 2, 0), ((HALF, LARGEST), 0, -3), ((0.7, 0.3), -1, 1)],
)
def test_translation_by_whole_pixels_with_zeros_behind(draw: tuple[float, float], down: int, right: int) -> None:
    images = ramp(16, 24, n=2)
    padded = torch.nn.functional.pad(images, (3, 3, 3, 3))
    expected = padded[:, :, 3 - down : 19 - down, 3 - right : 27 - right]
    assert torch.equal(translate(images, draws(list(draw), list(draw))), expected)


def test_translations_are_even() -> None:
    shifts = (translate(ramp(16, 16).expand(4000, -1, -1, -1), torch.rand(4000, 2))[:, 0] == 0).sum((1, 2))
    # 16 x 16 less what stays: shifts of 2, 1, 0, 1, 2 each way.
    shares = {gone: (shifts == gone).float().mean().item() for gone in shifts.unique().tolist()}
    assert set(shares) == {256 - a * b for a in (14, 15, 16) for b in (14, 15, 16)}
    assert shares[0] == pytest.approx(1 / 25, abs=0.015) and shares[256 - 14 * 14] == pytest.approx(4 / 25, abs=0.03)


# Cutout


def test_the_hole_is_half_of_either_side() -> None:
    images = ramp(8, 12)
    result = cutout(images, draws([HALF, HALF]))  # about row int(0.5 x 9) = 4, column int(0.5 x 13) = 6
    expected = images.clone()
    expected[:, :, 2:6, 3:9] = 0
    assert torch.equal(result, expected)


def test_the_hole_may_hang_over_the_border() -> None:
    corners = cutout(ramp(8, 8, n=2), draws([0.0, 0.0], [LARGEST, LARGEST])) == 0
    # About row 0, rows -2..1; about row 8, rows 6..9.
    assert corners[0, 0, :2, :2].all() and corners[0, 0].sum() == 4
    assert corners[1, 2, 6:, 6:].all() and corners[1, 2].sum() == 4


def test_holes_lie_everywhere() -> None:
    holes = cutout(torch.ones(4000, 1, 8, 8), torch.rand(4000, 2)) == 0
    share = holes.float().mean(0)[0]
    # Row i lies in the holes about i - 1 .. i + 2, of 0 .. 8: 4 of 9, at the first row 3 of 9.
    assert share[4, 4].item() == pytest.approx((4 / 9) ** 2, abs=0.03)
    assert share[0, 0].item() == pytest.approx((3 / 9) ** 2, abs=0.03)
    assert share[7, 7].item() == pytest.approx((3 / 9) ** 2, abs=0.03)


# All of it


def test_the_policy_says_what_happens() -> None:
    images = numbers(4, 3, 16, 16)
    drawn = source().uniform(4, 7)
    for part, (augment, columns) in PARTS.items():
        assert torch.equal(diff_augment(images, part, source()), augment(images, drawn[:, columns]))
    whole = cutout(translate(color(images, drawn[:, :3]), drawn[:, 3:5]), drawn[:, 5:])
    assert torch.equal(diff_augment(images, " color, translation,cutout ", source()), whole)
    random = source()
    assert diff_augment(images, "", random) is images
    assert torch.equal(random.uniform(4, 7), drawn)  # and nothing was drawn


def test_the_parts_share_no_draws() -> None:
    taken = sorted(column for _, columns in PARTS.values() for column in range(columns.start, columns.stop))
    assert taken == list(range(7))


@pytest.mark.parametrize("part", sorted(PARTS))
def test_every_image_is_augmented_in_its_own_way(part: str) -> None:
    images = numbers(1, 3, 32, 32).expand(6, -1, -1, -1)
    result = diff_augment(images, part, source())
    assert len({tuple(image.flatten().tolist()) for image in result}) == 6
    again = diff_augment(images, part, source())
    assert torch.equal(again, result)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_dtype_shape_and_input_are_kept(dtype: torch.dtype) -> None:
    images = numbers(4, 3, 16, 8).to(dtype)
    before = images.clone()
    for memory_format in (torch.contiguous_format, torch.channels_last):
        result = diff_augment(images.to(memory_format=memory_format), EVERYTHING, source())
        assert result.dtype == dtype and result.shape == images.shape
        torch.testing.assert_close(result, diff_augment(images, EVERYTHING, source()))
    assert torch.equal(images, before)


def test_gradients_flow_back_and_are_right() -> None:
    images = numbers(2, 3, 8, 4).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: diff_augment(x, EVERYTHING, source()), (images,))


@pytest.mark.parametrize("part", [*sorted(PARTS), EVERYTHING])
def test_it_is_differentiable_twice(part: str) -> None:
    """Penalties on D's gradient go through it; the square makes the second derivative more than 0."""
    images = numbers(2, 3, 8, 4).double().requires_grad_()
    run = lambda x: diff_augment(x, part, source()).square()  # noqa: E731
    assert torch.autograd.gradgradcheck(run, (images,))
    (slope,) = torch.autograd.grad(run(images).sum(), images, create_graph=True)
    (second,) = torch.autograd.grad(slope.sum(), images)
    assert second.any()
    square = lambda x: diff_augment(x, EVERYTHING, source()).square()  # noqa: E731
    assert torch.autograd.gradgradcheck(square, (images,), fast_mode=True)


def test_pixels_that_d_does_not_see_get_no_gradient() -> None:
    images = torch.ones(1, 1, 8, 8, requires_grad=True)
    cutout(translate(images, draws([0.0, HALF])), draws([0.0, 0.0])).sum().backward()
    # Down by 1, so the last row falls out; then the corner of 2 x 2, of which row 1 was row 0.
    expected = torch.ones(8, 8)
    expected[7], expected[0, :2] = 0, 0
    assert images.grad is not None and torch.equal(images.grad[0, 0], expected)


@pytest.mark.parametrize("policy", ["", "color", "cutout,color", EVERYTHING, " translation , cutout "])
def test_good_policies(policy: str) -> None:
    check_policy(policy)


def test_an_unknown_part_is_answered_with_the_valid_ones() -> None:
    with pytest.raises(UserError) as caught:
        check_policy("color,cutuot")
    assert str(caught.value) == (
        "unknown part of regularizer.diffaugment 'cutuot': did you mean cutout? valid: color, cutout, translation"
    )
