"""Made-up FID curves: trainings that go well in many ways, or recover, and trainings that collapse in several.

Each shape is a function of a random generator that returns the curve of one run: FID as a function of the share of the
plan that is over, without the noise of a measurement. Shapes, not copies of any run. `HELD_OUT` shapes had no part in
choosing the rules' settings.
"""

import math
import random
from collections.abc import Callable
from typing import Literal

from orchestrator.replay.recorded import RecordedRun, Report

Curve = Callable[[float], float]
Shape = Callable[[random.Random], Curve]
Losses = Literal["ordinary", "none", "g_rises", "g_falls", "d_low"]
AnyLosses = Literal[Losses, "d_zero"]


def _descent(rng: random.Random) -> Curve:
    """From 60 to 300 down to a tenth to a half of it, exponentially, most of it early in the plan or all along."""
    start, fall, speed = rng.uniform(60, 300), rng.uniform(0.1, 0.5), rng.uniform(2, 7)
    return lambda at: start * (fall + (1 - fall) * math.exp(-speed * at))


def _rise(at: float, first: float, last: float) -> float:
    """From 0 at the share `first` to 1 at `last`, smoothly."""
    along = min(max((at - first) / (last - first), 0.0), 1.0)
    return along * along * (3 - 2 * along)


def steady(rng: random.Random) -> Curve:
    """An ordinary descent."""
    return _descent(rng)


def slow_descent(rng: random.Random) -> Curve:
    """FID falls by no more than a fifth to two fifths over the whole plan."""
    start, fall = rng.uniform(20, 200), rng.uniform(0.2, 0.4)
    return lambda at: start * (1 - fall * at)


def plateau(rng: random.Random) -> Curve:
    """FID stands still for 15% to 25% of the plan, then falls on."""
    curve, first, length = _descent(rng), rng.uniform(0.15, 0.5), rng.uniform(0.15, 0.25)
    return lambda at: curve(at if at < first else max(first, at - length)) * (1 - 0.3 * _rise(at, first + length, 1))


def staircase(rng: random.Random) -> Curve:
    """Standing still, then a step down, four to seven times."""
    start, steps, fall = rng.uniform(60, 300), rng.randint(4, 7), rng.uniform(0.6, 0.8)
    return lambda at: start * fall ** min(int(at * steps), steps - 1)


def wavy(rng: random.Random) -> Curve:
    """A descent with waves of 5% to 15% either way."""
    curve, height, period = _descent(rng), rng.uniform(0.05, 0.15), rng.uniform(0.05, 0.2)
    return lambda at: curve(at) * (1 - 0.3 * at) * math.exp(height * math.sin(2 * math.pi * at / period))


def spikes(rng: random.Random) -> Curve:
    """A descent with three short spikes of 1.5 to 4 times the FID: one measurement of 25 to 100, two of 200."""
    curve = _descent(rng)
    places = [(rng.uniform(0.1, 0.95), rng.uniform(1.5, 4)) for _ in range(3)]
    return lambda at: curve(at) * max([1.0, *(times for place, times in places if place <= at < place + 0.01)])


def slow_hump(rng: random.Random) -> Curve:
    """In the middle of the plan FID stands at 1.2 to 1.3 times its best for 16% to 25% of it, then falls far below."""
    first, length, height = rng.uniform(0.3, 0.5), rng.uniform(0.16, 0.25), rng.uniform(1.2, 1.3)
    start, fall, end = rng.uniform(80, 300), rng.uniform(0.2, 0.5), rng.uniform(0.6, 0.8)
    edge, down = rng.uniform(0.02, 0.08), rng.uniform(0.08, 0.25)
    last = first + edge + length

    def curve(at: float) -> float:
        level = start * fall ** min(at / first, 1.0)
        level *= 1 + (height - 1) * _rise(at, first, first + edge)
        return level * (1 + (end / height - 1) * _rise(at, last, last + down))

    return curve


def late_take_off(rng: random.Random) -> Curve:
    """After a first best FID lies 1.05 to 1.4 times above it until a third of the plan or later, then it falls far."""
    start, off, height = rng.uniform(80, 300), rng.uniform(0.3, 0.4), rng.uniform(1.05, 1.4)
    best_at, end = rng.uniform(0.06, 0.14), rng.uniform(0.2, 0.5)

    def curve(at: float) -> float:
        first = start * (1 + 0.5 * (1 - min(at / best_at, 1.0)))
        return first * (1 + (height - 1) * _rise(at, best_at, best_at + 0.06)) * (1 - (1 - end) * _rise(at, off, 0.9))

    return curve


def warm_restart(rng: random.Random) -> Curve:
    """Two or three times a restart of the learning rate: FID jumps to 1.5 times and is below its best again soon."""
    count, jump, back = rng.randint(2, 3), rng.uniform(1.3, 1.5), rng.uniform(0.03, 0.08)
    start, fall = rng.uniform(60, 200), rng.uniform(0.55, 0.8)

    def curve(at: float) -> float:
        cycle = min(int(at * (count + 1)), count)
        since = at - cycle / (count + 1)
        level = start * fall**cycle * (1 - 0.15 * since * (count + 1))
        return (
            level * (1 + (jump / fall - 1) * max(0.0, 1 - since / back)) if cycle else level * (1 + math.exp(-30 * at))
        )

    return curve


def noisy_hump(rng: random.Random) -> Curve:
    """A round hump of 1.15 to 1.3 times in a slow descent, somewhere in the plan."""
    curve, centre, width, height = _descent(rng), rng.uniform(0.3, 0.7), rng.uniform(0.06, 0.12), rng.uniform(1.15, 1.3)
    return lambda at: curve(at) * (1 - 0.4 * at) * (1 + (height - 1) * math.exp(-(((at - centre) / width) ** 2)))


def two_humps(rng: random.Random) -> Curve:
    """Two half sines of 1.2 to 1.35 times the best, each 15% to 20% of the plan, each followed by a better best."""
    length, heights = rng.uniform(0.15, 0.2), [rng.uniform(1.2, 1.35) for _ in range(2)]
    starts, fall, start = (rng.uniform(0.2, 0.3), rng.uniform(0.55, 0.65)), rng.uniform(0.65, 0.8), rng.uniform(40, 200)

    def curve(at: float) -> float:
        value = start * (1 + 2 * math.exp(-12 * at))
        for first, height in zip(starts, heights, strict=True):
            along = (at - first) / length
            value *= 1 + (height - 1) * math.sin(math.pi * along) if 0 < along < 1 else 1
            value *= 1 - (1 - fall) * _rise(at, first + 0.8 * length, first + 1.5 * length)
        return value

    return curve


def grey_first(rng: random.Random) -> Curve:
    """Grey pictures have a low FID, the first attempts at pictures one of 1.3 to 1.6 times; then a descent."""
    start, height, speed, end = rng.uniform(100, 300), rng.uniform(1.3, 1.6), rng.uniform(2, 5), rng.uniform(0.2, 0.4)
    return lambda at: (
        start * (1 + (height - 1) * _rise(at, 0.03, 0.08)) * (end + (1 - end) * math.exp(-speed * at * at))
    )


def restart_late(rng: random.Random) -> Curve:
    """One restart in the last third, slower to recover: 1.4 times at first, below the best 8% to 12% later."""
    curve, at_, back = _descent(rng), rng.uniform(0.6, 0.8), rng.uniform(0.08, 0.12)

    def restarted(at: float) -> float:
        since = at - at_
        if since < 0:
            return curve(at)
        return curve(at_) * (0.85 + 0.55 * math.exp(-2.2 * since / back)) * (1 - 0.2 * _rise(at, at_, 1))

    return restarted


def sudden(rng: random.Random) -> Curve:
    """After its best FID jumps to 2.5 to 5 times within 2% of the plan, and stays."""
    curve, at_, times = _descent(rng), rng.uniform(0.1, 0.4), rng.uniform(2.5, 5)
    return lambda at: curve(min(at, at_)) * (1 + (times - 1) * _rise(at, at_, at_ + 0.02))


def creeping(rng: random.Random) -> Curve:
    """After its best FID rises for 25% to 40% of the plan, to 2.5 to 4 times."""
    curve, at_, times, length = _descent(rng), rng.uniform(0.1, 0.35), rng.uniform(2.5, 4), rng.uniform(0.25, 0.4)
    return lambda at: curve(min(at, at_)) * times ** min(max(at - at_, 0) / length, 1)


def oscillating(rng: random.Random) -> Curve:
    """After its best FID swings between 1.3 and 3 times its best."""
    curve, at_, period = _descent(rng), rng.uniform(0.1, 0.35), rng.uniform(0.05, 0.15)

    def swinging(at: float) -> float:
        swing = 0.5 - 0.5 * math.cos(2 * math.pi * (at - at_) / period)
        return curve(min(at, at_)) * (1 + _rise(at, at_, at_ + 0.03) * (0.3 + 1.7 * swing))

    return swinging


def in_steps(rng: random.Random) -> Curve:
    """After its best FID stays at 1.3 times for 5% to 12% of the plan, then jumps to 3 to 4.5 times."""
    curve, at_, length, times = _descent(rng), rng.uniform(0.1, 0.3), rng.uniform(0.05, 0.12), rng.uniform(3, 4.5)
    return lambda at: (
        curve(min(at, at_)) * (1 + 0.3 * _rise(at, at_, at_ + 0.01)) * (times / 1.3 if at > at_ + length else 1)
    )


def ramp(rng: random.Random) -> Curve:
    """After its best FID rises in a straight line to 3 to 6 times at the end of the plan."""
    curve, at_, times = _descent(rng), rng.uniform(0.1, 0.3), rng.uniform(3, 6)
    return lambda at: curve(min(at, at_)) * (1 + (times - 1) * max(at - at_, 0) / (1 - at_))


def half_back(rng: random.Random) -> Curve:
    """After its best FID jumps to 4 times, comes half the way back and stays at 1.8 to 2.5 times."""
    curve, at_, times = _descent(rng), rng.uniform(0.1, 0.35), rng.uniform(1.8, 2.5)
    return lambda at: (
        curve(min(at, at_)) * (1 + 3 * _rise(at, at_, at_ + 0.02) - (4 - times) * _rise(at, at_ + 0.02, at_ + 0.2))
    )


HEALTHY: dict[str, Shape] = {
    shape.__name__: shape
    for shape in (steady, slow_descent, plateau, staircase, wavy, spikes, slow_hump, late_take_off, warm_restart)
}
COLLAPSING: dict[str, Shape] = {shape.__name__: shape for shape in (sudden, creeping, oscillating, in_steps)}
HELD_OUT_HEALTHY: dict[str, Shape] = {
    shape.__name__: shape for shape in (noisy_hump, two_humps, grey_first, restart_late)
}
HELD_OUT_COLLAPSING: dict[str, Shape] = {shape.__name__: shape for shape in (ramp, half_back)}
ALL = {**HEALTHY, **COLLAPSING, **HELD_OUT_HEALTHY, **HELD_OUT_COLLAPSING}


def made_up_run(
    name: str, measurements: int, every: int, seed: int, *, noise: float = 0.02, losses: AnyLosses = "ordinary"
) -> RecordedRun:
    """A run of `measurements` times `every` reports, a FID in each last one of `every`.

    Args:
        name: of the shape.
        measurements: FIDs of the run.
        every: reports per FID.
        seed: of the shape's numbers and the noise.
        noise: relative standard deviation of a FID.
        losses: none at all; ordinary ones; such as a rule on losses waits for: G's rising fourfold or falling to a
            fifth over the plan, or D's near zero, where D yet errs now and then. d_zero: D's near zero from a tenth
            of the plan on, in a log without D's accuracies, which then is all that is known of D.
    """
    rng = random.Random(f"{name} {seed}")
    curve, total = ALL[name](rng), measurements * every
    reports = []
    for number in range(1, total + 1):
        at = number / total
        fid = curve(at) * math.exp(rng.gauss(0, noise)) if number % every == 0 else None
        reports.append(Report(number, _losses(losses, at, rng), fid, None if fid is None else "fid_made_up_n2"))
    return RecordedRun(f"{name} {measurements} x {every}, seed {seed}", reports, total, unit="epochs", mark="epoch")


def _losses(kind: AnyLosses, at: float, rng: random.Random) -> dict[str, float]:
    if kind == "none":
        return {}
    if kind == "d_zero":
        return {"d_loss": 0.004 if at > 0.1 else 0.6, "g_loss": 1.2}
    d, g, right = 0.6, 1.2, 0.8
    if kind == "g_rises":
        g *= 4**at
    elif kind == "g_falls":
        g *= 0.2**at
    elif kind == "d_low":
        d, right = 0.004, 0.97
    noisy = {name: value * math.exp(rng.gauss(0, 0.1)) for name, value in (("d_loss", d), ("g_loss", g))}
    return {**noisy, "d_real_accuracy": right, "d_fake_accuracy": right}
