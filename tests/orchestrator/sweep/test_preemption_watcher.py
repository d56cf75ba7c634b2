"""Where gangs do without Ray Train's preemption watcher."""

import os

import pytest

from orchestrator.sweep.ray_session import nobody_tells_of_nodes

NAME = "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER"


def test_on_one_machine_and_only_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child process that joins a cluster later must hear of nodes that go."""
    monkeypatch.delenv(NAME, raising=False)
    with nobody_tells_of_nodes(None):
        assert os.environ[NAME] == "0"
    assert NAME not in os.environ
    with nobody_tells_of_nodes("10.0.0.1:6379"):
        assert NAME not in os.environ


def test_the_users_own_choice_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, "1")
    with nobody_tells_of_nodes(None):
        assert os.environ[NAME] == "1"
    assert os.environ[NAME] == "1"
