"""Settings that the user adds while the sweep runs."""

from pathlib import Path

from optuna.trial import TrialState
from ray.tune.search import Searcher

from tests.orchestrator.search.test_going_on import done, logged
from tests.orchestrator.search.test_searcher import BASE, Sweep, space_with

OWN = {**BASE, "optimizer.lr_g": 5e-3}
SECOND = {**BASE, "optimizer.lr_g": 6e-3}
TWO = {"data.fit": {"choice": ["pad", "stretch"]}}


def test_a_setting_of_ones_own_is_really_next(tmp_path: Path) -> None:
    """The known points, which Optuna has from the beginning, come after it."""
    sweep = Sweep(tmp_path / "j", space_with(points=[{"data.fit": "stretch"}]))
    sweep.searcher.add(OWN)
    sweep.searcher.add(SECOND)
    for _ in range(4):
        sweep.end(sweep.suggest(), "completed", 50.0)
    assert sweep.params == [OWN, SECOND, BASE, {**BASE, "data.fit": "stretch"}]
    assert [trial.state for trial in sweep.trials()] == [TrialState.COMPLETE] * 4


def test_the_next_driver_has_those_that_wait_first_too(tmp_path: Path) -> None:
    space = space_with(points=[{"data.fit": "stretch"}])
    first = Sweep(tmp_path / "j", space)
    first.suggest()
    first.searcher.add(OWN)
    state = logged(first.submitted, started=("0000",), ended={"0000": done(50.0)})
    again = Sweep(tmp_path / "j", space, state=state)
    again.suggest()
    assert again.params == [OWN]


def test_one_that_was_tried_before_is_tried_in_a_space_that_has_nothing_new(tmp_path: Path) -> None:
    planned = [3]
    sweep = Sweep(tmp_path / "j", space_with(TWO), planned=lambda: planned[0])
    running = [sweep.suggest() for _ in range(2)]
    assert sweep.searcher.suggest("third") is None and sweep.said == ["every setting of this space has been tried"]
    sweep.searcher.add({"data.fit": "pad"})
    running.append(sweep.suggest())
    assert sweep.params[-1] == {"data.fit": "pad"}
    for trial_id in running:
        sweep.end(trial_id, "completed", 50.0)
    assert sweep.searcher.suggest("fourth") == Searcher.FINISHED and not sweep.searcher.has_more()
    planned[0] = 4
    assert not sweep.searcher.has_more(), "nothing is left to propose"
    sweep.searcher.add({"data.fit": "pad"})
    assert sweep.searcher.has_more()


def test_what_a_driver_before_has_left_is_more(tmp_path: Path) -> None:
    first = Sweep(tmp_path / "j", space_with())
    first.suggest()
    again = Sweep(tmp_path / "j", space_with(), state=logged(first.submitted, started=("0000",)), planned=lambda: 1)
    assert again.searcher.has_more()
    again.end(again.suggest(), "completed", 50.0)
    assert not again.searcher.has_more()
