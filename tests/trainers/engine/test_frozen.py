"""Frozen layers of D: which they are, and that a training leaves them alone to the last bit."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.contracts.family_cases import CASES, LABELS, case_config, fresh_family, take_steps
from trainers.config import TrainConfig
from trainers.engine.frozen import LAYERS, freeze_layers, frozen, layers_of
from trainers.errors import UserError
from trainers.families import Family, check_buildable
from trainers.networks import NETWORKS, TRANSLATORS, build_networks, build_translators

pytestmark = pytest.mark.usefixtures("one_thread")

# By network, at 32 pixels: what each layer of its D has, by the names of its parameters in `model`.
POKEMON = ["0", "2.tensor 2.reduce", "2.expand", "3 4", "6 7"]
EXPECTED = {
    "dcgan": ["0", "2", "4 5", "7"],
    "dcgan_cars": ["0 1", "3 4", "6 7", "9 10", "14"],
    "acgan_anime": ["0", "3 6", "7 10", "11 14", "15 18", "20"],
    "dcgan_pokemon": [*POKEMON, "9"],
    "wgan_pokemon": [*POKEMON, "10"],
    "resnet_patchgan": ["0", "2 3", "5 6", "9 10", "13"],
}


def judge(name: str, **network: Any) -> nn.Module:
    config = TrainConfig.build({}, {"network.name": name, "network.base_width": 4, **network}).network
    pair = build_translators(config, 32) if name in TRANSLATORS else build_networks(config, 32)
    return pair[1]


def layer_names(network: nn.Module) -> list[list[str]]:
    """The parameters of each layer, by name."""
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    return [
        [names[id(p)] for module in layer for p in module.parameters(recurse=False)] for layer in layers_of(network)
    ]


@pytest.mark.parametrize("name", [*NETWORKS, *TRANSLATORS])
def test_layers_come_as_an_image_meets_them(name: str) -> None:
    network = judge(name)
    met: list[nn.Module] = []
    for module in network.modules():
        if isinstance(module, LAYERS):
            module.register_forward_hook(lambda module, *_: met.append(module))
    network(torch.zeros(2, 3, 32, 32))
    heads = [next(part for part in layer if isinstance(part, LAYERS)) for layer in layers_of(network)]
    assert [id(one) for one in heads] == [id(one) for one in met]
    listed = [name for layer in layer_names(network) for name in layer]
    assert sorted(listed) == sorted(name for name, _ in network.named_parameters())


@pytest.mark.parametrize("name", EXPECTED)
def test_a_layer_has_its_norm(name: str) -> None:
    found = [
        " ".join(
            dict.fromkeys(name.removeprefix("model.").removesuffix(".weight").removesuffix(".bias") for name in layer)
        )
        for layer in layer_names(judge(name))
    ]
    assert found == EXPECTED[name]


def state(family: Family) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in family.discriminator.state_dict().items()}


def frozen_names(family: Family) -> set[str]:
    """Entries of D's state that must stay; those that must change are all the others."""
    network = family.discriminator
    judges = network.items() if isinstance(network, nn.ModuleDict) else [("", network)]
    ids = {
        id(value)
        for _, one in judges
        for layer in layers_of(one)[: family.config.init.freeze_d_layers]
        for module in layer
        for value in (*module.parameters(recurse=False), *module.buffers(recurse=False))
    }
    entries = [*network.named_parameters(), *network.named_buffers()]
    return {name for name, value in entries if id(value) in ids}


def check_steps(family: Family) -> None:
    """Two steps leave what is frozen as it was, to the last bit, and change everything else of D.

    Single numbers may stay: a last bias that cancels in the loss, spectral norm's direction of a single output.
    """
    before, stays = state(family), frozen_names(family)
    take_steps(family, 2)
    same = {name for name, value in family.discriminator.state_dict().items() if torch.equal(value, before[name])}
    assert stays and stays <= same
    assert [name for name in same - stays if before[name].numel() > 1] == []


@pytest.mark.parametrize("name", CASES)
def test_a_step_leaves_frozen_layers_alone(name: str) -> None:
    """Each family, network and regulariser; in most pairs the third layer has a norm."""
    overrides: dict[str, Any] = {"init.freeze_d_layers": 3, "optimizer.grad_clip_norm": 0.5}
    overrides["regime.monitored_ratio"] = 0.0  # D is updated
    if "boosted" in name:
        overrides["regime.name"] = "classic"
    check_steps(fresh_family(case_config(name, overrides)))


@pytest.mark.parametrize("normed", [False, True])
@pytest.mark.parametrize("network", sorted(EXPECTED.keys() - {"resnet_patchgan"}))
def test_any_number_of_layers(network: str, normed: bool) -> None:
    """Spectral norm's vectors stay too; minibatch discrimination has weights of its own."""
    for count in range(1, len(EXPECTED[network])):
        keys = {"network.name": network, "init.freeze_d_layers": count, "regularizer.spectral_norm": normed}
        check_steps(fresh_family(case_config("adversarial", {**keys, "loss.name": "bce"})))


def test_the_norm_of_gradients_is_that_of_the_trained_weights() -> None:
    family = fresh_family(case_config("adversarial", {"init.freeze_d_layers": 2}))
    (metrics,) = take_steps(family, 1)
    trained = [p for p in family.discriminator.parameters() if p.requires_grad]
    assert all((p.grad is None) != p.requires_grad for p in family.discriminator.parameters())
    norm = torch.cat([p.grad.reshape(-1) for p in trained if p.grad is not None]).norm()
    assert metrics["grad_norm_d"].item() == pytest.approx(norm.item(), rel=1e-5)
    assert set(family.descent_d.optimizer.state) == set(trained)


def test_weights_are_clipped_where_they_are_trained() -> None:
    family = fresh_family(case_config("adversarial wgan", {"init.freeze_d_layers": 1}))
    weight = family.discriminator.get_submodule("model.0").weight
    assert isinstance(weight, nn.Parameter)
    with torch.no_grad():
        weight.fill_(0.3)
    take_steps(family, 1)
    assert bool((weight == 0.3).all())
    assert max(p.abs().max().item() for p in family.discriminator.parameters() if p.requires_grad) <= 0.0101


def test_g_learns_through_frozen_layers() -> None:
    """The same gradients as through layers that are trained, since D judges alike."""
    norms = []
    for count in (0, 2):  # of the DCGAN pair at 32 px, which have no BatchNorm
        family = fresh_family(case_config("adversarial", {"init.freeze_d_layers": count, "optimizer.lr_d": 1e-12}))
        norms.append(take_steps(family, 1)[0]["grad_norm_g"].item())
    assert norms[0] == pytest.approx(norms[1], rel=1e-5)


def test_a_frozen_network_gets_back_what_was_trained() -> None:
    network = judge("dcgan")
    freeze_layers(network, 1)
    wanted = [parameter.requires_grad for parameter in network.parameters()]
    with frozen(network):
        assert not any(parameter.requires_grad for parameter in network.parameters())
    assert [parameter.requires_grad for parameter in network.parameters()] == wanted and len(set(wanted)) == 2


def test_none_is_frozen_by_default() -> None:
    network = judge("dcgan_cars")
    freeze_layers(network, 0)
    assert all(p.requires_grad for p in network.parameters())
    assert all(module.training for module in network.modules())


@pytest.mark.parametrize(("name", "layers"), [("adversarial", 4), ("acgan", 6), ("cyclegan", 5)])
def test_a_layer_is_left_to_train(name: str, layers: int) -> None:
    check_buildable(case_config(name, {"init.freeze_d_layers": layers - 1}))
    for count in (layers, layers + 1):
        message = f"init.freeze_d_layers must be below {layers}, the layers that D has, got {count}"
        with pytest.raises(UserError, match=f"^{message}$"):
            check_buildable(case_config(name, {"init.freeze_d_layers": count}))


def test_labels_add_no_layer() -> None:
    """The class heads are outputs of the last layer."""
    config = case_config("acgan on other networks", {"labels": LABELS, "init.freeze_d_layers": 3})
    check_buildable(config)
