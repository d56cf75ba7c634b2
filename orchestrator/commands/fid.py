"""``gan-sweep fid``: FID between two folders."""

import json
from dataclasses import asdict
from pathlib import Path

import click


@click.command("fid")
@click.argument("dir_a", type=click.Path(path_type=Path))
@click.argument("dir_b", type=click.Path(path_type=Path))
@click.option("--fid-extractor", default="inception", show_default=True, metavar="NAME", help="Or efficientnet_lite0.")
@click.option("--fid-weights", type=click.Path(path_type=Path), metavar="FILE", help="Weights of the extractor.")
@click.option("--batch-size", type=click.IntRange(1), default=50, show_default=True, help="Images at once.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(
    dir_a: Path, dir_b: Path, fid_extractor: str, fid_weights: Path | None, batch_size: int, as_json: bool
) -> None:
    """FID between the images of two folders, as pytorch-fid computes it."""
    import torch

    from trainers.metrics import build_extractor, fid_between_folders

    device = "cuda" if torch.cuda.is_available() else "cpu"
    extractor = build_extractor(fid_extractor, fid_weights, device=device)
    result = fid_between_folders(dir_a, dir_b, extractor=extractor, batch_size=batch_size, device=device)
    if as_json:
        click.echo(json.dumps(asdict(result)))
    else:
        click.echo(f"{result.name} {result.value:.4f}  ({result.n_real} and {result.n_fake} images)")
