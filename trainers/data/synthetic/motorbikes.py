"""Motorbikes in side view, out of discs, strokes and smooth shapes."""

import math
from collections.abc import Sequence
from pathlib import Path
from random import Random

from PIL import Image

from trainers.data.synthetic.kind import Kind, save_mixed
from trainers.data.synthetic.pen import SUPERSAMPLING, Colour, Pen, Point, canvas, shade

_PAINTS: Sequence[Colour] = (
    (205, 24, 32),
    (24, 70, 190),
    (20, 130, 70),
    (245, 185, 20),
    (235, 105, 20),
    (245, 245, 245),
    (35, 35, 42),
    (120, 30, 140),
    (20, 150, 170),
)
_GROUNDS: Sequence[Colour] = (
    (250, 250, 250),
    (232, 236, 240),
    (208, 218, 208),
    (232, 222, 202),
    (192, 212, 232),
    (218, 204, 206),
)
_TYRE, _DARK, _STEEL, _CHROME = (26, 26, 28), (44, 44, 48), (112, 116, 124), (196, 200, 206)


def draw_motorbike(random: Random) -> Image.Image:
    """One motorbike in side view on plain ground; nine in ten face right.

    Args:
        random: decides everything, so equal states give equal images.

    Returns:
        RGB, 140 to 360 pixels wide and 0.6 to 1 times as high.
    """
    width = random.randint(140, 360)
    height = int(width * random.uniform(0.6, 1.0))
    wall = random.choice(_GROUNDS)
    image = canvas(width, height, wall)
    pen = _pen(image, random)
    _draw_ground(pen, random, wall)
    _draw_bike(pen, random)
    image = image.reduce(SUPERSAMPLING)
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if random.random() < 0.1 else image


def _pen(image: Image.Image, random: Random) -> Pen:
    """In bike units: x from the rear axle (0) to the front axle (1), y upwards from the ground (0)."""
    # A bike is about 1.65 long and 1.2 high.
    unit = min(image.width / 1.65, image.height / 1.2) * random.uniform(0.88, 0.98)
    x0 = image.width / 2 + random.uniform(-0.02, 0.02) * image.width
    y0 = image.height / 2 + random.uniform(-0.02, 0.02) * image.height
    return Pen(image, unit, (x0, y0), centre=(0.5, 0.54), tilt=math.radians(random.gauss(0, 1.2)))


def _draw_ground(pen: Pen, random: Random, wall: Colour) -> None:
    floor = shade(wall, random.uniform(0.86, 0.98))
    horizon = pen.at((0.5, random.uniform(0.05, 0.3)))[1]
    pen.draw.rectangle((0, horizon, *pen.image.size), fill=floor)
    x, y = pen.at((0.5, 0))
    rx, ry = pen.unit * 0.78, pen.unit * random.uniform(0.02, 0.05)
    pen.draw.ellipse((x - rx, y - ry, x + rx, y + ry), fill=shade(floor, 0.72))


def _draw_bike(pen: Pen, random: Random) -> None:
    paint = random.choice(_PAINTS)
    frame = random.choice((_DARK, _STEEL, shade(paint, 0.6)))
    wheel = random.uniform(0.25, 0.33)
    rear, front = (0.0, wheel), (1.0, wheel * random.uniform(0.96, 1.06))
    seat_y = wheel + random.uniform(0.28, 0.4)
    head = (random.uniform(0.76, 0.82), seat_y + random.uniform(0.12, 0.2))
    pivot = (0.36, wheel + 0.04)
    rim = random.choice((_CHROME, _STEEL, paint))
    for axle, radius in ((rear, wheel), (front, front[1])):
        _draw_wheel(pen, random, axle, radius, rim)

    pen.stroke([rear, pivot], 0.055, frame)  # swingarm
    pen.stroke([pivot, (0.3, seat_y - 0.06), head, (0.62, wheel + 0.02), pivot], 0.04, frame)
    _draw_engine(pen, wheel)
    grip = (head[0] - random.uniform(0.06, 0.14), head[1] + random.uniform(0.06, 0.16))
    crown = (head[0] + 0.005, head[1] + 0.05)
    pen.stroke([front, crown], 0.05, _CHROME)  # fork
    pen.stroke([crown, (grip[0] + 0.05, grip[1]), grip], 0.03, _DARK)  # handlebar

    exhaust_y = wheel * random.uniform(0.75, 1.0)
    pen.stroke([(0.6, wheel), (0.52, wheel - 0.12), (0.3, exhaust_y - 0.05)], 0.035, _CHROME)
    pen.stroke([(0.28, exhaust_y - 0.04), (random.uniform(-0.16, -0.02), exhaust_y + 0.06)], 0.075, _CHROME)

    tail = (random.uniform(-0.16, -0.05), seat_y + random.uniform(0.0, 0.1))
    pen.shape([(0.42, seat_y - 0.09), (0.15, seat_y - 0.08), tail, (0.15, seat_y + 0.02), (0.4, seat_y)], paint)
    pen.shape([(0.47, seat_y - 0.03), (0.2, seat_y), tail, (0.14, seat_y + 0.07), (0.44, seat_y + 0.05)], _DARK)
    pen.disc((tail[0] - 0.005, tail[1] - 0.02), 0.025, (210, 20, 20))
    _draw_tank(pen, random, paint, seat_y, head)
    pen.shape(_arc(front, front[1] + 0.02, 55, 150), paint)  # mudguard
    if random.random() < 0.4:
        _draw_fairing(pen, random, paint, wheel, head)
    lamp = (head[0] + 0.08, head[1] + 0.01)
    pen.disc(lamp, 0.062, _DARK)
    pen.disc((lamp[0] + 0.015, lamp[1]), 0.045, (250, 240, 190))
    if random.random() < 0.5:
        mirror = (grip[0] + 0.07, grip[1] + 0.1)
        pen.stroke([grip, mirror], 0.014, _DARK)
        pen.disc(mirror, 0.028, _DARK)


def _draw_wheel(pen: Pen, random: Random, axle: Point, radius: float, rim: Colour) -> None:
    tyre = radius * random.uniform(0.2, 0.27)
    pen.ring(axle, radius, tyre, _TYRE)
    pen.ring(axle, radius - tyre, 0.022, rim)
    spokes = random.choice((5, 6, 10))
    turn = random.random()
    for i in range(spokes):
        angle = math.tau * (i + turn) / spokes
        end = (axle[0] + (radius - tyre) * math.cos(angle), axle[1] + (radius - tyre) * math.sin(angle))
        pen.stroke([axle, end], 0.12 / spokes, rim)
    pen.ring(axle, radius * 0.42, 0.02, _STEEL)  # brake disc
    pen.disc(axle, 0.045, _DARK)


def _draw_engine(pen: Pen, wheel: float) -> None:
    pen.shape(
        [(0.36, wheel - 0.12), (0.64, wheel - 0.13), (0.68, wheel + 0.05), (0.5, wheel + 0.12), (0.36, wheel + 0.06)],
        _STEEL,
    )
    pen.shape([(0.46, wheel + 0.05), (0.6, wheel + 0.02), (0.68, wheel + 0.22), (0.52, wheel + 0.25)], _STEEL)
    for i in range(4):
        x, y = 0.49 + 0.018 * i, wheel + 0.09 + 0.045 * i
        pen.stroke([(x, y), (x + 0.13, y - 0.03)], 0.014, _DARK)  # cooling fins
    pen.disc((0.45, wheel - 0.02), 0.07, _CHROME)
    pen.disc((0.45, wheel - 0.02), 0.045, _STEEL)


def _draw_tank(pen: Pen, random: Random, paint: Colour, seat_y: float, head: Point) -> None:
    top = head[1] + random.uniform(0.02, 0.1)
    tank = [(0.43, seat_y - 0.04), (0.62, seat_y - 0.06), (head[0], head[1] - 0.03), (head[0] - 0.04, top)]
    pen.shape([*tank, (0.58, top), (0.44, seat_y + 0.06)], paint)
    pen.stroke([(0.52, top - 0.06), (0.6, top - 0.035), (head[0] - 0.08, top - 0.04)], 0.022, shade(paint, 1.45))
    pen.stroke([(0.5, seat_y - 0.03), (0.64, seat_y - 0.035)], 0.02, shade(paint, 0.65))


def _draw_fairing(pen: Pen, random: Random, paint: Colour, wheel: float, head: Point) -> None:
    nose = (head[0] + 0.17, head[1] + 0.0)
    pen.shape([(head[0] + 0.02, head[1] + 0.14), (head[0] - 0.02, head[1] + 0.04), nose], (150, 175, 195))  # screen
    low = wheel - random.uniform(-0.08, 0.1)
    pen.shape(
        [
            nose,
            (head[0], head[1] + 0.07),
            (head[0] - 0.1, head[1] - 0.04),
            (0.56, low + 0.1),
            (0.6, low),
            (0.7, low + 0.08),
            (head[0] + 0.06, head[1] - 0.13),
        ],
        paint,
    )
    pen.stroke([(head[0] + 0.08, head[1] - 0.03), (0.64, low + 0.12)], 0.03, shade(paint, 1.5))


def _arc(centre: Point, radius: float, start: float, stop: float) -> list[Point]:
    """A crescent between two angles, degrees counter-clockwise from ahead."""
    angles = [math.radians(start + (stop - start) * i / 6) for i in range(7)]
    outer = [(centre[0] + (radius + 0.02) * math.cos(a), centre[1] + (radius + 0.02) * math.sin(a)) for a in angles]
    inner = [(centre[0] + (radius - 0.02) * math.cos(a), centre[1] + (radius - 0.02) * math.sin(a)) for a in angles]
    return outer + inner[::-1]


def _save(folder: Path, index: int, random: Random) -> None:
    save_mixed(folder, "bike", index, draw_motorbike(random))


MOTORBIKES = Kind(version=1, save=_save, sample=draw_motorbike, folders=("more",))
