"""Fronts of cars, seen head-on in a street."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from PIL import Image

from trainers.data.synthetic.kind import Kind, save_mixed
from trainers.data.synthetic.pen import SUPERSAMPLING, Colour, Pen, Point, bow, canvas, jitter, mirrored, shade
from trainers.data.synthetic.street import draw_street

_PAINTS: Sequence[Colour] = (
    (200, 26, 34),
    (28, 74, 180),
    (236, 236, 240),
    (42, 44, 50),
    (164, 170, 178),
    (244, 190, 30),
    (30, 110, 70),
    (232, 110, 34),
    (110, 190, 214),
    (112, 34, 52),
)
_TYRE, _DARK, _STEEL, _CHROME = (28, 28, 30), (34, 36, 40), (120, 124, 130), (204, 208, 214)
_LAMP = (252, 248, 220)


@dataclass(frozen=True)
class _Build:
    """Heights above the ground and half widths, in half car widths."""

    roof: float
    roof_width: float
    bonnet: float
    shoulder: float
    clearance: float


_BUILDS: Sequence[_Build] = (
    _Build(roof=1.5, roof_width=0.66, bonnet=0.86, shoulder=0.98, clearance=0.2),  # saloon
    _Build(roof=1.6, roof_width=0.7, bonnet=0.92, shoulder=1.04, clearance=0.22),  # hatchback
    _Build(roof=1.22, roof_width=0.56, bonnet=0.66, shoulder=0.76, clearance=0.14),  # sports car
    _Build(roof=1.78, roof_width=0.78, bonnet=1.08, shoulder=1.18, clearance=0.34),  # off-roader
    _Build(roof=1.95, roof_width=0.86, bonnet=0.98, shoulder=1.08, clearance=0.24),  # van
    _Build(roof=1.52, roof_width=0.58, bonnet=0.9, shoulder=0.9, clearance=0.22),  # old-timer
)


def draw_car(random: Random) -> Image.Image:
    """One car from the front, in the middle of a street.

    Args:
        random: decides everything, so equal states give equal images.

    Returns:
        RGB, 110 to 300 pixels wide and 0.75 to 1 times as high.
    """
    width = random.randint(110, 300)
    height = int(width * random.uniform(0.75, 1.0))
    image = canvas(width, height, _CHROME)
    unit = min(image.width / 2.6, image.height / 2.15) * random.uniform(0.86, 1.06)
    origin = (image.width * random.uniform(0.46, 0.54), image.height * random.uniform(0.48, 0.54))
    pen = Pen(image, unit, origin, centre=(0.0, 0.85), tilt=math.radians(random.gauss(0, 0.8)))
    build = random.choice(_BUILDS)
    paint = jitter(random, random.choice(_PAINTS), 12)
    draw_street(pen, random)
    _draw_wheels(pen, random, build)
    _draw_cabin(pen, random, build, paint)
    _draw_front(pen, random, build, paint)
    return image.reduce(SUPERSAMPLING)


def _draw_wheels(pen: Pen, random: Random, build: _Build) -> None:
    wide = random.uniform(0.2, 0.28)
    for side in (-1, 1):
        outer, inner = side * 0.94, side * (0.94 - wide)
        pen.shape([(outer, 0.02), (outer, 0.5), (inner, 0.5), (inner, 0.02)], _TYRE)
        for y in (0.06, 0.14, 0.22):
            pen.stroke([(outer - side * 0.04, y), (inner + side * 0.04, y)], 0.018, (60, 60, 64))
    low = build.clearance - 0.06
    pen.polygon([(-0.8, low), (0.8, low), (0.8, 0.5), (-0.8, 0.5)], _DARK)


def _draw_cabin(pen: Pen, random: Random, build: _Build, paint: Colour) -> None:
    dark = shade(paint, 0.45)
    for side in (-1, 1):  # mirrors
        mirror = (side * (build.roof_width + 0.42), build.shoulder + 0.1)
        pen.stroke([(side * 0.8, build.shoulder), mirror], 0.05, _DARK)
        pen.oval(mirror, (0.12, 0.075), paint, dark, 0.02)
    top, base = build.roof_width, 0.92
    if random.random() < 0.15:  # roof rack, or a taxi's sign
        pen.polygon(
            mirrored([(0.0, build.roof), (0.22, build.roof), (0.2, build.roof + 0.13), (0.0, build.roof + 0.13)]),
            (250, 214, 60),
        )
    half: list[Point] = [(base, build.bonnet), (base - 0.04, build.shoulder), (top, build.roof - 0.1)]
    pen.polygon(
        mirrored(
            [
                (0.0, build.bonnet),
                *half,
                *bow((top, build.roof - 0.1), (top - 0.04, build.roof), (top - 0.2, build.roof + 0.01)),
            ]
        ),
        paint,
        dark,
        0.022,
    )
    glass = random.choice(((58, 78, 96), (84, 110, 130), (44, 54, 66), (130, 158, 176)))
    low, high = build.bonnet + 0.05, build.roof - 0.12
    window = mirrored([(0.0, low), (base - 0.16, low), (top - 0.08, high), (0.0, high + 0.03)])
    pen.polygon(window, glass, _DARK, 0.025)
    for x in (-0.34, 0.3):  # head rests, or people
        pen.oval((x, low + 0.2), (0.13, 0.15), shade(glass, 0.6))
    x, lean = random.uniform(-0.3, 0.1), (high - low) * 0.5
    pen.polygon(
        [(x, low + 0.04), (x + 0.14, low + 0.04), (x + 0.14 + lean, high - 0.03), (x + lean, high - 0.03)],
        shade(glass, 1.25),
    )
    for x in (-0.5, 0.12):  # wipers
        pen.stroke([(x, low), (x + 0.36, low + 0.07)], 0.02, _DARK)


def _draw_front(pen: Pen, random: Random, build: _Build, paint: Colour) -> None:
    low, bonnet, dark = build.clearance, build.bonnet, shade(paint, 0.45)
    round_off = random.uniform(0.05, 0.12)
    half = [(0.0, low), (0.84, low), (0.97, low + 0.1), (1.0, bonnet - 0.28), (0.97 - round_off, bonnet - 0.02)]
    pen.polygon(mirrored([*half, *bow(half[-1], (0.7, bonnet + 0.12), (0.0, bonnet + 0.14))]), paint, dark, 0.022)
    pen.polygon(
        mirrored([(0.0, bonnet - 0.1), (0.62, bonnet - 0.1), (0.74, bonnet + 0.05), (0.0, bonnet + 0.12)]),
        shade(paint, 1.2),
    )
    for side in (-1, 1):  # creases of the bonnet
        pen.stroke([(side * 0.42, bonnet - 0.1), (side * 0.52, bonnet + 0.07)], 0.02, shade(paint, 0.7))
    if random.random() < 0.1:  # racing stripes
        for x in (-0.14, 0.14):
            stripe = [
                (x - 0.07, bonnet - 0.1),
                (x + 0.07, bonnet - 0.1),
                (x + 0.06, bonnet + 0.12),
                (x - 0.06, bonnet + 0.12),
            ]
            pen.polygon(stripe, (245, 245, 245) if sum(paint) < 560 else _DARK)
    middle = (low + bonnet) / 2 + random.uniform(0.04, 0.1)
    wide = random.uniform(0.32, 0.5)
    _draw_grille(pen, random, (0.0, middle), wide, random.uniform(0.09, 0.16))
    _draw_lamps(pen, random, middle + 0.03, wide)
    bumper = shade(paint, 0.75) if random.random() < 0.6 else random.choice((_CHROME, _DARK))
    pen.polygon(
        mirrored([(0.0, low + 0.05), (0.9, low + 0.05), (0.96, low + 0.17), (0.0, low + 0.17)]), bumper, dark, 0.018
    )
    plate = random.choice(((248, 248, 244), (248, 248, 244), (250, 214, 60)))
    high = low + random.uniform(0.04, 0.09)
    pen.polygon([(-0.25, high), (0.25, high), (0.25, high + 0.13), (-0.25, high + 0.13)], plate, _DARK, 0.018)
    for i in range(6):
        x = -0.18 + 0.07 * i
        pen.stroke([(x, high + 0.04), (x, high + 0.09)], 0.026, _DARK)


def _draw_grille(pen: Pen, random: Random, centre: Point, wide: float, high: float) -> None:
    y = centre[1]
    style = random.choice(("bars", "slats", "kidneys", "mesh", "smile"))
    if style == "kidneys":
        for side in (-1, 1):
            pen.oval((side * 0.16, y), (0.15, high + 0.02), _DARK, _CHROME, 0.035)
        return
    bottom = 0.6 if style == "smile" else 0.9
    half = [(0.0, y - high), (wide * bottom, y - high), (wide, y + high * 0.6), (wide * 0.9, y + high), (0.0, y + high)]
    frame = random.choice((_CHROME, _DARK, _STEEL))
    pen.polygon(mirrored(half), _DARK, frame, 0.03)
    for i in range(-3, 4):
        if style in ("bars", "mesh"):
            x = wide * 0.24 * i
            pen.stroke([(x, y - high * 0.8), (x, y + high * 0.8)], 0.018, _STEEL)
        if style in ("slats", "mesh") and abs(i) < 3:
            pen.stroke([(-wide * 0.8, y + high * 0.3 * i), (wide * 0.8, y + high * 0.3 * i)], 0.02, _CHROME)
    pen.disc((0.0, y + high * 0.3), 0.05, _CHROME)
    pen.disc((0.0, y + high * 0.3), 0.03, random.choice((_DARK, (40, 80, 170), (190, 40, 40))))


def _draw_lamps(pen: Pen, random: Random, y: float, wide: float) -> None:
    style = random.choice(("round", "slanted", "box", "slit", "twin"))
    x = (wide + 0.06 + 0.95) / 2
    reach = (0.95 - wide - 0.06) / 2
    fog = random.random() < 0.5
    for side in (-1, 1):
        if style == "round":
            pen.disc((side * x, y), 0.17, _CHROME)
            pen.disc((side * x, y), 0.135, _LAMP)
            pen.disc((side * x - 0.03, y + 0.04), 0.05, (255, 255, 255))
        elif style == "twin":
            for shift in (-0.48, 0.48):
                pen.disc((side * (x + reach * shift), y), reach * 0.52, _CHROME)
                pen.disc((side * (x + reach * shift), y), reach * 0.4, _LAMP)
        else:
            high = 0.07 if style == "slit" else 0.11
            rise = {"box": 0.0, "slanted": 0.07, "slit": 0.06}[style]
            inner, outer = side * (x - reach), side * (x + reach)
            lamp = [
                (inner, y - high),
                (outer, y - high + rise),
                (outer, y + high + rise),
                (inner, y + high - rise * 0.6),
            ]
            pen.polygon(lamp, _LAMP, _DARK, 0.025)
            pen.disc((side * x, y + rise * 0.4), high * 0.62, (255, 255, 255))
            pen.stroke([(outer - side * 0.03, y - high + rise), (outer - side * 0.03, y + high)], 0.045, (240, 150, 40))
        if fog:
            pen.disc((side * 0.7, y - 0.32), 0.055, _CHROME)


def _save(folder: Path, index: int, random: Random) -> None:
    save_mixed(folder, "car", index, draw_car(random))


CARS = Kind(version=1, save=_save, sample=draw_car, folders=("more",))
