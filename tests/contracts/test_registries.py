"""One file, one row: every file of these folders is a helper that is named here, or holds a row of the registry."""

from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from trainers.data.synthetic import SYNTHETIC
from trainers.families import FAMILIES
from trainers.metrics import registry as extractors
from trainers.networks import NETWORKS, TRANSLATORS
from trainers.regimes import REGIMES


def modules(rows: Iterable[Any], find: Callable[[Any], Any] = lambda row: row) -> set[str]:
    """The files that the rows come from; a row may be a `functools.partial`."""
    found = (find(row) for row in rows)
    return {getattr(one, "func", one).__module__.rpartition(".")[2] for one in found}


BUILT_IN = ("inception", "efficientnet_lite0")  # tests register others

REGISTRIES: dict[str, tuple[set[str], set[str]]] = {
    "trainers.regimes": (modules(REGIMES.values()), {"base"}),
    "trainers.families": (modules(FAMILIES.values()), {"base", "image_buffer", "phases", "traits"}),
    "trainers.networks": (
        modules([*NETWORKS.values(), *TRANSLATORS.values()]),
        {"batchnorm", "dropout", "init", "instancenorm", "minibatch", "sizes", "without_batchnorm"},
    ),
    "trainers.metrics": (
        modules(extractors._EXTRACTORS.values()) & set(BUILT_IN),
        {
            "beside",
            "extractor",
            "inception_score",
            "registry",
            "fid",
            "folder_fid",
            "folder_sets",
            "frechet",
            "kid",
            "likeness",
            "memorisation",
            "moments",
            "neighbours",
            "outside",
            "statistics_cache",
            "weights",
        },
    ),
    "trainers.data.synthetic": (
        modules(SYNTHETIC.values(), lambda kind: kind.save),
        {"folder", "hair", "kind", "limbs", "pen", "prints", "street"},
    ),
}


def files(package: ModuleType) -> set[str]:
    assert package.__file__ is not None
    return {path.stem for path in Path(package.__file__).parent.glob("*.py")} - {"__init__"}


@pytest.mark.parametrize("folder", REGISTRIES)
def test_every_file_has_a_row(folder: str) -> None:
    with_row, helpers = REGISTRIES[folder]
    assert files(import_module(folder)) == with_row | helpers
    assert with_row and not with_row & helpers
