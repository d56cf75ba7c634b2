"""Hair of a drawn head: what falls behind the head, and what lies over the forehead.

The head is about 1.2 wide and 1.4 high around (0, 0); its skull is a disc around (0, 0.1).
"""

import math
from random import Random

from trainers.data.synthetic.pen import Colour, Pen, Point, bow, mirrored, shade

_WIDTH = 0.022


def draw_back_hair(pen: Pen, random: Random, colour: Colour) -> None:
    """One of eight cuts."""
    line, back = shade(colour, 0.5), shade(colour, 0.8)
    cut = random.choice(("long", "bob", "short", "spiky", "tails", "pony", "buns", "waves"))
    length = random.uniform(0.9, 1.25)
    if cut == "long":
        half = [(0.35, -length), (0.72, -length * 0.95), (0.78, -0.3), (0.74, 0.3), (0.45, 0.75), (0.0, 0.88)]
    elif cut == "bob":
        low = -length * 0.62
        half = [(0.4, low), (0.74, low - 0.04), (0.8, -0.2), (0.72, 0.35), (0.42, 0.76), (0.0, 0.88)]
    elif cut == "waves":
        half = [(0.3, -1.1), (0.8, -1.15), (0.72, -0.8), (0.9, -0.5), (0.76, -0.2)]
        half += [(0.86, 0.15), (0.72, 0.4), (0.44, 0.76), (0.0, 0.88)]
    else:
        half = [(0.3, -0.4), (0.6, -0.3), (0.7, 0.1), (0.62, 0.5), (0.38, 0.78), (0.0, 0.87)]
    if cut == "tails":
        high = random.uniform(0.1, 0.5)
        for side in (-1, 1):
            _draw_tail(pen, side, (0.62, high), length, back, line)
    elif cut == "pony":
        _draw_tail(pen, random.choice((-1, 1)), (0.5, 0.6), length * 0.9, back, line)
    elif cut == "buns":
        for side in (-1, 1):
            pen.oval((side * 0.56, 0.68), (0.27, 0.26), colour, line, _WIDTH)
            pen.stroke(bow((side * 0.46, 0.6), (side * 0.6, 0.62), (side * 0.66, 0.76)), 0.018, line)
    elif cut == "spiky":
        _draw_spikes(pen, random, colour, line)
    pen.shape(mirrored(half), back, line, _WIDTH)


def draw_front_hair(pen: Pen, random: Random, colour: Colour) -> None:
    """The cap on the skull, locks beside the cheeks, and one of five fringes."""
    line, light = shade(colour, 0.55), shade(colour, 1.45)
    side_length = random.choice((None, 0.1, -0.3, -0.65))
    if side_length is not None:
        for side in (-1, 1):
            tip = (side * random.uniform(0.5, 0.6), side_length)
            _draw_lock(pen, (side * 0.66, 0.3), tip, (side * 0.46, 0.32), colour, line)
    arc = [(0.68 * math.cos(a), 0.14 + 0.74 * math.sin(a)) for a in (math.pi * i / 16 for i in range(17))]
    brow = [(-0.62, 0.16), (-0.5, 0.36), (-0.3, 0.5), (0.0, 0.54), (0.3, 0.5), (0.5, 0.36), (0.62, 0.16)]
    fringe = random.choice(("blunt", "swept", "parted", "ragged", "middle"))
    pen.polygon([*arc, *brow], colour, line, _WIDTH)
    for lock in _fringe(random, fringe):
        _draw_lock(pen, *lock, colour, line)
    crown = [(0.655 * math.cos(a), 0.14 + 0.715 * math.sin(a)) for a in (math.pi * i / 16 for i in range(17))]
    pen.polygon([*crown, (-0.5, 0.4), (0.0, 0.585), (0.5, 0.4)], colour)  # hides where the locks begin
    if random.random() < 0.75:
        height = random.uniform(0.56, 0.64)
        for start, stop in ((-0.42, -0.14), (-0.06, 0.1), (0.2, 0.4)):
            ends = [(x, height - 0.35 * x * x) for x in (start, (start + stop) / 2, stop)]
            pen.stroke(ends, 0.045, light)


def _fringe(random: Random, fringe: str) -> list[tuple[Point, Point, Point]]:
    """Locks as (root, tip, root)."""
    count = {"blunt": 6, "swept": 4, "parted": 6, "ragged": 5, "middle": 2}[fringe]
    part = random.choice((-1, 1)) * random.uniform(0.1, 0.3)
    low = random.uniform(0.1, 0.2)
    locks = []
    for i in range(count):
        left, right = -0.58 + 1.16 * i / count, -0.58 + 1.16 * (i + 1) / count
        middle = (left + right) / 2
        if fringe == "blunt":
            tip = (middle, low + 0.02 * (i % 2))
        elif fringe == "ragged":
            tip = (middle + random.uniform(-0.1, 0.1), low + random.uniform(-0.12, 0.12))
        elif fringe == "swept":
            tip = (middle + math.copysign(0.22, part), low + 0.03)
        elif fringe == "parted":
            tip = (middle + math.copysign(0.16, middle - part), low + 0.1 - 0.25 * abs(middle))
        else:
            tip = (math.copysign(0.6, middle), low - 0.1)
        locks.append(((left - 0.02, _hairline(left)), tip, (right + 0.02, _hairline(right))))
    return locks


def _hairline(x: float) -> float:
    return 0.56 - 0.6 * x * x


def _draw_lock(pen: Pen, left: Point, tip: Point, right: Point, colour: Colour, line: Colour) -> None:
    sag = 0.35 * (left[1] - tip[1])
    near = (left[0] + 0.35 * (tip[0] - left[0]), tip[1] + sag)
    far = (right[0] + 0.25 * (tip[0] - right[0]), tip[1] + sag)
    pen.polygon([*bow(left, near, tip), *bow(tip, far, right)], colour, line, _WIDTH)


def _draw_tail(pen: Pen, side: int, root: Point, length: float, colour: Colour, line: Colour) -> None:
    x, y = root
    points = [(x - 0.08, y + 0.08), (x + 0.22, y + 0.18), (x + 0.42, y - 0.3), (x + 0.3, -length), (x + 0.12, y - 0.5)]
    pen.shape([(side * px, py) for px, py in points], colour, line, _WIDTH)
    pen.stroke([(side * (x + 0.2), y - 0.1), (side * (x + 0.26), y - 0.5)], 0.018, line)


def _draw_spikes(pen: Pen, random: Random, colour: Colour, line: Colour) -> None:
    for i in range(9):
        angle = math.radians(-22 + 28 * i + random.uniform(-7, 7))
        reach = random.uniform(0.92, 1.12)
        left, tip, right = (
            (r * math.cos(a), 0.1 + r * math.sin(a))
            for r, a in ((0.6, angle + 0.4), (reach, angle + 0.12), (0.6, angle - 0.4))
        )
        near, far = ((0.86 * math.cos(a), 0.1 + 0.86 * math.sin(a)) for a in (angle + 0.26, angle - 0.06))
        pen.polygon([*bow(left, near, tip), *bow(tip, far, right)], colour, line, _WIDTH)
