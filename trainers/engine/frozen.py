"""A network that gradients only pass through."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """While it lasts `network` gathers no gradients for its own weights, which saves computing them."""
    network.requires_grad_(False)
    try:
        yield
    finally:
        network.requires_grad_(True)
