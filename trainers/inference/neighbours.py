"""Walks from one image to others that are like it."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, pi, sin

import torch
from torch import Tensor

from trainers.inference.finished import FinishedGenerator
from trainers.randomness import derive_seed


@dataclass(frozen=True, kw_only=True)
class Step:
    """A step of a walk.

    Attributes:
        seed: with `number`, which way: each pair is a direction of its own.
        number: from 0.
        distance: how far: 0 stays, 1 is an image that has nothing to do with the one before.
    """

    seed: int
    number: int
    distance: float


def neighbours(
    generator: FinishedGenerator, start: Tensor, path: Sequence[Step], steps: Sequence[Step], truncation: float = 1.0
) -> Tensor:
    """Inputs ``[len(steps), ...]`` of the images around one: `path` is walked from `start`, then each of `steps`.

    A step turns the latent towards another one, drawn as all latents are: ``cos(a) z + sin(a) z'`` with ``a`` from 0
    to a right angle is as long as the two on average, so the images of a long walk are as likely as its first. Classes
    stay.

    Args:
        generator: one that draws latents.
        start: inputs of one image, ``[1, ...]``.
        path: the steps to the image in the middle.
        steps: those from there.
        truncation: that of `start`.
    """
    for step in path:
        start = _turned(generator, start, [step], truncation)
    return _turned(generator, start.expand(len(steps), -1), steps, truncation)


def _turned(generator: FinishedGenerator, inputs: Tensor, steps: Sequence[Step], truncation: float) -> Tensor:
    """Each row of `inputs` after its step."""
    latents = generator.config.network.latent_dim  # which come first; classes follow
    rows = []
    for row, step in zip(inputs, steps, strict=True):
        seed = derive_seed(step.seed, "walk")  # or a direction could be the image itself
        other = generator.inputs([step.number], seed=seed, truncation=truncation)[0]
        angle = step.distance * pi / 2
        turned = cos(angle) * row[:latents] + sin(angle) * other[:latents]
        rows.append(torch.cat([turned, row[latents:]]))
    return torch.stack(rows)
