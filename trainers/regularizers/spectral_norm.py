"""Spectral normalisation (Miyato et al. 2018, arXiv:1802.05957)."""

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

LAYERS = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)


def apply_spectral_norm(network: nn.Module) -> nn.Module:
    """Divide the weight of every convolution and linear layer by its largest singular value, in place.

    The value comes from one power iteration per forward pass in training mode, which starts from vectors drawn here
    with torch's own generator. Parameters of other modules stay as they are.

    The state dict then has ``parametrizations.weight.original`` in place of ``weight``, and the iteration's vectors.
    Call it before the network moves to its device and before its optimiser is made.
    """
    for module in list(network.modules()):
        if isinstance(module, LAYERS):
            spectral_norm(module)
    return network
