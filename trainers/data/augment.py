"""Crops, flips, rotations and contrast of a batch, drawn on the CPU and applied on the images' device.

Flips and rotations are `transform2` of the Zalo motorbike article, whose rotations take the nearest pixel where these
are bilinear; contrast is the part of its commented-out ColorJitter that its text names ("the results were quite poor").
Crops are those of the CycleGAN code that the MLDS HW4 report used.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b

import torch
import torch.nn.functional as F
from torch import Tensor

from trainers.config import DataConfig
from trainers.transfer import upload

DRAWN = ("flip", "angle", "zoom", "left", "top", "contrast")
# What `augment` needs on the images' device.
UPLOADED = ("flip", "turned", "turned_by", "zoom", "left", "top", "contrast")


@dataclass(frozen=True)
class Augmentation:
    """What happens to each image of a batch. On the CPU, so that asking whether anything was drawn waits for no GPU."""

    flip: Tensor  # bool [n]
    angle: Tensor  # float32 [n], degrees counter-clockwise, 0 where there is no rotation
    zoom: Tensor  # float32 [n], side of the enlarged image over that of the crop, 1 where there is no crop
    left: Tensor  # float32 [n], where the crop begins in the enlarged image, as a share of the crop's side
    top: Tensor  # float32 [n], likewise
    contrast: Tensor  # float32 [n], 1 where it stays
    uploaded: Mapping[str, Tensor] = field(default_factory=dict)  # `UPLOADED`, on the images' device

    @property
    def turned(self) -> Tensor:
        """Which images are rotated, int64 [m]."""
        return self.angle.nonzero().squeeze(1)

    @property
    def turned_by(self) -> Tensor:
        """Their angles, float32 [m]."""
        return self.angle[self.turned]

    def there(self, name: str, device: torch.device) -> Tensor:
        """The attribute `name` on `device`, where `upload_epoch` may have put it already."""
        return self.uploaded[name] if name in self.uploaded else getattr(self, name).to(device)

    def __len__(self) -> int:
        return len(self.flip)

    def __getitem__(self, part: slice) -> "Augmentation":
        return Augmentation(*(getattr(self, name)[part] for name in DRAWN))


def draw_augmentation(n: int, data: DataConfig, generator: torch.Generator) -> Augmentation:
    """Draw for `n` images: a flip with `flip_p`; with `rotation_p` an angle uniform in +-`rotation_degrees`.

    Where `crop_margin` is above 0, also the pixel at which a crop begins, uniform over those that the enlarged image
    has; with `contrast_p` a contrast uniform from `contrast_low` to `contrast_high`.

    The generator always advances by the same amount, so changing one probability leaves the other draws alone.
    """
    branch = _branched(generator)
    flip = torch.rand(n, generator=generator) < data.flip_p
    rotated = torch.rand(n, generator=generator) < data.rotation_p
    angle = (2 * torch.rand(n, generator=generator) - 1) * data.rotation_degrees

    margin = round(data.crop_margin * data.image_size)  # pixels: 30 for 286 / 256
    left, top = (torch.randint(margin + 1, (n,), generator=branch) / data.image_size for _ in range(2))
    changed = torch.rand(n, generator=branch) < data.contrast_p
    contrast = data.contrast_low + torch.rand(n, generator=branch) * (data.contrast_high - data.contrast_low)
    return Augmentation(
        flip=flip,
        angle=torch.where(rotated, angle, torch.zeros(n)),
        zoom=torch.full((n,), 1 + margin / data.image_size),
        left=left,
        top=top,
        contrast=torch.where(changed, contrast, torch.ones(n)),
    )


def upload_epoch(parts: list[Augmentation], device: torch.device) -> list[Augmentation]:
    """The augmentations of an epoch's batches, with what `augment` needs of them on `device`: one copy each of all."""
    if device.type == "cpu":
        return parts
    columns = []
    for name in UPLOADED:
        values = [getattr(part, name) for part in parts]
        whole = upload(torch.cat(values), device) if values else torch.empty(0)
        columns.append(whole.split([len(value) for value in values]))
    return [
        replace(part, uploaded=dict(zip(UPLOADED, row, strict=True)))
        for part, row in zip(parts, zip(*columns, strict=True), strict=True)
    ]


def augment(images: Tensor, augmentation: Augmentation) -> Tensor:
    """Enlarge and crop, flip, rotate about the centre with black beyond the border, then change the contrast.

    All bilinear. Images without a crop or a rotation are not resampled; when nothing was drawn, `images` itself is
    returned.

    Args:
        images: float [B, 3, H, W] in [-1, 1], on any device.
        augmentation: of length B.

    Returns:
        [B, 3, H, W], new unless nothing was drawn.
    """
    assert images.ndim == 4 and len(augmentation) == len(images), (images.shape, len(augmentation))
    drawn = kinds_drawn(augmentation)
    if "crop" in drawn:
        images = _crop(images, *(augmentation.there(name, images.device) for name in ("zoom", "left", "top")))
    if "flip" in drawn:
        flip = augmentation.there("flip", images.device)
        images = torch.where(flip[:, None, None, None], images.flip(3), images)
    if "rotation" in drawn:
        where = augmentation.there("turned", images.device)
        rotated = _rotate(images[where], augmentation.there("turned_by", images.device))
        images = images.index_copy(0, where, rotated)
    if "contrast" in drawn:
        images = _change_contrast(images, augmentation.there("contrast", images.device))
    return images


def kinds_drawn(augmentation: Augmentation) -> list[str]:
    """What happens to any image of the batch; asks the host's own draws, so no device is waited for."""
    drawn = {
        "crop": augmentation.zoom != 1,
        "flip": augmentation.flip,
        "rotation": augmentation.angle != 0,
        "contrast": augmentation.contrast != 1,
    }
    return [kind for kind, which in drawn.items() if which.any()]


def to_unit_range(images: Tensor) -> Tensor:
    """uint8 0..255 to float32 in [-1, 1], as the Zalo motorbike article does: (x - 127.5) / 127.5."""
    return (images.float() - 127.5) / 127.5


def to_uint8(images: Tensor) -> Tensor:
    """Float in [-1, 1] to the uint8 that a PNG of it would hold: rounded, and clamped outside the range."""
    return (images.float() * 127.5 + 127.5).round().clamp(0, 255).to(torch.uint8)


def _branched(generator: torch.Generator) -> torch.Generator:
    """A generator of its own that depends on the state of `generator`, and leaves it where it is."""
    state = blake2b(generator.get_state().numpy().tobytes(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(state, "little") >> 1)


def _crop(images: Tensor, zoom: Tensor, left: Tensor, top: Tensor) -> Tensor:
    """Enlarge by `zoom`, then cut out a part of the old size; both in one resampling."""
    zero = torch.zeros_like(zoom)
    # Maps a point of the crop to the input point that it shows, both from -1 to 1.
    across, down = ((1 + 2 * start) / zoom - 1 for start in (left, top))
    theta = torch.stack([1 / zoom, zero, across, zero, 1 / zoom, down], dim=1).view(-1, 2, 3)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False).to(images.dtype)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _change_contrast(images: Tensor, contrast: Tensor) -> Tensor:
    """Scale each image's distance from its own mean grey; what leaves the range is cut off."""
    red, green, blue = images.mean(dim=(2, 3)).unbind(1)
    grey = (0.299 * red + 0.587 * green + 0.114 * blue).view(-1, 1, 1, 1)  # ITU-R 601
    factor = contrast.to(images.dtype).view(-1, 1, 1, 1)
    changed = (grey + factor * (images - grey)).clamp(-1, 1)
    return torch.where(factor == 1, images, changed)


def _rotate(images: Tensor, degrees: Tensor) -> Tensor:
    height, width = images.shape[2:]
    cos, sin, zero = torch.deg2rad(degrees).cos(), torch.deg2rad(degrees).sin(), torch.zeros_like(degrees)
    # Maps an output point to the input point it shows. Both axes run from -1 to 1, hence the aspect ratio.
    theta = torch.stack([cos, -sin * height / width, zero, sin * width / height, cos, zero], dim=1).view(-1, 2, 3)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False).to(images.dtype)
    # grid_sample knows zero as the only constant fill; shifted by one, zero is black.
    return F.grid_sample(images + 1, grid, mode="bilinear", padding_mode="zeros", align_corners=False) - 1
