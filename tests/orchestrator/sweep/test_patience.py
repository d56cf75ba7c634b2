"""How often a gang is started again: on a clock of the test's own, and with Ray Train's own errors."""

import pytest
from ray.train import FailureConfig, WorkerGroupError
from ray.train.v2._internal.execution.failure_handling import FailureDecision

from orchestrator.sweep.patience import WELL_S, FailureRow, FailuresInARow


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_failure_long_after_the_last_one_begins_a_new_row() -> None:
    clock = Clock()
    failures = FailureRow(lambda: 0, clock)
    rows = []
    for seconds in (1.0, 1.0, WELL_S - 1, WELL_S, 1.0):
        clock.now += seconds
        rows.append(failures.failed())
    assert rows == [1, 2, 3, 1, 2]


def test_a_failure_after_work_begins_a_new_row() -> None:
    done = iter([0, 0, 1, 1, 5])
    failures = FailureRow(lambda: next(done), Clock())
    assert [failures.failed() for _ in range(5)] == [1, 2, 1, 2, 1]


@pytest.mark.parametrize(("works", "given_up"), [(False, True), (True, False)])
def test_a_gang_that_works_in_between_is_never_given_up(works: bool, given_up: bool) -> None:
    clock, done = Clock(), 0
    policy = FailuresInARow(FailureConfig(max_failures=3), lambda: done)
    policy._failures = FailureRow(lambda: done, clock)
    decisions = []
    for _ in range(10):
        done += works
        clock.now += 1.0
        decisions.append(policy.make_decision(WorkerGroupError("a rank died", {0: RuntimeError("killed")})))
    assert (FailureDecision.RAISE in decisions) is given_up
