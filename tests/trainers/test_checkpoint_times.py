"""When checkpoints are due by time, on a clock that the tests move."""

from itertools import pairwise

import pytest

from trainers.checkpoint_times import LONGEST, SHARE, CheckpointTimes


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def saves(epoch: float, cost: float, epochs: int) -> list[float]:
    """The times at which saves of this cost begin in a run of such epochs (all in seconds), and the end of the run."""
    clock = Clock()
    times, begun = CheckpointTimes(clock), []
    for _ in range(epochs):
        clock.now += epoch
        if times.due():
            begun.append(clock.now)
            with times.saving():
                clock.now += cost
    return [*begun, clock.now]


def test_the_first_epoch_is_saved_since_nothing_is_known() -> None:
    assert saves(epoch=0.25, cost=10.0, epochs=1)[0] == 1000.25


@pytest.mark.parametrize(("epoch", "cost"), [(0.5, 0.125), (1.0, 0.5), (3.0, 2.0), (20.0, 0.25), (60.0, 1.0)])
def test_saves_cost_at_most_their_share_and_not_much_less(epoch: float, cost: float) -> None:
    first, *begun, end = saves(epoch, cost, epochs=2000)
    share = cost * len(begun) / (end - first)
    least_gap = max(cost / SHARE, epoch)
    assert cost / (least_gap + cost + epoch) * 0.98 <= share <= SHARE


@pytest.mark.parametrize(("epoch", "cost"), [(1.0, 100.0), (70.0, 30.0), (140.0, 10.0), (299.0, 500.0)])
def test_no_two_saves_are_further_apart_than_the_longest(epoch: float, cost: float) -> None:
    begun = saves(epoch, cost, epochs=4000)[:-1]
    gaps = [later - earlier - cost for earlier, later in pairwise(begun)]
    assert len(gaps) > 10 and max(gaps) <= LONGEST
    assert min(gaps) + 2 * epoch > LONGEST  # and not sooner than they must be


def test_an_epoch_longer_than_the_longest_is_saved_at_its_end() -> None:
    assert len(saves(epoch=1000.0, cost=60.0, epochs=7)[:-1]) == 7


def test_a_save_that_was_due_for_another_reason_counts() -> None:
    clock = Clock()
    times = CheckpointTimes(clock)
    with times.saving():
        clock.now += 1.0
    assert times.cost == 1.0
    clock.now += 50.0
    assert not times.due()
    clock.now += 1.0
    assert times.due()


def test_the_last_save_tells_the_cost() -> None:
    clock = Clock()
    times = CheckpointTimes(clock)
    for cost, quiet in ((1.0, 50.0), (0.125, 6.25), (2.0, 100.0)):
        with times.saving():
            clock.now += cost
        clock.now += quiet
        assert not times.due()
        clock.now += 0.5
        assert times.due()


def test_a_save_that_fails_is_none() -> None:
    clock = Clock()
    times = CheckpointTimes(clock)
    with pytest.raises(OSError, match="disk full"), times.saving():
        clock.now += 1.0
        raise OSError("disk full")
    assert times.cost is None and times.due()


def test_a_clock_that_stands_still_makes_nothing_due_after_the_first() -> None:
    """What the tests of the loop rely on."""
    times = CheckpointTimes(lambda: 0.0)
    assert times.due()
    with times.saving():
        pass
    assert not times.due()
