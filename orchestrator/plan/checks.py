"""Checks of a space that need the networks or the resources, before Ray starts."""

from typing import Any

from orchestrator.space.space import Space, possible_search
from trainers.errors import UserError

_BUILT = ("network.", "loss.", "regime.", "regularizer.", "data.image_size")  # decide what is built


def check_space_buildable(space: Space) -> None:
    """Check that networks, losses and regimes of every value that a trial may have can be built.

    Raises:
        UserError: naming what does not exist, or does not fit together.
    """
    from trainers.families import check_buildable, find_family

    find_family(space.base)
    if space.base.labels == "auto":
        space = _with_some_labels(space)  # `with_labels` checks again when the data's are known
    check_buildable(space.base)
    for name, domain in space.search.items():
        if name.startswith(_BUILT):
            for value in domain.probes():
                check_buildable(space.resolve(space.completed({name: value}) or {}))


def _with_some_labels(space: Space) -> Space:
    """`space` with labels in place of ``auto``, and without weights of classes that nobody knows yet."""
    loss = space.base.loss.model_copy(update={"class_weights": {}})
    base = space.base.model_copy(update={"labels": {"class": ("one", "other")}, "loss": loss})
    search = {name: domain for name, domain in space.search.items() if not name.startswith("loss.class_weights.")}
    return possible_search(space.model_copy(update={"base": base, "search": search}))


def check_shares(space: Space, workers: int) -> None:
    """Check that every global batch can be shared by `workers` ranks.

    Raises:
        UserError: a batch size that is no multiple of them.
    """
    for batch in possible_values(space, "data.batch_size"):
        if batch % workers:
            raise UserError(f"data.batch_size {batch} cannot be shared by {workers} workers: not a multiple")


def possible_values(space: Space, name: str) -> list[Any]:
    """The values of a key to check: those of its domain's `probes`, or the base's."""
    domain = space.search.get(name)
    return domain.probes() if domain is not None else [space.base.flat()[name]]
