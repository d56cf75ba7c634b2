"""Extractors from outside: ``module:factory``, of modules that whoever starts the process allows.

A space or a checkpoint from somebody else must not choose what code runs here. So the name in it is not enough: the
environment variable `EXTRACTORS_ENV` has to list the module too, on every machine that trains.
"""

import importlib
import os
import re
import socket
from pathlib import Path

import torch

from trainers.errors import UserError, first_line
from trainers.metric_names import EXTRACTORS_ENV
from trainers.metrics.extractor import Extractor

FORM = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_PROTOCOL = re.compile(r"[a-z0-9_]+")


def is_outside(name: str) -> bool:
    """Whether an extractor's name is ``module:factory``."""
    return ":" in name


def build_outside(name: str, weights: Path | None) -> Extractor:
    """Call a factory: it takes a file with weights, or None for its own, and returns an `Extractor`.

    Args:
        name: ``module:factory``.
        weights: as given by ``fid.weights``.

    Raises:
        UserError: the name has another form, its module is not allowed or cannot be imported on this machine, it has no
            such factory, that fails, or what that returns is no extractor with a protocol of lower case letters, digits
            and _, or gives no finite features [2, dim] of two images.
    """
    if not FORM.fullmatch(name):
        raise UserError(f"FID extractor {name!r}: an extractor from outside is named module:factory")
    module_name, factory = name.split(":")
    allowed = [one.strip() for one in os.environ.get(EXTRACTORS_ENV, "").split(",") if one.strip()]
    if module_name not in allowed:
        raise UserError(
            f"FID extractor {name!r}: {module_name} is code from outside, which no space may choose by itself; where "
            f"you trust it, set {EXTRACTORS_ENV}={','.join([*allowed, module_name])}"
        )
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:  # a module may raise anything while it is imported
        where = f"cannot be imported on {socket.gethostname()}"
        raise UserError(f"FID extractor {name!r}: {module_name} {where}: {first_line(error)}") from error
    build = getattr(module, factory, None)
    if not callable(build):
        raise UserError(f"FID extractor {name!r}: {module_name} has no function {factory}")
    try:
        extractor = build(weights)
    except (Exception, SystemExit) as error:  # and so may a factory
        raise UserError(f"FID extractor {name!r}: {factory} failed: {first_line(error)}") from error
    if not isinstance(extractor, Extractor):
        kind = type(extractor).__name__
        raise UserError(f"FID extractor {name!r}: {factory} returned {kind}, not a trainers.metrics.Extractor")
    if not isinstance(extractor.protocol, str) or not _PROTOCOL.fullmatch(extractor.protocol):
        raise UserError(
            f"FID extractor {name!r}: its protocol is part of a metric's name: lower case letters, digits and _, "
            f"got {extractor.protocol!r}"
        )
    _try(extractor, name)
    return extractor


def _try(extractor: Extractor, name: str) -> None:
    images = torch.arange(2 * 3 * 32 * 32).remainder(256).to(torch.uint8).reshape(2, 3, 32, 32)
    try:
        features = extractor(images)
    except Exception as error:
        raise UserError(f"FID extractor {name!r}: it fails on two images of 32 px: {first_line(error)}") from error
    if not features.isfinite().all():
        raise UserError(f"FID extractor {name!r}: its features of two images of 32 px are not finite")
