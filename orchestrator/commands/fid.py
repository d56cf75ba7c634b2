"""``gan-sweep fid``: FID between two folders."""

import json
from dataclasses import asdict
from pathlib import Path

import click
import torch

from trainers.metrics import build_extractor, fid_between_folders


def folders_fid(
    dir_a: Path, dir_b: Path, extractor_name: str, weights: Path | None, batch_size: int, as_json: bool
) -> None:
    """Print FID of `dir_b` against `dir_a` under its protocol's name.

    Raises:
        UserError: a folder without images, an unreadable image, no such extractor, no weights.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    extractor = build_extractor(extractor_name, weights, device=device)
    result = fid_between_folders(dir_a, dir_b, extractor=extractor, batch_size=batch_size, device=device)
    if as_json:
        click.echo(json.dumps(asdict(result)))
    else:
        click.echo(f"{result.name} {result.value:.4f}  ({result.n_real} and {result.n_fake} images)")
