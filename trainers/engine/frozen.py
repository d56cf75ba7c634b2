"""Freezing a network: gradients pass through it to its inputs, not to its weights."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Inside the block the weights of `network` get no gradients, which saves computing them."""
    network.requires_grad_(False)
    try:
        yield
    finally:
        network.requires_grad_(True)
