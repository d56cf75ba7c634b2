"""One picture of several images, walks from latent to latent, and text below a picture."""

import math
from collections.abc import Iterator, Mapping

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from trainers.inference.finished import FinishedGenerator
from trainers.inference.image_files import Pixels
from trainers.inference.threads import threads_for
from trainers.samples import SMALLEST_TILE

_FRAME = 2  # pixels between images
_TEXT = 16  # pixels, height of a line of text


def tiled(pixels: Tensor, columns: int) -> Pixels:
    """Images ``[n, 3, S, S]`` uint8 as one picture ``[H, W, 3]``, row by row; small ones enlarged by whole factors."""
    from torchvision.utils import make_grid

    factor = max(1, (4 * SMALLEST_TILE if len(pixels) == 1 else SMALLEST_TILE) // pixels.shape[-1])
    tiles = pixels.repeat_interleave(factor, 2).repeat_interleave(factor, 3)
    picture: Tensor = tiles[0] if len(tiles) == 1 else make_grid(tiles, nrow=columns, padding=_FRAME)
    return picture.permute(1, 2, 0).contiguous().numpy()


def walk(
    generator: FinishedGenerator,
    stops: int,
    frames: int,
    *,
    rows: int = 1,
    columns: int = 1,
    seed: int = 0,
    classes: Mapping[str, str] | None = None,
    truncation: float = 1.0,
) -> Iterator[Pixels]:
    """The pictures of a walk through `stops` latents and back to the first: ``stops * frames`` of them, ``[H, W, 3]``.

    Args:
        generator: that makes images from latents.
        stops: latents, at least 2; image k of a set of the same seed is the k-th stop of the first walk.
        frames: pictures from one latent to the next.
        rows, columns: of walks side by side, each through latents of its own.
        seed, classes, truncation: see `FinishedGenerator.inputs`.

    Raises:
        UserError: the generator translates images, or has no such class.
    """
    walks, dim = rows * columns, generator.config.network.latent_dim
    inputs = generator.inputs(range(walks * stops), seed=seed, classes=classes, truncation=truncation)
    legs = inputs.view(walks, stops, -1).double()  # [walks, stops, latent and classes]

    def pictures(places: range) -> list[Pixels]:
        between = [
            _between(legs[:, place // frames], legs[:, (place // frames + 1) % stops], place % frames / frames, dim)
            for place in places
        ]
        return [tiled(pixels, columns) for pixels in generator.pixels(torch.cat(between)).split(walks)]

    with threads_for(generator) as threads:
        at_once, total = max(1, threads.batch_size // walks), stops * frames
        parts = (range(total)[first : first + at_once] for first in range(0, total, at_once))
        for made in threads.generate(pictures, parts):
            yield from made


def _between(a: Tensor, b: Tensor, share: float, dim: int) -> Tensor:
    """The inputs at `share` of the way from `a` to `b`, both ``[walks, D]``: along the sphere for latents.

    A straight line would lead through short latents, which are hardly ever drawn. Classes, which follow the `dim`
    latent entries, are mixed linearly.
    """
    from_z, to_z = a[:, :dim], b[:, :dim]
    cosine = torch.nn.functional.cosine_similarity(from_z, to_z, dim=1).clamp(-1, 1)
    angle = cosine.acos()[:, None]
    straight = angle.sin() < 1e-6  # the same latent, or a zero one
    scale = torch.where(straight, 1.0, angle.sin())
    weight_a = torch.where(straight, 1 - share, ((1 - share) * angle).sin() / scale)
    weight_b = torch.where(straight, share, (share * angle).sin() / scale)
    return torch.cat([weight_a * from_z + weight_b * to_z, torch.lerp(a[:, dim:], b[:, dim:], share)], dim=1)


def with_text(picture: Image.Image, text: str) -> Image.Image:
    """The picture, RGB, with a line of text below it."""
    font = ImageFont.load_default(_TEXT)
    high = math.ceil(1.6 * _TEXT)
    whole = Image.new("RGB", (picture.width, picture.height + high))
    whole.paste(picture.convert("RGB"))
    drawing = ImageDraw.Draw(whole)
    drawing.text((8, picture.height + high / 2), text, fill="white", font=font, anchor="lm")
    return whole
