"""Fixtures of a running sweep's tests."""

from pathlib import Path

import pytest

from tests.orchestrator.sweep_helpers import begun


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Of a sweep that a driver has opened."""
    return begun(tmp_path / "s").directory
