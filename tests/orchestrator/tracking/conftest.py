"""A database with MLflow's tables, and servers: made once, since either takes seconds."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.orchestrator.tracking.servers import MakeRelay, Relay, Server


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with MLflow's tables and nothing in them."""
    file = tmp_path_factory.mktemp("tables") / "m.db"
    MlflowClient(f"sqlite:///{file}").search_experiments()
    return file


@pytest.fixture
def database(tables: Path, tmp_path: Path) -> str:
    """The URI of an empty store of this test's own."""
    return f"sqlite:///{shutil.copy(tables, tmp_path / 'm.db')}"


@pytest.fixture
def server(tables: Path, tmp_path: Path) -> Iterator[Server]:
    """Not started yet, for a test that kills it, and ended however the test ends."""
    server = Server(tmp_path, f"sqlite:///{shutil.copy(tables, tmp_path / 'm.db')}")
    yield server
    server.kill()


@pytest.fixture(scope="module")
def shared_server(tables: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """For tests with an experiment each."""
    folder = tmp_path_factory.mktemp("server")
    server = Server(folder, f"sqlite:///{shutil.copy(tables, folder / 'm.db')}")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def relay(shared_server: Server) -> Iterator[MakeRelay]:
    """Makes relays before the shared server."""
    made: list[Relay] = []

    def make(before: Callable[[bytes], bool]) -> Relay:
        made.append(Relay(shared_server.port, before))
        return made[-1]

    yield make
    for one in made:
        one.close()
