from pathlib import Path

import pytest

from tests.trainers.data.cache_helpers import build, fill
from trainers.data import ImageCache


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return fill(tmp_path / "photos", 9)


@pytest.fixture
def cache_dir(tmp_path: Path) -> Path:
    return tmp_path / "caches"


@pytest.fixture
def calls() -> list[tuple[int, int]]:
    return []


@pytest.fixture(scope="session")
def many(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ImageCache]:
    """600 images: nine full record batches and a part of the tenth."""
    folder = tmp_path_factory.mktemp("many")
    return folder / "photos", build(fill(folder / "photos", 600), folder / "caches")
