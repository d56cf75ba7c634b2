from pathlib import Path

import pytest
import torch
import torchvision
from torch import nn

from tests.trainers.metrics.metrics_helpers import run_two_ranks


@pytest.fixture(scope="session")
def two_ranks(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, dict[str, object]]]:
    """What each of two gloo processes got, by case."""
    return run_two_ranks(tmp_path_factory.mktemp("ranks"))


@pytest.fixture(scope="session")
def torch_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A TORCH_HOME whose hub cache has random Inception weights where the true ones would be.

    torchvision's Inception has the same names and shapes as pytorch-fid's. Its default initialisation shrinks the
    signal layer by layer until all images look the same; He's keeps it, and the biases tell the channels apart.
    """
    home = tmp_path_factory.mktemp("torch_home")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = torchvision.models.inception_v3(num_classes=1008, aux_logits=False, weights=None, init_weights=False)
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
            elif isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.bias, -0.5, 0.5)
    (home / "hub" / "checkpoints").mkdir(parents=True)
    torch.save(network.state_dict(), home / "hub" / "checkpoints" / "pt_inception-2015-12-05-6726825d.pth")
    return home
