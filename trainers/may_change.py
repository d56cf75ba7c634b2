"""Which settings may change within a training: those that no network, no data and no schedule depends on.

Optimiser, losses, regularisers, regime, noise, weights and augmentation are read anew at every step or every epoch.
"""

# Sections that stay as they are, and keys of the others: what decides the networks, which images there are and in which
# order, how far a run goes and how it is measured, and a buffer whose length is part of a checkpoint.
STAY_SECTIONS = ("network", "init", "schedule", "fid", "runtime", "labels")
STAY = (
    "family",
    "seed",
    "data.image_size",
    "data.fit",
    "data.heldout",
    "data.heldout_seed",
    "data.batch_size",
    "cycle.buffer_size",
)


def may_change(name: str) -> bool:
    """Whether a number under this dotted name may change while a run goes on.

    Args:
        name: of a key of `trainers.config.TrainConfig`. Names, switches and choices never change so: which losses,
            networks and optimisers there are decides what is in a checkpoint.
    """
    return name.partition(".")[0] not in STAY_SECTIONS and name not in STAY
