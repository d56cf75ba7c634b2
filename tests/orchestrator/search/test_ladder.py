"""Promotion between rungs: who waits, who goes on, and that the best is never lost."""

import hypothesis.strategies as st
from hypothesis import given, settings

from orchestrator.search.schedulers.ladder import Ladder

RUNGS = (1, 3, 9)


def arrive(ladder: Ladder, trial: str, epoch: float, value: float) -> bool:
    """Whether it goes on at once; if not, it waits."""
    goes_on = ladder.reach(trial, epoch, value)
    if not goes_on:
        ladder.wait(trial)
    return goes_on


def test_the_best_of_a_rung_goes_on_when_enough_have_been_there() -> None:
    ladder = Ladder(RUNGS, 3)
    assert [arrive(ladder, name, 1, value) for name, value in (("a", 5.0), ("b", 4.0))] == [False, False]
    assert ladder.promote() is None, "one in three of two is none"
    assert not arrive(ladder, "c", 1, 6.0)
    assert ladder.promote() == "b"
    assert ladder.promote() is None
    assert [arrive(ladder, name, 1, value) for name, value in (("d", 7.0), ("e", 8.0))] == [False, False]
    assert arrive(ladder, "f", 1, 3.0), "the best of six goes on without waiting, and so would b"
    assert ladder.promote() is None, "b has gone on already, so has f: two of six"


def test_a_higher_rung_comes_first() -> None:
    ladder = Ladder(RUNGS, 2)
    for name, value in (("a", 1.0), ("b", 2.0), ("c", 3.0), ("d", 4.0)):
        arrive(ladder, name, 1, value)
    assert [ladder.promote(), ladder.promote(), ladder.promote()] == ["a", "b", None]
    arrive(ladder, "a", 3, 9.0)
    assert arrive(ladder, "b", 3, 8.0)
    for name, value in (("e", 5.0), ("f", 6.0)):  # of six at the first rung three are good enough: c is the third
        assert not arrive(ladder, name, 1, value)
    for name, value in (("g", 8.5), ("h", 9.5)):  # of four at the second rung two are: g is the second
        assert not arrive(ladder, name, 3, value)
    assert [ladder.promote(), ladder.promote()] == ["g", "c"]


def test_only_the_first_value_at_a_rung_counts_and_rungs_that_were_skipped_count_too() -> None:
    ladder = Ladder(RUNGS, 2)
    arrive(ladder, "a", 1, 5.0)
    assert ladder.reach("a", 2, 1.0), "between rungs every trial goes on"
    assert not arrive(ladder, "b", 4, 4.0), "measured first at epoch 4: at both rungs, and alone at the second"
    assert ladder.promote() is None
    assert not arrive(ladder, "c", 4, 9.0)
    assert ladder.promote() == "b"


def test_at_the_end_enough_trials_finish() -> None:
    ladder = Ladder(RUNGS, 4, finish=2)
    for name, value in (("a", 1.0), ("b", 2.0), ("c", 3.0)):
        arrive(ladder, name, 1, value)
    assert ladder.promote() is None
    assert ladder.promote(none_new=True) == "a", "a quarter of three, rounded up"
    assert ladder.promote(none_new=True) is None, "while one runs"
    assert arrive(ladder, "a", 3, 1.0) and arrive(ladder, "a", 9, 1.0), "rounded up it is the best of one"
    assert ladder.promote(none_new=True, none_runs=False) is None
    assert ladder.promote(none_new=True, none_runs=True) == "b", "two are to finish"
    assert ladder.promote(none_new=True, none_runs=True) is None
    ladder.end("a", finished=True)
    ladder.end("b", finished=False)
    assert ladder.promote(none_new=True, none_runs=True) == "c", "b has failed"
    ladder.end("c", finished=True)
    assert ladder.promote(none_new=True, none_runs=True) is None


def test_who_has_been_at_no_rung_cannot_wait() -> None:
    ladder = Ladder(RUNGS, 2)
    assert not ladder.wait("a") and ladder.promote(none_new=True, none_runs=True) is None


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 50), min_size=1, max_size=40), st.integers(2, 4))
def test_the_best_is_never_lost(values: list[int], factor: int) -> None:
    """Whatever the order: a trial that is the best at every epoch trains to its end, and few others do."""
    ladder = Ladder(RUNGS, factor)
    waiting = {f"{number:04d}": float(value) for number, value in enumerate(values)}
    best = min(waiting, key=lambda name: (waiting[name], name))
    reached: dict[str, int] = {}
    finished: list[str] = []
    new = list(waiting)
    while True:
        name = ladder.promote()
        if name is None and new:
            name = new.pop(0)
        name = name or ladder.promote(none_new=True, none_runs=True)
        if name is None:
            break
        for rung in range(reached.get(name, 0), len(RUNGS)):
            reached[name] = rung + 1
            if not arrive(ladder, name, RUNGS[rung], waiting[name]):
                break
        else:
            finished.append(name)
            ladder.end(name, finished=True)
    assert best in finished
    assert set(reached) == set(waiting), "every trial is tried"
    assert len(finished) <= 2 + len(values) / factor
