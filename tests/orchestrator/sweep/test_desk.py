"""What a driver does that is asked: a desk with a real log, real requests and a real study."""

import shutil
from pathlib import Path
from typing import Any, cast

import pytest
from ray.tune.search import Searcher

from orchestrator.results.follower import Follower
from orchestrator.results.requests import AddTrial, ChangeBudget, Request, ask
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import SweepStatus
from orchestrator.search.searcher import OptunaSearcher
from orchestrator.sweep.desk import Desk
from tests.orchestrator.search.test_searcher import BASE, Sweep, space_with
from tests.orchestrator.sweep_helpers import begun, sweep
from trainers.run_report import RunEnd


class Office:
    """A desk, the log that its driver follows, and what it said."""

    def __init__(self, store: ResultsStore) -> None:
        self.store, self.said = store, list[str]()
        self.study = store.directory / "study"
        self.study.mkdir()
        self.follower = Follower(store.directory, store.read_plan())
        self.follower.skip()
        self.search = Sweep(self.study / "journal", space_with(), planned=lambda: self.desk.planned)
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
    answers = office.store.read_state().answers
    why = answers.pop(ADD.key)
    assert why.startswith("[Errno 2]") and set(answers.values()) == {""}, "the other was done"
    shutil.move(away, office.study)
    assert office.asked(ADD) == 10


def test_what_comes_before_the_end_is_still_tried_and_nothing_after_it_is_taken(office: Office) -> None:
    search = office.search
    assert not office.desk.nothing_left()
    for _ in range(3):
        search.end(search.suggest(), "completed", 50.0)
    assert search.suggest() == Searcher.FINISHED, "Tune's loop ends"
    assert office.asked(ADD) == 4
    assert not office.desk.nothing_left()
    search.end(search.suggest(), "completed", 50.0)
    assert search.params[-1] == BASE
    assert office.desk.nothing_left()
    assert office.asked(late := AddTrial(session=1, params=BASE), ChangeBudget(session=1, trials=9)) == 4
    assert office.store.read_state().answers[late.key] == "it comes too late: the sweep ends"


@pytest.mark.slow
def test_a_setting_that_is_added_as_tunes_loop_ends_is_tried(
    ray_instance: None, motorbikes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suggest, asked = OptunaSearcher.suggest, []

    def suggest_and_be_asked(searcher: OptunaSearcher, trial_id: str) -> Any:
        answer = suggest(searcher, trial_id)
        if answer == Searcher.FINISHED and not asked:
            store = ResultsStore(tmp_path / "late")
            before = dict(store.read_state().trials["0000"].params)
            asked.append({**before, "optimizer.lr_g": 0.002})
            ask(store.directory, AddTrial(session=1, params=asked[0]))
            while store.read_state().planned < 2:  # pytest's own timeout is the limit
                pass
        return answer

    monkeypatch.setattr(OptunaSearcher, "suggest", suggest_and_be_asked)
    settings = ("schedule.epochs=4", "schedule.window_first=2", "confirm.top=0")
    store, _ = sweep(tmp_path, motorbikes, "late", trials=1, rules="off", settings=settings)
    state = store.read_state()
    assert [(trial.trial_id, trial.verdict) for trial in state.by_number()] == [
        ("0000", RunEnd.COMPLETED),
        ("0001", RunEnd.COMPLETED),
    ]
    assert (state.status, state.planned) == (SweepStatus.FINISHED, 2)
    assert state.trials["0001"].params == asked[0]
