"""Drawn pictures by kind, for machines that have none. A new kind is one file and one row here."""

from pathlib import Path

from trainers.data.synthetic.cars import CARS
from trainers.data.synthetic.faces import FACES
from trainers.data.synthetic.faces_and_prints import DOMAINS
from trainers.data.synthetic.folder import fill_folder
from trainers.data.synthetic.kind import Kind
from trainers.data.synthetic.motorbikes import MOTORBIKES
from trainers.data.synthetic.sprites import SPRITES
from trainers.errors import unknown_name

SYNTHETIC: dict[str, Kind] = {
    "motorbikes": MOTORBIKES,
    "faces": FACES,
    "domains": DOMAINS,
    "cars": CARS,
    "sprites": SPRITES,
}


def draw_synthetic(kind: str, directory: Path, count: int = 512, seed: int = 0, broken: bool = True) -> None:
    """Fill `directory` with `count` drawings of a kind, and 5 broken files when `broken`.

    ``domains`` has two folders of `count`, ``faces`` a ``tags.csv``. The same arguments give the same files. The
    folder appears whole or not at all; one that holds the set already is left alone.

    Raises:
        UserError: no such kind, `directory` holds anything else or cannot be written, or `count` is below 1.
    """
    if kind not in SYNTHETIC:
        raise unknown_name("kind of synthetic pictures", kind, SYNTHETIC)
    fill_folder(kind, SYNTHETIC[kind], directory, count, seed, broken)


def draw_motorbikes(directory: Path, count: int = 512, seed: int = 0, broken: bool = True) -> None:
    """Fill `directory` with `count` drawn motorbikes, and 5 broken files when `broken`.

    Raises:
        UserError: `directory` holds anything else or cannot be written, or `count` is below 1.
    """
    draw_synthetic("motorbikes", directory, count, seed, broken)


__all__ = ["SYNTHETIC", "Kind", "draw_motorbikes", "draw_synthetic"]
