"""The contract of schedulers: every file is a scheduler with a row; none cuts before its grace or pauses a trial."""

from pathlib import Path
from typing import Any

import pytest
from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler

import orchestrator.search.schedulers
from orchestrator.search.schedulers import make_scheduler
from orchestrator.space.sections import SCHEDULERS, SchedulerConfig
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
