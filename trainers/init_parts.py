"""What a run takes of the checkpoint that it starts from: ``init.parts``."""

from typing import Annotated

from pydantic import AfterValidator

from trainers.errors import UserError, unknown_name

INIT_PARTS = ("generator", "discriminator", "average", "optimizers", "progress")


def init_parts(text: str) -> str:
    """Check which parts of a checkpoint a run starts from, names with commas between; each is kept once.

    Raises:
        UserError: one does not exist, or none is named that another needs.
    """
    parts = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    for part in parts:
        if part not in INIT_PARTS:
            raise unknown_name("part", part, INIT_PARTS)
    if "average" in parts and "generator" not in parts:
        raise UserError(f"average goes with generator only, whose moving average it is, got {text!r}")
    if "optimizers" in parts and not {"generator", "discriminator"} & {*parts}:
        raise UserError(f"optimizers go with generator or discriminator only, whose moments they have, got {text!r}")
    if "progress" in parts and not {"generator", "discriminator"} <= {*parts}:
        raise UserError(f"progress goes with generator and discriminator only, whose epochs it counts, got {text!r}")
    return ",".join(parts)


InitParts = Annotated[str, AfterValidator(init_parts)]
