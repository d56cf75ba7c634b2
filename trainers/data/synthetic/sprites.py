"""Sprites of small creatures on white: symmetric bodies, strong outlines, a few colours each."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from PIL import Image

from trainers.data.synthetic.kind import Kind
from trainers.data.synthetic.limbs import draw_ears, draw_tail, draw_wings
from trainers.data.synthetic.pen import SUPERSAMPLING, Colour, Pen, bow, jitter, mirrored, shade

_COATS: Sequence[Colour] = (
    (250, 206, 60),
    (240, 120, 50),
    (90, 170, 230),
    (110, 200, 110),
    (244, 150, 190),
    (150, 100, 200),
    (220, 70, 70),
    (150, 110, 80),
    (150, 160, 175),
    (70, 90, 160),
    (120, 220, 210),
    (236, 232, 220),
)
_LINE = 0.05


@dataclass(frozen=True)
class _Build:
    """Where the parts of a creature lie, in half picture widths."""

    head: tuple[float, float, float]  # height of its middle, half width, half height
    body: tuple[float, float, float]

    @property
    def merged(self) -> bool:
        return self.head == self.body


def draw_sprite(random: Random) -> Image.Image:
    """One creature from the front.

    Args:
        random: decides everything, so equal states give equal images.

    Returns:
        RGBA, transparent around the creature, 64 to 128 pixels wide and as high.
    """
    size = random.choice((64, 64, 80, 96, 128))
    image = Image.new("RGBA", (size * SUPERSAMPLING, size * SUPERSAMPLING), (255, 255, 255, 0))
    scale = random.uniform(0.9, 1.03)
    origin = (image.width * random.uniform(0.48, 0.52), image.height * random.uniform(0.49, 0.53))
    pen = Pen(image, image.width / 2 * scale, origin, tilt=math.radians(random.gauss(0, 3)))
    coat, other = (jitter(random, colour, 14) for colour in random.sample(_COATS, 2))
    if random.random() < 0.4:
        other = shade(coat, random.choice((0.65, 1.6)))
    build = random.choice((_chibi, _blob, _tall, _squat))(random)
    line = shade(coat, 0.28)
    if random.random() < 0.6:
        draw_tail(pen, random, build.body[0], coat, other, line)
    if random.random() < 0.25:
        draw_wings(pen, random, build.body[0], other, line)
    draw_ears(pen, random, build.head, coat, other, line)
    _draw_feet(pen, random, build, coat, other, line)
    _draw_torso(pen, random, build, coat, other, line)
    if not build.merged:
        _ball(pen, build.head, coat, line)
    if random.random() < 0.5:
        _draw_marks(pen, random, build.head, other)
    _draw_face(pen, random, build.head, coat, line)
    return image.reduce(SUPERSAMPLING)


def _chibi(random: Random) -> _Build:
    """A big head on a small body."""
    wide, high = random.uniform(0.46, 0.58), random.uniform(0.38, 0.46)
    return _Build((0.16, wide, high), (-0.42, random.uniform(0.3, 0.42), random.uniform(0.32, 0.4)))


def _blob(random: Random) -> _Build:
    """Head and body in one."""
    wide, high = random.uniform(0.5, 0.68), random.uniform(0.5, 0.64)
    return _Build((-0.14, wide, high), (-0.14, wide, high))


def _tall(random: Random) -> _Build:
    """A small head on a long body."""
    wide = random.uniform(0.34, 0.42)
    return _Build((0.36, wide, wide * 0.9), (-0.3, random.uniform(0.32, 0.46), random.uniform(0.44, 0.52)))


def _squat(random: Random) -> _Build:
    """A head before a body wider than itself."""
    wide = random.uniform(0.36, 0.44)
    return _Build((0.1, wide, wide * 0.88), (-0.36, random.uniform(0.56, 0.7), random.uniform(0.32, 0.38)))


def _ball(pen: Pen, part: tuple[float, float, float], colour: Colour, line: Colour) -> None:
    """An outlined oval, lit from above."""
    y, wide, high = part
    pen.oval((0, y), (wide, high), shade(colour, 0.78), line, _LINE)
    pen.oval((-wide * 0.05, y + high * 0.1), (wide * 0.88, high * 0.84), colour)
    pen.oval((-wide * 0.42, y + high * 0.56), (wide * 0.2, high * 0.12), shade(colour, 1.5), turn=0.5)


def _draw_feet(pen: Pen, random: Random, build: _Build, coat: Colour, other: Colour, line: Colour) -> None:
    y, wide, high = build.body
    style = random.choice(("paws", "paws", "legs", "claws", "none", "many"))
    colour = random.choice((coat, other))
    low = max(y - high, -0.88)
    if style == "many":
        for x in (-0.75, -0.25, 0.25, 0.75):
            pen.oval((x * wide, low), (wide * 0.24, 0.13), colour, line, _LINE)
        return
    for side in (-1, 1):
        if style == "paws":
            pen.oval((side * wide * 0.6, low + 0.02), (0.2, 0.12), colour, line, _LINE)
        elif style == "legs":
            pen.shape([(side * wide * x, low + dy) for x, dy in _LEG], colour, line, _LINE)
        elif style == "claws":
            pen.oval((side * wide * 0.6, low + 0.02), (0.2, 0.13), colour, line, _LINE)
            for i in (-1, 0, 1):
                x = side * wide * 0.6 + 0.12 * i
                pen.polygon(
                    [(x - 0.05, low - 0.02), (x + 0.05, low - 0.02), (x, low - 0.11)], (250, 250, 244), line, 0.03
                )


_LEG = ((0.25, 0.3), (0.95, 0.34), (1.05, 0.0), (0.9, -0.1), (0.3, -0.1))


def _draw_torso(pen: Pen, random: Random, build: _Build, coat: Colour, other: Colour, line: Colour) -> None:
    y, wide, high = build.body
    arms = random.choice(("out", "up", "down", "none"))
    rise = {"out": 0.0, "up": 0.7, "down": -0.7, "none": 0.0}[arms]
    if arms != "none":
        for side in (-1, 1):
            turn = side * rise if side > 0 else math.pi + side * rise
            hand = (side * wide * 1.02, y + high * 0.15 + 0.12 * rise)
            pen.oval(hand, (0.22, 0.11), coat, line, _LINE, turn)
    _ball(pen, build.body, coat, line)
    if random.random() < 0.6:
        light = random.choice((other, shade(coat, 1.7), (252, 244, 220)))
        low = y - high * (0.38 if build.merged else 0.2)
        pen.oval((0, low), (wide * 0.6, high * (0.5 if build.merged else 0.66)), light)
        if random.random() < 0.35:
            for i in range(3):
                row = low + high * (0.3 - 0.3 * i)
                pen.stroke([(-wide * 0.4, row), (wide * 0.4, row)], 0.03, shade(light, 0.75))


def _draw_marks(pen: Pen, random: Random, head: tuple[float, float, float], other: Colour) -> None:
    y, wide, high = head
    style = random.choice(("stripes", "spots", "mask", "gem", "blaze"))
    if style == "stripes":
        for x in (-0.3, 0.0, 0.3):
            top = y + high * 0.9 * math.sqrt(1 - x * x)
            pen.polygon([(x * wide - 0.06, top), (x * wide + 0.06, top), (x * wide, y + high * 0.45)], other)
    elif style == "spots":
        for x, dy in ((-0.6, 0.5), (0.1, 0.72), (0.62, 0.4)):
            pen.oval((x * wide, y + dy * high), (0.1, 0.08), other)
    elif style == "mask":
        for side in (-1, 1):
            pen.oval((side * wide * 0.45, y + high * 0.02), (wide * 0.4, high * 0.44), other)
    elif style == "gem":
        pen.polygon(
            [(0, y + high * 0.85), (0.09, y + high * 0.6), (0, y + high * 0.35), (-0.09, y + high * 0.6)], other
        )
    else:
        half = [(0.0, y - high * 0.7), (0.22, y - high * 0.4), (0.1, y + high * 0.3), (0.0, y + high * 0.9)]
        pen.shape(mirrored(half), other)


def _draw_face(pen: Pen, random: Random, head: tuple[float, float, float], coat: Colour, line: Colour) -> None:
    y, wide, high = head
    style = random.choice(("bead", "bead", "round", "angry", "sleepy"))
    eye_y, apart = y + high * random.uniform(-0.05, 0.15), wide * random.uniform(0.4, 0.52)
    big = wide * random.uniform(0.18, 0.25)
    iris = random.choice(((30, 26, 36), (150, 40, 40), (40, 90, 160), (50, 120, 70)))
    for side in (-1, 1):
        x = side * apart
        if style == "sleepy":
            pen.stroke(bow((x - big, eye_y), (x, eye_y - 0.1), (x + big, eye_y)), 0.05, line)
            continue
        if style != "bead":
            pen.oval((x, eye_y), (big * 1.3, big * 1.5), (255, 255, 255), line, 0.04)
        pen.oval((x * 0.96, eye_y), (big * 0.9, big * 1.2), iris if style != "bead" else (30, 26, 36))
        pen.disc((x * 0.96 - big * 0.3, eye_y + big * 0.5), big * 0.42, (255, 255, 255))
        if style == "angry":
            brow = [(x - side * big * 1.5, eye_y + big * 0.6), (x + side * big * 1.5, eye_y + big * 1.9)]
            pen.polygon([*brow, (x, eye_y + big * 2.4)], coat)
            pen.stroke(brow, 0.055, line)
    if random.random() < 0.4:
        cheek = random.choice(((240, 90, 90), (250, 150, 160), (250, 180, 70)))
        for side in (-1, 1):
            pen.oval((side * wide * 0.68, eye_y - high * 0.36), (0.1, 0.08), cheek)
    _draw_mouth(pen, random, eye_y - high * 0.36, line)


def _draw_mouth(pen: Pen, random: Random, y: float, line: Colour) -> None:
    style = random.choice(("smile", "cat", "open", "beak", "fangs"))
    if style == "smile":
        pen.stroke(bow((-0.12, y), (0, y - 0.12), (0.12, y)), 0.04, line)
    elif style == "cat":
        pen.oval((0, y + 0.06), (0.05, 0.035), line)
        for side in (-1, 1):
            pen.stroke(bow((0, y + 0.03), (side * 0.06, y - 0.1), (side * 0.14, y)), 0.04, line)
    elif style == "open":
        pen.polygon([*bow((-0.15, y + 0.02), (0, y - 0.3), (0.15, y + 0.02))], (196, 60, 70), line, 0.04)
    elif style == "beak":
        pen.polygon([(-0.13, y + 0.08), (0.13, y + 0.08), (0, y - 0.12)], (246, 176, 50), line, 0.04)
    else:
        pen.stroke([(-0.16, y), (0.16, y)], 0.04, line)
        for side in (-1, 1):
            pen.polygon([(side * 0.14, y), (side * 0.05, y), (side * 0.1, y - 0.1)], (255, 255, 255), line, 0.025)


def _on_white(sprite: Image.Image) -> Image.Image:
    return Image.alpha_composite(Image.new("RGBA", sprite.size, "white"), sprite).convert("RGB")


def _save(folder: Path, index: int, random: Random) -> None:
    """As transparent PNG, palette PNG with and without transparency, or JPEG on white."""
    sprite = draw_sprite(random)
    path = folder / f"sprite_{index:05d}"
    case = index % 4
    if case == 0:
        sprite.save(path.with_suffix(".png"))
    elif case == 1:
        sprite.quantize(48).save(path.with_suffix(".png"))
    elif case == 2:
        _on_white(sprite).quantize(32).save(path.with_suffix(".png"))
    else:
        _on_white(sprite).save(path.with_suffix(".jpg"), quality=92)


SPRITES = Kind(version=1, save=_save, sample=lambda random: _on_white(draw_sprite(random)))
