"""What a gang has reserved in Ray, and how that is given back when nobody else does.

Ray keeps the placement group of a controller that has died for as long as the whole sweep runs. Ray Train has an actor
that removes it, but that asks Ray's State API, which is not there without a dashboard; the next controller would wait
for the same CPUs and GPUs for ever.
"""

from ray._raylet import PlacementGroupID
from ray.train.v2._internal.execution.callback import WorkerCallback
from ray.util.placement_group import PlacementGroup, get_current_placement_group, remove_placement_group

_reserved: str | None = None


class NotesPlacementGroup(WorkerCallback):
    """Lets a rank know its placement group, which Ray tells in a process's main thread only."""

    def after_init_train_context(self) -> None:
        """Called by Ray Train in every rank's main thread, before its loop function starts."""
        global _reserved
        group = get_current_placement_group()
        _reserved = None if group is None else group.id.hex()


def placement_group() -> str | None:
    """The id of this rank's placement group, once Ray Train has started it."""
    return _reserved


def give_back(group: str) -> None:
    """Remove a placement group, with whatever still runs in it; one that is gone already is no matter."""
    remove_placement_group(PlacementGroup(PlacementGroupID(bytes.fromhex(group))))
