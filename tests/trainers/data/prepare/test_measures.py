"""The measures that find near duplicates and colourful backgrounds."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from tests.trainers.data.prepare_helpers import bike
from trainers.data.prepare.measures import border_colourfulness, colour_thumbnail, perceptual_hash
from trainers.data.prepare.near import near_duplicates


def alike(pictures: list[Image.Image]) -> dict[int, int]:
    found = near_duplicates(
        [perceptual_hash(picture) for picture in pictures],
        [colour_thumbnail(picture) for picture in pictures],
        [picture.width * picture.height for picture in pictures],
    )
    return {index: other for index, (other, _) in found.items()}


def recompressed(picture: Image.Image, share: float, quality: int) -> Image.Image:
    content = BytesIO()
    picture.resize((round(picture.width * share), round(picture.height * share))).save(content, "JPEG", quality=quality)
    return Image.open(content)


def test_copies_are_alike_and_other_motorbikes_are_not() -> None:
    pictures = [bike(seed) for seed in range(40)]
    copies = [
        recompressed(picture, share, quality) for picture in pictures for share, quality in ((0.9, 40), (0.4, 80))
    ]
    assert alike([*pictures, *copies]) == {40 + i: i // 2 for i in range(80)}


def test_another_colour_is_another_picture() -> None:
    """The hash is grey: only the colours tell these apart."""
    red = Image.new("RGB", (60, 40), "white")
    red.paste((200, 30, 30), (15, 10, 45, 30))
    blue = Image.merge("RGB", red.split()[::-1])
    assert (perceptual_hash(red) ^ perceptual_hash(blue)).bit_count() <= 6
    assert alike([red, blue]) == {}


def test_plain_pictures_differ_by_their_colour() -> None:
    plain = [Image.new("RGB", (20, 20), colour) for colour in ("white", "red", "black", "white")]
    assert alike(plain) == {3: 0}


def test_likeness_is_not_handed_on() -> None:
    """b is like a and like c, but a is not like c: only b goes."""
    grey = [b"\x80" * 192] * 3
    assert near_duplicates([0, 0b1111, 0b11111111], grey, [3, 2, 1]) == {1: (0, 4)}
    assert near_duplicates([0, 0b1111, 0b11111111], grey, [1, 3, 1]) == {0: (1, 4), 2: (1, 4)}


def test_nothing_is_like_nothing() -> None:
    assert near_duplicates([], [], []) == {}


def test_colourfulness_is_that_of_the_paper() -> None:
    """By hand: half the border (100, 0, 0), half (0, 0, 100): rg 100 and 0, yb 50 and -100."""
    pixels = np.zeros((20, 20, 3), np.uint8)
    pixels[:, :10, 0] = pixels[:, 10:, 2] = 100
    expected = np.hypot(50, 75) + 0.3 * np.hypot(50, 25)
    assert border_colourfulness(Image.fromarray(pixels)) == pytest.approx(expected)


def test_colourfulness_is_of_the_border_only() -> None:
    pixels = np.full((100, 60, 3), 200, np.uint8)
    pixels[10:90, 6:54] = np.random.default_rng(0).integers(0, 256, (80, 48, 3))
    assert border_colourfulness(Image.fromarray(pixels)) == 0
    pixels[9, 30] = (255, 0, 0)
    assert border_colourfulness(Image.fromarray(pixels)) > 1
    assert border_colourfulness(Image.new("L", (1, 1), 9)) == 0
