"""The shift that makes a loss relativistic average (Jolicoeur-Martineau 2018, arXiv:1807.00734)."""

from torch import Tensor

from trainers.distributed import batch_mean


def relative(real_logits: Tensor, fake_logits: Tensor) -> tuple[Tensor, Tensor]:
    """How much more real than the average of the other kind: ``(C(xr) - mean C(xf), C(xf) - mean C(xr))``.

    Shapes as given; the means are those of the global batch.
    """
    return real_logits - batch_mean(fake_logits), fake_logits - batch_mean(real_logits)
