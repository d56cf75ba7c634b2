"""Classes of the images: from a tags CSV beside them, from a prepared dataset, or from the folders they lie in."""

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

import torch
from torch import Tensor

from trainers.data.files import find_sidecars
from trainers.data.shards import prepared_tags
from trainers.data.tags import find_id, read_tags
from trainers.errors import UserError

FOLDER_ATTRIBUTE = "class"  # the attribute of subfolder names, as torchvision's ImageFolder reads them

Tags = dict[str, tuple[str, ...]]  # image path to tags such as "blonde hair"


def read_labels(source: Path, paths: Sequence[str], classes: Mapping[str, Sequence[str]]) -> Tensor:
    """The class of each image in each attribute.

    A tag is "<class> <attribute>" ("blonde hair"), in ``*.csv`` at the top of `source` (see `read_tags`) or in a
    prepared dataset. The attribute ``class`` may also be the name of the folder an image lies in. Tags that name no
    attribute or no class of `classes` are left out; of two classes of one attribute the first counts.

    Args:
        source: the images' folder.
        paths: the images, relative to it.
        classes: the classes of each attribute, in order.

    Returns:
        int64 ``[images, attributes]``: number of the class, -1 where there is none.

    Raises:
        UserError: an attribute without a single image, or a tags file that cannot be read.
    """
    tags = _tags_of(source, paths)
    labels = torch.full((len(paths), len(classes)), -1, dtype=torch.int64)
    for column, (attribute, names) in enumerate(classes.items()):
        numbers = {f"{name} {attribute}": number for number, name in enumerate(names)}
        for row, path in enumerate(paths):
            known = [numbers[tag] for tag in tags.get(path, ()) if tag in numbers]
            if known:
                labels[row, column] = known[0]
    for column, attribute in enumerate(classes):
        if (labels[:, column] < 0).all():
            raise UserError(_nothing_found(source, attribute, find_classes(source, paths)))
    return labels


def find_classes(source: Path, paths: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The attributes and classes that the images of `source` have, sorted; attributes with two classes at least."""
    found: dict[str, set[str]] = {}
    for tags in _tags_of(source, paths).values():
        for tag in tags:
            name, _, attribute = tag.rpartition(" ")
            if name:
                found.setdefault(attribute, set()).add(name)
    return {attribute: tuple(sorted(names)) for attribute, names in sorted(found.items()) if len(names) > 1}


def _tags_of(source: Path, paths: Sequence[str]) -> Tags:
    prepared = prepared_tags(source)
    if prepared is not None and any(prepared.values()):
        return prepared
    sidecars = find_sidecars(source)
    if sidecars:
        by_id: Tags = {}
        for file in sidecars:
            by_id |= read_tags(source / file)
        ids = ((path, find_id(path, by_id)) for path in paths)
        return {path: by_id[name] for path, name in ids if name is not None}
    parents = ((path, PurePosixPath(path).parent.name) for path in paths)
    return {path: (f"{parent} {FOLDER_ATTRIBUTE}",) for path, parent in parents if parent}


def _nothing_found(source: Path, attribute: str, found: Mapping[str, Sequence[str]]) -> str:
    what = "; ".join(f"{name}: {', '.join(values[:6])}" for name, values in found.items())
    neither = 'it has neither a tags CSV (rows such as 0,"blonde hair blue eyes") nor a folder per class'
    hint = f"it has {what}; use these with --set labels=auto" if found else neither
    return f"no image in {source} has a class of {attribute!r}: {hint}"
