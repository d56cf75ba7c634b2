"""The two folders of unpaired image translation."""

from pathlib import Path

from trainers.data.files import require_folder
from trainers.errors import UserError

LAYOUTS = (("trainA", "trainB"), ("A", "B"), ("a", "b"))
TEST_FOLDERS = frozenset({"testA", "testB"})  # of the CycleGAN datasets; not trained on


def find_domains(source: Path) -> tuple[Path, Path]:
    """Domain A and domain B: ``trainA`` and ``trainB``, ``A`` and ``B``, or the only two subfolders, sorted.

    Raises:
        UserError: `source` is no folder, or does not hold two.
    """
    require_folder(source)
    folders = {path.name: path for path in sorted(source.iterdir()) if path.is_dir() and not path.name.startswith(".")}
    for first, second in LAYOUTS:
        if first in folders and second in folders:
            return folders[first], folders[second]
    names = [name for name in folders if name not in TEST_FOLDERS]
    if len(names) != 2:
        raise UserError(
            f"this family needs two folders of images in {source}, such as trainA and trainB; "
            f"it has {', '.join(names) or 'none'}"
        )
    return folders[names[0]], folders[names[1]]
