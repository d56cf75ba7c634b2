"""Fixtures of all tests: an image cache of their own, pictures, one Ray."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from orchestrator.results.store import ResultsStore
from tests.s3_server import S3Server
from trainers.data import draw_motorbikes


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """No test reads or writes the user's cache."""
    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GAN_SWEEP_CACHE", str(cache))
        yield cache


@pytest.fixture(scope="session")
def motorbikes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 48 drawn motorbikes and a few broken files."""
    folder = tmp_path_factory.mktemp("motorbikes") / "drawn"
    draw_motorbikes(folder, count=48)
    return folder


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """One torch thread: at 32 px a second one costs more than it saves, and sums have the same order everywhere."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def ray_instance() -> Iterator[None]:
    """One Ray for all tests that need one: starting it takes seconds."""
    import ray

    from orchestrator.sweep.ray_session import connected

    assert not ray.is_initialized()
    with connected(None):
        yield


@pytest.fixture(scope="session")
def two_ranks(
    ray_instance: None, motorbikes: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[ResultsStore, str]:
    """A finished sweep and its screen: five trials on one gang of two ranks; FID on 8 fakes, on 16 in the window.

    Its machine costs a tenth of a cent per second.
    """
    from tests.orchestrator.sweep_helpers import sweep

    sweeps = tmp_path_factory.mktemp("sweeps")
    options = {"trials": 5, "workers_per_trial": 2, "head_price": 3.6, "settings": ("fid.n_fake_first=8",)}
    return sweep(sweeps, motorbikes, "two", **options)


@pytest.fixture(scope="session")
def s3(own_cache: Path) -> Iterator[S3Server]:
    """An S3 server, for this process too."""
    with S3Server.running() as server, pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment.items():
            patch.setenv(name, value)
        yield server


def pytest_configure(config: pytest.Config) -> None:
    """Let no test join a Ray cluster that happens to run on the host."""
    os.environ.pop("RAY_ADDRESS", None)
