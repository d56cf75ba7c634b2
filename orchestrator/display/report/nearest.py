"""Whether the winner has learnt its training images by heart: its samples beside the real images nearest to them.

Nearest in feature space, where it was measured again: that measurement has the features of many fakes, and makes the
picture (`trainers.likeness_picture`). Where there is none, nearest by pixels, of a dozen samples: that sees only copies
which are nearly exact, and calls blurred samples near to everything, so beside the other picture it would add nothing.
"""

import base64
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image

from orchestrator.display.beside_text import nearest_text
from orchestrator.display.report.entries import Entry, Group
from orchestrator.display.report.grids import MOST_PIXELS
from orchestrator.display.report.packing import Coding, packed
from orchestrator.display.report.part import Part
from orchestrator.display.report.text import plural
from orchestrator.results.places import default_cache_dir
from orchestrator.results.sample_grids import find_likenesses
from trainers.checkpoint import BEST
from trainers.data import ImageCache, build_cache, split
from trainers.errors import UserError
from trainers.inference import FinishedGenerator
from trainers.remote import uri_of

SAMPLES = 12
COMPARED = 256  # real images whose own nearest real image is looked for, to have a measure
SIDE = 32  # pixels, to which images are shrunk before they are compared
MOST_IMAGES = 100_000  # so that it takes seconds
_AT_ONCE = 2048  # real images


@dataclass(frozen=True, kw_only=True)
class Nearest:
    """Samples and the nearest real image of each.

    Attributes:
        pairs: both as uint8 ``[S, S, 3]``, and their distance: root of the mean squared difference, 0 to 1.
        real: the same distance of real images to their nearest other real image.
        images: number of real images that were looked through.
    """

    pairs: list[tuple[NDArray[np.uint8], NDArray[np.uint8], float]]
    real: list[float]
    images: int


def nearest(group: Group, *, skip: bool = False) -> Part:
    """The part; a sentence where it cannot be made."""
    values: dict[str, Any] = {"why": "", "pairs": [], "pictures": []}
    try:
        if skip:
            raise UserError("it was not asked for (--no-nearest)")
        if group.best is None:
            raise UserError("there is no winner")
        if pictures := _in_feature_space(group.best):
            values |= {"pictures": pictures, "label": group.best.label, "ratio": nearest_text(group.best.trial)}
            return Part(name="nearest", title="Nearest real images", short="Nearest", values=values)
        found = look(group.best)
    except UserError as error:
        values["why"] = f"Left out: {error}."
        return Part(name="nearest", title="Nearest real images", short="Nearest", values=values)
    values |= {
        "pairs": [(_png(sample), _png(real), f"{distance:.2f}") for sample, real, distance in found.pairs],
        "samples": f"{np.median([pair[2] for pair in found.pairs]):.2f}",
        "closest": f"{min(pair[2] for pair in found.pairs):.2f}",
        "real": f"{np.median(found.real):.2f}",
        "images": plural(found.images, "image"),
        "label": group.best.label,
    }
    return Part(name="nearest", title="Nearest real images", short="Nearest", values=values)


def _in_feature_space(best: Entry) -> list[str]:
    """The pictures that were made when the trial was measured again, as WebP, without those that are damaged."""
    found = []
    for path in find_likenesses(best.sweep.store.trials_dir / best.trial.trial_id):
        try:
            with Image.open(path) as file:
                if file.width * file.height <= MOST_PIXELS:
                    found.append(packed(np.asarray(file.convert("RGB")), Coding.EXACT))
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):  # what Pillow says of damaged files
            continue
    return found


def look(best: Entry) -> Nearest:
    """Samples of a trial's checkpoint, and the nearest real image of each.

    Raises:
        UserError: its checkpoint or the images are gone, or it cannot be done for other reasons.
    """
    checkpoint = best.sweep.store.trials_dir / best.trial.trial_id / BEST
    if not checkpoint.is_file():
        raise UserError(f"the checkpoint of trial {best.label} is not kept")
    plan = best.sweep.plan
    if uri_of(Path(plan.data)) is not None and not Path(plan.data).is_dir():
        raise UserError("the images are in an object store and not on this machine")
    if not Path(plan.data).is_dir():
        raise UserError(f"the images are not in {plan.data} any more")
    if plan.n_real > MOST_IMAGES:
        raise UserError(f"{plan.n_real:,} images are too many to look through, {MOST_IMAGES:,} at most")
    generator = FinishedGenerator.load(checkpoint)
    if generator.directions:
        raise UserError("its generator translates images, and draws none from latents")
    data = generator.config.data
    cache = build_cache(Path(plan.data), image_size=data.image_size, fit=data.fit, cache_dir=default_cache_dir())
    if data.heldout:  # what it cannot have learnt
        cache, _ = split(cache, Path(plan.data), data.heldout, data.heldout_seed, data.batch_size)
    samples = generator.pixels(generator.inputs(range(SAMPLES)))
    every = max(1, len(cache) // COMPARED)
    known = np.arange(0, len(cache), every)[:COMPARED]
    queries = torch.cat([samples, cache.gather(known)])
    own = np.concatenate([np.full(len(samples), -1), known])
    distances, places = search(queries, own, cache)
    reals = cache.gather(places[: len(samples)])
    pairs = [
        (_picture(sample), _picture(real), float(distance))
        for sample, real, distance in zip(samples, reals, distances, strict=False)
    ]
    return Nearest(pairs=pairs, real=distances[len(samples) :].tolist(), images=len(cache))


def search(
    queries: torch.Tensor, own: NDArray[np.int64], cache: ImageCache
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Distance and place of each query's nearest real image besides its `own`, mirrored or not.

    Args:
        queries: uint8 ``[Q, 3, S, S]``.
        own: of each, the place of the real image that it is; -1 for none.
        cache: the real images.
    """
    small = _small(queries)
    best = torch.full((len(queries),), torch.inf)
    where = torch.zeros(len(queries), dtype=torch.int64)
    for start in range(0, len(cache), _AT_ONCE):
        pixels = cache.gather(np.arange(start, min(start + _AT_ONCE, len(cache))))
        for images in (pixels, pixels.flip(-1)):
            found = torch.cdist(small, _small(images), compute_mode="donot_use_mm_for_euclid_dist")
            for row, place in enumerate(own):
                if start <= place < start + len(pixels):
                    found[row, place - start] = torch.inf
            lowest, at = found.min(dim=1)
            closer = lowest < best
            best, where = torch.where(closer, lowest, best), torch.where(closer, at + start, where)
    return (best / small.shape[1] ** 0.5).double().numpy(), where.numpy()


def _small(images: torch.Tensor) -> torch.Tensor:
    """uint8 ``[B, 3, S, S]`` as float ``[B, P]`` in [0, 1], shrunk."""
    floats = images.float() / 255
    if floats.shape[-1] > SIDE:
        floats = F.interpolate(floats, size=(SIDE, SIDE), mode="area")
    return floats.flatten(1)


def _picture(image: torch.Tensor) -> NDArray[np.uint8]:
    picture: NDArray[np.uint8] = image.permute(1, 2, 0).contiguous().numpy()
    return picture


def _png(picture: NDArray[np.uint8]) -> str:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()
