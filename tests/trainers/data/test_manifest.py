"""The manifest of a prepared dataset: the errors for a folder that is not whole."""

from pathlib import Path

import pytest

from tests.trainers.data.prepare_helpers import fill_bikes, prepared
from trainers.data.manifest import find_manifest
from trainers.errors import UserError


def test_damaged_manifest_is_named(tmp_path: Path) -> None:
    source, dataset = fill_bikes(tmp_path / "photos", 2), tmp_path / "dataset"
    prepared(source, dataset)
    next(dataset.glob("shard-*")).unlink()
    with pytest.raises(UserError, match=r"has lost shard-00000\.parquet"):
        find_manifest(dataset)
    (dataset / "dataset.json").write_text((dataset / "dataset.json").read_text()[:100])
    with pytest.raises(UserError, match="is damaged"):
        find_manifest(dataset)
