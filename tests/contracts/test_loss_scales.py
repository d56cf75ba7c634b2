"""Every loss says which of its values mean that D or G has won, and the rules on losses believe it."""

from collections.abc import Callable
from functools import cache
from math import log

import pytest
import torch
from torch import Tensor

from orchestrator.pruning import History
from orchestrator.pruning.d_collapse import DCollapse
from orchestrator.pruning.g_divergence import GDivergence
from orchestrator.pruning.g_fooling import GFooling
from orchestrator.pruning.grad_explosion import GradExplosion
from trainers.config import LossConfig, TrainConfig
from trainers.families import FAMILIES, loss_scale
from trainers.loss_scale import BCE_D, BCE_G, UNNAMED, LossMarks, LossScale
from trainers.losses import LOSSES, GanLoss, build_loss

LABELS = {
    "bce": [(0.9, 0.0), (0.9, 0.1), (0.7, 0.3)],
    "saturating": [(0.9, 0.1)],
    "lsgan": [(0.9, 0.1), (1.0, -1.0)],
    "ralsgan": [(1.0, -1.0), (0.9, 0.0), (0.7, -0.3)],
}
CASES = [(name, real, fake) for name in LOSSES for real, fake in [(None, None), *LABELS.get(name, [])]]
pytestmark = pytest.mark.usefixtures("one_thread")

ENDLESS_G = {"hinge", "saturating", "wasserstein"}  # losses of G without a lowest value
CONSTANTS = torch.linspace(-2, 2, 801).double()


@pytest.fixture(scope="module", params=CASES, ids=str)
def loss(request: pytest.FixtureRequest) -> GanLoss:
    name, real, fake = request.param
    return build_loss(LossConfig(name=name, real_label=real, fake_label=fake))


def name_of(loss: GanLoss) -> str:
    return next(name for name, row in LOSSES.items() if row is type(loss))


@cache
def perfect_d(loss: GanLoss) -> float:
    """The lowest loss of a D that can choose its logits freely."""
    return descend(loss.d_loss, train_real=True)


@cache
def perfect_g(loss: GanLoss) -> float:
    """The lowest loss of a G that can choose D's logits of its fakes freely."""
    return descend(loss.g_loss, train_real=False)


def descend(compute: Callable[[Tensor, Tensor], Tensor], *, train_real: bool) -> float:
    real, fake = (torch.zeros(4, 1).double().requires_grad_(trained) for trained in (train_real, True))
    optimizer = torch.optim.Rprop([real, fake] if train_real else [fake], lr=0.1)
    for _ in range(200):
        optimizer.zero_grad()
        compute(real, fake).backward()
        optimizer.step()
    return compute(real, fake).item()


def undecided(loss: GanLoss) -> Tensor:
    """The logit, nearest to 0, that a D which gives all images the same one chooses."""
    values = torch.stack([loss.d_loss(c.view(1, 1), c.view(1, 1)) for c in CONSTANTS])
    best = CONSTANTS[values <= values.min() + 1e-12]
    return best[best.abs().argmin()].view(1, 1)


def test_d_has_won_at_its_lowest_loss(loss: GanLoss) -> None:
    marks, reached = loss.scale().d, perfect_d(loss)
    if marks is None:
        assert reached < -100, "without a lowest value"
    else:
        assert reached == pytest.approx(marks.won, abs=1e-3 * marks.unit) and reached > marks.won - 1e-9


def test_g_has_won_at_its_lowest_loss(loss: GanLoss) -> None:
    marks, reached = loss.scale().g, perfect_g(loss)
    if name_of(loss) in ENDLESS_G:
        assert reached < -50
    else:
        assert marks is not None
        assert reached == pytest.approx(marks.won, abs=1e-3 * marks.unit) and reached > marks.won - 1e-9


def test_an_undecided_d_stands_where_binary_cross_entropy_has_it(loss: GanLoss) -> None:
    scale, constant = loss.scale(), undecided(loss)
    if scale.d is not None:
        assert loss.d_loss(constant, constant).item() == pytest.approx(scale.d.at(BCE_D), rel=1e-4)
    if scale.g is not None:
        assert loss.g_loss(constant, constant).item() == pytest.approx(scale.g.at(BCE_G), rel=1e-4, abs=1e-3)


def test_only_a_critic_says_nothing(loss: GanLoss) -> None:
    scale = loss.scale()
    assert (scale.d is None) == (scale.g is None) == (name_of(loss) == "wasserstein")


def test_binary_cross_entropy_is_the_unit_and_what_logs_are_read_as() -> None:
    assert build_loss(LossConfig(name="bce")).scale() == UNNAMED == LossScale(d=LossMarks(), g=LossMarks())


def test_by_hand() -> None:
    def scale(name: str, real: float | None = None, fake: float | None = None) -> LossScale:
        return build_loss(LossConfig(name=name, real_label=real, fake_label=fake)).scale()

    smoothed = scale("bce", 0.9, 0.0)
    assert smoothed.d is not None and smoothed.d.won == pytest.approx(0.3250830)  # entropy of 0.9
    least_squares, relativistic = scale("lsgan"), scale("ralsgan", 0.9, 0.0)
    assert least_squares.g is not None and least_squares.g.at(0.5) == pytest.approx(0.25 * 0.5 / log(2))
    assert relativistic.d is not None and relativistic.d.won == pytest.approx(0.45**2)
    assert scale("hinge").g == LossMarks(won=-1, unit=1 / log(2))


# The rules


def tripped(rule: DCollapse | GFooling | GDivergence, scale: LossScale, **losses: list[float]) -> bool:
    """Whether the rule trips in 60 epochs whose FID rises from the 21st on."""
    history = History(60, scale=scale)
    for epoch in range(60):
        fid = 100 - 3 * epoch if epoch < 20 else 43 + 5 * (epoch - 20)
        history.append(epoch + 1, {name: values[epoch] for name, values in losses.items()}, fid, "fid_test_n2")
        if rule.trip(history) is not None:
            return True
    return False


def test_a_perfect_d_is_a_collapse_where_the_loss_says_so(loss: GanLoss) -> None:
    scale, constant = loss.scale(), undecided(loss)
    perfect = perfect_d(loss)
    assert tripped(DCollapse(), scale, d_loss=[perfect] * 60) == (scale.d is not None)
    assert not tripped(DCollapse(), scale, d_loss=[loss.d_loss(constant, constant).item()] * 60)
    assert not tripped(DCollapse(), scale, d_loss=[0.0] * 60) or (scale.d is not None and abs(scale.d.won) < 0.01)


def test_a_fooled_d_is_a_failure_where_the_loss_says_so(loss: GanLoss) -> None:
    scale, constant = loss.scale(), undecided(loss)
    fooled = perfect_g(loss)
    assert tripped(GFooling(), scale, g_loss=[fooled] * 60) == (scale.g is not None)
    assert not tripped(GFooling(), scale, g_loss=[loss.g_loss(constant, constant).item()] * 60)


def test_a_g_without_a_chance_is_a_failure_where_the_loss_says_so(loss: GanLoss) -> None:
    scale, constant = loss.scale(), undecided(loss)
    even = loss.g_loss(constant, constant).item()
    unit = scale.g.unit if scale.g is not None else 1.0
    assert tripped(GDivergence(), scale, g_loss=[even] * 25 + [even + 5 * unit] * 35) == (scale.g is not None)
    assert not tripped(GDivergence(), scale, g_loss=[even] * 60)


def test_what_is_ordinary_ends_no_run() -> None:
    """A critic whose distance is near 0, or whose scores drift; G's loss of 0.25 under least squares."""
    critic, squares = (build_loss(LossConfig(name=name)).scale() for name in ("wasserstein", "lsgan"))
    drifting = [-0.2 * epoch for epoch in range(60)]
    for scale, ended in ((UNNAMED, True), (critic, False)):
        assert tripped(DCollapse(), scale, d_loss=[0.004] * 60) is ended
        assert tripped(GFooling(), scale, g_loss=drifting) is ended
    for scale, ended in ((UNNAMED, True), (squares, False)):
        assert tripped(GFooling(), scale, g_loss=[0.25] * 60) is ended


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_a_family_that_adds_losses_up_says_so(family: str) -> None:
    config = TrainConfig.build({}, {"family": family, "loss.name": "lsgan", "loss.real_label": 0.9})
    terms = 2 if family == "cyclegan" else 1
    assert loss_scale(config) == build_loss(config.loss).scale().times(terms)
    assert LossScale(d=LossMarks(won=0.5, unit=2.0), g=None).times(2) == LossScale(d=LossMarks(won=1, unit=4), g=None)


def test_gradients_explode_where_the_loss_has_a_scale(loss: GanLoss) -> None:
    """A critic's scores, and with them their gradients, may grow for as long as it trains."""
    scale = loss.scale()
    for name, marks in (("grad_norm_d", scale.d), ("grad_norm_g", scale.g)):
        history = History(10, scale=scale)
        history.append(1, {name: 1e5})
        assert (GradExplosion().trip(history) is None) == (marks is None)
