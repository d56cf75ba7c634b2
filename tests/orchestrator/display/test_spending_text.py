"""What people read of hours and money: `results`, `status`, `compare` and the report's page."""

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from orchestrator.display.compare_text import print_comparison
from orchestrator.display.report.entries import read_sweeps
from orchestrator.display.report.leaderboard import leaderboard
from orchestrator.display.report.reproduce import reproduce
from orchestrator.display.report.spending import spending
from orchestrator.display.spending_text import away_row
from orchestrator.display.status_text import print_all, print_one
from orchestrator.display.summary import print_results
from orchestrator.results.events import Changed, Closed, GangDown, GangUp
from orchestrator.results.prices import Prices
from orchestrator.results.store import ResultsStore
from tests.orchestrator.display.report_sweeps import sweep
from tests.orchestrator.sweep_helpers import begun

PRICES = Prices(gpu_hour=1800.0, head_hour=360.0)  # half a dollar per second and GPU, a tenth for the head


@pytest.fixture
def priced(tmp_path: Path) -> ResultsStore:
    """Three trials of 8, 4 and 4 seconds on two GPUs, of 31 seconds; the others were cut halfway."""
    return sweep(tmp_path / "priced", 3, grids=False, gang_gpus=2.0, prices=PRICES)


@pytest.fixture
def free(tmp_path: Path) -> ResultsStore:
    """The same on a CPU, and nobody has named a price."""
    return sweep(tmp_path / "free", 3, grids=False)


def shown(store: ResultsStore) -> str:
    screen = io.StringIO()
    print_results(Console(file=screen, width=140), store)
    return screen.getvalue()


def test_results_say_what_was_held_what_it_cost_and_what_pruning_saved(priced: ResultsStore) -> None:
    """16 s of trials and 5 of waiting at one dollar, and 31 s of the head at a tenth of one."""
    text = shown(priced)
    assert (
        "held         0.0117 GPU hours: 0.0089 GPU hours by trials (the winner 0.0044 GPU hours), "
        "0.0028 GPU hours while gangs waited or measured the best again\n"
    ) in text
    assert (
        "cost         24.10 USD: 16.00 USD for trials, 5.00 USD for idle gangs, 3.10 USD for the head; 5.33 USD per "
        "trial, the winner 8.00 USD\n"
    ) in text
    assert (
        "pruning      saved 0.0044 GPU hours, 8.00 USD: the epochs left of 2 pruned trials, each at its own seconds "
        "per epoch with FID\n"
    ) in text
    heading, *rows = (re.split(r"\s{2,}", line) for line in text.splitlines() if re.match("trial |000", line))
    assert [row[heading.index("USD")] for row in rows] == ["8.00", "4.00", "4.00"]


def test_without_a_price_no_money_is_shown(free: ResultsStore) -> None:
    text = shown(free)
    assert "USD" not in text and "cost" not in text and "GPU" not in text
    assert "held         21 s of gangs: 16 s by trials (the winner 8 s), 5 s while gangs waited" in text
    assert "pruning      saved 8 s: the epochs left of 2 pruned trials, " in text


def test_a_head_without_a_price_is_said(tmp_path: Path) -> None:
    text = shown(sweep(tmp_path / "s", 3, grids=False, gang_gpus=2.0, prices=Prices(gpu_hour=1800.0)))
    assert "16.00 USD for trials, 5.00 USD for idle gangs; without the head, which has no price; 5.33 USD" in text


def test_status_has_the_money_beside_the_time(priced: ResultsStore, free: ResultsStore) -> None:
    screen = io.StringIO()
    console = Console(file=screen, width=120)
    print_one(console, priced, priced.read_state())
    print_one(console, free, free.read_state())
    print_all(console, [(one, one.read_state()) for one in (priced, free)])
    said = screen.getvalue()
    assert "used    31 s, 0.0117 GPU hours, 24.10 USD\n" in said and "used    31 s\n" in said
    rows = {line.split()[0]: line.split() for line in said.splitlines()[-2:]}
    assert (rows["priced"][-5:-2], rows["free"][-4:-2]) == (["0.0", "24.10", "USD"], ["-", "-"])


def test_two_sweeps_are_compared_by_their_money(priced: ResultsStore, free: ResultsStore) -> None:
    screen = io.StringIO()
    print_comparison(Console(file=screen, width=140), priced, free)
    rows = {" ".join(line.split()) for line in screen.getvalue().splitlines()}
    assert {"cost 24.10 USD no price", "pruning saved 0.0044 GPU hours, 8.00 USD 8 s"} <= rows


def test_the_pages_table_adds_up(priced: ResultsStore, free: ResultsStore) -> None:
    (group,) = read_sweeps([priced], lambda *_: None)
    (part,) = spending(group).values["sweeps"]
    rows = {name: (hours, cost) for name, hours, cost in part["rows"]}
    assert rows == {
        "3 trials": ("0.0089", "16.00"),
        "of these the winner": ("0.0044", "8.00"),
        "idle": ("0.0028", "5.00"),
        "head": ("-", "3.10"),
        "whole sweep": ("0.0117", "24.10"),
    }
    assert part["prices"] == ["1,800.00 USD for a GPU hour", "360.00 USD for an hour of the head"]
    assert part["saved"].startswith("Pruning saved 0.0044 GPU hours, 8.00 USD: ")
    board = leaderboard(group).values
    place = board["columns"].index("USD")
    assert sorted(row["cells"][place][0] for row in board["rows"]) == ["4.00", "4.00", "8.00"]
    (group,) = read_sweeps([free], lambda *_: None)
    (part,) = spending(group).values["sweeps"]
    assert not part["priced"] and "USD" not in leaderboard(group).values["columns"]


def test_the_launch_again_has_its_prices_and_its_limit(priced: ResultsStore) -> None:
    log = (priced.directory / "events.jsonl").read_text().splitlines(keepends=True)
    change = priced.directory / "events.jsonl"
    change.write_text(log[0])
    priced.append(Changed(at=1.0, session=1, budgets={"cost": 40.0}))
    (group,) = read_sweeps([priced], lambda *_: None)
    (sweep_,) = reproduce(group).values["sweeps"]
    words = " ".join(piece for _, commands in sweep_["commands"] for command in commands for piece in command)
    assert "--max-cost 40 --gpu-price 1800 --head-price 360" in words


def test_a_sweep_that_has_not_begun_has_held_nothing(priced: ResultsStore, tmp_path: Path) -> None:
    log = priced.directory / "events.jsonl"
    log.write_text(log.read_text().splitlines(keepends=True)[0])
    assert "held" not in shown(priced)
    (group,) = read_sweeps([priced], lambda *_: None)
    assert spending(group).values["sweeps"] == []


def test_the_time_of_gangs_and_the_money_add_up(two_ranks: tuple[ResultsStore, str]) -> None:
    """The gang was up for all trials, one after the other, and to measure the best again; the driver longer."""
    store, screen = two_ranks
    state, spent = store.read_state(), store.summary()["spent"]
    seconds = state.seconds(0.0)
    assert spent["cost"]["whole"] == pytest.approx(0.001 * seconds, abs=1e-5)
    for amounts in (spent["cost"], spent["gang_hours"]):
        assert amounts["trials"] + amounts["idle"] + amounts.get("head", 0.0) == pytest.approx(
            amounts["whole"], abs=1e-5
        )
        assert amounts["trials"] > 0 < amounts["idle"] and amounts["pruning_saved"] > 0
    assert 3600 * spent["gang_hours"]["whole"] < seconds
    for trial in state.by_number():
        assert 0 < trial.epoch_seconds < trial.seconds
        assert trial.held == pytest.approx(trial.seconds, abs=0.5), "its gang was up all the time"
    assert "  price      3.60 USD per hour while all gangs are up: 3.6 of the head" in screen
    assert re.search(r"  cost         0\.\d{4} USD: ", screen) and "  pruning      saved " in screen


def test_gangs_that_were_away(tmp_path: Path) -> None:
    store = begun(tmp_path / "s")
    for what, gang, at in (("up", 0, 10.0), ("up", 1, 10.0), ("left", 0, 20.0), ("up", 0, 25.0), ("died", 1, 30.0)):
        known = {"at": at, "session": 1, "gang": gang}
        store.append(GangUp(workers=1, of=1, **known) if what == "up" else GangDown(left=what == "left", **known))
    state = store.read_state()
    assert away_row(state, 35.0) == {
        "away": "11.1% of the time of gangs: asked to leave 1 time (spot machines that are taken back among them), "
        "died 1 time"
    }
    store.append(Closed(at=40.0, session=1, status="finished", ended=40.0))
    assert store.read_state().away(99.0) == pytest.approx(15 / 60), "gang 1 never came back"
    assert away_row(begun(tmp_path / "t").read_state(), 1.0) == {}
