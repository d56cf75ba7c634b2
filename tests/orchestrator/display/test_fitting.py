"""A narrow terminal loses columns in the order of their importance, and no verdict."""

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from orchestrator.display.fitting import fitting
from orchestrator.display.live import trials_table
from orchestrator.results.records import TrialRecord
from orchestrator.results.verdict import TrialOutcome
from tests.orchestrator.sweep_helpers import epoch


def trial(name: str, verdict: str, detail: str = "", costs: dict[str, float] | None = None) -> TrialRecord:
    record = TrialRecord(name, {}, total_epochs=750, started=0.0, costs=costs or {})
    record.progress(epoch(700, fid=1281.5, objective=1281.5, metrics={"images_per_second": 1200.0}, seconds=3000.0))
    record.end(TrialOutcome(verdict=verdict, epochs=725, objective=1281.5, best_epoch=700, detail=detail), 36_000.0)
    record.confirmed = [1260.2, 1285.2, 1310.2]
    return record


def shown(width: int, *records: TrialRecord) -> list[str]:
    """The lines of the table; none is wider than the terminal, and nothing is cut."""
    console = Console(file=io.StringIO(), width=width)
    console.print(trials_table(list(records), width=width))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "…" not in text and max(map(len, text.splitlines())) <= width
    return text.splitlines()


@pytest.mark.parametrize("width", [60, 80, 110])
def test_verdict_and_confirmed_fid_stay(width: int) -> None:
    heading, first, second = shown(width, trial("0000", "stopped_by_user"), trial("0001", "outranked"))
    assert first.split()[-1] == "stopped_by_user" and second.split()[-1] == "outranked"
    assert "1285.2 ± 25.0" in first and heading.startswith("trial") and "0000 *" in first


@pytest.mark.parametrize(
    ("width", "left"),
    [
        (110, ["trial", "epoch", "FID", "best", "confirmed", "images/s", "time", "on FID", "verdict"]),
        (80, ["trial", "epoch", "FID", "best", "confirmed", "time", "verdict"]),
        (72, ["trial", "epoch", "FID", "best", "confirmed", "verdict"]),
        (60, ["trial", "epoch", "best", "confirmed", "verdict"]),
        (45, ["trial", "confirmed", "verdict"]),
    ],
)
def test_what_gives_way_first(width: int, left: list[str]) -> None:
    heading = shown(width, trial("0000", "stopped_by_user"))[0]
    assert re.split(r"\s{2,}", heading.strip()) == left


def test_what_was_measured_beside_fid_gives_way_before_all_else() -> None:
    again, not_again = trial("0000", "completed"), trial("0001", "completed")
    values = ((0.0121, 0.25), (0.0125, 0.3))
    again.confirmed_beside = [{"kid_x_n9": kid, "recall_x_n9_k5": recall} for kid, recall in values]
    heading, first, second = shown(130, again, not_again)
    assert heading.split()[-3:-1] == ["KID", "recall"] and " 0.0123 " in first and " 0.275 " in first
    assert second.split().count("-") == 2
    not_again.confirmed_beside = [{"kid_x_n9": 0.02, "recall_x_n9_k3": 0.2}]
    assert "recall (k = 3)" in shown(140, not_again)[0], "other neighbourhoods than usual are never called the same"
    headings = [shown(width, again, not_again)[0] for width in range(60, 130)]
    assert all("images/s" in one for one in headings if "recall" in one)
    assert any("images/s" in one and "recall" not in one for one in headings)


def test_a_second_objective_stays_longer_than_what_is_only_nice_to_know() -> None:
    costs = {"generator_parameters": 1_234_567.0}
    lines = shown(70, trial("0000", "completed", costs=costs), trial("0001", "stopped_by_user", costs=costs))
    assert "generator" in lines[0] and "parameters" in lines[1] and "1234567" in lines[2]
    assert "images/s" not in "".join(lines) and "stopped_by_user" in lines[3]
    assert "generator" not in shown(50, trial("0000", "stopped_by_user", costs=costs))[0]


def test_a_sentence_wraps_and_keeps_some_room() -> None:
    sentence = "the gradient norm of D was above 100 for 5 epochs in a row"
    lines = shown(80, trial("0000", "grad_explosion", sentence))
    column = lines[0].index("verdict")
    assert " ".join(line[column:].strip() for line in lines[1:]) == f"grad_explosion: {sentence}"
    assert len(lines) <= 4


def test_columns_fit_exactly() -> None:
    columns = {"a": ["12345"], "b": ["1"], "verdict": ["lost"]}
    kwargs = {"first_to_go": ("a", "b"), "wraps": "verdict", "least": 30}
    assert fitting(columns, width=5 + 2 + 1 + 2 + 7, **kwargs) == ["a", "b", "verdict"]
    assert fitting(columns, width=5 + 2 + 1 + 2 + 6, **kwargs) == ["b", "verdict"]
    assert fitting(columns, width=3, **kwargs) == ["verdict"]


@pytest.mark.parametrize(("clock", "time"), [(0.0, "30 s"), (90.0, "90 s")])
def test_the_time_of_a_running_trial_goes_on_inside_an_epoch(clock: float, time: str) -> None:
    running = TrialRecord("0000", {}, total_epochs=9, started=0.0)
    running.progress(replace(epoch(1, metrics={"images_per_second": 1.0}), ended=30.0))
    console = Console(file=io.StringIO(), width=110)
    console.print(trials_table([running, trial("0001", "outranked")], clock=clock))
    _, first, second = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert f" {time} " in first and " 36000 s " in second
