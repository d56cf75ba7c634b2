"""What a driver does that is asked: a desk with a real log, real requests and a real study."""

import shutil
from pathlib import Path
from typing import Any, cast

import pytest

from orchestrator.results.follower import Follower
from orchestrator.results.requests import AddTrial, ChangeBudget, Request, ask
from orchestrator.results.store import ResultsStore
from orchestrator.sweep.desk import Desk
from tests.orchestrator.search.test_searcher import BASE, Sweep, space_with
from tests.orchestrator.sweep_helpers import begun


class Office:
    """A desk, the log that its driver follows, and what it said."""

    def __init__(self, store: ResultsStore) -> None:
        self.store, self.said = store, list[str]()
        self.study = store.directory / "study"
        self.study.mkdir()
        self.follower = Follower(store.directory, store.read_plan())
        self.follower.skip()
        self.search = Sweep(self.study / "journal", space_with())
        nobody = cast(Any, None)
        state = lambda: self.follower.state  # noqa: E731
        self.desk = Desk(store, 1, state, nobody, self.search.searcher, nobody, self.said.append)

    def asked(self, *requests: Request) -> int:
        """The number of planned trials after the desk has answered all at one look, before the driver reads its log."""
        for request in requests:
            ask(self.store.directory, request)
        self.desk.answer()
        return self.store.read_state().planned


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """Of a sweep of 3 trials."""
    return Office(begun(tmp_path / "s"))


ADD = AddTrial(session=1, params=BASE)


def test_the_number_of_trials_is_what_was_asked_for_last(office: Office) -> None:
    assert office.asked(ADD, ADD) == 5
    assert office.asked(ChangeBudget(session=1, trials=2)) == 2
    assert office.asked(ADD) == 3
    office.follower.poll()
    assert office.asked(ChangeBudget(session=1, budgets={"time_s": 9.0}), ADD) == 4


def test_a_request_that_fails_ends_nothing(office: Office) -> None:
    """A study's database that restarts, say."""
    shutil.move(office.study, away := office.study.with_name("away"))
    assert office.asked(ADD, ChangeBudget(session=1, trials=9)) == 9
    (said,) = office.said
    assert said.startswith("what another terminal has asked for was not done: [Errno 2]")
    shutil.move(away, office.study)
    assert office.asked(ADD) == 10
