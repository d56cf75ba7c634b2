"""What every kind is drawn with: discs, strokes and smooth shapes, in units of the thing drawn, y upwards."""

import math
from collections.abc import Sequence
from random import Random

from PIL import Image, ImageDraw

Colour = tuple[int, int, int]
Point = tuple[float, float]

SUPERSAMPLING = 3


class Pen:
    """Draws in units of its own.

    Args:
        image: what it draws on.
        unit: pixels.
        origin: the pixel that `centre` falls on.
        centre: in units.
        tilt: radians, clockwise.
    """

    def __init__(
        self, image: Image.Image, unit: float, origin: Point, centre: Point = (0.0, 0.0), tilt: float = 0.0
    ) -> None:
        self.image = image
        self.draw = ImageDraw.Draw(image)
        self.unit = unit
        self.origin = origin
        self.centre = centre
        self.cos, self.sin = math.cos(tilt), math.sin(tilt)

    def at(self, point: Point) -> Point:
        """Pixel of a point."""
        x, y = (point[0] - self.centre[0]) * self.unit, (self.centre[1] - point[1]) * self.unit
        return self.origin[0] + x * self.cos - y * self.sin, self.origin[1] + x * self.sin + y * self.cos

    def disc(self, centre: Point, radius: float, colour: Colour) -> None:
        x, y = self.at(centre)
        r = radius * self.unit
        self.draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)

    def ring(self, centre: Point, radius: float, width: float, colour: Colour) -> None:
        x, y = self.at(centre)
        r = radius * self.unit
        self.draw.ellipse((x - r, y - r, x + r, y + r), outline=colour, width=max(1, round(width * self.unit)))

    def stroke(self, points: Sequence[Point], width: float, colour: Colour) -> None:
        self.draw.line([self.at(p) for p in points], colour, max(1, round(width * self.unit)), joint="curve")
        for end in (points[0], points[-1]):
            self.disc(end, width / 2, colour)

    def polygon(self, points: Sequence[Point], colour: Colour, line: Colour | None = None, width: float = 0.03) -> None:
        """Straight sides, with an outline where `line` is given."""
        self._fill([self.at(p) for p in points], colour, line, width)

    def shape(self, points: Sequence[Point], colour: Colour, line: Colour | None = None, width: float = 0.03) -> None:
        """A closed curve through the points (Catmull-Rom, 6 steps each), with an outline where `line` is given."""
        n = len(points)
        outline = []
        for i in range(n):
            a, b, c, d = (points[(i + k - 1) % n] for k in range(4))
            outline += [
                self.at((_spline(t / 6, a[0], b[0], c[0], d[0]), _spline(t / 6, a[1], b[1], c[1], d[1])))
                for t in range(6)
            ]
        self._fill(outline, colour, line, width)

    def oval(
        self,
        centre: Point,
        radii: tuple[float, float],
        colour: Colour,
        line: Colour | None = None,
        width: float = 0.03,
        turn: float = 0.0,
    ) -> None:
        """An ellipse turned by `turn` radians counter-clockwise."""
        self._fill([self.at(p) for p in oval(centre, radii, turn)], colour, line, width)

    def _fill(self, outline: list[Point], colour: Colour, line: Colour | None, width: float) -> None:
        self.draw.polygon(outline, fill=colour)
        if line is not None:
            self.draw.line([*outline, *outline[:2]], line, max(1, round(width * self.unit)), joint="curve")


def canvas(width: int, height: int, ground: Colour) -> Image.Image:
    """An image to draw on, SUPERSAMPLING times as large as the picture is to be."""
    return Image.new("RGB", (width * SUPERSAMPLING, height * SUPERSAMPLING), ground)


def fade(image: Image.Image, top: Colour, bottom: Colour, box: tuple[int, int, int, int] | None = None) -> None:
    """Fill `image`, or a box of its pixels, with a gradient from one colour to the other."""
    left, upper, right, lower = box or (0, 0, *image.size)
    size = (right - left, lower - upper)
    mask = Image.linear_gradient("L").resize(size)
    image.paste(Image.composite(Image.new("RGB", size, bottom), Image.new("RGB", size, top), mask), (left, upper))


def shade(colour: Colour, factor: float) -> Colour:
    """Darker below 1; towards white above it."""
    r, g, b = (int(c * factor if factor <= 1 else c + (255 - c) * (factor - 1)) for c in colour)
    return r, g, b


def jitter(random: Random, colour: Colour, spread: int) -> Colour:
    """A colour near `colour`."""
    r, g, b = (min(255, max(0, c + random.randint(-spread, spread))) for c in colour)
    return r, g, b


def oval(centre: Point, radii: tuple[float, float], turn: float = 0.0, steps: int = 28) -> list[Point]:
    """Points around an ellipse, counter-clockwise."""
    cos, sin = math.cos(turn), math.sin(turn)
    points = []
    for i in range(steps):
        x, y = radii[0] * math.cos(math.tau * i / steps), radii[1] * math.sin(math.tau * i / steps)
        points.append((centre[0] + x * cos - y * sin, centre[1] + x * sin + y * cos))
    return points


def bow(start: Point, middle: Point, end: Point, steps: int = 6) -> list[Point]:
    """Points along a quadratic Bezier curve, both ends included."""
    points = []
    for i in range(steps + 1):
        t = i / steps
        a, b, c = (1 - t) ** 2, 2 * t * (1 - t), t * t
        points.append((a * start[0] + b * middle[0] + c * end[0], a * start[1] + b * middle[1] + c * end[1]))
    return points


def mirrored(points: Sequence[Point]) -> list[Point]:
    """A right half from bottom to top, and its left half from top to bottom: a whole symmetric outline."""
    return [*points, *((-x, y) for x, y in reversed(points) if x)]


def _spline(t: float, a: float, b: float, c: float, d: float) -> float:
    return b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
