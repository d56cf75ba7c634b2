"""Freezing: gradients pass through a network, or its first layers, to what lies before, not to the weights."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from trainers.errors import UserError
from trainers.regularizers.spectral_norm import LAYERS


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Inside the block no weight of `network` gets a gradient, which saves computing them; after it those as before."""
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)


def freeze_layers(discriminator: nn.Module, count: int) -> None:
    """Freeze the layers of a discriminator that are nearest to the image, for good (Mo et al. 2020, arXiv:2002.10964).

    Their weights get no gradients, so that neither norms of gradients nor an update knows of them. Their norms judge by
    the statistics that they have and keep them, and spectral norm iterates no further. Dropout between them goes on.

    Args:
        discriminator: D, or several in a ModuleDict, each of which is frozen.
        count: of layers, see `layers_of`.

    Raises:
        UserError: there are not more layers than that, so that nothing would be trained.
    """
    if not count:
        return
    several = isinstance(discriminator, nn.ModuleDict)
    for network in discriminator.children() if several else iter([discriminator]):
        layers = layers_of(network)
        if count >= len(layers):
            raise UserError(f"init.freeze_d_layers must be below {len(layers)}, the layers that D has, got {count}")
        for module in (module for layer in layers[:count] for module in layer):
            module.training = False
            for parameter in module.parameters(recurse=False):
                parameter.requires_grad_(False)


def layers_of(network: nn.Module) -> list[list[nn.Module]]:
    """The layers of a network, in the order in which it has them, which is that in which an image meets them.

    A layer is one convolution or linear layer, and with it the norms that follow. A module that has weights of its own
    and layers inside, such as minibatch discrimination, belongs to the first layer inside it.

    Returns:
        The modules of each layer that have weights, statistics or both.
    """
    layers: list[list[nn.Module]] = []
    ahead: list[nn.Module] = []  # what belongs to the next layer

    def visit(module: nn.Module) -> None:
        if isinstance(module, LAYERS):
            layers.append([*ahead, *module.modules()])  # spectral norm keeps weights and statistics in modules below it
            ahead.clear()
            return
        if [*module.parameters(recurse=False), *module.buffers(recurse=False)]:
            inside = not layers or any(isinstance(part, LAYERS) for part in module.modules())
            (ahead if inside else layers[-1]).append(module)
        for child in module.children():
            visit(child)

    visit(network)
    return layers
