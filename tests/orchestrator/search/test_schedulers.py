"""Schedulers on our own clock: which trials they cut, and when they must not."""

from functools import partial

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler

from orchestrator.search.result import compared
from orchestrator.search.schedulers import build_scheduler
from orchestrator.search.schedulers.hyperband_stopping import Hyperband
from orchestrator.space.load import build_space
from orchestrator.space.sections import PBT, SCHEDULERS, WAITING, SchedulerConfig
from tests.orchestrator.sweep_helpers import result as result_of
from trainers.run_report import Measurement

METRIC = "fid_test_n2"
EPOCHS = 81


def scheduler_with(name: str, epochs: int = EPOCHS, **options: float) -> TrialScheduler:
    base = {"schedule": {"epochs": epochs, "window_first": 1}}
    config = {"name": name, "grace_epochs": 9, "reduction_factor": 3, **options}
    scheduler = build_scheduler(build_space("x", {"base": base, "search": {}, "scheduler": config}))
    scheduler.set_search_properties(METRIC, "min")
    return scheduler


class Field:
    """Trials under one scheduler; each is cut at most once, as Tune would do it."""

    def __init__(self, scheduler: TrialScheduler) -> None:
        self.scheduler = scheduler
        self.trials: list[Trial] = []

    def add(self) -> Trial:
        trial = Trial("x", stub=True, trial_id=f"{len(self.trials):04d}")
        self.trials.append(trial)
        self.scheduler.on_trial_add(None, trial)
        return trial

    def report(self, trial: Trial, epoch: int, fid: float, diversity: float | None = None) -> bool:
        """Whether the trial may go on."""
        result = result_of(epoch, fid, diversity).to_tune(METRIC)
        decision = self.scheduler.on_trial_result(None, trial, result)
        assert decision in (TrialScheduler.CONTINUE, TrialScheduler.STOP)  # a gang cannot pause
        if decision == TrialScheduler.STOP:
            self.scheduler.on_trial_complete(None, trial, result)
        return decision == TrialScheduler.CONTINUE

    def run(self, level: float, every: int = 3, until: int = EPOCHS) -> int:
        """One trial of constant FID; returns its last epoch."""
        trial = self.add()
        for epoch in range(every, until + 1, every):
            if not self.report(trial, epoch, level):
                return epoch
        self.scheduler.on_trial_complete(None, trial, result_of(until, level).to_tune(METRIC))
        return until


@pytest.mark.parametrize("name", sorted(set(SCHEDULERS) - {PBT}))  # test_pbt.py
@settings(max_examples=40, deadline=None)
@given(
    grace=st.integers(1, 100),
    factor=st.floats(1.5, 5),
    every=st.integers(1, 30),
    levels=st.lists(st.floats(1, 500), min_size=1, max_size=30),
)
def test_nobody_is_cut_before_the_grace_or_the_first_fid(
    name: str, grace: int, factor: float, every: int, levels: list[float]
) -> None:
    field = Field(scheduler_with(name, grace_epochs=grace, reduction_factor=factor))
    for level in levels:
        assert field.run(level, every) >= min(max(grace, every), EPOCHS)


@pytest.mark.parametrize("name", sorted(set(SCHEDULERS) - set(WAITING)))  # which cut none: test_promotion.py
def test_the_worst_of_many_are_cut(name: str) -> None:
    field = Field(scheduler_with(name))
    ends = [field.run(level) for level in [50.0] * 12 + [400.0] * 12]
    assert ends[0] == EPOCHS
    assert (set(ends[12:]) == {EPOCHS}) == (name == "none")
    assert all(end <= 27 for end in ends[12:] if end < EPOCHS)
    assert field.run(10.0) == EPOCHS  # a new best goes on


@pytest.mark.parametrize("name", ["asha_stopping", "hyperband_stopping", "median"])
def test_a_trial_that_ended_without_fid_is_compared_with_none(name: str) -> None:
    """Tune gets WORST for it. If that counted, bad trials would go on."""

    def last_of(failures: int) -> int:
        field = Field(scheduler_with(name, brackets=1))
        for _ in range(6):
            field.run(50.0)
        for _ in range(failures):
            doomed = field.add()
            field.scheduler.on_trial_complete(None, doomed, result_of(9).to_tune(METRIC))
        return field.run(60.0)

    assert last_of(0) < EPOCHS
    assert last_of(20) == last_of(0)


def test_asha_lets_one_in_so_many_go_on() -> None:
    field = Field(scheduler_with("asha_stopping", reduction_factor=3))
    reached = [field.run(float(level)) for level in range(270, 0, -1)]  # every trial is better than those before
    assert set(reached) == {EPOCHS}
    field = Field(scheduler_with("asha_stopping", reduction_factor=3))
    scattered = [field.run(float(level * 37 % 271)) for level in range(1, 271)]
    shares = [sum(end >= rung for end in scattered) / 270 for rung in (10, 28)]
    assert shares[0] == pytest.approx(1 / 3, abs=0.06)
    assert shares[1] == pytest.approx(1 / 9, abs=0.05)


def test_hyperband_deals_trials_to_its_brackets_in_turn() -> None:
    """Bracket s has 9 * 3**s epochs of grace and a third of the trials of the one before; no chance is involved."""
    graces = []
    for _ in range(2):
        field = Field(scheduler_with("hyperband_stopping"))
        for _ in range(13):  # good trials in every bracket
            field.run(50.0)
        graces.append([field.run(400.0) for _ in range(26)])
    assert graces[0] == graces[1]
    assert [graces[0].count(grace) for grace in (9, 27, 81)] == [18, 6, 2]


@pytest.mark.parametrize(
    ("brackets", "grace", "made"), [(1, 9, 1), (3, 9, 3), (9, 9, 3), (9, 81, 1), (5, 1, 5), (5, 200, 1)]
)
def test_hyperband_has_no_bracket_beyond_the_run(brackets: int, grace: int, made: int) -> None:
    config = SchedulerConfig(name="hyperband_stopping", brackets=brackets, grace_epochs=grace, reduction_factor=3)
    assert len(Hyperband(config, EPOCHS)._brackets) == made


def test_the_longest_trial_sets_the_clock() -> None:
    space = build_space(
        "x",
        {
            "base": {"schedule": {"epochs": 20, "window_first": 1}},
            "search": {"schedule.epochs": {"int": [20, 60], "step": 20}},
            "scheduler": {"name": "asha_stopping", "grace_epochs": 20, "reduction_factor": 2},
        },
    )
    scheduler = build_scheduler(space)
    scheduler.set_search_properties(METRIC, "min")
    field = Field(scheduler)
    assert [field.run(50.0, 20, until=60), field.run(60.0, 20, until=60), field.run(40.0, 20, until=20)] == [60, 20, 20]
    trial = field.add()
    assert field.report(trial, 60, 1.0)  # it ends by itself at its last epoch


@pytest.mark.parametrize("name", ["asha_stopping", "hyperband_stopping", "median"])
def test_the_grey_of_an_untrained_generator_counts_as_worse_than_it_is(name: str) -> None:
    """Measured on digits: 1410 with a diversity of 0.09 where nothing was learnt, 1474 with 0.85 for the best trial."""
    field = Field(scheduler_with(name, reduction_factor=2, brackets=1))
    for _ in range(4):
        assert field.report(field.add(), 9, 1500.0, diversity=0.85)
    assert not field.report(field.add(), 9, 1410.0, diversity=0.09), "as 2350"
    assert field.report(field.add(), 9, 1474.0, diversity=0.85)


@pytest.mark.parametrize("name", ["asha_stopping", "hyperband_stopping", "median"])
def test_a_trial_with_pictures_goes_on_where_the_others_are_grey(name: str) -> None:
    field = Field(scheduler_with(name, reduction_factor=2, brackets=1))
    for _ in range(4):
        field.report(field.add(), 9, 1410.0, diversity=0.09)
    assert field.report(field.add(), 9, 1900.0, diversity=0.85)


def test_a_trial_that_varies_little_yet_may_be_the_best() -> None:
    """Recorded on cars: the best of 32 trainings had a diversity of 0.24 at its first epoch."""
    field = Field(scheduler_with("asha_stopping", reduction_factor=2))
    assert field.report(field.add(), 9, 300.0, diversity=0.5)
    assert field.report(field.add(), 9, 200.0, diversity=0.2), "as 224"


def test_what_a_fid_counts_as() -> None:
    measured = partial(Measurement, epoch=1, fid=100.0)
    assert compared(measured(diversity=0.25)) == compared(measured()) == 100.0
    assert compared(measured(diversity=0.0625, collapsed=True)) == 200.0
    assert compared(measured(diversity=0.0, collapsed=True)) == 5000.0
    assert compared(measured(diversity=0.4, collapsed=True)) == 100.0, "where fid.min_diversity is higher"
