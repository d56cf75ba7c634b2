"""Weights of extractors, read from files that people name."""

import os
from pathlib import Path
from typing import Any

import torch
from torch import nn

from trainers.errors import UserError, first_line

# Most characters of torch's reason: one line of it may list every name that does not fit.
_LONGEST = 200


def require_file(path: Path) -> Path:
    """Return `path`, or raise UserError when it is no readable file."""
    if not path.is_file() or not os.access(path, os.R_OK):
        raise UserError(f"--fid-weights {path}: no such readable file")
    return path


def read_state_dict(path: Path, what: str) -> dict[str, Any]:
    """Tensors by name from a file of ``torch.save``; nothing in it is executed.

    Raises:
        UserError: the file is damaged or of another kind.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises a dozen types for broken files
        raise UserError(f"{path} cannot be read as {what}: {first_line(error, _LONGEST)}") from error
    if not isinstance(state, dict):
        raise UserError(f"{path} cannot be read as {what}: it holds a {type(state).__name__}, not named tensors")
    return state


def load_weights(network: nn.Module, path: Path, what: str) -> None:
    """Fill `network` from `path`; every name and shape must match.

    Raises:
        UserError: the file is damaged, or belongs to another network.
    """
    state = read_state_dict(path, what)
    try:
        network.load_state_dict(state)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise not_these(path, what, error) from error


def not_these(path: Path, what: str, error: Exception) -> UserError:
    """The error for weights of another network."""
    return UserError(f"{path} does not hold {what}: {first_line(error, _LONGEST)}")
