"""A family is one class and one row: nothing else is edited for it to be planned, trained and sampled."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import torch
from rich.console import Console
from torch import Tensor

from orchestrator.display.summary import print_plan
from orchestrator.plan.dataset import prepare_data, with_labels
from orchestrator.plan.launch_options import LaunchOptions
from orchestrator.plan.plan import Plan, make_plan
from tests.contracts.family_cases import CPU, case_config, fresh_family, global_batch
from tests.trainers.trainer_helpers import Recorder, register_tiny_extractor
from trainers.assets import Assets
from trainers.batches import augmented_batches
from trainers.checkpoint import Progress, save_checkpoint
from trainers.config import TrainConfig
from trainers.data import draw_synthetic
from trainers.errors import UserError
from trainers.families import FAMILIES
from trainers.families.adversarial import Adversarial
from trainers.families.base import FidTarget
from trainers.families.cyclegan import CycleGan
from trainers.inference import generate, translate
from trainers.loop import train
from trainers.run_report import RunEnd

pytestmark = pytest.mark.usefixtures("one_thread")

SPACE = """
base:
  family: seasons
  labels: auto
  data: {image_size: 32, batch_size: 8}
  network: {base_width: 4, latent_dim: 8}
  schedule: {epochs: 2, window_first: 1, checkpoint_every: 1}
  fid: {extractor: tiny, n_fake: 16, every: 1, min_diversity: 0}
search:
  optimizer.lr_g: {float: [1e-4, 1e-3], log: true}
"""


class Seasons(Adversarial):
    """Learns from two folders in turn, is compared with the second alone, and has labels of its own making."""

    @classmethod
    def find_sources(cls, data: Path) -> dict[str, Path]:
        if not (data / "winter").is_dir():
            raise UserError(f"family seasons needs a folder winter in {data}")
        return {"summer": data / "summer", "winter": data / "winter"}

    @classmethod
    def resolve_labels(cls, config: TrainConfig, data: Path, paths: Sequence[str]) -> TrainConfig:
        assert data.name == "summer" and all((data / path).is_file() for path in paths)
        return TrainConfig.build(config.model_dump(exclude={"labels"}), {"labels": {"season": [str(len(paths))]}})

    def images_per_epoch(self, assets: Assets) -> int:
        batch = self.config.data.batch_size
        return sum(len(self._images(assets, source)) // batch * batch for source in ("summer", "winter"))

    def batches(self, assets: Assets) -> Iterator[tuple[Tensor, ...]]:
        for source in ("summer", "winter"):
            for images, _ in augmented_batches(self._images(assets, source), self.config.data, self.random):
                yield (images,)

    def fid_targets(self, assets: Assets, purpose: str = "fid") -> dict[str, FidTarget]:
        inputs = self._fixed_inputs(self.config.fid.n_fake, purpose, assets)
        return {"winter": self._target(assets, lambda start, stop: self.generate(inputs[start:stop]), "winter")}


class Mirrors(CycleGan):
    """Translates, under another name."""


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    register_tiny_extractor()
    monkeypatch.setitem(FAMILIES, "seasons", Seasons)
    monkeypatch.setitem(FAMILIES, "mirrors", Mirrors)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name, count in (("summer", 20), ("winter", 12)):
        draw_synthetic("motorbikes", tmp_path / "data" / name, count=count, broken=False)
    return tmp_path / "data"


def planned(folder: Path, data: Path) -> Plan:
    space = folder / "seasons.yaml"
    space.write_text(SPACE)
    return make_plan(LaunchOptions(space=str(space), data=data, sweeps_dir=folder / "sweeps"))


@pytest.mark.usefixtures("registered")
def test_it_is_planned_trained_and_sampled(data: Path, tmp_path: Path) -> None:
    plan = planned(tmp_path, data)
    caches = prepare_data(plan)
    plan = with_labels(plan, caches[0])
    assert plan.space.base.labels == {"season": ("20",)}
    console = Console(record=True, width=300)
    print_plan(console, plan, caches)
    text = console.export_text()
    assert "Summer: 20 usable" in text and "Winter: 12 usable" in text

    config, run = plan.space.base, tmp_path / "run"
    recorder = Recorder()
    outcome = train(config, Assets(plan.data, plan.cache_dir, CPU), run, recorder)
    assert outcome.end is RunEnd.COMPLETED and outcome.objective is not None
    assert [report.images_seen for report in recorder.reports] == [24, 48]  # 16 of summer, 8 of winter

    images = generate(run / "best.pt", 3)
    assert images.shape == (3, 3, 32, 32) and torch.equal(images, generate(run / "best.pt", 3))
    with pytest.raises(UserError, match="this is a generator without classes"):
        generate(run / "best.pt", 3, classes={"season": "20"})


@pytest.mark.usefixtures("registered")
def test_what_it_needs_is_asked_before_anything_starts(motorbikes: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="family seasons needs a folder winter"):
        prepare_data(planned(tmp_path, motorbikes))


@pytest.mark.usefixtures("registered")
def test_one_that_translates_is_asked_to_translate(tmp_path: Path) -> None:
    config = case_config("cyclegan", {"family": "mirrors"})
    save_checkpoint(tmp_path / "best.pt", config, Progress(), fresh_family(config).state_dict())
    (images, *_) = global_batch(config)
    assert translate(tmp_path / "best.pt", images, "b2a").shape == images.shape
    with pytest.raises(UserError, match="unknown direction 'b2c'"):
        translate(tmp_path / "best.pt", images, "b2c")
    with pytest.raises(UserError, match=r"by the family mirrors, which translates images: give it images"):
        generate(tmp_path / "best.pt", 3)
