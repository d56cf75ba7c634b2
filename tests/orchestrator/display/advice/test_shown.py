"""Where advice is shown: at the end of `launch` and `results`, and in `results --json`."""

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from orchestrator.cli import main
from orchestrator.display.summary import print_results, print_winner
from orchestrator.plan.saved import from_saved
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import SweepStatus
from tests.orchestrator.sweep_helpers import PLAN, begun, close, ended, keep

RESOURCES = {"gangs": 1, "workers": 1, "cpus": 1.0, "gpus": 0.0, "threads": 1}
BROKEN = "nonfinite ended 4 of 6 trials (67%; 95% interval 30% to 90%). `gan-sweep replay` shows"


@pytest.fixture
def store(tmp_path: Path) -> ResultsStore:
    """A sweep that goes on, in which a rule has ended four of six trials."""
    search = {"optimizer.lr_g": {"float": [1e-4, 1e-2]}}
    store = begun(tmp_path / "s", replace(PLAN, resources=RESOURCES, definition={"base": {}, "search": search}))
    for number in range(6):
        verdict = "completed" if number < 2 else "nonfinite"
        keep(store, ended(f"{number:04d}", verdict, 60.0 + number if number < 2 else None))
    return store


def test_it_ends_what_a_launch_and_results_print(store: ResultsStore) -> None:
    close(store, SweepStatus.FINISHED)
    plan = from_saved(store.read_plan(), store.directory, store.read_plan().definition)
    screens = [io.StringIO(), io.StringIO()]
    print_winner(Console(file=screens[0], width=200), plan, store)
    print_results(Console(file=screens[1], width=200), store)
    for screen in screens:
        assert screen.getvalue().splitlines()[-1].startswith(f"for the next sweep: {BROKEN}")


def test_programs_get_it_sentence_by_sentence(store: ResultsStore) -> None:
    close(store, SweepStatus.FINISHED)
    shown = CliRunner().invoke(main, ["results", str(store.directory), "--json"])
    (found,) = json.loads(shown.output)["advice"]
    assert (found["about"], found["key"]) == ("rule", None) and found["text"].startswith(BROKEN)
