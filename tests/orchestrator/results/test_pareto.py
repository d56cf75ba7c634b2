"""The Pareto front: by hand, and against its definition."""

from dataclasses import replace
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import given

from orchestrator.results.pareto import non_dominated, pareto_front
from orchestrator.results.records import TrialRecord
from orchestrator.results.verdict import Failure, StopReason
from tests.orchestrator.sweep_helpers import PLAN, begun, ended, keep
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


def test_costs_survive_the_round_trip(tmp_path: Path) -> None:
    trial = costing("0000", RunEnd.COMPLETED, 80.0, 10.0)
    assert trial.to_json()["objectives"] == {"fid": 80.0, "device_seconds": 10.0}
    store = begun(tmp_path / "s", replace(PLAN, objectives=("fid", "device_seconds"), devices=4.0))
    trial.seconds = 2.5
    keep(store, trial)
    (read,) = store.read_trials()
    assert read.costs == trial.costs
