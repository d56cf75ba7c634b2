"""Auxiliary classifier GAN (Odena et al. 2017, arXiv:1610.09585; the MLDS HW4 report).

G gets classes beside its latents, and D predicts classes. Any pair of networks can be used: G's inputs are latents and
one-hot classes side by side, and D has further outputs for its class heads.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainers.assets import Assets
from trainers.batches import augmented_batches
from trainers.config import TrainConfig
from trainers.data import find_classes, read_labels
from trainers.distributed import all_reduce_sum, world_size
from trainers.errors import UserError, unknown_name
from trainers.families.adversarial import Adversarial
from trainers.families.phases import Metrics
from trainers.families.traits import ONLY
from trainers.networks import build_networks
from trainers.randomness import fixed_choices, fixed_latents
from trainers.transfer import upload, upload_rows

MISSING = -1  # class of an image that has no tag of the attribute
COLUMNS = 8  # of a sample grid where there is one attribute


class AcGan(Adversarial):
    """`Adversarial` with classes: D learns those of real images; G learns to make fakes that D assigns given classes.

    As in the MLDS HW4 report, D learns classes from real images alone: on fakes its class heads have no loss in D's
    step.
    """

    @staticmethod
    def build_pair(config: TrainConfig) -> tuple[nn.Module, nn.Module]:
        """Generator and discriminator of `config`, for its classes."""
        if not config.labels:
            raise UserError("family acgan needs labels: the classes of each attribute, or auto")
        for name in config.loss.class_weights:
            if name not in config.labels:
                raise unknown_name("attribute in loss.class_weights", name, config.labels)
        Adversarial.check(config)
        return build_networks(config.network, config.data.image_size, sum(class_counts(config)))

    @classmethod
    def resolve_labels(cls, config: TrainConfig, data: Path, paths: Sequence[str]) -> TrainConfig:
        """`config` whose labels are those of the images where they were ``auto``; class weights of others are dropped.

        Raises:
            UserError: no image has a class of an attribute.
        """
        if config.labels == "auto":
            labels = find_classes(data, paths)
            if not labels:
                raise UserError(f"labels: auto finds no classes in {data}: it needs a tags CSV or a folder per class")
            weights = {name: value for name, value in config.loss.class_weights.items() if name in labels}
            config = TrainConfig.build(config.model_dump(exclude={"labels"}), {"labels": labels})
            config = config.model_copy(update={"loss": config.loss.model_copy(update={"class_weights": weights})})
        assert isinstance(config.labels, dict)
        read_labels(data, paths, config.labels)
        return config

    @classmethod
    def classes(cls, config: TrainConfig) -> Mapping[str, tuple[str, ...]]:
        """The classes of each attribute in ``labels``."""
        assert isinstance(config.labels, dict), "labels: auto is resolved at launch"
        return config.labels

    @classmethod
    def sampling_inputs(
        cls,
        config: TrainConfig,
        numbers: Sequence[int],
        *,
        wanted: Mapping[str, str],
        seed: int,
        truncation: float = 1.0,
    ) -> Tensor:
        """Latents and one-hot classes side by side: the classes wanted, random ones of the other attributes."""
        latents = super().sampling_inputs(config, numbers, wanted=wanted, seed=seed, truncation=truncation)
        return join_inputs(latents, wanted_classes(config, wanted, numbers, seed), class_counts(config))

    def batches(self, assets: Assets) -> Iterator[tuple[Tensor, ...]]:
        """Images ``[B, 3, S, S]`` in [-1, 1] and classes ``[B, attributes]`` int64, -1 where a tag is missing."""
        labels = self._labels(assets)
        for images, indices in augmented_batches(self._images(assets), self.config.data, self.random):
            yield images, upload_rows(labels, indices, self.device)

    def sample_grid(self, assets: Assets) -> tuple[Tensor, int]:
        """A row per class of the first attribute; a column per class of the second, where each row has its own latent.

        With one attribute, eight columns with a latent each.
        """
        config, counts = self.config, class_counts(self.config)
        rows, columns = counts[0], counts[1] if len(counts) > 1 else COLUMNS
        row, column = torch.arange(rows).repeat_interleave(columns), torch.arange(columns).repeat(rows)
        classes = torch.zeros(rows * columns, len(counts), dtype=torch.int64)
        classes[:, 0] = row
        if len(counts) > 1:
            classes[:, 1] = column
        latents = fixed_latents(
            max(rows, columns),
            config.network.latent_dim,
            config.noise.latent_sigma,
            seed=config.seed,
            purpose="samples",
        )[row if len(counts) > 1 else column]
        return self.generate(join_inputs(latents, classes, counts)), columns

    def _labels(self, assets: Assets) -> Tensor:
        return assets.labels(self.config, self._folder(assets, ONLY))

    def _draw_inputs(self) -> tuple[Tensor, Tensor | None]:
        latents, _ = super()._draw_inputs()
        counts, batch = class_counts(self.config), self.config.data.batch_size
        classes = torch.stack([upload(self.random.choice(n, batch), self.device) for n in counts], dim=1)
        return join_inputs(latents, classes, counts), classes

    def _fixed_inputs(self, count: int, purpose: str, assets: Assets) -> Tensor:
        """Latents and classes; the classes are as frequent as among the real images, which FID compares with."""
        labels = self._labels(assets)
        counts, seed = class_counts(self.config), self.config.seed
        classes = labels[fixed_choices(len(labels), count, seed=seed, purpose=f"{purpose} rows")]
        columns = [fixed_choices(n, count, seed=seed, purpose=f"{purpose} {place}") for place, n in enumerate(counts)]
        classes = torch.where(classes == MISSING, torch.stack(columns, dim=1), classes)
        return join_inputs(super()._fixed_inputs(count, purpose, assets), classes, counts)

    def _class_loss(self, outputs: Tensor, classes: Tensor | None) -> tuple[Tensor | float, Metrics]:
        """Weighted cross entropies of D's class heads, each over the images of the global batch that have a tag."""
        assert classes is not None
        assert isinstance(self.config.labels, dict)
        heads = outputs[:, 1:].split(class_counts(self.config), dim=1)
        total: Tensor | float = 0.0
        metrics: Metrics = {}
        for name, head, wanted in zip(self.config.labels, heads, classes.unbind(1), strict=True):
            known = wanted != MISSING
            # The ranks' losses are averaged, so each rank divides by its equal share of the tags of all.
            share = (all_reduce_sum(known.sum()) / world_size()).clamp(min=1 / world_size())
            loss = F.cross_entropy(head, wanted, ignore_index=MISSING, reduction="sum") / share
            total = total + self.config.loss.class_weights.get(name, 1.0) * loss
            right = ((head.detach().argmax(1) == wanted) & known).sum() / share
            metrics |= {f"class_loss_{name}": loss.detach(), f"class_accuracy_{name}": right}
        return total, metrics


def class_counts(config: TrainConfig) -> list[int]:
    """How many classes each attribute has."""
    return [len(names) for names in AcGan.classes(config).values()]


def join_inputs(latents: Tensor, classes: Tensor, counts: list[int]) -> Tensor:
    """Latents ``[B, z]`` and classes ``[B, attributes]`` as G's inputs ``[B, z + sum(counts)]``, classes one-hot."""
    one_hots = [F.one_hot(column, n).to(latents) for column, n in zip(classes.unbind(1), counts, strict=True)]
    return torch.cat([latents, *one_hots], dim=1)


def wanted_classes(config: TrainConfig, names: Mapping[str, str], numbers: Sequence[int], seed: int) -> Tensor:
    """Classes ``[len(numbers), attributes]`` int64: those named for an attribute, random ones elsewhere.

    Raises:
        UserError: no such attribute or class.
    """
    classes = AcGan.classes(config)
    for attribute in names:
        if attribute not in classes:
            raise unknown_name("attribute", attribute, classes)
    columns = []
    for attribute, valid in classes.items():
        if attribute not in names:
            drawn = (fixed_choices(len(valid), 1, seed=seed, purpose=f"generate {attribute} {n}") for n in numbers)
            columns.append(torch.tensor([int(choice) for choice in drawn], dtype=torch.int64))
        elif names[attribute] in valid:
            columns.append(torch.full((len(numbers),), valid.index(names[attribute])))
        else:
            raise unknown_name(f"class of {attribute}", names[attribute], valid)
    return torch.stack(columns, dim=1)
