"""``gan-sweep evaluate``: two sides compared, each a folder of images, a checkpoint or a sweep's trial."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.commands.fid import asked_metrics, between, extractor_of, measuring_options
from orchestrator.commands.parameters import NameOrPath, Text, Whole
from orchestrator.commands.shared import fetch, sweeps_dir_option
from trainers.errors import UserError
from trainers.metric_names import INCEPTION_SCORE, PRDC

if TYPE_CHECKING:
    from trainers.inference import FinishedGenerator

MOST = 10_000  # images that a generator makes, unless --count says it


@dataclass(frozen=True, kw_only=True)
class Side:
    """One of the two: a folder, or a generator."""

    name: str
    folder: Path | None = None
    generator: FinishedGenerator | None = None


@click.command("evaluate")
@click.argument("side_a", metavar="A", type=NameOrPath())
@click.argument("side_b", metavar="B", type=NameOrPath())
@click.option(
    "--metrics",
    type=Text(),
    default="fid,kid,prdc",
    show_default=True,
    metavar="NAMES",
    help="Some of fid, kid, prdc (precision, recall, density and coverage) and, with inception, inception_score.",
)
@click.option(
    "--count",
    type=Whole(2, 10**6),
    metavar="N",
    help="Images of a generator. [default: the other side's, at most 10,000]",
)
@click.option("--seed", type=Whole(0, 2**63 - 1), default=0, show_default=True, metavar="N", help="Of their latents.")
@click.option("--trial", type=Text(), default="best", show_default=True, metavar="ID", help="Of a sweep.")
@measuring_options
@sweeps_dir_option
@click.pass_context
def command(
    context: click.Context,
    side_a: str,
    side_b: str,
    metrics: str,
    count: int | None,
    seed: int,
    trial: str,
    neighbours: int,
    fid_extractor: str,
    fid_weights: Path | None,
    batch_size: int,
    as_json: bool,
    sweeps_dir: Path,
) -> None:
    """Compare B with A, each a folder of images, a prepared dataset, a checkpoint or a sweep (its winner).

    A is what is real: precision and recall are not symmetric, and the Inception score is of B's images alone. Beside a
    generator the images of a folder are decoded to its size, as for its training.
    """
    asked = asked_metrics(metrics, fid_extractor, context)
    sides = [_side(one, trial, sweeps_dir) for one in (side_a, side_b)]
    if not any(side.generator for side in sides):
        for name in ("count", "seed", "trial"):
            if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
                raise UserError(f"--{name} has no meaning between two folders: all of their images are compared")
    extractor = extractor_of(fid_extractor, fid_weights)  # before any image is made
    with tempfile.TemporaryDirectory() as scratch:
        fewest = [_fewest(asked, neighbours, place) for place in range(2)]
        folders = _as_folders(sides, count, seed, Path(scratch), fewest=fewest, quiet=as_json)
        found = between(folders[0], folders[1], asked, neighbours, lambda: extractor, batch_size, as_json)
    if as_json:
        click.echo(json.dumps({"a": sides[0].name, "b": sides[1].name, **found}))


def _side(given: str, trial: str, sweeps_dir: Path) -> Side:
    from orchestrator.results.saved_plan import PLAN_FILE
    from orchestrator.results.winner import choose
    from trainers.inference import FinishedGenerator, find_device

    path = Path(given)
    if path.is_dir() and not (path / PLAN_FILE).exists():
        fetch(path)
        return Side(name=given, folder=path)
    chosen = choose(given, sweeps_dir, trial)
    generator = FinishedGenerator.load(chosen.checkpoint, find_device())
    if generator.directions:
        raise UserError(
            f"{chosen.name} translates images: make a folder with gan-sweep generate --translate, and compare that"
        )
    return Side(name=chosen.name, generator=generator)


def _fewest(asked: list[str], neighbours: int, place: int) -> tuple[int, str]:
    """How many images the first (0) or second (1) side needs at least, and for what."""
    from trainers.metrics import FEWEST
    from trainers.metrics.inception_score import SPLITS

    needs = [(FEWEST, "FID")]
    if PRDC in asked:
        needs.append((neighbours + 1, f"{PRDC} with {neighbours} neighbours"))
    if INCEPTION_SCORE in asked and place == 1:
        needs.append((SPLITS, INCEPTION_SCORE))
    return max(needs)


def _as_folders(
    sides: list[Side], count: int | None, seed: int, scratch: Path, *, fewest: list[tuple[int, str]], quiet: bool
) -> list[Path]:
    """A folder of each side's images: of generators' new ones, and beside them of folders' at their size."""
    generators = [side.generator for side in sides if side.generator is not None]
    if not generators:
        return [side.folder for side in sides if side.folder is not None]
    folders: dict[int, Path] = {}
    number = count
    for place, side in enumerate(sides):
        if side.folder is not None:
            folders[place] = scratch / f"side{place}"
            there = _decoded(side.folder, generators[0], folders[place])
            least, what = fewest[place]
            if there < least:
                raise UserError(f"{side.name}: {what} needs at least {least} images, it has {there}")
            number = number or min(there, MOST)
    least, what = max(needs for side, needs in zip(sides, fewest, strict=True) if side.generator is not None)
    if (number or MOST) < least:
        given = "" if count else ", as many as the other side has"
        raise UserError(f"--count {number}{given}: {what} needs at least {least} images")
    for place, side in enumerate(sides):
        if side.generator is not None:
            folders[place] = scratch / f"side{place}"
            _made(side, number or MOST, seed, folders[place])
            if not quiet:
                click.echo(f"{side.name}, epoch {side.generator.epoch}: {number or MOST} images, seed {seed}")
            seed += 1  # two generators get other latents
    return [folders[place] for place in range(2)]


def _made(side: Side, count: int, seed: int, folder: Path) -> None:
    from rich.console import Console

    from orchestrator.display.progress import progress_bar
    from trainers.inference import Output, make_set

    assert side.generator is not None
    with progress_bar(Console(stderr=True), "generating images") as progress:
        make_set(side.generator, count, Output(folder=folder, source=side.name, progress=progress), seed=seed)


def _decoded(folder: Path, generator: FinishedGenerator, out: Path) -> int:
    """Write a folder's images as the generator's training has them; returns how many."""
    from rich.console import Console

    from orchestrator.display.progress import progress_bar
    from trainers.data.decoded import write_decoded

    data = generator.config.data
    with progress_bar(Console(stderr=True), "decoding images") as progress:
        return write_decoded(folder, out, image_size=data.image_size, fit=data.fit, progress=progress)
