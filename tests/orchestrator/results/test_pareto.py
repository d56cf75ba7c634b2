"""The Pareto front: by hand, and against its definition."""

import hypothesis.strategies as st
from hypothesis import given

from orchestrator.results.pareto import non_dominated, pareto_front
from orchestrator.results.records import TrialRecord
from orchestrator.results.verdict import Failure, StopReason
from tests.orchestrator.sweep_helpers import ended
from trainers.run_report import RunEnd


def test_fronts_by_hand() -> None:
    assert non_dominated({}) == []
    assert non_dominated({"a": (3.0,), "b": (1.0,), "c": (1.0,)}) == ["b", "c"]
    assert non_dominated({"a": (1.0, 9.0), "b": (2.0, 5.0), "c": (3.0, 5.0), "d": (4.0, 1.0)}) == ["a", "b", "d"]
    assert non_dominated({"a": (1.0, 2.0), "b": (1.0, 1.0), "c": (1.0, 1.0), "d": (2.0, 1.0)}) == ["b", "c"]


values = st.integers(0, 6).map(float)


@given(st.lists(st.tuples(values, values), max_size=25))
def test_the_front_is_what_no_other_point_dominates(points: list[tuple[float, float]]) -> None:
    def dominated(a: tuple[float, float]) -> bool:
        return any(b[0] <= a[0] and b[1] <= a[1] and b != a for b in points)

    expected = [number for number, point in enumerate(points) if not dominated(point)]
    assert non_dominated(dict(enumerate(points))) == expected


def costing(trial_id: str, verdict: str, objective: float | None, seconds: float | None) -> TrialRecord:
    trial = ended(trial_id, verdict, objective)
    trial.costs = {} if seconds is None else {"device_seconds": seconds}
    return trial


def test_the_front_of_trials() -> None:
    trials = [
        costing("0000", RunEnd.COMPLETED, 80.0, 10.0),
        costing("0001", RunEnd.COMPLETED, 60.0, 30.0),
        costing("0002", RunEnd.COMPLETED, 70.0, 40.0),  # dominated
        costing("0003", Failure.LOST, 10.0, 100.0),  # its workers died after it had been measured
        costing("0007", Failure.LOST, None, 1.0),
        costing("0004", StopReason.OUTRANKED, None, 1.0),  # never measured in its window
        costing("0005", StopReason.OUTRANKED, 90.0, 5.0),  # cut, but measured
        costing("0006", RunEnd.COMPLETED, 1.0, None),  # still runs: its cost is not known
    ]
    assert pareto_front(trials) == ["0000", "0001", "0003", "0005"]
    for trial in trials:
        trial.costs = {}
    assert pareto_front(trials) == ["0006"]
    assert pareto_front([]) == []


def test_costs_survive_the_round_trip() -> None:
    trial = costing("0000", RunEnd.COMPLETED, 80.0, 10.0)
    values = trial.to_json()
    assert values["objectives"] == {"fid": 80.0, "device_seconds": 10.0}
    assert TrialRecord.from_json(values).costs == trial.costs
    del values["objectives"]  # as sweeps of before wrote it
    assert TrialRecord.from_json(values).costs == {}
