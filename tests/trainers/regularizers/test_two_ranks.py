"""Two ranks with half of the images each regularise as one rank with all of them."""

import pytest
import torch

from tests.trainers.regularizers.regularizer_ranks import BATCH, Results, everything

HALF = BATCH // 2


@pytest.fixture(scope="module")
def one_rank() -> Results:
    """What one process without a process group gets."""
    return everything()


@pytest.mark.parametrize("name", ["plain", "batchnorm"])
def test_penalties(two_ranks: list[Results], one_rank: Results, name: str) -> None:
    """With BatchNorm over both ranks too, whose images then have a part in one another's logits."""
    first, second = two_ranks
    values = torch.stack([first[f"{name}_value"], second[f"{name}_value"]])
    torch.testing.assert_close(values.mean(), one_rank[f"{name}_value"])
    assert (values[0] - values[1]).abs() > 1e-3 * values.mean()
    gradients = [key for key in one_rank if key.startswith(f"{name}.")]
    assert len(gradients) >= 3  # a bias that only shifts logits has none
    for key in gradients:
        torch.testing.assert_close(first[key], one_rank[key], rtol=1e-4, atol=1e-5 * one_rank[key].abs().max().item())
        assert torch.equal(first[key], second[key])


@pytest.mark.parametrize("name", ["images0", "images1"])
def test_augmented_images(two_ranks: list[Results], one_rank: Results, name: str) -> None:
    assert torch.equal(torch.cat([result[name] for result in two_ranks]), one_rank[name])
    assert not torch.equal(two_ranks[0][name], one_rank[name][HALF:])


def test_every_batch_is_augmented_anew(one_rank: Results) -> None:
    assert not torch.equal(one_rank["images0"], one_rank["images1"])
