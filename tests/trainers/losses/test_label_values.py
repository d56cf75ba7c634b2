"""Which label values the losses take."""

import pytest

from trainers.config import LossConfig
from trainers.errors import UserError
from trainers.losses import LOSSES, GanLoss, build_loss

LABELS = {"bce": (1.0, 0.0), "lsgan": (1.0, 0.0), "ralsgan": (0.8, -0.8), "saturating": (1.0, 0.0)}


def labels(loss: GanLoss) -> tuple[float | None, float | None]:
    return getattr(loss, "real_label", None), getattr(loss, "fake_label", None)


@pytest.mark.parametrize("name", LABELS)
def test_labels_and_their_defaults(name: str) -> None:
    real, fake = LABELS[name]
    assert labels(build_loss(LossConfig(name=name))) == (real, fake)
    assert labels(build_loss(LossConfig(name=name, real_label=0.9, fake_label=0.2))) == (0.9, 0.2)
    assert labels(build_loss(LossConfig(name=name, fake_label=0.2))) == (real, 0.2)
    mirrored = -0.9 if name == "ralsgan" else fake
    assert labels(build_loss(LossConfig(name=name, real_label=0.9))) == (0.9, mirrored)


@pytest.mark.parametrize("name", LABELS)
@pytest.mark.parametrize("fake", [0.5, 0.7])
def test_the_real_label_is_above_the_fake_one(name: str, fake: float) -> None:
    with pytest.raises(UserError, match=rf"real_label must be above loss.fake_label, got 0.5 and {fake}"):
        build_loss(LossConfig(name=name, real_label=0.5, fake_label=fake))


@pytest.mark.parametrize("name", sorted(LOSSES.keys() - LABELS.keys()))
def test_the_others_have_none(name: str) -> None:
    assert labels(build_loss(LossConfig(name=name, real_label=-1.0, fake_label=1.0))) == (None, None)


@pytest.mark.parametrize(
    ("name", "real", "fake"), [("bce", 0.5, 0.4999), ("ralsgan", 0.1, 0.0999), ("lsgan", 1e-9, 0.0)]
)
def test_labels_that_are_nearly_equal_are_refused(name: str, real: float, fake: float) -> None:
    with pytest.raises(UserError, match=r"loss.real_label must be at least 0.001 above loss.fake_label, got "):
        build_loss(LossConfig(name=name, real_label=real, fake_label=fake))
