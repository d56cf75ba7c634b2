"""What a network is made of, layer by layer."""

import torch
from torch import Tensor, nn

Row = tuple[str, tuple[int, ...], int]


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


def table(network: nn.Module, inputs: Tensor) -> list[Row]:
    """A row per layer, in the order in which they run: its class, output shape without the batch, parameters."""
    rows: list[Row] = []

    def note(module: nn.Module, _: object, output: Tensor) -> None:
        rows.append((type(module).__name__, tuple(output.shape[1:]), parameters(module)))

    hooks = [m.register_forward_hook(note) for m in network.modules() if not list(m.children())]
    with torch.no_grad():
        network(inputs)
    for hook in hooks:
        hook.remove()
    return rows


def glorot_misses(network: nn.Module) -> list[str]:
    """Layers of 1,000 weights or more that are not uniform in +- sqrt(6 / (inputs + outputs)), or whose bias is not 0.

    A uniform spread has a standard deviation of its bound over sqrt(3).
    """
    missed = []
    for name, layer in network.named_modules():
        if not isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear) or layer.weight.numel() < 1000:
            continue
        field = layer.weight[0, 0].numel()
        bound = (6 / (field * sum(layer.weight.shape[:2]))) ** 0.5
        spread = layer.weight.std().item() / (bound / 3**0.5)
        if layer.weight.abs().max() > bound or not 0.95 < spread < 1.05 or layer.bias is None or layer.bias.any():
            missed.append(name)
    return missed


def normal_misses(network: nn.Module) -> list[str]:
    """Convolutions of 1,000 weights or more that are not N(0, 0.02), norms that are not N(1, 0.02) with shifts of 0."""
    missed = []
    for name, layer in network.named_modules():
        if isinstance(layer, nn.BatchNorm2d | nn.InstanceNorm2d):
            few = 3 * 0.02 * (1 + layer.num_features**-0.5)
            good = 0 < layer.weight.std() < few and abs(layer.weight.mean() - 1) < few and not layer.bias.any()
        elif isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) and layer.weight.numel() >= 1000:
            good = abs(layer.weight.std() / 0.02 - 1) < 0.1 and abs(layer.weight.mean()) < 0.002
        else:
            continue
        missed += [] if good else [name]
    return missed
