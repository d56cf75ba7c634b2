"""``gan-sweep fid``: FID between two folders."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from orchestrator.commands.parameters import FileToRead, FolderToRead, Text, Whole
from orchestrator.commands.shared import fetch


@click.command("fid")
@click.argument("dir_a", type=FolderToRead())
@click.argument("dir_b", type=FolderToRead())
@click.option(
    "--fid-extractor",
    type=Text(),
    default="inception",
    show_default=True,
    metavar="NAME",
    help="Or efficientnet_lite0.",
)
@click.option("--fid-weights", type=FileToRead(), metavar="FILE", help="Weights of the extractor.")
@click.option("--batch-size", type=Whole(1, 1024), default=50, show_default=True, metavar="N", help="Images at once.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(
    dir_a: Path, dir_b: Path, fid_extractor: str, fid_weights: Path | None, batch_size: int, as_json: bool
) -> None:
    """FID between the images of two folders or prepared datasets, as pytorch-fid computes it."""
    import torch

    from trainers.metrics import build_extractor, fid_between_folders, find_images

    for folder in (dir_a, dir_b):
        fetch(folder)
        find_images(folder)  # before anybody is asked for weights
    device = "cuda" if torch.cuda.is_available() else "cpu"
    extractor = build_extractor(fid_extractor, fid_weights, device=device)
    result = fid_between_folders(dir_a, dir_b, extractor=extractor, batch_size=batch_size, device=device)
    if as_json:
        click.echo(json.dumps(asdict(result)))
    else:
        click.echo(f"{result.name} {result.value:.4f}  ({result.n_real} and {result.n_fake} images)")
