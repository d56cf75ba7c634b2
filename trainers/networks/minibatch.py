"""Minibatch discrimination: D sees how much an image resembles the others of its batch, so that G must vary.

Salimans et al. 2016, arXiv:1606.03498, in the convolutional form of the Edouard99/GAN repository.
"""

import torch
from torch import Tensor, nn

from trainers.distributed import gather_batch
from trainers.regularizers import full_precision

REDUCTION = 4  # kernel and stride of the convolutions around the comparison, pixels
REDUCED_CHANNELS = 3


class MinibatchDiscrimination2d(nn.Module):
    """Append `out_channels` maps of similarities to the other images of the global batch.

    With t = size / 4 the tensor holds 3 t^2 * out_channels t^2 * features numbers: 393,216 for the Edouard99/GAN
    repository's 64 px images (size 32, 2 maps), 201,326,592 (805 MB in float32) for its 256 px ones (size 128, 4 maps).

    Everything up to the similarities is computed in the parameters' precision, under autocast too. Distances of images
    that are alike are small differences of large numbers: for inputs that differ by 1%, 0.3% and 0.1% they were off by
    6, 19 and 57% on average in bfloat16, and by 4, 15 and 53% where only the product with T was in float32.

    Args:
        size: side of the input, pixels; a multiple of 4.
        in_channels: of the input.
        out_channels: maps to append.
        features: numbers that two images are compared by, for each of the out_channels t^2 similarities.
    """

    def __init__(self, *, size: int, in_channels: int, out_channels: int, features: int = 16) -> None:
        super().__init__()
        self.side, self.out_channels = size // REDUCTION, out_channels
        area = self.side**2
        self.reduce = nn.Conv2d(in_channels, REDUCED_CHANNELS, REDUCTION, REDUCTION, bias=False)
        self.tensor = nn.Parameter(torch.empty(REDUCED_CHANNELS * area, out_channels * area, features))
        self.expand = nn.ConvTranspose2d(out_channels, out_channels, REDUCTION, REDUCTION, bias=False)
        nn.init.xavier_uniform_(self.tensor)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, C, H, W]`` -> ``[B, C + out_channels, H, W]``; a single image has similarities of 0."""
        assert x.shape[2] == x.shape[3] == self.side * REDUCTION, f"features {tuple(x.shape)}"
        with full_precision(x.device):  # see the class
            reduced = self.reduce(x.to(self.tensor.dtype)).flatten(1)  # [b, 3 t^2]
            # [b, K, F], K = out_channels t^2
            mine = (reduced @ self.tensor.flatten(1)).unflatten(1, self.tensor.shape[1:])
            # cdist: |mine - batch| would be b B K F numbers, 268 MB for 32 images of 256 px, and kept for backward.
            distances = torch.cdist(mine.transpose(0, 1), gather_batch(mine).transpose(0, 1), p=1)  # [K, b, B]
            similarity = torch.exp(-distances).sum(2).T - 1  # [b, K], without the image itself, whose distance is 0
        maps = similarity.unflatten(1, (self.out_channels, self.side, self.side))
        return torch.cat([x, self.expand(maps)], 1)
