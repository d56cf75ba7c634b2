"""``gan-sweep fid``: FID between two folders, of a folder as a sweep measures it, and of a sweep's trial again."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.commands.parameters import FileToRead, FolderToRead, SweepToFind, Text, Whole
from orchestrator.commands.shared import fetch, sweeps_dir_option
from trainers.errors import UserError, unknown_name
from trainers.metric_names import INCEPTION_SCORE, MOST_NEIGHBOURS, NEIGHBOURS, PRDC

if TYPE_CHECKING:
    from orchestrator.plan.measuring_again import MeasuringAgain
    from orchestrator.results.winner import Chosen
    from trainers.metrics import Extractor

FORMS = "give two folders, or one and --sweep NAME, or --sweep NAME alone"
_OF_FOLDERS = {"fid_extractor", "batch_size", "metrics", "neighbours"}
_OF_SWEEPS = {"trial", "seeds", "data", "direction"}


def measuring_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options of what compares images: neighbours of ``prdc``, extractor, weights, images at once, JSON."""
    options = (
        click.option(
            "--neighbours",
            type=Whole(1, MOST_NEIGHBOURS),
            default=NEIGHBOURS,
            show_default=True,
            metavar="K",
            help="Nearest ones that make a neighbourhood of prdc: 5 as in that package, 3 as in Kynkäänniemi et al.",
        ),
        click.option(
            "--fid-extractor",
            type=Text(),
            default="inception",
            show_default=True,
            metavar="NAME",
            help="Or efficientnet_lite0.",
        ),
        click.option("--fid-weights", type=FileToRead(), metavar="FILE", help="Weights of the extractor."),
        click.option(
            "--batch-size",
            type=Whole(1, 1024),
            default=50,
            show_default=True,
            metavar="N",
            help="Images at once.",
        ),
        click.option("--json", "as_json", is_flag=True, help="One JSON object."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command("fid")
@click.argument("dir_a", type=FolderToRead(), required=False)
@click.argument("dir_b", type=FolderToRead(), required=False)
@click.option("--sweep", type=SweepToFind(), metavar="NAME", help="Measure as this sweep does.")
@click.option("--trial", type=Text(), default="best", show_default=True, metavar="ID", help="Of the sweep.")
@click.option(
    "--seeds", type=Whole(1, 1000), metavar="K", help="Measure the trial on K sets of fresh latents too, as sweeps do."
)
@click.option("--data", type=FolderToRead(), metavar="DIR", help="Where the sweep's images are now.")
@click.option("--direction", type=Text(), metavar="NAME", help="Of translated images: a2b or b2a.")
@click.option(
    "--metrics",
    type=Text(),
    default="fid",
    show_default=True,
    metavar="NAMES",
    help="More from the same features, such as kid,prdc: KID; precision, recall, density and coverage; with inception "
    "inception_score.",
)
@measuring_options
@sweeps_dir_option
@click.pass_context
def command(
    context: click.Context,
    dir_a: Path | None,
    dir_b: Path | None,
    sweep: str | None,
    trial: str,
    seeds: int | None,
    data: Path | None,
    direction: str | None,
    neighbours: int,
    fid_extractor: str,
    fid_weights: Path | None,
    metrics: str,
    batch_size: int,
    as_json: bool,
    sweeps_dir: Path,
) -> None:
    """FID between the images of two folders or prepared datasets, as pytorch-fid computes it.

    With --sweep, FID as that sweep computes it: of one folder of generated images, or of the best checkpoint of a
    trial, measured again.
    """
    _check_together(context, sweep, dir_a, dir_b)
    if sweep is None:
        assert dir_a is not None and dir_b is not None
        asked = asked_metrics(metrics, fid_extractor, context)
        found = between(
            dir_a, dir_b, asked, neighbours, lambda: extractor_of(fid_extractor, fid_weights), batch_size, as_json
        )
    else:
        chosen, again = _as_measured(sweep, sweeps_dir, trial, data, fid_weights)
        found = (
            _measured_again(chosen, again, seeds, as_json)
            if dir_a is None
            else _of_folder(dir_a, chosen, again, direction, as_json)
        )
    if as_json:
        click.echo(json.dumps(found))


def _check_together(context: click.Context, sweep: str | None, dir_a: Path | None, dir_b: Path | None) -> None:
    source = click.core.ParameterSource.COMMANDLINE
    typed = {name for name in context.params if context.get_parameter_source(name) is source}
    if (dir_b is not None and sweep is not None) or (dir_b is None and sweep is None):
        raise UserError(f"FID of what? {FORMS}")
    for name in sorted(typed & (_OF_SWEEPS if sweep is None else _OF_FOLDERS)):
        beside = "without --sweep" if sweep is None else "beside --sweep, whose own is used"
        raise UserError(f"--{name.replace('_', '-')} has no meaning {beside}")
    alone = {"seeds"} if dir_a is not None else {"direction"}
    for name in typed & alone & _OF_SWEEPS:
        raise UserError(f"--{name} has no meaning {'beside' if dir_a is not None else 'without'} a folder of images")


def asked_metrics(metrics: str, extractor: str, context: click.Context) -> list[str]:
    """The names in ``--metrics``.

    Raises:
        UserError: one is not known or needs another extractor, or ``--neighbours`` was given and none has any.
    """
    from trainers.metrics import METRICS

    asked = metrics.split(",")
    if (unknown := next((name for name in asked if name not in METRICS), None)) is not None:
        raise unknown_name("--metrics", unknown, METRICS)
    if INCEPTION_SCORE in asked and extractor != "inception":
        raise UserError(f"--metrics: {INCEPTION_SCORE} needs --fid-extractor inception, got {extractor}")
    if PRDC not in asked and context.get_parameter_source("neighbours") is click.core.ParameterSource.COMMANDLINE:
        raise UserError(f"--neighbours has no meaning without {PRDC} in --metrics, which are {metrics}")
    return asked


def extractor_of(name: str, weights: Path | None) -> Extractor:
    """The extractor that was asked for, on the device that there is."""
    from trainers.inference import find_device
    from trainers.metrics import build_extractor

    return build_extractor(name, weights, device=find_device())


def between(
    dir_a: Path,
    dir_b: Path,
    asked: list[str],
    k: int,
    build: Callable[[], Extractor],
    batch_size: int,
    as_json: bool,
) -> dict[str, Any]:
    """Compare the images of two folders, print that unless it is to be JSON, and return it.

    Args:
        dir_a: what is real.
        dir_b: what is compared with it.
        asked: of `trainers.metrics.METRICS`.
        k: nearest neighbours that make a neighbourhood of ``prdc``.
        build: builds the extractor, once both folders are known to have images.
        batch_size: images at once.
        as_json: print nothing.
    """
    from orchestrator.display.fid_text import comparison_lines
    from trainers.inference import find_device
    from trainers.metrics import compare_folders, find_images, image_sizes

    sizes = []
    for folder in (dir_a, dir_b):
        fetch(folder)
        sizes.append(image_sizes(find_images(folder)))  # before anybody is asked for weights
    extractor = build()
    found = compare_folders(
        dir_a, dir_b, extractor=extractor, metrics=asked, k=k, batch_size=batch_size, device=find_device()
    )
    if not as_json:
        for line in comparison_lines(found):
            click.echo(line)
    if len(sizes[0] | sizes[1]) > 1:
        click.echo(
            f"note: the images differ in size ({_sizes_text(dir_a, sizes[0])}; {_sizes_text(dir_b, sizes[1])}) and "
            "are compared as they are, as pytorch-fid does. A sweep decodes all of them to squares of its image_size "
            "first, so its FID is another: `gan-sweep fid GENERATED --sweep NAME` measures as it does",
            err=True,
        )
    more = {name: asdict(one) for name, one in (("kid", found.kid), ("prdc", found.neighbours)) if one is not None}
    score = {} if found.inception_score is None else {INCEPTION_SCORE: found.inception_score}
    return {**asdict(found.fid), **more, **score}


def _sizes_text(folder: Path, sizes: Counter[tuple[int, int]]) -> str:
    first, last = (f"{width}x{height}" for width, height in (min(sizes), max(sizes)))
    return f"{folder.name}: {first}" if len(sizes) == 1 else f"{folder.name}: {len(sizes)} sizes, {first} to {last}"


def _as_measured(
    sweep: str, sweeps_dir: Path, trial: str, data: Path | None, weights: Path | None
) -> tuple[Chosen, MeasuringAgain]:
    from rich.console import Console

    from orchestrator.display.progress import progress_bar
    from orchestrator.plan.measuring_again import images_folder, measuring_again
    from orchestrator.results.winner import choose
    from trainers.inference import find_device

    if Path(sweep).is_file():
        raise UserError(f"--sweep {sweep} is a file: name a sweep, which knows its images and its protocol")
    chosen = choose(sweep, sweeps_dir, trial)
    assert chosen.store is not None
    fetch(images_folder(chosen.store, data))
    with progress_bar(Console(stderr=True), "decoding images") as progress:
        again = measuring_again(chosen, data=data, weights=weights, device=find_device(), progress=progress)
    return chosen, again


def _measured_again(chosen: Chosen, again: MeasuringAgain, seeds: int | None, as_json: bool) -> dict[str, Any]:
    from orchestrator.display.fid_text import again_lines

    assert chosen.store is not None and chosen.trial is not None
    history = chosen.store.read_history(chosen.trial.trial_id)
    then = next((one.measurement for one in history if one.epoch == again.run.epoch and one.measurement), None)
    now = again.run.as_in_training()
    fresh = [one.fid for one in again.run.confirm(seeds)] if seeds is not None else []
    if not as_json:
        for line in again_lines(chosen, then, now, fresh, again.differences):
            click.echo(line)
    return {
        "trial": chosen.name,
        "epoch": again.run.epoch,
        "name": now.name,
        "in_training": None if then is None else then.fid,
        "measured_again": now.fid,
        "confirmed": chosen.trial.confirmed_fids,
        "fresh_latents": fresh,
        "differences": again.differences,
    }


def _of_folder(
    folder: Path, chosen: Chosen, again: MeasuringAgain, direction: str | None, as_json: bool
) -> dict[str, Any]:
    from rich.console import Console

    from orchestrator.display.fid_text import folder_lines, other_images
    from orchestrator.display.progress import progress_bar
    from trainers.metrics import fid_of_folder

    fetch(folder)
    real, config = again.run.real_statistics(), again.run.config
    if direction is None and len(real) > 1:
        raise UserError(f"{chosen.name} translates: say with --direction {'|'.join(real)} what made the images")
    name = direction or next(iter(real))
    if name not in real or (direction is not None and len(real) == 1):
        raise unknown_name("direction", name, real if len(real) > 1 else [])
    with progress_bar(Console(stderr=True), "measuring images") as progress:
        found = fid_of_folder(
            folder,
            real[name],
            image_size=config.data.image_size,
            fit=config.data.fit,
            set_size=config.fid.n_fake,
            extractor=again.assets.extractor(config),
            batch_size=config.fid.batch_size,
            device=again.assets.device,
            progress=progress,
            held_out=config.data.heldout,
        )
    differences = (*other_images(folder, chosen), *again.differences)
    if not as_json:
        for line in folder_lines(folder, chosen, config.data, found, differences):
            click.echo(line)
    return {"trial": chosen.name, **asdict(found), "differences": differences}
