import multiprocessing
from pathlib import Path

import pytest
import torch

from tests.trainers.rank_cases import run_on_ranks
from tests.trainers.trainer_helpers import IMAGES, register_tiny_extractor
from trainers.assets import Assets
from trainers.data import draw_motorbikes

# Processes come from a server that has imported torch once (3 s each otherwise) and started no thread.
multiprocessing.get_context("forkserver").set_forkserver_preload(["trainers.loop"])


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of drawn motorbikes: four batches of 32 and a rest of 6."""
    folder = tmp_path_factory.mktemp("photos") / "bikes"
    draw_motorbikes(folder, count=IMAGES, broken=False)
    return folder


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where decoded images and statistics lie, for this process and for those it starts."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def assets(photos: Path, cache_dir: Path) -> Assets:
    """Warm images, extractor and statistics on the CPU."""
    register_tiny_extractor()
    return Assets(photos, cache_dir, torch.device("cpu"))


@pytest.fixture(scope="session")
def two_rank_results(
    photos: Path, cache_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> list[dict[str, dict[str, object]]]:
    """What each of two gloo processes got, by the name of the case in `rank_cases`."""
    return run_on_ranks(2, photos, cache_dir, tmp_path_factory.mktemp("two_ranks"))
