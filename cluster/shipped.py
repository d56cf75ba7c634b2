"""This package as it stands here, for a cluster: the very files, so that what runs there is what was tried here."""

import shutil
from collections.abc import Iterable
from importlib.metadata import distribution
from importlib.util import find_spec
from pathlib import Path

PACKAGE = "gan-sweep"
PARTS = ("orchestrator", "trainers", "search_spaces", "cluster")
GIVEN = "given"  # folder of the files that the user's command names


def ship(folder: Path, files: Iterable[Path] = ()) -> dict[Path, str]:
    """Fill a folder with this package, and with files that a command names.

    What the package needs is not in it: the cluster has it, in the same versions (`cluster render`).

    Args:
        folder: an empty one. It becomes the working directory of the job, which Python looks into first.
        files: of the user.

    Returns:
        Each file's path from the folder on.
    """
    for part in PARTS:
        spec = find_spec(part)
        assert spec is not None and spec.submodule_search_locations
        source = Path(next(iter(spec.submodule_search_locations)))
        shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    here = distribution(PACKAGE)
    facts = folder / f"{PACKAGE.replace('-', '_')}-{here.version}.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text(here.read_text("METADATA") or f"Name: {PACKAGE}\nVersion: {here.version}\n")
    names = {}
    for number, file in enumerate(dict.fromkeys(files)):
        name = f"{GIVEN}/{number}/{file.name}"  # two may have one name
        (folder / name).parent.mkdir(parents=True)
        shutil.copyfile(file, folder / name)
        names[file] = name
    return names
