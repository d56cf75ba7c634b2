"""Networks without their BatchNorm: an experiment of the MLDS HW4 report, whose output then is "all noise"."""

import torch
from torch import nn

from trainers.errors import UserError

CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)


def leave_out_batchnorm(name: str, *networks: nn.Module) -> None:
    """Replace every BatchNorm2d by nothing, in place.

    A convolution right before it that has no bias gets one, from 0, in place of BatchNorm's shift.

    Args:
        name: of the pair, for the error's text.
        networks: fresh ones.

    Raises:
        UserError: there is none, so that the setting would change nothing.
    """
    found = [part for network in networks for parent in network.modules() for part in _leave_out(parent)]
    if not found:
        raise UserError(f"network {name} has no BatchNorm to leave out: network.batchnorm must be true, got False")


def _leave_out(parent: nn.Module) -> list[nn.Module]:
    """Do so among the children of `parent`; returns those that were replaced."""
    found: list[nn.Module] = []
    before: nn.Module | None = None
    for key, child in list(parent.named_children()):
        if isinstance(child, nn.BatchNorm2d):
            if isinstance(before, CONVOLUTIONS) and before.bias is None:
                before.bias = nn.Parameter(torch.zeros(before.out_channels))
            setattr(parent, key, nn.Identity())
            found.append(child)
        before = child
    return found
