"""A finished generator: what a checkpoint's weights can make, image by image."""

import hashlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor, nn

from trainers.checkpoint import load_checkpoint
from trainers.config import TrainConfig
from trainers.data.augment import to_uint8
from trainers.errors import UserError, shortened, unknown_name
from trainers.families import FAMILIES, find_family

MOST_AT_ONCE = 64  # images per forward; callers may ask for any number


class FinishedGenerator:
    """A generator that is trained no more.

    Args:
        config: of its run.
        module: its network with its weights, see below.
        epoch: how long it was trained.
        source: where it comes from, for those who own it; errors do not name it, since a server shows them to anybody.
        device: where to compute.
        dtype: float64 gives the same bytes whatever the batch or the device, since a sum's last bits do not reach the
            byte that it is rounded to; float32 is faster and may round a byte in thousands the other way.

    Attributes:
        family: the class of its family.
        module: from `inputs` to images ``[B, 3, S, S]`` in [-1, 1]; where the family has `directions`, a ModuleDict by
            these names, from images to images.
    """

    def __init__(
        self,
        config: TrainConfig,
        module: nn.Module,
        *,
        epoch: int,
        source: str,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.config, self.family, self.epoch, self.source = config, find_family(config), epoch, source
        self.device, self.dtype = torch.device(device), dtype
        self.module = module.to(self.device, dtype).eval().requires_grad_(False)

    @classmethod
    def load(
        cls, path: Path | str, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
    ) -> "FinishedGenerator":
        """The generator of a checkpoint, its moving average where there is one.

        Raises:
            UserError: the checkpoint is missing or damaged.
        """
        checkpoint = load_checkpoint(Path(path), device)
        config = TrainConfig.build(checkpoint["config"])
        module, _ = find_family(config).build_pair(config)
        weights, epoch = checkpoint["family"], checkpoint["progress"]["epoch"]
        module.load_state_dict(weights.get("average", weights["generator"]))
        return cls(config, module, epoch=epoch, source=str(path), device=device, dtype=dtype)

    @property
    def image_size(self) -> int:
        """Height and width of its images, pixels."""
        return self.config.data.image_size

    @property
    def classes(self) -> Mapping[str, tuple[str, ...]]:
        """The classes of each attribute that can be asked for; empty for a family without classes."""
        return self.family.classes(self.config)

    @property
    def directions(self) -> tuple[str, ...]:
        """Names of its translations; empty for a family that makes images from latents."""
        return self.family.directions

    @cached_property
    def digest(self) -> str:
        """16 hexadecimal digits that depend on the weights alone."""
        found = hashlib.blake2b(digest_size=8)
        for name, value in sorted(self.module.state_dict().items()):
            found.update(name.encode())
            found.update(value.to("cpu", torch.float32 if value.is_floating_point() else value.dtype).numpy().tobytes())
        return found.hexdigest()

    def inputs(
        self,
        numbers: Sequence[int],
        *,
        seed: int = 0,
        classes: Mapping[str, str] | None = None,
        truncation: float = 1.0,
    ) -> Tensor:
        """What `module` makes the images of these numbers from, ``[len(numbers), ...]`` on the CPU.

        An image depends on its number, the seed, the classes and the truncation alone: any part of a large set can be
        made by itself.

        Args:
            numbers: of the images, from 0.
            seed: of everything that is drawn.
            classes: the wanted class of an attribute, such as ``{"hair": "blonde"}``; drawn where not given.
            truncation: latents are multiplied by it: below 1 images are more typical and vary less, 0 is the mean.

        Raises:
            UserError: it translates images, or has no such class.
        """
        if self.directions:
            raise UserError(
                f"the generator was trained by the family {self.config.family}, which translates images: "
                "give it images to translate"
            )
        if classes and not self.classes:
            raise UserError(f"this is a generator without classes, got {shortened(dict(classes))}")
        return self.family.sampling_inputs(self.config, numbers, wanted=classes or {}, seed=seed, truncation=truncation)

    def images(self, inputs: Tensor) -> Tensor:
        """Images ``[B, 3, S, S]`` in [-1, 1] on the device, of the generator's dtype, from `inputs`, on any device."""
        parts = inputs.to(self.device, self.dtype).split(MOST_AT_ONCE)
        with torch.inference_mode():
            return torch.cat([self.module(part) for part in parts])

    def pixels(self, inputs: Tensor) -> Tensor:
        """As `images`, as the uint8 that a PNG of them holds, ``[B, 3, S, S]`` on the CPU."""
        return to_uint8(self.images(inputs)).cpu()

    def translated_pixels(self, images: Tensor, direction: str) -> Tensor:
        """As `translated`, as the uint8 that a PNG of it holds, ``[B, 3, S, S]`` on the CPU."""
        return to_uint8(self.translated(images, direction)).cpu()

    def translated(self, images: Tensor, direction: str) -> Tensor:
        """Images ``[B, 3, S, S]`` in [-1, 1] in another domain, on the device, of the generator's dtype.

        Raises:
            UserError: it draws latents, or has no such direction.
        """
        if not self.directions:
            translating = " or ".join(name for name, family in FAMILIES.items() if family.directions)
            raise UserError(
                f"the generator was trained by the family {self.config.family}, which does not translate: "
                f"only {translating} does"
            )
        if direction not in self.directions:
            raise unknown_name("direction", direction, self.directions)
        network = self.module.get_submodule(direction)
        parts = images.to(self.device, self.dtype).split(MOST_AT_ONCE)
        with torch.inference_mode():
            return torch.cat([network(part) for part in parts])
