"""Two folders without pairs: faces in the manner of anime in `trainA`, of woodblock prints in `trainB`."""

from pathlib import Path
from random import Random

from trainers.data.synthetic.faces import any_face
from trainers.data.synthetic.kind import Kind
from trainers.data.synthetic.prints import draw_print


def _save(folder: Path, index: int, random: Random) -> None:
    any_face(random).save(folder / "trainA" / f"face_{index:05d}.jpg", quality=92)
    draw_print(random).save(folder / "trainB" / f"print_{index:05d}.jpg", quality=92)


DOMAINS = Kind(version=1, save=_save, sample=any_face, folders=("trainA", "trainB"), broken_in="trainA", files_each=2)
