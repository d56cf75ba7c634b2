"""A street to stand a car in."""

from collections.abc import Sequence
from random import Random

from trainers.data.synthetic.pen import Colour, Pen, fade, jitter, shade

_SKIES: Sequence[Colour] = ((170, 206, 236), (214, 226, 236), (236, 214, 190), (150, 160, 176), (226, 230, 226))
_WALLS: Sequence[Colour] = ((190, 150, 130), (200, 196, 186), (150, 160, 168), (214, 200, 160), (160, 120, 110))
_GREENS: Sequence[Colour] = ((96, 140, 84), (120, 156, 96), (74, 116, 76))


def draw_street(pen: Pen, random: Random) -> None:
    """Sky, road, and houses, hills or trees, all over the pen's image. The ground is at 0, a car 2 wide."""
    sky = random.choice(_SKIES)
    width, height = pen.image.size
    horizon = int(pen.at((0.0, random.uniform(0.45, 0.75)))[1])
    fade(pen.image, sky, shade(sky, 1.4), (0, 0, width, horizon))
    scene = random.choice(("plain", "houses", "houses", "hills", "trees"))
    if scene == "houses":
        x = -2.6
        while x < 2.6:
            size, top, wall = random.uniform(0.5, 1.0), random.uniform(1.2, 2.3), random.choice(_WALLS)
            pen.polygon([(x, 0.2), (x + size, 0.2), (x + size, top), (x, top)], wall)
            for i in range(6):
                left, low = x + size * (0.18 + 0.4 * (i % 2)), top - 0.35 - 0.35 * (i // 2)
                pen.polygon(
                    [(left, low), (left + 0.16, low), (left + 0.16, low + 0.2), (left, low + 0.2)], shade(wall, 0.7)
                )
            x += size
    elif scene == "hills":
        for x in (-1.6, 0.2, 1.7):
            pen.oval((x + random.uniform(-0.3, 0.3), 0.4), (1.3, random.uniform(0.5, 1.0)), random.choice(_GREENS))
    elif scene == "trees":
        for x in (-1.7, -1.1, 1.2, 1.8):
            pen.stroke([(x, 0.3), (x, 1.2)], 0.1, (96, 74, 58))
            pen.disc((x, random.uniform(1.2, 1.6)), random.uniform(0.3, 0.5), random.choice(_GREENS))
    road = jitter(random, random.choice(((110, 112, 118), (140, 138, 134), (84, 88, 96))), 6)
    fade(pen.image, shade(road, 1.15), road, (0, horizon, width, height))
    if random.random() < 0.6:
        for side in (-1, 1):
            pen.polygon(
                [(side * 1.5, 0.5), (side * 1.56, 0.5), (side * 2.6, -0.8), (side * 2.3, -0.8)], (230, 230, 224)
            )
    pen.oval((0.0, 0.02), (1.16, 0.09), shade(road, 0.55))
