"""A new scheduler gets to know what was measured before it: it decides as one that has seen everything."""

import json
import math
import random
from dataclasses import replace

import pytest
from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler

from orchestrator.results.events import Ended, Opened, Started, Submitted
from orchestrator.results.state import SweepState
from orchestrator.results.verdict import TrialOutcome
from orchestrator.search.earlier import ShowEarlier, count_earlier, finished, measured_before
from orchestrator.search.schedulers import build_scheduler
from orchestrator.space.load import build_space
from tests.orchestrator.search.test_going_on import done, logged
from tests.orchestrator.sweep_helpers import PLAN, epoch
from tests.orchestrator.sweep_helpers import result as result_of
from trainers.run_report import EpochReport

METRIC = "fid_test_n2"
EPOCHS = 16


def new_scheduler(name: str) -> TrialScheduler:
    base = {"schedule": {"epochs": EPOCHS, "window_first": 1}}
    config = {"name": name, "grace_epochs": 2, "reduction_factor": 2}
    scheduler = build_scheduler(build_space("x", {"base": base, "search": {}, "scheduler": config}))
    scheduler.set_search_properties(METRIC, "min")
    return scheduler


def fid_of(trial: int, at: int) -> float:
    rng = random.Random(f"{trial} {at}")
    return 50 + 7 * (trial * 5 % 11) + 100 * math.exp(-at / 5) + rng.uniform(0, 8)


class Course:
    """Twelve trials on three gangs; the driver, and with it the scheduler, is made anew after some steps.

    Args:
        name: of the scheduler.
        dies_after: measurements after which the driver dies, once.
    """

    def __init__(self, name: str, dies_after: int | None = None) -> None:
        self.name, self.dies_after = name, dies_after
        self.decisions: list[tuple[str, int, str]] = []
        self.state = SweepState(PLAN)
        opened = {"pid": 7, "process_started": 1.0, "host": "h", "version": "1", "trials": 12}
        self.state.apply(Opened(at=0.0, session=1, **opened))
        self.histories: dict[str, list[EpochReport]] = {}
        self.scheduler = new_scheduler(name)
        self.tune: dict[str, Trial] = {}
        self.running: list[str] = []
        for number in range(12):
            while len(self.running) == 3:
                self.step(self.running[0])
            self.start(f"{number:04d}")
        while self.running:
            self.step(self.running[0])

    def start(self, trial: str) -> None:
        self.state.apply(Submitted(at=1.0, session=1, trial=trial, params={}, epochs=EPOCHS, n_fake=2))
        self.state.apply(Started(at=2.0, session=1, trial=trial, gang=0, attempt=1))
        self.histories[trial] = []
        self.add(trial)
        self.running.append(trial)

    def add(self, trial: str) -> None:
        self.tune[trial] = Trial("x", stub=True, trial_id=trial, config={"trial_id": trial})
        self.scheduler.on_trial_add(None, self.tune[trial])

    def step(self, trial: str) -> None:
        """Two epochs of a trial, the second with a measurement."""
        self.running.append(self.running.pop(self.running.index(trial)))
        at = len(self.histories[trial]) + 2
        fid = fid_of(int(trial), at)
        self.histories[trial] += [epoch(at - 1), epoch(at, fid=fid)]
        if at == EPOCHS:
            decision = TrialScheduler.STOP
        else:
            result = result_of(at, fid).to_tune(METRIC)
            decision = self.scheduler.on_trial_result(None, self.tune[trial], result)
            self.decisions.append((trial, at, decision))
        if decision == TrialScheduler.STOP:
            self.end(trial, at)
        if len(self.decisions) == self.dies_after:
            self.dies_after = None
            self.go_on()

    def end(self, trial: str, at: int) -> None:
        fid = fid_of(int(trial), at)
        self.scheduler.on_trial_complete(None, self.tune[trial], result_of(at, fid).to_tune(METRIC))
        outcome = {"verdict": "completed" if at == EPOCHS else "outranked", "epochs": at, "objective": fid}
        self.state.apply(Ended(at=9.0, session=1, trial=trial, outcome=outcome, seconds=1.0, totals={}))
        self.running.remove(trial)

    def go_on(self) -> None:
        """As the next driver does. All trials that run have an epoch after their newest measurement: it was decided."""
        for trial in self.running:
            self.histories[trial].append(epoch(len(self.histories[trial]) + 1))
        self.scheduler = new_scheduler(self.name)
        over, still_open = measured_before(self.scheduler, self.state, self.histories.__getitem__)
        assert sorted(still_open) == sorted(self.running)
        count_earlier(self.scheduler, METRIC, over)
        show = ShowEarlier(self.scheduler, METRIC, still_open, self.state)
        for trial in sorted(self.running):
            self.add(trial)
            show.on_trial_start(0, [], self.tune[trial])
            self.histories[trial].pop()
            show.on_trial_start(1, [], self.tune[trial])  # its trainable was restarted: shown once


@pytest.mark.parametrize("name", ["asha_stopping", "median", "hyperband_stopping"])
def test_the_next_drivers_scheduler_decides_as_the_first_would_have(name: str) -> None:
    undisturbed = Course(name).decisions
    cut = [(trial, at) for trial, at, decision in undisturbed if decision == TrialScheduler.STOP]
    assert 3 <= len(cut) <= 10
    for dies_after in range(1, len(undisturbed)):
        assert Course(name, dies_after).decisions == undisturbed, dies_after


def state_with(histories: dict[str, list[EpochReport]], over: set[str]) -> SweepState:
    state = SweepState(PLAN)
    opened = {"pid": 7, "process_started": 1.0, "host": "h", "version": "1", "trials": 3}
    state.apply(Opened(at=0.0, session=1, **opened))
    for name in histories:
        state.apply(Submitted(at=1.0, session=1, trial=name, params={}, epochs=EPOCHS, n_fake=2))
        state.apply(Started(at=2.0, session=1, trial=name, gang=0, attempt=1))
    for name in over:
        outcome = {"verdict": "outranked", "epochs": 2}
        state.apply(Ended(at=9.0, session=1, trial=name, outcome=outcome, seconds=1.0, totals={}))
    return state


def test_a_measurement_that_may_not_have_been_decided_on_is_asked_for_again() -> None:
    histories = {
        "0000": [epoch(1), epoch(2, fid=9.0)],  # over: nothing is left to decide
        "0001": [epoch(2, fid=8.0), epoch(3), epoch(4, fid=7.0)],
        "0002": [epoch(2, fid=6.0), epoch(3)],
        "0003": [],
    }
    over, still_open = measured_before(new_scheduler("asha"), state_with(histories, {"0000"}), histories.__getitem__)
    epochs = {name: [one.epoch for one in measured] for name, measured in {**over, **still_open}.items()}
    assert epochs == {"0000": [2], "0001": [2], "0002": [2], "0003": []}
    assert list(over) == ["0000"]


def test_what_the_log_says_of_trials_that_are_over_is_not_read_from_their_histories() -> None:
    histories = {"0000": [epoch(2, fid=9.0), epoch(4, fid=math.nan, diversity=0.1)], "0001": [epoch(2, fid=8.0)]}
    state = state_with({**histories, "0002": []}, set())
    for name, reports in histories.items():
        for report in reports:
            state.progress(name, report)
        outcome = {"verdict": "outranked", "epochs": reports[-1].epoch}
        totals = json.loads(json.dumps(state.trials[name].totals))
        state.apply(Ended(at=9.0, session=1, trial=name, outcome=outcome, seconds=1.0, totals=totals))
    over, _ = measured_before(new_scheduler("asha"), state, {"0002": []}.__getitem__)
    for name, reports in histories.items():
        said = [measured for report in reports if (measured := report.measurement) is not None]
        assert str(over[name]) == str([replace(one, name=None, n_fake=None) for one in said])  # NaN equals nothing


def test_a_scheduler_that_cuts_no_trial_has_to_know_nothing() -> None:
    state = state_with({"0000": [], "0001": []}, {"0000"})
    assert measured_before(new_scheduler("none"), state, {}.__getitem__) == ({}, {})


def test_what_is_shown_is_not_obeyed() -> None:
    """A trial that would be cut by what it had measured goes on: its first driver had let it."""
    scheduler = new_scheduler("asha")
    others = {f"{number:04d}": [epoch(2, fid=10.0 + number).measurement] for number in range(8)}
    count_earlier(scheduler, METRIC, {name: [one for one in some if one] for name, some in others.items()})
    bad = epoch(2, fid=99.0).measurement
    assert bad is not None
    show = ShowEarlier(scheduler, METRIC, {"0009": [bad]}, SweepState(PLAN))
    trial = Trial("x", stub=True, trial_id="t", config={"trial_id": "0009"})
    scheduler.on_trial_add(None, trial)
    show.on_trial_start(0, [], trial)
    assert scheduler.on_trial_result(None, trial, result_of(3, 99.0).to_tune(METRIC)) == TrialScheduler.CONTINUE


def test_who_is_over_and_has_an_objective_has_finished() -> None:
    """One of those whose fakes hardly varied has none; a rule may end one that has."""
    none = TrialOutcome(verdict="completed", epochs=8, objective=None, best_epoch=None)
    ruled = TrialOutcome(verdict="d_collapse", epochs=6, objective=60.0, best_epoch=4)
    names = [f"{number:04d}" for number in range(4)]
    ended = {"0000": done(50.0), "0001": none, "0002": ruled}
    assert finished(logged({name: {} for name in names}, started=names, ended=ended)) == 2
