"""The contract of schedulers: every file is a scheduler with a row; none cuts before its grace or pauses a trial."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler

import orchestrator.search.schedulers
from orchestrator.search.schedulers import make_scheduler
from orchestrator.space.sections import SCHEDULERS, WAITING, SchedulerConfig
from tests.orchestrator.sweep_helpers import result as result_of

NOT_SCHEDULERS = {"__init__", "brackets", "comparable", "fronts", "ladder", "promotion", "rounds"}
METRIC, EPOCHS, GRACE = "fid_test_n2", 27, 9


def test_every_file_has_a_row() -> None:
    files = {path.stem for path in Path(orchestrator.search.schedulers.__file__).parent.glob("*.py")} - NOT_SCHEDULERS
    assert files == set(SCHEDULERS)


@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_scheduler_says_in_a_sentence_whom_it_cuts(name: str) -> None:
    config = SchedulerConfig(name=name, grace_epochs=GRACE)
    assert str(config).startswith(f"scheduler {name}: ") and "{" not in str(config)
    assert name == "none" or str(GRACE) in str(config)


@pytest.mark.parametrize("name", SCHEDULERS)
def test_no_trial_is_paused_and_none_is_cut_before_its_grace(name: str) -> None:
    scheduler = make_scheduler(SchedulerConfig(name=name, grace_epochs=GRACE), EPOCHS)
    scheduler.set_search_properties(METRIC, "min")
    nobody: Any = None
    ends = []
    for number in range(12):  # each is worse than all before it
        trial = Trial("x", stub=True, trial_id=f"{number:04d}")
        scheduler.on_trial_add(nobody, trial)
        for epoch in range(3, EPOCHS, 3):
            result = result_of(epoch, 100.0 + number, 0.9).to_tune(METRIC)
            decision = scheduler.on_trial_result(nobody, trial, result)
            assert decision in (TrialScheduler.CONTINUE, TrialScheduler.STOP)
            if decision == TrialScheduler.STOP:
                assert epoch >= GRACE
                break
        scheduler.on_trial_complete(nobody, trial, result)
        ends.append(epoch)
    assert (min(ends) < EPOCHS - 3) == (name != "none"), "those that cut at all cut the worst"


@pytest.mark.parametrize("name", SCHEDULERS)
def test_what_is_maximised_is_compared_upside_down(name: str) -> None:
    """Each trial has a lower recall than all before it, and a lower FID: by FID none would be cut."""
    scheduler = make_scheduler(SchedulerConfig(name=name, grace_epochs=GRACE, brackets=1), EPOCHS)
    scheduler.set_search_properties(METRIC, "min")
    nobody: Any = None
    cut = []
    for number in range(12):
        trial = Trial("x", stub=True, trial_id=f"{number:04d}")
        scheduler.on_trial_add(nobody, trial)
        for epoch in range(3, EPOCHS, 3):
            report = result_of(epoch, 100.0 - number, 0.9)
            assert report.measurement is not None
            beside = {"recall_test_n2_k5": 0.9 - 0.05 * number}
            report = replace(report, measurement=replace(report.measurement, beside=beside, objective="recall"))
            if scheduler.on_trial_result(nobody, trial, report.to_tune(METRIC)) == TrialScheduler.STOP:
                cut.append(number)
                break
        scheduler.on_trial_complete(nobody, trial, report.to_tune(METRIC))
    assert (11 in cut) == (name != "none"), "the one with the lowest recall"
    assert name in WAITING or 0 not in cut, "the one with the highest"
