from pathlib import Path

import pytest

from tests.trainers.metrics.metrics_helpers import run_two_ranks, write_inception


@pytest.fixture(scope="session")
def two_ranks(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, dict[str, object]]]:
    """What each of two gloo processes got, by case."""
    return run_two_ranks(tmp_path_factory.mktemp("ranks"))


@pytest.fixture(scope="session")
def torch_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A TORCH_HOME whose hub cache has random Inception weights where the true ones would be."""
    home = tmp_path_factory.mktemp("torch_home")
    (home / "hub" / "checkpoints").mkdir(parents=True)
    write_inception(home / "hub" / "checkpoints" / "pt_inception-2015-12-05-6726825d.pth")
    return home
