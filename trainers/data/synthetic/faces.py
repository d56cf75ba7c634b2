"""Faces in the manner of anime avatars, with their hair and eye colours in `tags.csv`."""

import math
from pathlib import Path
from random import Random

from PIL import Image, ImageOps

from trainers.data.synthetic.hair import draw_back_hair, draw_front_hair
from trainers.data.synthetic.kind import Kind
from trainers.data.synthetic.pen import SUPERSAMPLING, Colour, Pen, Point, bow, canvas, fade, jitter, mirrored, shade

HAIR: dict[str, Colour] = {
    "orange": (240, 136, 40),
    "white": (238, 238, 244),
    "aqua": (104, 222, 222),
    "gray": (146, 148, 158),
    "green": (84, 178, 76),
    "red": (204, 42, 46),
    "purple": (140, 76, 190),
    "pink": (250, 152, 194),
    "blue": (58, 98, 216),
    "black": (42, 40, 50),
    "brown": (126, 78, 46),
    "blonde": (246, 216, 106),
}
EYES: dict[str, Colour] = {
    "gray": (136, 140, 150),
    "black": (40, 36, 44),
    "orange": (240, 130, 30),
    "pink": (246, 110, 172),
    "yellow": (244, 206, 40),
    "aqua": (60, 206, 214),
    "purple": (146, 70, 200),
    "green": (50, 166, 70),
    "brown": (130, 78, 40),
    "red": (212, 34, 44),
    "blue": (48, 96, 220),
}
_SKINS: tuple[Colour, ...] = ((255, 228, 210), (252, 214, 186), (240, 190, 152), (204, 146, 104), (150, 100, 70))
_GROUNDS: tuple[Colour, ...] = (
    (252, 252, 252),
    (196, 222, 246),
    (250, 212, 222),
    (214, 240, 208),
    (252, 240, 196),
    (224, 210, 244),
    (150, 170, 200),
)
_CLOTHES: tuple[Colour, ...] = ((40, 54, 110), (200, 50, 60), (245, 245, 245), (60, 60, 70), (90, 150, 110))
_INK = (56, 34, 40)


def draw_face(random: Random, hair: str, eyes: str) -> Image.Image:
    """One head seen from the front.

    Args:
        random: decides everything else.
        hair: one of HAIR.
        eyes: one of EYES.

    Returns:
        RGB, 96 to 160 pixels wide and 0.95 to 1.05 times as high.
    """
    width = random.randint(96, 160)
    height = int(width * random.uniform(0.95, 1.05))
    ground = jitter(random, random.choice(_GROUNDS), 6)
    image = canvas(width, height, ground)
    unit = min(image.size) / 2 * random.uniform(0.86, 1.06)
    origin = (image.width * random.uniform(0.47, 0.53), image.height * random.uniform(0.49, 0.55))
    pen = Pen(image, unit, origin, tilt=math.radians(random.gauss(0, 4)))
    _draw_ground(pen, random, ground)
    skin, colour = random.choice(_SKINS), jitter(random, HAIR[hair], 9)
    draw_back_hair(pen, random, colour)
    _draw_body(pen, random, skin)
    _draw_head(pen, random, skin)
    look = (random.uniform(-0.06, 0.06), random.uniform(-0.03, 0.03))
    _draw_features(pen, random, skin, look)
    draw_front_hair(pen, random, colour)
    _draw_eyes(pen, random, jitter(random, EYES[eyes], 9), colour, look)
    _draw_extras(pen, random, colour, look)
    return image.reduce(SUPERSAMPLING)


def tag_colours(index: int) -> tuple[str, str]:
    """The hair and eye colour of a picture: every pair comes once in 132 pictures."""
    return list(HAIR)[index % len(HAIR)], list(EYES)[index % len(EYES)]


def tags(count: int) -> str:
    """`tags.csv` for so many pictures: a few have no row, some rows only half of their colours."""
    rows = []
    for index in range(count):
        hair, eyes = tag_colours(index)
        words = ["polychromatic"] * _is_polychromatic(index)
        words += [f"{hair} hair"] * (index % 17 != 9) + [f"{eyes} eyes"] * (index % 13 != 5)
        if index % 29 != 7:
            rows.append(f'{index},"{" ".join(words)}"\n')
    return "".join(rows)


def _is_polychromatic(index: int) -> bool:
    return index % 19 == 11


def _draw_ground(pen: Pen, random: Random, ground: Colour) -> None:
    pattern = random.choice(("plain", "plain", "fade", "dots", "stripes", "halo"))
    other = shade(ground, random.choice((0.86, 1.6)))
    if pattern == "fade":
        fade(pen.image, ground, shade(ground, 0.75))
    elif pattern == "dots":
        for i in range(25):
            pen.disc((-1.2 + 0.6 * (i % 5) + 0.3 * (i // 5 % 2), -1.1 + 0.55 * (i // 5)), 0.1, other)
    elif pattern == "stripes":
        for i in range(-3, 4):
            pen.polygon([(i * 0.5, -1.6), (i * 0.5 + 0.22, -1.6), (i * 0.5 + 0.9, 1.6), (i * 0.5 + 0.68, 1.6)], other)
    elif pattern == "halo":
        pen.disc((0, 0), 1.0, other)


def _draw_body(pen: Pen, random: Random, skin: Colour) -> None:
    cloth = random.choice(_CLOTHES)
    line = shade(cloth, 0.5)
    pen.shape(mirrored([(0.5, -1.6), (0.9, -1.45), (0.72, -1.02), (0.3, -0.86), (0.0, -0.84)]), cloth, line)
    pen.polygon(mirrored([(0.0, -1.08), (0.17, -0.86), (0.15, -0.45)]), shade(skin, 0.86), shade(skin, 0.5), 0.02)
    collar = random.choice(((250, 250, 250), shade(cloth, 0.7), shade(cloth, 1.6)))
    for side in (-1, 1):
        pen.polygon([(side * 0.17, -0.8), (side * 0.46, -0.92), (side * 0.02, -1.2)], collar, line, 0.02)


def _draw_head(pen: Pen, random: Random, skin: Colour) -> None:
    line, jaw = shade(skin, 0.5), random.uniform(0.94, 1.06)
    if random.random() < 0.5:
        for side in (-1, 1):
            pen.oval((side * 0.58, -0.06), (0.1, 0.15), skin, line, 0.02)
    half = [(0.0, -0.7), (0.2, -0.6), (0.44 * jaw, -0.36), (0.57, 0.0), (0.54, 0.36), (0.3, 0.6), (0.0, 0.66)]
    pen.shape(mirrored(half), skin, line, 0.024)


def _draw_features(pen: Pen, random: Random, skin: Colour, look: Point) -> None:
    x, y = look
    if random.random() < 0.6:
        for side in (-1, 1):
            pen.oval((x + side * 0.36, y - 0.3), (0.1, 0.055), (240, 150, 140) if sum(skin) > 500 else shade(skin, 0.8))
    pen.stroke([(x * 1.4, y - 0.3), (x * 1.4 + 0.02, y - 0.33)], 0.022, shade(skin, 0.6))
    mouth = random.choice(("smile", "smile", "open", "flat", "small"))
    if mouth == "smile":
        pen.stroke(bow((x - 0.1, y - 0.45), (x, y - 0.53), (x + 0.1, y - 0.45)), 0.024, _INK)
    elif mouth == "open":
        pen.polygon([*bow((x - 0.12, y - 0.43), (x, y - 0.7), (x + 0.12, y - 0.43))], (190, 60, 66), _INK, 0.022)
    elif mouth == "flat":
        pen.stroke([(x - 0.07, y - 0.48), (x + 0.07, y - 0.48)], 0.024, _INK)
    else:
        pen.oval((x, y - 0.48), (0.045, 0.05), (190, 60, 66), _INK, 0.02)


def _draw_eyes(pen: Pen, random: Random, iris: Colour, hair: Colour, look: Point) -> None:
    rx, ry = random.uniform(0.15, 0.185), random.uniform(0.19, 0.25)
    y = look[1] - 0.08
    slant = random.uniform(-0.05, 0.06)
    wink = random.choice((-1, 1)) if random.random() < 0.06 else 0
    for side in (-1, 1):
        x = look[0] + side * 0.275
        brow = [(x - side * 0.13, y + ry + 0.1 - slant), (x, y + ry + 0.16), (x + side * 0.15, y + ry + 0.12 + slant)]
        pen.stroke(brow, 0.028, shade(hair, 0.55))
        if side == wink:
            pen.stroke(bow((x - rx, y - 0.05), (x, y + 0.12), (x + rx, y - 0.05)), 0.04, _INK)
            continue
        pen.oval((x, y), (rx, ry), (255, 255, 255))
        centre = (x + look[0] * 0.5, y - 0.01)
        pen.oval(centre, (rx * 0.8, ry * 0.94), iris, shade(iris, 0.5), 0.022)
        pen.shape([(centre[0] + px * rx, y + py * ry) for px, py in _SHADOW], shade(iris, 0.5))
        pen.oval((centre[0], y - ry * 0.08), (rx * 0.34, ry * 0.42), shade(iris, 0.22))
        pen.oval((centre[0], y - ry * 0.6), (rx * 0.4, ry * 0.2), shade(iris, 1.5))
        pen.oval((centre[0] - rx * 0.3, y + ry * 0.42), (rx * 0.3, ry * 0.25), (255, 255, 255))
        lash = bow((x - side * rx, y + ry * 0.55), (x, y + ry * 1.5), (x + side * rx * 1.05, y + ry * 0.5 + slant))
        pen.stroke(lash, 0.05, _INK)
        pen.stroke([lash[-1], (x + side * rx * 1.3, y + ry * 0.3 + slant)], 0.035, _INK)


_SHADOW: tuple[Point, ...] = ((-0.7, 0.2), (-0.62, 0.62), (0.0, 0.9), (0.62, 0.62), (0.7, 0.2), (0.0, 0.36))


def _draw_extras(pen: Pen, random: Random, hair: Colour, look: Point) -> None:
    extra = random.choice((None, None, None, "bow", "clip", "band", "ears", "glasses"))
    colour = random.choice(((220, 50, 70), (250, 210, 60), (70, 120, 220), (250, 250, 250), (60, 50, 60)))
    side = random.choice((-1, 1))
    if extra == "bow":
        for turn in (-1, 1):
            wing = [(side * 0.46, 0.66), (side * 0.46 + turn * 0.28, 0.84), (side * 0.46 + turn * 0.28, 0.52)]
            pen.polygon(wing, colour, shade(colour, 0.5), 0.022)
        pen.disc((side * 0.46, 0.67), 0.07, shade(colour, 0.7))
    elif extra == "clip":
        pen.stroke([(side * 0.36, 0.4), (side * 0.54, 0.3)], 0.07, colour)
    elif extra == "band":
        pen.stroke(bow((-0.62, 0.36), (0, 1.12), (0.62, 0.36), steps=12), 0.08, colour)
    elif extra == "ears":
        for turn in (-1, 1):
            pen.polygon([(turn * 0.22, 0.8), (turn * 0.58, 1.08), (turn * 0.62, 0.52)], hair, shade(hair, 0.5), 0.024)
            pen.polygon([(turn * 0.34, 0.8), (turn * 0.53, 0.96), (turn * 0.55, 0.64)], (244, 170, 180))
    elif extra == "glasses":
        for turn in (-1, 1):
            pen.ring((look[0] + turn * 0.275, look[1] - 0.08), 0.24, 0.03, (60, 50, 60))
        pen.stroke([(look[0] - 0.05, look[1] - 0.05), (look[0] + 0.05, look[1] - 0.05)], 0.03, (60, 50, 60))


def _save(folder: Path, index: int, random: Random) -> None:
    face = draw_face(random, *tag_colours(index))
    if _is_polychromatic(index):
        ink = random.choice(((30, 30, 34), (120, 40, 60), (30, 50, 120), (90, 60, 30)))
        face = ImageOps.colorize(ImageOps.grayscale(face), ink, (255, 255, 255))
    face.save(folder / f"{index}.jpg", quality=92)


def any_face(random: Random) -> Image.Image:
    """A face with any colours."""
    return draw_face(random, random.choice(list(HAIR)), random.choice(list(EYES)))


FACES = Kind(version=1, save=_save, sample=any_face, tags=tags)
