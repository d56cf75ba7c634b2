"""How often a gang is started again: on a clock of the test's own, and with Ray Train's own errors."""

import pytest
from ray.train import FailureConfig, WorkerGroupError
from ray.train.v2._internal.execution.failure_handling import FailureDecision

from orchestrator.sweep.patience import WELL_S, FailuresInARow, Patience


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_failure_long_after_the_last_one_begins_a_new_row() -> None:
    clock = Clock()
    patience = Patience(clock)
    rows = []
    for seconds in (1.0, 1.0, WELL_S - 1, WELL_S, 1.0):
        clock.now += seconds
        rows.append(patience.failed())
    assert rows == [1, 2, 3, 1, 2]


@pytest.mark.parametrize(("between_s", "given_up"), [(WELL_S - 1, True), (WELL_S, False)])
def test_a_gang_that_works_in_between_is_never_given_up(between_s: float, given_up: bool) -> None:
    clock = Clock()
    policy = FailuresInARow(FailureConfig(max_failures=3))
    policy._patience = Patience(clock)
    decisions = []
    for _ in range(10):
        clock.now += between_s
        decisions.append(policy.make_decision(WorkerGroupError("a rank died", {0: RuntimeError("killed")})))
    assert (FailureDecision.RAISE in decisions) is given_up
