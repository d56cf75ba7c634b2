"""What is printed at the end of a sweep, also where its storage is away."""

import io
import shutil
from pathlib import Path

from rich.console import Console

from orchestrator.commands.running import print_end
from orchestrator.plan.saved import from_saved
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import SweepStatus
from orchestrator.space.yaml_text import read_yaml
from orchestrator.sweep.session import SweepOutcome

SWEEP = Path(__file__).parent.parent / "results" / "format_1"


def test_the_reason_is_printed_where_the_results_are_away(tmp_path: Path) -> None:
    store = ResultsStore(shutil.copytree(SWEEP, tmp_path / "made"))
    plan = from_saved(store.read_plan(), store.directory, read_yaml(store.directory / "space.yaml", "space"))
    ending = SweepOutcome(SweepStatus.FAILED, ["made cannot be reached: bring it back"], "MLflow lacks 3 writes")
    screens = [io.StringIO(), io.StringIO()]
    print_end(Console(file=screens[0], width=200), plan, store, ending)
    shutil.rmtree(store.directory)
    print_end(Console(file=screens[1], width=200), plan, store, ending)
    there, away = [screen.getvalue() for screen in screens]
    assert "0002" in there and "0002" not in away and "no results: " in away
    for text in (there, away):
        assert "cannot be reached: bring it back (more in" in text and "MLflow lacks 3 writes; " in text
