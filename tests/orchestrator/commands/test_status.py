"""How sweeps stand, also where that cannot be written."""

from pathlib import Path

from click.testing import CliRunner

from orchestrator.commands.status import command
from orchestrator.results.places import LOCK_FILE
from tests.orchestrator.sweep_helpers import begun


def test_a_folder_that_cannot_be_written_shows_how_its_sweep_stands(tmp_path: Path) -> None:
    store = begun(tmp_path / "s")
    (store.directory / LOCK_FILE).symlink_to(tmp_path / "away" / LOCK_FILE)
    ran = CliRunner().invoke(command, ["s", "--sweeps-dir", str(tmp_path)])
    assert ran.exit_code == 0
    assert "interrupted: its driver died at" in ran.stdout
    assert f"s: its end is not written: {store.directory / LOCK_FILE} cannot be written: No such" in ran.stderr
    assert store.read_state().is_open
