"""Initial weights, where a document does not use torch's defaults."""

from torch import nn


def keras_init(network: nn.Module) -> None:
    """Keras' defaults: weights glorot uniform, biases 0 (Glorot & Bengio 2010)."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def dcgan_init(network: nn.Module) -> None:
    """Convolutions N(0, 0.02), scales of normalisations N(1, 0.02), their shifts 0 (DCGAN, arXiv:1511.06434).

    Linear layers keep torch's defaults.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0, 0.02)
        elif isinstance(module, nn.BatchNorm2d | nn.InstanceNorm2d):
            nn.init.normal_(module.weight, 1, 0.02)
            nn.init.zeros_(module.bias)
