"""Packages that only exports need."""

from importlib import import_module
from types import ModuleType

from trainers.errors import UserError


def needs(module: str) -> ModuleType:
    """Import a module that only exports need.

    Raises:
        UserError: its package is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError:
        package = module.partition(".")[0]
        raise UserError(f"{package} is not installed: pip install 'gan-sweep[export]'") from None
