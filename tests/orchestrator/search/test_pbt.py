"""The scheduler of a population: what it tells Tune and the searcher."""

from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler

from orchestrator.results.events import Event, Opened, Paused, Started, Submitted
from orchestrator.results.state import SweepState
from orchestrator.results.verdict import StopReason, TrialOutcome
from orchestrator.search.schedulers import build_scheduler
from orchestrator.search.schedulers.pbt import Pbt
from tests.orchestrator.search.test_going_on import OPENED
from tests.orchestrator.search.test_searcher import METRIC, space_with
from tests.orchestrator.sweep_helpers import PLAN, epoch
from tests.orchestrator.sweep_helpers import result as result_of

SPACE = space_with(
    {"optimizer.lr_g": {"float": [1e-4, 1e-1], "log": True}, "loss.name": {"choice": ["ralsgan", "hinge"]}},
    base={"schedule": {"epochs": 6, "window_first": 1}},
    scheduler={"name": "pbt", "every_epochs": 2},
)
FIDS = {"0000": 9.0, "0001": 5.0, "0002": 7.0, "0003": 8.0}


class InTunesPlace:
    """A population whose state the test keeps, as broker and recorder do."""

    def __init__(self) -> None:
        scheduler = build_scheduler(SPACE)
        assert isinstance(scheduler, Pbt)
        self.scheduler, self.state = scheduler, SweepState(PLAN)
        scheduler.set_search_properties(METRIC, "min")
        scheduler.join(SPACE, lambda: self.state)
        self.happens(Opened(at=0.0, session=1, **OPENED))

    def happens(self, *events: Event) -> None:
        for event in events:
            assert self.state.apply(event)

    def begin(self, name: str) -> Trial:
        trial = Trial("x", stub=True, trial_id=name, config={"trial_id": name})
        self.scheduler.on_trial_add(None, trial)  # type: ignore[arg-type]
        params = {"optimizer.lr_g": 1e-3 * (1 + int(name)), "loss.name": "hinge"}
        self.happens(
            Submitted(at=1.0, session=1, trial=name, params=params, epochs=6, n_fake=2),
            Started(at=1.0, session=1, trial=name, gang=int(name), attempt=1),
        )
        return trial

    def told(self, trial: Trial, at: int, fid: float) -> str:
        nobody: Any = None
        return self.scheduler.on_trial_result(nobody, trial, result_of(at, fid, 0.9).to_tune(METRIC))

    def wait(self, trial: Trial, at: int, fid: float) -> None:
        assert self.told(trial, at, fid) == TrialScheduler.STOP
        self.state.progress(trial.config["trial_id"], epoch(at, fid=fid))
        self.scheduler.wait(trial.config["trial_id"])

    def paused(self, name: str, at: int) -> None:
        self.happens(Paused(at=2.0, session=1, trial=name, epoch=at))


def test_all_wait_at_a_rung_and_the_worst_becomes_a_copy() -> None:
    place = InTunesPlace()
    trials = {name: place.begin(name) for name in FIDS}
    assert place.told(trials["0000"], 1, 99.0) == TrialScheduler.CONTINUE, "no rung"
    for name, trial in trials.items():
        place.wait(trial, 2, FIDS[name])
    assert place.scheduler.promote(none_new=True) is None, "their gangs have not left them: there is no checkpoint yet"
    for name in FIDS:
        place.paused(name, 2)
    assert place.scheduler.promote() is None, "others may be new, which come first"
    assert place.scheduler.promote(none_new=True) == "0000"
    copy = place.scheduler.exploit("0000")
    assert copy is not None and (copy.epoch, copy.source, copy.params["loss.name"]) == (2, "0001", "hinge")
    assert copy == place.scheduler.exploit("0000"), "as another driver decides"
    assert copy.params["optimizer.lr_g"] != 2e-3
    assert [place.scheduler.promote(none_new=True) for _ in range(4)] == ["0001", "0002", "0003", None]
    assert not any(place.scheduler.exploit(name) for name in ("0001", "0002", "0003"))
    assert place.told(trials["0001"], 2, 5.0) == TrialScheduler.CONTINUE, "what a broker tells again after its death"


def test_one_that_has_just_come_waits_until_that_is_known() -> None:
    """The state lags behind: by it the trial still waits where it did before."""
    place = InTunesPlace()
    trials = {name: place.begin(name) for name in ("0000", "0001")}
    for name, trial in trials.items():
        place.wait(trial, 2, FIDS[name])
        place.paused(name, 2)
    assert place.scheduler.promote(none_new=True) == "0000"
    place.state.trials["0000"].promote()
    place.wait(trials["0000"], 4, 3.0)
    place.scheduler._waiting.remove("0001")  # it runs
    assert place.scheduler.promote(none_new=True) is None


def test_one_that_the_user_ends_waits_for_nobody() -> None:
    place = InTunesPlace()
    trials = {name: place.begin(name) for name in ("0000", "0001")}
    place.wait(trials["0000"], 2, 9.0)
    place.paused("0000", 2)
    place.state.trials["0000"].end(TrialOutcome(verdict=StopReason.STOPPED_BY_USER, epochs=2), 1.0)
    assert place.scheduler.promote() == "0000" and place.scheduler.exploit("0000") is None
