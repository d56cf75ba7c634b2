"""Portraits in the manner of woodblock prints: flat muted colours, dark lines, paper."""

import math
from random import Random

from PIL import Image, ImageChops

from trainers.data.synthetic.pen import SUPERSAMPLING, Colour, Pen, Point, bow, canvas, fade, jitter, mirrored, shade

_PAPER, _CREAM, _INK = (226, 208, 168), (236, 222, 190), (40, 34, 38)
_INDIGO, _SLATE, _VERMILION = (42, 62, 108), (112, 136, 152), (190, 70, 48)
_OCHRE, _MOSS, _ROSE, _STONE = (196, 150, 74), (104, 116, 78), (200, 140, 118), (150, 144, 130)
_CLOTHS = (_INDIGO, _SLATE, _VERMILION, _OCHRE, _MOSS, _ROSE, _STONE)
_LINE = 0.026


def draw_print(random: Random) -> Image.Image:
    """One portrait before a landscape.

    Args:
        random: decides everything, so equal states give equal images.

    Returns:
        RGB, 96 to 160 pixels wide and 0.95 to 1.1 times as high.
    """
    width = random.randint(96, 160)
    height = int(width * random.uniform(0.95, 1.1))
    image = canvas(width, height, jitter(random, _PAPER, 8))
    unit = min(image.size) / 2 * random.uniform(0.92, 1.1)
    origin = (image.width * random.uniform(0.46, 0.54), image.height * random.uniform(0.48, 0.54))
    _draw_landscape(Pen(image, min(image.size) / 2, (image.width / 2, image.height / 2)), random)
    pen = Pen(image, unit, origin, tilt=math.radians(random.gauss(0, 4)))
    face = jitter(random, random.choice((_CREAM, _CREAM, (222, 190, 152))), 6)
    side = random.choice((-1, 1))  # three-quarter view, to the left or to the right
    _draw_kimono(pen, random, face)
    woman = random.random() < 0.6
    (_draw_knot if woman else _draw_topknot)(pen, random, side)
    _draw_head(pen, random, face, side, woman)
    _draw_seal(Pen(image, min(image.size) / 2, (image.width / 2, image.height / 2)), random)
    return _printed(image.reduce(SUPERSAMPLING), random)


def _draw_landscape(pen: Pen, random: Random) -> None:
    width, height = pen.image.size
    sky = random.choice((_INDIGO, _SLATE, _ROSE, _OCHRE, _STONE))
    if random.random() < 0.8:
        fade(pen.image, sky, _PAPER, (0, 0, width, int(height * random.uniform(0.35, 0.8))))
    if random.random() < 0.45:
        pen.disc((random.choice((-1, 1)) * random.uniform(0.4, 0.7), random.uniform(0.4, 0.7)), 0.3, _VERMILION)
    if random.random() < 0.4:
        _draw_mountain(pen, random)
    if random.random() < 0.35:
        for _ in range(3):
            x, y = random.uniform(-1, 0.5), random.uniform(-0.2, 0.9)
            pen.stroke([(x, y), (x + random.uniform(0.4, 0.8), y)], 0.09, _CREAM)
    if random.random() < 0.45:
        _draw_waves(pen, random)


def _draw_mountain(pen: Pen, random: Random) -> None:
    x, top, foot = random.uniform(-0.6, 0.6), random.uniform(0.5, 0.85), -0.6
    colour = random.choice((_INDIGO, _SLATE, _MOSS, _VERMILION))
    left = bow((x - 1.6, foot), (x - 0.5, 0.1), (x - 0.12, top))
    right = bow((x + 0.12, top), (x + 0.5, 0.1), (x + 1.6, foot))
    pen.polygon([*left, *right], colour, _INK, _LINE)
    snow = [left[-2], left[-1], right[0], right[1]]
    zigzag = [(x + 0.14, top - 0.22), (x + 0.05, top - 0.36), (x - 0.06, top - 0.2), (x - 0.14, top - 0.34)]
    pen.polygon([*snow, *zigzag], _CREAM, _INK, _LINE)


def _draw_waves(pen: Pen, random: Random) -> None:
    step = random.uniform(0.36, 0.5)
    for row in range(3):
        y = -0.35 - 0.3 * row
        for i in range(8):
            centre = (-1.5 + step * (i + 0.5 * (row % 2)), y)
            for radius, colour in ((0.5, _CREAM), (0.42, _INDIGO), (0.3, _CREAM), (0.22, _SLATE)):
                pen.disc(centre, radius * step * 1.25, colour)


def _draw_kimono(pen: Pen, random: Random, skin: Colour) -> None:
    cloth, lining = random.sample(_CLOTHS, 2)
    pen.shape(mirrored([(0.4, -1.6), (1.15, -1.5), (0.98, -0.98), (0.4, -0.72), (0.0, -0.7)]), cloth, _INK, _LINE)
    mark = random.choice((shade(cloth, 0.7), shade(cloth, 1.5), _CREAM))
    pattern = random.choice(("plain", "stripes", "dots", "checks"))
    for i in range(-4, 5):
        x = i * 0.22
        if pattern == "stripes":
            pen.stroke([(x, -0.86 - 0.25 * abs(x)), (x * 1.2, -1.5)], 0.05, mark)
        elif pattern in ("dots", "checks"):
            for y in (-1.0, -1.2, -1.4):
                spot = (x + 0.11 * (round(y * 5) % 2), y - 0.1 * abs(x))
                if pattern == "dots":
                    pen.disc(spot, 0.05, mark)
                else:
                    pen.oval(spot, (0.1, 0.1), mark)
    pen.polygon(mirrored([(0.0, -1.15), (0.2, -0.8), (0.17, -0.4)]), skin, _INK, _LINE)
    for side in (-1, 1):  # the left side lies over the right
        for inner, colour in ((0.0, _CREAM), (0.1, lining)):
            edge = [(side * (0.17 + inner), -0.62), (side * (0.33 + inner), -0.66)]
            pen.polygon([*edge, (-side * (0.05 - inner), -1.5), (-side * (0.25 - inner), -1.4)], colour, _INK, _LINE)


def _draw_knot(pen: Pen, random: Random, side: int) -> None:
    """A woman's hair: wings at the sides, a knot on top, combs and pins."""
    wing, high = random.uniform(0.62, 0.76), random.uniform(0.86, 1.0)
    pen.oval((-side * 0.12, high), (random.uniform(0.24, 0.34), 0.2), _INK, shade(_INK, 1.3), _LINE)
    half = [(0.0, -0.3), (0.42, -0.42), (wing, -0.05), (wing * 0.95, 0.3), (0.46, 0.66), (0.0, 0.84)]
    pen.shape(mirrored(half), _INK, shade(_INK, 1.3), _LINE)
    gold = random.choice((_OCHRE, _VERMILION, _CREAM))
    for i in range(random.randint(0, 3)):
        y = 0.62 + 0.1 * i
        pen.stroke([(side * 0.35, y), (side * (0.86 - 0.1 * i), y + 0.14 + 0.06 * i)], 0.04, gold)
        pen.disc((side * (0.86 - 0.1 * i), y + 0.14 + 0.06 * i), 0.055, gold)
    if random.random() < 0.7:
        pen.polygon([*bow((-0.26, 0.7), (-0.02, 0.98), (0.26, 0.7)), (0.2, 0.66), (-0.2, 0.66)], gold, _INK, _LINE)


def _draw_topknot(pen: Pen, random: Random, side: int) -> None:
    """A man's hair: a shaved crown, and a tail folded over it."""
    half = [(0.0, -0.2), (0.45, -0.25), (0.56, 0.1), (0.5, 0.45), (0.3, 0.66), (0.0, 0.72)]
    pen.shape(mirrored(half), _INK)
    pen.shape(mirrored([(0.0, 0.3), (0.3, 0.4), (0.24, 0.64), (0.0, 0.72)]), (134, 146, 148), _INK, _LINE)
    lean = random.uniform(0.1, 0.3)
    tail = [(-side * 0.24, 0.62), (-side * 0.3, 0.8), (0.0, 0.92), (side * lean, 0.84), (side * lean, 0.72)]
    pen.shape(tail, _INK, shade(_INK, 1.3), _LINE)
    pen.stroke([(-side * 0.2, 0.68), (-side * 0.16, 0.84)], 0.05, random.choice((_CREAM, _VERMILION)))


def _draw_head(pen: Pen, random: Random, face: Colour, side: int, woman: bool) -> None:
    chin, cheek = random.uniform(-0.74, -0.66), random.uniform(0.4, 0.47)
    if woman:
        half = [(0.0, chin), (0.16, chin + 0.06), (cheek, -0.28), (0.43, 0.14), (0.34, 0.42), (0.0, 0.5)]
    else:
        half = [(0.0, chin), (0.24, chin + 0.06), (cheek, -0.32), (0.45, 0.1), (0.4, 0.34), (0.0, 0.42)]
    pen.shape(mirrored(half), face, _INK, _LINE)
    x = side * random.uniform(0.04, 0.1)
    paint = not woman and random.random() < 0.5
    for turn in (-1, 1):
        eye = x + turn * 0.21
        slant = turn * (random.uniform(-0.01, 0.025) if woman else random.uniform(0.02, 0.06))
        if paint:  # the stripes of an actor
            pen.stroke(
                bow((eye - turn * 0.08, 0.2), (eye + turn * 0.12, 0.2), (eye + turn * 0.17, 0.36)), 0.06, _VERMILION
            )
            pen.stroke(bow((eye, -0.2), (eye + turn * 0.15, -0.2), (eye + turn * 0.13, -0.42)), 0.05, _VERMILION)
        _draw_eye(pen, (eye, -0.02), side, slant)
        brow = bow((eye - 0.12, 0.18 - slant), (eye, 0.28 if woman else 0.22), (eye + 0.12, 0.18 + slant))
        pen.stroke(brow, 0.045 if woman else 0.07, _INK)
    pen.stroke([(x + side * 0.02, 0.02), (x + side * 0.1, -0.27), (x + side * 0.01, -0.29)], 0.024, _INK)
    mouth = (x + side * 0.02, -0.45)
    pen.oval(mouth, (0.09 if woman else 0.12, 0.045), _VERMILION)
    pen.stroke(bow((mouth[0] - 0.1, mouth[1] - 0.01), mouth, (mouth[0] + 0.1, mouth[1] - 0.01)), 0.02, _INK)


def _draw_eye(pen: Pen, eye: Point, side: int, slant: float) -> None:
    x, y = eye
    upper = bow((x - 0.14, y - slant), (x, y + 0.1), (x + 0.14, y + slant))
    pen.polygon([*upper, *bow((x + 0.14, y + slant), (x, y - 0.06), (x - 0.14, y - slant))], (240, 232, 212))
    pen.disc((x + side * 0.04, y + 0.012), 0.042, _INK)
    pen.stroke(upper, 0.034, _INK)


def _draw_seal(pen: Pen, random: Random) -> None:
    """A title in a corner, and the red seal below it."""
    if random.random() < 0.35:
        return
    x, y = random.choice((-0.84, 0.84)), random.uniform(0.3, 0.5)
    frame = random.choice((_CREAM, _OCHRE, _VERMILION))
    pen.polygon([(x - 0.09, y), (x + 0.09, y), (x + 0.09, 0.9), (x - 0.09, 0.9)], frame, _INK, 0.02)
    for i in range(4):
        top = y + 0.08 + (0.82 - y) * i / 4
        pen.stroke([(x - 0.04, top), (x + random.uniform(-0.02, 0.05), top + 0.05)], 0.022, _INK)
    pen.polygon([(x - 0.07, y - 0.2), (x + 0.07, y - 0.2), (x + 0.07, y - 0.06), (x - 0.07, y - 0.06)], _VERMILION)


def _printed(image: Image.Image, random: Random) -> Image.Image:
    """The grain of the block and of the paper, over everything."""
    width, height = image.size
    for size, strength in (((width, height), 0.16), ((width // 12, height // 2), 0.16)):
        noise = Image.frombytes("L", size, random.randbytes(size[0] * size[1])).resize(image.size)
        grain = noise.point([int(255 - strength * (255 - v)) for v in range(256)])
        image = ImageChops.multiply(image, Image.merge("RGB", (grain, grain, grain)))
    return ImageChops.multiply(image, Image.new("RGB", image.size, (250, 240, 218)))
