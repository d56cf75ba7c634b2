"""Weight clipping by hand."""

import torch
from torch import nn

from trainers.regularizers import clip_weights


def test_every_parameter_is_clamped_in_place() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    optimizer = torch.optim.SGD(network.parameters(), lr=1.0)
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([[0.5, -0.5], [0.005, -0.01]]))
        network[0].bias.copy_(torch.tensor([-3.0, 0.01]))
    network(torch.ones(2, 2)).sum().backward()
    clip_weights(network, 0.01)
    torch.testing.assert_close(network[0].weight, torch.tensor([[0.01, -0.01], [0.005, -0.01]]).requires_grad_())
    assert network[0].bias.tolist() == torch.tensor([-0.01, 0.01]).tolist()
    assert network[1].weight.tolist() == torch.tensor([0.01, 0.01]).tolist()  # BatchNorm's too, which was 1
    assert network[1].running_var.min() > 0.5  # statistics are no parameters
    assert all(parameter.requires_grad and parameter.grad is not None for parameter in network.parameters())
    assert optimizer.param_groups[0]["params"][0] is network[0].weight
