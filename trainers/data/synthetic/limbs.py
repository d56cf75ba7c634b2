"""What sticks out of a sprite's body: ears and horns, tails, wings."""

import math
from random import Random

from trainers.data.synthetic.pen import Colour, Pen, Point, bow, shade

_LINE = 0.05


def draw_ears(
    pen: Pen, random: Random, head: tuple[float, float, float], coat: Colour, other: Colour, line: Colour
) -> None:
    """Ears, horns, feelers, a crest, a leaf, or nothing."""
    y, wide, high = head
    style = random.choice(("pointed", "pointed", "round", "long", "horns", "feelers", "crest", "leaf", "flaps", "none"))
    room = 0.94 - y - high  # up to the top of the picture
    if style == "crest":
        for i in range(-2, 3):
            angle = 0.36 * i
            tip = (math.sin(angle) * wide * 1.25, y + math.cos(angle) * (high + room * 0.7))
            roots = [(math.sin(angle + d) * wide * 0.85, y + math.cos(angle + d) * high * 0.85) for d in (-0.3, 0.3)]
            pen.polygon([roots[0], tip, roots[1]], other, line, _LINE)
        return
    if style == "leaf":
        green, top = (96, 176, 80), y + high
        pen.stroke([(0, top - 0.1), (0.02, top + room * 0.4)], 0.06, shade(green, 0.6))
        for side in (-1, 1):
            leaf = [(0.02, top + room * 0.3), (side * 0.2, top + room * 0.85), (side * 0.46, top + room * 0.6)]
            pen.shape([*leaf, (side * 0.24, top + room * 0.25)], green, shade(green, 0.35), _LINE)
        return
    reach = random.uniform(0.7, 1.0)
    for side in (-1, 1):
        if style == "pointed":
            top = y + high + room * reach
            pen.polygon([(side * x, py) for x, py in _ear(wide, y, high, top, 1.0)], coat, line, _LINE)
            pen.polygon([(side * x, py) for x, py in _ear(wide, y, high, top, 0.55)], other)
        elif style == "round":
            pen.oval((side * wide * 0.7, y + high * 0.85), (0.2, 0.2), coat, line, _LINE)
            pen.oval((side * wide * 0.7, y + high * 0.87), (0.11, 0.11), other)
        elif style == "long":
            tall = (room + high * 0.4) / 2
            pen.oval((side * wide * 0.5, y + high * 0.7 + tall * 0.9), (0.14, tall), coat, line, _LINE, -side * 0.2)
            pen.oval((side * wide * 0.5, y + high * 0.7 + tall * 0.9), (0.07, tall * 0.7), other, turn=-side * 0.2)
        elif style == "horns":
            outer = bow(
                (side * wide * 0.75, y + high * 0.6), (side * wide * 1.3, y + high), (side * 0.5, y + high + room)
            )
            inner = bow(
                (side * 0.5, y + high + room), (side * wide * 0.9, y + high), (side * wide * 0.4, y + high * 0.85)
            )
            pen.polygon([*outer, *inner], (244, 236, 210), line, _LINE)
        elif style == "feelers":
            top = y + high + room * 0.75
            pen.stroke(bow((side * 0.1, y + high * 0.9), (side * 0.14, top), (side * 0.4, top)), 0.06, line)
            pen.oval((side * 0.42, top), (0.1, 0.1), other, line, 0.04)
        elif style == "flaps":
            pen.oval((side * wide * 0.98, y - 0.02), (0.16, high * 0.72), other, line, _LINE, side * 0.35)


def _ear(wide: float, y: float, high: float, top: float, size: float) -> list[Point]:
    """A triangle around the middle of an ear, of that part of its size."""
    corners = [(wide * 0.2, y + high * 0.8), (wide * 0.85, top), (wide * 0.95, y + high * 0.3)]
    middle = (sum(x for x, _ in corners) / 3, sum(py for _, py in corners) / 3)
    return [(middle[0] + size * (x - middle[0]), middle[1] + size * (py - middle[1])) for x, py in corners]


def draw_tail(pen: Pen, random: Random, y: float, coat: Colour, other: Colour, line: Colour) -> None:
    """Beside the body, on the left or on the right."""
    side = random.choice((-1, 1))
    style = random.choice(("bolt", "bush", "flame", "curl", "leaf"))
    if style == "bolt":
        bolt = [(0.3, y - 0.1), (0.62, y + 0.02), (0.54, y + 0.16), (0.92, y + 0.5), (0.9, y + 0.12)]
        points = [*bolt, (0.72, y + 0.0), (0.8, y - 0.14), (0.36, y - 0.26)]
        pen.polygon([(side * x, py) for x, py in points], other, line, _LINE)
    elif style == "bush":
        pen.oval((side * 0.66, y + 0.06), (0.34, 0.22), coat, line, _LINE, side * 0.7)
        pen.oval((side * 0.8, y + 0.2), (0.15, 0.13), other, turn=side * 0.7)
    elif style in ("flame", "leaf"):
        pen.stroke(bow((side * 0.3, y - 0.2), (side * 0.7, y - 0.2), (side * 0.72, y + 0.1)), 0.15, line)
        pen.stroke(bow((side * 0.3, y - 0.2), (side * 0.7, y - 0.2), (side * 0.72, y + 0.1)), 0.08, coat)
        tip = (240, 100, 40) if style == "flame" else (96, 176, 80)
        for size, colour in ((1.0, tip), (0.5, shade(tip, 1.55))):
            points = [(0.0, -0.06), (0.17, 0.12), (0.02, 0.5), (-0.17, 0.12)]
            blob = [(side * 0.72 + x * size, y + 0.1 + py * size) for x, py in points]
            pen.shape(blob, colour, line if size == 1.0 else None, _LINE)
    else:
        points = [(0.3, y - 0.22), (0.72, y - 0.24), (0.84, y + 0.04), (0.68, y + 0.2), (0.58, y + 0.04)]
        path = [(side * x, py) for x, py in points]
        pen.stroke(path, 0.17, line)
        pen.stroke(path, 0.09, coat)


def draw_wings(pen: Pen, random: Random, y: float, colour: Colour, line: Colour) -> None:
    """Of a bat, or of a bird."""
    bat = random.random() < 0.5
    for side in (-1, 1):
        if bat:
            points = [
                (0.2, y + 0.1),
                (0.6, y + 0.7),
                (0.95, y + 0.6),
                (0.92, y + 0.1),
                (0.74, y + 0.2),
                (0.56, y - 0.02),
            ]
            pen.polygon([(side * x, py) for x, py in points], colour, line, _LINE)
        else:
            for i in range(3):
                tip = (side * 0.66, y + 0.34 - 0.17 * i)
                pen.oval(tip, (0.32 - 0.04 * i, 0.12), colour, line, _LINE, side * (0.6 - 0.25 * i))
