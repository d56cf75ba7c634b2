"""The images of a rehearsal: a folder of real photographs where one is named, else drawn ones, and it says which."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from trainers.data import draw_motorbikes, find_files

NAMED_IN = "GAN_SWEEP_MOTORBIKES"  # environment variable
DRAWN = 128
MOST = 256  # of photographs: enough for what is shown, and soon measured


@dataclass(frozen=True, kw_only=True)
class Photographs:
    """Images.

    Attributes:
        folder: of them.
        text: what they are, for people.
    """

    folder: Path
    text: str


def choose(named: str | None, scratch: Path) -> Photographs:
    """Some of the folder `named`, copied to `scratch`; where none is, drawings: a checkout holds no photographs."""
    if not named:
        draw_motorbikes(scratch, count=DRAWN)
        text = f"{DRAWN} DRAWN motorbikes, no photographs: name a folder of yours, {NAMED_IN}=photos/ make rehearsal"
        return Photographs(folder=scratch, text=text)
    scratch.mkdir()
    found = find_files(Path(named))
    for number, name in enumerate(found[:MOST]):
        shutil.copyfile(Path(named, name), scratch / f"{number}{Path(name).suffix}")
    return Photographs(folder=scratch, text=f"{len(found[:MOST])} of the {len(found)} files that {NAMED_IN} names")
