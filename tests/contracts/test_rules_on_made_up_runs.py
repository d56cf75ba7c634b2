"""What all rules together, as they are shipped, do to runs that recover and to runs that collapse."""

from collections.abc import Iterator
from statistics import mean
from typing import get_args

import pytest

from orchestrator.pruning import build_rules
from orchestrator.replay.replay import HARM, Replayed, replay_run
from tests.contracts.made_up_runs import (
    COLLAPSING,
    HEALTHY,
    HELD_OUT_COLLAPSING,
    HELD_OUT_HEALTHY,
    AnyLosses,
    Losses,
    made_up_run,
)

MEASUREMENTS = (25, 50, 100, 200)
EVERY = (1, 4)  # reports per measurement
SEEDS = range(3)
LEVEL = ("steady", "slow_descent", "plateau", "staircase", "spikes")  # shapes that do not stand above their best
RULES = build_rules()


def replays(shape: str, noises: tuple[float, ...], losses: tuple[AnyLosses, ...]) -> Iterator[Replayed]:
    """The shape with every number of measurements, plan length, noise and seed, and these losses in turn."""
    cases = [(m, e, noise, seed) for m in MEASUREMENTS for e in EVERY for noise in noises for seed in SEEDS]
    for number, (measurements, every, noise, seed) in enumerate(cases):
        kind = losses[number % len(losses)]
        yield replay_run(made_up_run(shape, measurements, every, seed, noise=noise, losses=kind), RULES)


@pytest.mark.parametrize("shape", [*HEALTHY, *HELD_OUT_HEALTHY])
def test_no_run_that_recovers_is_harmed(shape: str) -> None:
    noises = (0.02, 0.05, 0.1) if shape in LEVEL else (0.02, 0.05)
    for replayed in replays(shape, noises, get_args(Losses)):
        assert replayed.regret <= HARM, (replayed.run.name, replayed.stop)


@pytest.mark.parametrize("shape", [*LEVEL, "warm_restart", "noisy_hump", "restart_late"])
def test_a_d_loss_of_zero_alone_harms_none_that_stays_near_its_best(shape: str) -> None:
    """In a log without D's accuracies. Those that stand far above it for long are ended: see the room's README."""
    for replayed in replays(shape, (0.02, 0.05), ("d_zero",)):
        assert replayed.regret <= HARM, (replayed.run.name, replayed.stop)


@pytest.mark.parametrize("shape", [*COLLAPSING, *HELD_OUT_COLLAPSING])
def test_a_d_loss_of_zero_shows_a_collapse_earlier(shape: str) -> None:
    with_it, without = (mean(one.saved for one in replays(shape, (0.03,), (kind,))) for kind in ("d_zero", "none"))
    assert with_it >= max(0.5, without)


@pytest.mark.parametrize("shape", [*COLLAPSING, *HELD_OUT_COLLAPSING])
def test_most_of_the_steps_of_runs_that_collapse_are_saved(shape: str) -> None:
    """By FID alone. Their bests lie between 10% and 40% of the plan; a stop right there would save some 75%."""
    replayed = list(replays(shape, (0.02, 0.05), ("none", "ordinary")))
    assert all(one.collapsed and one.regret <= HARM for one in replayed)
    assert mean(one.saved for one in replayed) >= 0.45


def test_half_of_the_steps_of_all_that_collapse_are_saved() -> None:
    replayed = [one for shape in (*COLLAPSING, *HELD_OUT_COLLAPSING) for one in replays(shape, (0.03,), ("none",))]
    assert mean(one.saved for one in replayed) >= 0.5


def test_the_shapes_are_what_they_say() -> None:
    """Runs that recover do so: their best comes after what looks like the end; the others' before it."""
    hump, late = made_up_run("slow_hump", 100, 1, 0), made_up_run("late_take_off", 100, 1, 0)
    for run, until in ((hump, 65), (late, 30)):
        fids = [report.fid for report in run.reports if report.fid is not None]
        assert fids[until] > 1.05 * min(fids[:until]) and min(fids) < 0.9 * min(fids[:until])
    assert all(made_up_run(shape, 50, 1, 0).final() > 1.1 * made_up_run(shape, 50, 1, 0).best() for shape in COLLAPSING)
