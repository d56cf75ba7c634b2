"""The picture of fakes beside the real images that lie nearest to them in feature space, with the distances."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from trainers.atomic import replacing
from trainers.data.augment import to_uint8
from trainers.families import FidTarget
from trainers.metrics.likeness import Likeness, Likenesses, likenesses
from trainers.metrics.statistics_cache import chosen_images

SMALLEST, LARGEST = 96, 128  # pixels of a tile's side: smaller images are enlarged by whole factors, larger ones shrunk
GAP, LINE, LABEL = 4, 18, 64  # pixels between tiles, of a line of text, left of the tiles
_WHITE, _BLACK, _GREY = (255, 255, 255), (20, 20, 20), (110, 110, 110)


def draw_likenesses(path: Path, target: FidTarget, fakes: Tensor, protocol: str) -> None:
    """Find the fakes nearest to training images, and write the picture of them; nothing where features are missing.

    Args:
        path: of the PNG.
        target: with features and images.
        fakes: features [M, d] of its samples 0 to M - 1.
        protocol: of the extractor.
    """
    if target.features is None or target.images is None:
        return
    held_out = None if target.held_out_features is None else target.held_out_features.to(fakes.device)
    found = likenesses(target.features.to(fakes.device), held_out, fakes)
    picture = picture_of(found, target, protocol)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part:
        picture.save(part, "PNG")


def picture_of(found: Likenesses, target: FidTarget, protocol: str) -> Image.Image:
    """Two blocks of columns: a fake, its nearest training image, its nearest held-out one, distances below them."""
    assert target.images is not None
    side = tile_side(target.images.image_size)
    rows = 3 if target.held_out_images is not None and found.nearest[0].held_out is not None else 2
    block = LINE + side + GAP + (rows - 1) * (side + LINE) + 2 * GAP
    width = LABEL + len(found.nearest) * (side + GAP)
    blocks = [(f"The {len(found.nearest)} of {found.compared:,} fakes nearest to a training image", found.nearest)]
    if found.random:
        blocks.append((f"{len(found.random)} of the other fakes, at random", found.random))
    sheet = Image.new("RGB", (max(width, 560), len(blocks) * block + 2 * LINE + GAP), _WHITE)
    for place, (title, shown) in enumerate(blocks):
        _draw_block(sheet, place * block, side, title, [_images(one, target) for one in shown], shown)
    whose = "Held-out images to their nearest training image"
    if rows == 2:
        whose = "Training images to their nearest other one"
    usual = "unknown" if math.isnan(found.usual) else f"{found.usual:#.3g}"
    notes = (f"Numbers: distance of the fake's features ({protocol}).", f"{whose}: {usual} (median).")
    for line, note in enumerate(notes):
        _write(sheet, (GAP, len(blocks) * block + line * LINE), note, _GREY)
    return sheet


def tile_side(image_size: int) -> int:
    """Pixels of a tile's side."""
    return min(LARGEST, image_size * max(1, math.ceil(SMALLEST / image_size)))


def _draw_block(
    sheet: Image.Image, top: int, side: int, title: str, columns: list[list[Tensor]], shown: Sequence[Likeness]
) -> None:
    _write(sheet, (GAP, top), title, _BLACK)
    at = top + LINE
    for row, label in enumerate(("fake", "training", "held out")[: len(columns[0])]):
        _write(sheet, (GAP, at + side // 2 - LINE // 2), label, _GREY)
        for place, (column, one) in enumerate(zip(columns, shown, strict=True)):
            left = LABEL + place * (side + GAP)
            sheet.paste(_tile(column[row], side), (left, at))
            distance = (None, one.to_training, one.to_held_out)[row]
            if distance is not None:
                _write(sheet, (left + side // 2 - 14, at + side), f"{distance:#.3g}", _BLACK)
        at += side + (LINE if row else GAP)


def _images(one: Likeness, target: FidTarget) -> list[Tensor]:
    """The fake, its nearest training image, and its nearest held-out one where there is one: uint8 [3, S, S] each."""
    assert target.images is not None
    with torch.no_grad():
        found = [to_uint8(target.sample(one.fake, one.fake + 1))[0].cpu()]
    pairs = ((target.images, one.training), (target.held_out_images, one.held_out))
    for images, number in pairs:
        if images is not None and number is not None:
            index = chosen_images(len(images)).nonzero()[number]
            found.append(images.gather(index)[0])
    return found


def _tile(pixels: Tensor, side: int) -> Image.Image:
    image = Image.fromarray(np.ascontiguousarray(pixels.permute(1, 2, 0).numpy()))
    how = Image.Resampling.NEAREST if image.width <= side else Image.Resampling.LANCZOS
    return image.resize((side, side), how)


def _write(sheet: Image.Image, place: tuple[int, int], text: str, colour: tuple[int, int, int]) -> None:
    ImageDraw.Draw(sheet).text(place, text, fill=colour, font=ImageFont.load_default(13))
