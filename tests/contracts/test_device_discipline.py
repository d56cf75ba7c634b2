"""What would fail or wait on a GPU fails here, on any machine: see `tests.contracts.device_watch`.

Every case takes whole steps on the meta device, and its forward passes on a fake ``cuda:0``.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from tests.contracts.device_watch import (
    HOST_BY_DESIGN,
    META,
    DeviceRandom,
    FusedAdam,
    MetaAutocast,
    cuda_autocast,
    host_watch,
)
from tests.contracts.family_cases import BATCH, CASES, PICTURES, SIZE, case_config, global_batch
from trainers.assets import Assets, Images, resident
from trainers.averages import StepAverages
from trainers.config import TrainConfig
from trainers.data import draw_synthetic
from trainers.engine.descent import Descent
from trainers.families import FAMILIES, Family, build_family
from trainers.losses import LOSSES
from trainers.randomness import GlobalRandom
from trainers.regimes import REGIMES
from trainers.regularizers.diffaugment import PARTS

pytestmark = pytest.mark.usefixtures("one_thread")

TWO_STEPS = ("monitored", "n_critic")  # regimes whose second step differs from the first
FIRST = {family: next(name for name in CASES if name.split()[0] == family) for family in FAMILIES}
JOINT = {"regime.d_updates": "joint"}

REGULARISED = {
    "regularizer.gradient_penalty": 1.0,
    "regularizer.r1_gamma": 1.0,
    "regularizer.r2_gamma": 1.0,
    "regularizer.weight_clip": 0.01,
    "regularizer.spectral_norm": True,
    "regularizer.diffaugment": ",".join(PARTS),
}

# What stands in no case of `CASES`: (case, overrides).
MORE: dict[str, tuple[str, dict[str, Any]]] = {
    **{
        f"{f}, {r}": (FIRST[f], {"regime.name": r, "regime.n_critic": 2})
        for f in FAMILIES
        for r in REGIMES
        if r != case_config(FIRST[f]).regime.name
    },
    **{f"{f}, regularised": (FIRST[f], {**REGULARISED, **JOINT}) for f in FAMILIES},
    **{f"loss {name}": ("adversarial", {"loss.name": name}) for name in LOSSES},
    **{key.split(".")[1]: ("adversarial", {key: value}) for key, value in REGULARISED.items()},
    **{f"diffaugment {part}": ("adversarial", {"regularizer.diffaugment": part}) for part in PARTS},
    "lazy penalties": ("adversarial r3gan", {"regularizer.penalty_every": 2}),
    "monitored with clipping": ("adversarial", {"regime.name": "monitored", "regularizer.weight_clip": 0.01}),
    "clipped gradients": ("adversarial", {"optimizer.grad_clip_norm": 1.0}),
    "no average": ("adversarial", {"regime.ema_halflife_images": None}),
    "contiguous": ("adversarial", {"runtime.channels_last": False}),
}
EVERY = {**{name: (name, {}) for name in CASES}, **MORE}
EACH = [(name, "fp32") for name in EVERY] + [(name, "bf16") for name in CASES]


def configured(name: str, precision: str, overrides: dict[str, Any] | None = None) -> TrainConfig:
    case, more = EVERY[name]
    small = {"cycle.buffer_size": BATCH // 2}  # full within the first step
    return case_config(case, {**small, **more, "runtime.precision": precision, **(overrides or {})})


@pytest.fixture
def on_meta(monkeypatch: pytest.MonkeyPatch) -> None:
    """What torch does not have for the meta device: the fused Adam and autocast."""
    monkeypatch.setattr(torch.optim, "Adam", FusedAdam)
    monkeypatch.setattr(torch, "autocast", MetaAutocast)


def meta_steps(config: TrainConfig, k: float | None = None) -> Iterator[dict[str, Tensor | float]]:
    """Whole steps, watched; the batches are on the device already, as `Family.batches` gives them."""
    random = DeviceRandom(config.seed, META, k)
    random.start_epoch(1)
    family = build_family(config, META, random)
    family.start_epoch(1)
    averages = StepAverages()
    for number in range(2 if config.regime.name in TWO_STEPS or config.regularizer.penalty_every > 1 else 1):
        batch = [part.to(META) for part in global_batch(config, seed=number)]
        with host_watch():
            metrics = family.step(*batch, images_seen=number * BATCH, instance_sigma=0.1)
            averages.add(metrics)
        yield metrics


@pytest.mark.usefixtures("on_meta")
@pytest.mark.parametrize(("name", "precision"), EACH)
def test_whole_steps_stay_on_the_device(name: str, precision: str) -> None:
    for metrics in meta_steps(configured(name, precision)):
        scalars = [value for value in metrics.values() if isinstance(value, Tensor)]
        assert len(scalars) >= 2 and all(value.shape == () and value.device == META for value in scalars)


@pytest.mark.usefixtures("on_meta")
@pytest.mark.parametrize(
    ("k", "d", "g"), [(0.0, 0.0, 1.0), (0.0005, 1.0, 0.0), (0.95, 1.0, 1.0)], ids=["g alone", "d alone", "swapped"]
)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_row_of_the_boosted_regime(family: str, k: float, d: float, g: float) -> None:
    made = list(meta_steps(case_config(FIRST[family], {"regime.name": "boosted", "regime.g_steps": 1}), k))
    assert [(values["d_updates"], values["g_updates"]) for values in made] == [(d, g)]


def fake_family(config: TrainConfig, device: torch.device) -> Family:
    """Fresh on `device`, ready for forward passes; a FakeTensorMode must be on."""
    random = DeviceRandom(config.seed, device)
    random.start_epoch(1)
    with device:
        return build_family(config, device, random)


@pytest.fixture
def forward_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a fake GPU cannot do: backward, the optimiser's kernel, a change of memory order, pinned memory."""
    monkeypatch.setattr(Descent, "backward", lambda self, loss: None)
    monkeypatch.setattr(Descent, "apply", lambda self, *decided: torch.zeros((), device="cuda:0"))
    monkeypatch.setattr(Family, "_set_up", lambda self, network: network)
    monkeypatch.setattr(Tensor, "pin_memory", lambda self: self)


@pytest.mark.usefixtures("forward_only")
@pytest.mark.parametrize(("name", "precision"), EACH)
def test_forward_passes_run_on_a_fake_gpu(name: str, precision: str) -> None:
    """The steps without their backward passes, penalties (which have one of their own) and averages (deep copies)."""
    without = {f"regularizer.{key}": 0.0 for key in ("gradient_penalty", "r1_gamma", "r2_gamma")}
    config = configured(name, "fp32", {**without, "regime.ema_halflife_images": None})
    device = torch.device("cuda:0")
    with FakeTensorMode() as mode:
        family = fake_family(config, device)
        batch = [mode.from_tensor(part).to(device) for part in global_batch(config)]
        with host_watch():
            if precision == "bf16":
                with cuda_autocast():
                    values = family.step(*batch, images_seen=0, instance_sigma=0.1)
            else:
                values = family.step(*batch, images_seen=0, instance_sigma=0.1)
    assert all(value.device == device for value in values.values() if isinstance(value, Tensor))


def meta_samples(config: TrainConfig) -> list[Tensor]:
    """What FID, grids and people get of a generator, watched."""
    random = DeviceRandom(config.seed, META)
    random.start_epoch(1)
    family = build_family(config, META, random)
    images = torch.zeros(BATCH, 3, SIZE, SIZE, device=META)
    inputs = None if family.directions else family._draw_inputs()[0]  # type: ignore[attr-defined]
    with host_watch():
        if inputs is not None:
            return [family.generate(inputs)]  # type: ignore[attr-defined]
        return [family.translate(images, direction) for direction in family.directions]  # type: ignore[attr-defined]


@pytest.mark.usefixtures("on_meta")
@pytest.mark.parametrize("name", CASES)
def test_samples_stay_on_the_device(name: str) -> None:
    for images in meta_samples(case_config(name)):
        assert images.device == META and images.dtype == torch.float32 and images.shape == (BATCH, 3, SIZE, SIZE)


class OnMeta(Assets):
    """Assets whose images are resident on the meta device."""

    def images(self, config: TrainConfig, folder: Path | None = None) -> Images:
        cache = super().images(config, folder).cache
        twin = Images(cache, META)
        twin._resident = resident(cache, META)
        return twin


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Assets]:
    """By family, pictures of its kind."""
    found = {}
    for family in FAMILIES:
        folder = tmp_path_factory.mktemp("resident") / "drawn"
        draw_synthetic(PICTURES.get(family, "motorbikes"), folder, count=3 * BATCH, broken=False)
        found[family] = OnMeta(folder, folder.parent / "cache", torch.device("cpu"))
    return found


def second_batch(config: TrainConfig, assets: Assets) -> tuple[Tensor, ...]:
    """The second batch of an epoch, watched; before the first everything is drawn and uploaded."""
    random = GlobalRandom(config.seed, torch.device("cpu"))
    random.start_epoch(1)
    batches = build_family(config, META, random).batches(assets)
    next(batches)
    with host_watch():
        return next(batches)


AUGMENTED = {"data.flip_p": 0.5, "data.rotation_p": 0.5, "data.crop_margin": 0.2, "data.contrast_p": 0.5}


@pytest.mark.usefixtures("on_meta")
@pytest.mark.parametrize("family", FAMILIES)
def test_batches_come_without_waiting(family: str, pictures: dict[str, Assets]) -> None:
    batch = second_batch(case_config(FIRST[family], AUGMENTED), pictures[family])
    assert all(part.device == META and len(part) == BATCH for part in batch)


# That all this can fail

HARMFUL: dict[str, Callable[[Tensor], Any]] = {
    "item": lambda x: x.sum().item(),
    "float": lambda x: float(x.sum()),
    "branch": lambda x: x if x.sum() > 0 else -x,
    "tolist": lambda x: x.tolist(),
    "cpu": lambda x: x.cpu(),
    "numpy": lambda x: x.detach().numpy(),
    "nonzero": lambda x: x.nonzero(),
    "boolean index": lambda x: x[x > 0],
    "boolean assignment": lambda x: x.clone().__setitem__(x > 0, x[0]),
    "a tensor of the CPU": lambda x: x + torch.ones(x.shape),
    "a number of the CPU": lambda x: x * torch.tensor(2.0),
    "zeros of the CPU": lambda x: x + torch.zeros(()),
    "a number of the host": lambda x: x * torch.tensor(2.0, device=x.device),
    "a copy": lambda x: x + torch.ones(x.shape).to(x.device),
    "a copy into": lambda x: x.clone().copy_(torch.ones(x.shape)),
    "a list as an index": lambda x: x[[0]],
}


PLACES = ("_decide", "_d_inputs", "_compute_d", "_logit_metrics", "_apply_d", "_compute_g", "_apply_g")
PLANTED = [("adversarial", "_compute_d", harm) for harm in HARMFUL]
PLANTED += [(f, place, harm) for f in FAMILIES for place in PLACES for harm in ("item", "a number of the CPU")]


@pytest.mark.usefixtures("on_meta")
@pytest.mark.parametrize(("family", "place", "harm"), PLANTED)
def test_planted_harm_is_seen(family: str, place: str, harm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    original = getattr(FAMILIES[family], place)

    def planted(self: Family, *args: Any, **kwargs: Any) -> Any:
        HARMFUL[harm](next(self.discriminator.parameters()).detach())
        return original(self, *args, **kwargs)

    monkeypatch.setattr(FAMILIES[family], place, planted)
    with pytest.raises((AssertionError, RuntimeError, NotImplementedError, TypeError)):
        next(meta_steps(case_config(FIRST[family])))


@pytest.mark.usefixtures("on_meta")
@pytest.mark.parametrize("harm", ["item", "a number of the CPU", "zeros of the CPU"])
@pytest.mark.parametrize("family", FAMILIES)
def test_planted_harm_is_seen_outside_of_steps(
    family: str, harm: str, pictures: dict[str, Assets], monkeypatch: pytest.MonkeyPatch
) -> None:
    on_device = torch.zeros(2, device=META)

    def evaluate(self: Family, *args: Any) -> Tensor:
        HARMFUL[harm](on_device)
        return torch.zeros(0)

    def batches(self: Family, assets: Assets) -> Iterator[tuple[Tensor, ...]]:
        yield ()
        HARMFUL[harm](on_device)
        yield ()

    config, seen = case_config(FIRST[family]), (AssertionError, RuntimeError)
    monkeypatch.setattr(FAMILIES[family], "_evaluate", evaluate)
    with pytest.raises(seen):
        meta_samples(config)
    monkeypatch.setattr(FAMILIES[family], "batches", batches)
    with pytest.raises(seen):
        second_batch(config, pictures[family])


def test_exceptions_have_reasons() -> None:
    assert all(len(reason) > 20 for reason in HOST_BY_DESIGN.values()) and len(HOST_BY_DESIGN) <= 7
