"""Rounds of population-based training: who goes on, and of whom the worst become copies."""

from collections.abc import Sequence

from orchestrator.search.schedulers.rounds import Member, Rounds

ROUNDS = Rounds(2, 0.25)


def member(name: str, fid: float = 1.0, rests: Sequence[int] = (2,), *, over: bool = False) -> Member:
    return Member(name=name, over=over, rests=rests, values={epoch: fid for epoch in rests})


def test_nobody_goes_on_before_all_are_there() -> None:
    late = [member("a"), member("b"), member("c", rests=())]
    assert ROUNDS.next(late, {"a", "b"}) is None
    assert ROUNDS.next([*late[:2], member("c", rests=(), over=True)], {"a", "b"}) == "a", "it will never come"
    assert ROUNDS.next([member("a"), member("b"), member("c")], {"b", "c"}) == "b", "a runs already"


def test_the_least_advanced_goes_on_first() -> None:
    """More members than gangs: those of a round go on one after another."""
    ahead, behind = member("a", rests=(2, 4)), member("b", rests=(2,))
    assert ROUNDS.next([ahead, behind], {"a", "b"}) == "b"
    assert ROUNDS.next([ahead, behind], {"a"}) is None, "b is not at epoch 4"


def test_the_worst_quarter_copies_the_best_quarter() -> None:
    members = [member(str(number), fid=float(number)) for number in range(8)]
    assert [one.name for one in members if ROUNDS.better(members, one.name)] == ["6", "7"]
    assert ROUNDS.better(members, "7") == [("0", 2), ("1", 2)]


def test_half_of_them_at_most() -> None:
    three = [member(str(number), fid=float(number)) for number in range(3)]
    assert [one.name for one in three if Rounds(2, 0.5).better(three, one.name)] == ["2"]
    assert ROUNDS.better(three[:1], "0") == []


def test_one_that_ended_at_the_rung_takes_no_part_and_one_that_ended_later_does() -> None:
    """So the decision does not depend on what has become of the others when it is made."""
    never_waited = Member(name="a", over=True, values={2: 0.5})  # a rule ended it right there: it left no checkpoint
    members = [never_waited, member("b", 1.0), member("c", 2.0)]
    assert ROUNDS.better(members, "c") == [("b", 2)]
    assert ROUNDS.better([never_waited, member("b", 1.0, over=True), member("c", 2.0)], "c") == [("b", 2)]
    assert ROUNDS.better([member("b", 1.0, rests=(2, 4)), member("c", 2.0)], "c") == [("b", 2)], "b has gone on"


def test_who_heard_late_that_it_had_to_wait_is_in_its_rung_s_round() -> None:
    late = Member(name="b", rests=(3,), values={2: 1.0, 3: 7.0})
    members = [late, member("c", 2.0)]
    assert ROUNDS.next(members, {"b", "c"}) == "b"
    assert ROUNDS.better(members, "c") == [("b", 3)], "its checkpoint is of epoch 3, what is compared of epoch 2"


def test_one_that_joined_late_catches_up_without_copies() -> None:
    others = [member(name, fid, rests=(2, 4, 6)) for name, fid in (("a", 1.0), ("b", 2.0))]
    members = [*others, member("c", 9.0, rests=(2,))]
    assert ROUNDS.next(members, {"a", "b", "c"}) == "c" and ROUNDS.better(members, "c") == []
    there = [*others, member("c", 9.0, rests=(2, 4, 6))]
    assert ROUNDS.better(there, "c") == [("a", 6)]
