"""A sweep as the next command takes it, from wherever it is given."""

import shlex
from pathlib import Path

import pytest

from orchestrator.results.argument import argument_of
from orchestrator.results.store import find_sweep
from tests.orchestrator.sweep_helpers import begun


@pytest.mark.parametrize("folder", ["sweeps", "my sweeps", "."])
def test_what_it_names_is_found_again(folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = begun(tmp_path / folder / "s")
    argument = argument_of(store.directory)
    (word,) = shlex.split(argument)
    assert find_sweep(word, Path("sweeps")).directory == store.directory
    assert (argument == "s") == (folder == "sweeps")
