"""The device that a finished generator computes on."""

import torch

from trainers.errors import unknown_name


def find_device(name: str | None = None) -> torch.device:
    """The device of this name; None: the first GPU where there is one, else the CPU.

    Raises:
        UserError: there is no such device here.
    """
    valid = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    valid += [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    if name is None:
        return torch.device(valid[min(1, len(valid) - 1)])
    if name not in valid:
        raise unknown_name("device", name, valid)
    return torch.device(name)
