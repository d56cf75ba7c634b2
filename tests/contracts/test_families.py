"""What every family promises, with every network, regime and regulariser."""

import itertools
from pathlib import Path
from typing import Any

import pytest
import torch

from orchestrator.space.load import build_space
from tests.contracts.family_cases import (
    BATCH,
    CASES,
    CPU,
    LABELS,
    PICTURES,
    SIZE,
    case_config,
    fresh_family,
    global_batch,
    run_on_ranks,
    take_steps,
    three_steps,
)
from tests.trainers.trainer_helpers import (
    Recorder,
    curve,
    differing,
    flat_state,
    load,
    register_tiny_extractor,
    timeless_checkpoint,
)
from trainers import epoch
from trainers.assets import Assets
from trainers.config import TrainConfig
from trainers.data import draw_synthetic
from trainers.families import FAMILIES, build_family, check_buildable
from trainers.inference import generate, load_generator, translate
from trainers.loop import train
from trainers.networks import NETWORKS, TRANSLATORS
from trainers.randomness import GlobalRandom
from trainers.regimes import REGIMES
from trainers.run_report import RunEnd

pytestmark = pytest.mark.usefixtures("one_thread")

Results = list[dict[str, dict[str, Any]]]
STANDARD = {"d_loss", "g_loss", "d_real_mean", "d_fake_mean", "d_real_accuracy", "d_fake_accuracy"}
STANDARD |= {"grad_norm_d", "grad_norm_g", "d_updates", "g_updates"}


@pytest.fixture(params=CASES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def config(name: str) -> TrainConfig:
    return case_config(name)


@pytest.fixture(scope="module")
def assets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Assets]:
    """By family, pictures of its kind."""
    register_tiny_extractor()
    result = {}
    for family in FAMILIES:
        kind = PICTURES.get(family, "motorbikes")
        folder = tmp_path_factory.mktemp("contracts") / kind
        draw_synthetic(kind, folder, count=3 * BATCH + 2, broken=False)
        result[family] = Assets(folder, folder.parent / "cache", CPU)
    return result


@pytest.fixture(scope="module")
def two_ranks(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return run_on_ranks(2, tmp_path_factory.mktemp("family_ranks"))


def test_every_row_has_a_case() -> None:
    configs = [case_config(name) for name in CASES]
    assert {config.family for config in configs} == set(FAMILIES) == {name.split()[0] for name in CASES}
    assert {config.network.name for config in configs} == NETWORKS.keys() | TRANSLATORS.keys()
    assert {config.regime.name for config in configs} == set(REGIMES)
    for config in configs:
        check_buildable(config)


def test_a_step_has_the_standard_metrics(config: TrainConfig) -> None:
    (values,) = take_steps(fresh_family(config), 1)
    assert values.keys() >= STANDARD
    assert all(value.shape == () and value.isfinite() for value in values.values())


def test_mixed_precision_trains_too(name: str) -> None:
    """G's images are bfloat16 then; penalties want float32."""
    (values,) = take_steps(fresh_family(case_config(name, {"runtime.precision": "bf16"})), 1, sigma=0.0)
    assert all(value.isfinite() for value in values.values())


@pytest.mark.parametrize("name", ["adversarial", "acgan", "cyclegan"])
@pytest.mark.parametrize("key", ["data.flip_p", "data.rotation_p", "data.crop_margin", "data.contrast_p"])
def test_every_family_augments_and_may_search_it(name: str, key: str, assets: dict[str, Assets]) -> None:
    still = {"data.flip_p": 0.0, "data.rotation_p": 0.0}
    build_space("x", {"base": case_config(name, still).model_dump(), "search": {key: {"float": [0.0, 1.0]}}})
    batches = []
    for overrides in (still, {**still, key: 1.0}):
        family = fresh_family(case_config(name, overrides))
        batches.append(next(family.batches(assets[name])))
    images = 2 if name == "cyclegan" else 1  # the rest are classes
    for plain, augmented in zip(*batches, strict=True):
        assert torch.equal(plain, augmented) == (images == 0)
        images -= images > 0


@pytest.mark.parametrize("on", ["both", "real"])
@pytest.mark.parametrize(("name", "real", "fakes"), [("adversarial", 1, 2), ("acgan", 1, 4), ("cyclegan", 2, 4)])
def test_instance_noise_is_on_what_it_shall_be_on(name: str, real: int, fakes: int, on: str) -> None:
    """Of the batches that D sees in a step, those with noise are the ones that leave [-1, 1]."""
    family = fresh_family(case_config(name, {"noise.instance_on": on}))
    noisy: list[bool] = []
    both = family.discriminator.children() if name == "cyclegan" else [family.discriminator]
    for discriminator in both:
        discriminator.register_forward_pre_hook(lambda _, inputs: noisy.append(bool(inputs[0].abs().max() > 1)))
    take_steps(family, 1, sigma=2.0)
    expected = {"both": (real + fakes, 0), "real": (real, fakes)}
    assert (noisy.count(True), noisy.count(False)) == expected[on]


@pytest.mark.parametrize("network", ["d", "g"])
def test_steps_lower_the_loss(name: str, network: str) -> None:
    """On one batch, with the same random numbers again and the other network at rest."""
    other = {"d": "g", "g": "d"}[network]
    overrides = {f"optimizer.lr_{network}": 1e-4, f"optimizer.lr_{other}": 1e-12, "regularizer.weight_clip": None}
    # D is to be updated, whatever G's loss; a buffer would show other fakes at each step.
    overrides |= {"regime.monitored_ratio": 0.0, "cycle.buffer_size": 0}
    family = fresh_family(case_config(name, overrides))
    losses = []
    for _ in range(6):
        family.random.start_epoch(1)
        values = family.step(*global_batch(family.config), images_seen=0, instance_sigma=0.1)
        losses.append(float(values[f"{network}_loss"]))
    assert losses[-1] < losses[0]


def test_no_parameter_is_left_without_a_gradient(config: TrainConfig) -> None:
    family = fresh_family(config)
    take_steps(family, 1)
    x, y = torch.tensor([[1.0], [-2.0]]), torch.tensor([[0.5], [3.0]])
    moved = family.loss.d_loss(x + 1, y + 1) - family.loss.d_loss(x, y)
    for network in (family.generator, family.discriminator):
        dead = [key for key, p in network.named_parameters() if p.grad is None or not p.grad.any()]
        if network is family.discriminator and moved.abs() < 1e-6:  # the loss does not see D's last bias
            dead = [key for key in dead if key != [k for k, p in network.named_parameters() if p.ndim == 1][-1]]
        assert dead == []
        assert all(p.requires_grad for p in network.parameters())  # D is thawed again


def test_the_average_follows(config: TrainConfig) -> None:
    family = fresh_family(config)
    assert family.average is not None
    before = {key: value.clone() for key, value in family.average.state_dict().items()}
    take_steps(family, 1)
    after, weights = family.average.state_dict(), dict(family.generator.named_parameters())
    assert all(not torch.equal(before[key], after[key]) for key in weights)
    assert not family.average.training and not any(p.requires_grad for p in family.average.parameters())


def test_two_ranks_train_what_one_trains(name: str, two_ranks: Results) -> None:
    """Three steps on the same global batches in float64: networks, average, moments, regime, buffers and metrics."""
    one = flat_state(three_steps(name))
    first, second = (flat_state(result[name]) for result in two_ranks)
    states = [{key: value for key, value in result.items() if key.startswith("state")} for result in (first, second)]
    assert differing(*states) == []  # the ranks agree to the last bit
    assert first.keys() == one.keys()
    for key, value in one.items():
        if key.startswith("metrics"):
            mean = (torch.as_tensor(first[key]) + torch.as_tensor(second[key])) / 2
            torch.testing.assert_close(mean.double(), torch.as_tensor(value).double(), rtol=1e-6, atol=1e-8)
        elif isinstance(value, torch.Tensor):
            torch.testing.assert_close(first[key], value, rtol=1e-6, atol=1e-8)
        else:
            assert first[key] == pytest.approx(value)


def test_a_resumed_run_is_the_uninterrupted_one(config: TrainConfig, assets: dict[str, Assets], tmp_path: Path) -> None:
    whole, halves = Recorder(), Recorder(2)
    assert train(config, assets[config.family], tmp_path / "whole", whole).end is RunEnd.COMPLETED
    train(config, assets[config.family], tmp_path / "halves", halves)
    halves.stop_at = ()
    train(config, assets[config.family], tmp_path / "halves", halves)
    assert curve(halves.reports) == curve(whole.reports)
    for file in ("latest.pt", "best.pt"):
        states = (timeless_checkpoint(tmp_path / name / file) for name in ("whole", "halves"))
        assert differing(*states) == []
    pictures = {path.name: path.read_bytes() for path in (tmp_path / "whole/samples").iterdir()}
    assert {path.name: path.read_bytes() for path in (tmp_path / "halves/samples").iterdir()} == pictures


def test_so_is_one_that_left_inside_epochs(
    config: TrainConfig, assets: dict[str, Assets], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(epoch, "ASK_S", 0.0)
    whole, parts, asked, inside = Recorder(), Recorder(), itertools.count(1), False
    train(config, assets[config.family], tmp_path / "whole", whole)
    leave = lambda: next(asked) % 3 == 0  # noqa: E731
    while train(config, assets[config.family], tmp_path / "parts", parts, leave=leave).end is RunEnd.LEFT:
        inside = inside or load(tmp_path / "parts" / "latest.pt")["progress"]["step"] > 0
    assert inside and curve(parts.reports) == curve(whole.reports)
    states = (timeless_checkpoint(tmp_path / name / "latest.pt") for name in ("whole", "parts"))
    assert differing(*states) == []


def test_samples_are_images_from_fixed_inputs(config: TrainConfig, assets: dict[str, Assets]) -> None:
    family = fresh_family(config)
    images, columns = family.sample_grid(assets[config.family])
    assert images.shape[1:] == (3, SIZE, SIZE) and images.dtype == torch.float32 and len(images) % columns == 0
    assert images.abs().max() <= 1 and images.std() > 1e-6  # little: BatchNorm has seen nothing yet
    again, _ = build_family(config, CPU, GlobalRandom(config.seed, CPU)).sample_grid(assets[config.family])
    assert torch.equal(images, again)
    take_steps(family, 1)
    assert not torch.equal(images, family.sample_grid(assets[config.family])[0])
    for target in family.fid_targets(assets[config.family]).values():
        whole = target.sample(0, 6)
        assert whole.shape == (6, 3, SIZE, SIZE) and torch.equal(whole, target.sample(0, 6))
        torch.testing.assert_close(whole[2:5], target.sample(2, 5))  # by index, not by batch


def test_a_finished_generator_is_two_lines_away(config: TrainConfig, assets: dict[str, Assets], tmp_path: Path) -> None:
    short = TrainConfig.build(config.model_dump(), {"schedule.epochs": 2})
    train(short, assets[config.family], tmp_path, Recorder())
    if config.family == "cyclegan":
        images = translate(tmp_path / "best.pt", global_batch(config)[0], "b2a")
        assert set(dict(load_generator(tmp_path / "best.pt").named_children())) == {"a2b", "b2a"}
    else:
        images = generate(tmp_path / "best.pt", BATCH)
    assert images.shape == (BATCH, 3, SIZE, SIZE) and images.abs().max() <= 1 and images.std() > 1e-6


@pytest.mark.parametrize(("labels", "rows", "columns"), [(LABELS, 3, 2), ({"class": ("cats", "dogs")}, 2, 8)])
def test_an_acgans_grid_shows_every_class(labels: dict[str, tuple[str, ...]], rows: int, columns: int) -> None:
    """Two attributes: classes both ways, a latent per row. One: eight latents, the same in each row."""
    family = fresh_family(case_config("acgan on other networks", {"labels": labels}))
    inputs: list[torch.Tensor] = []
    family.average.register_forward_pre_hook(lambda _, given: inputs.append(given[0]))  # type: ignore[union-attr]
    images, wide = family.sample_grid(Assets(Path("unused"), Path("unused"), CPU))
    assert (len(images), wide) == (rows * columns, columns)
    grid = inputs[0].view(rows, columns, -1)
    latents, classes = grid[..., :8], grid[..., 8:]
    assert len({tuple(cell.tolist()) for cell in classes.flatten(0, 1)}) == rows * (columns if len(labels) > 1 else 1)
    assert len({tuple(latent.tolist()) for latent in latents.flatten(0, 1)}) == (rows if len(labels) > 1 else columns)
