"""``gan-sweep generate``: images, pictures and animations from a sweep's generator."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.commands.parameters import FolderToMake, FolderToRead, Number, SweepToFind, Text, Whole
from orchestrator.commands.shared import fetch, sweeps_dir_option
from trainers.errors import UserError, is_full, shortened, unknown_name

if TYPE_CHECKING:
    import torch

    from orchestrator.results.winner import Chosen
    from trainers.inference import Filled, FinishedGenerator

FRAMES, MOST_FRAMES, MOST_TILES = 25, 10_000, 1024
BUSY = 0.8  # of the threads; less is said to be others' work
_LATENTS = frozenset({"seed", "truncation", "classes", "fast", "device"})
# What each thing that can be made takes besides SWEEP, --out, --trial and --sweeps-dir; the first given decides.
MODES = {
    "epochs": frozenset({"gif", "mp4"}),
    "translate": frozenset({"direction", "format", "fast", "device"}),
    "interpolate": _LATENTS | {"grid", "frames", "gif", "mp4"},
    "grid": _LATENTS | {"format"},
    "count": _LATENTS | {"format"},
}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What was asked for; the options by their names."""

    sweep: str
    trial: str
    out: Path
    sweeps_dir: Path
    count: int
    format: str
    grid: str | None
    interpolate: int | None
    frames: int
    gif: bool
    mp4: bool
    epochs: bool
    translate: Path | None
    direction: str | None
    seed: int
    truncation: float
    classes: tuple[str, ...]
    fast: bool
    device: str | None

    @property
    def suffix(self) -> str:
        """Of the animation."""
        return ".mp4" if self.mp4 else ".gif"


@click.command("generate")
@click.argument("sweep", metavar="SWEEP|CHECKPOINT", type=SweepToFind())
@click.option("--out", type=FolderToMake(), required=True, metavar="DIR", help="Folder of the results.")
@click.option("--trial", type=Text(), default="best", show_default=True, metavar="ID", help="Of the sweep.")
@click.option("--count", type=Whole(1, 10**8), default=64, show_default=True, metavar="N", help="Number of images.")
@click.option(
    "--format", type=Text(), default="png", show_default=True, metavar="F", help="png, webp (lossless) or parquet."
)
@click.option("--seed", type=Whole(0, 2**63 - 1), default=0, show_default=True, metavar="N", help="Other images.")
@click.option(
    "--truncation",
    type=Number(0, 2),
    default=1.0,
    show_default=True,
    metavar="PSI",
    help="Below 1: more typical images, which vary less.",
)
@click.option("--classes", type=Text(), multiple=True, metavar="NAME=CLASS", help="Such as hair=blonde; repeatable.")
@click.option("--grid", type=Text(), metavar="RxC", help="One picture of R rows and C columns instead.")
@click.option("--interpolate", type=Whole(2, 1000), metavar="N", help="An animation from image to image, N in all.")
@click.option(
    "--frames", type=Whole(1, 1000), default=FRAMES, show_default=True, metavar="N", help="From one to the next; 25/s."
)
@click.option("--epochs", is_flag=True, help="An animation of the trial's sample grids, epoch by epoch.")
@click.option("--gif", is_flag=True, help="The animation as GIF (the default).")
@click.option("--mp4", is_flag=True, help="The animation as MP4.")
@click.option("--translate", type=FolderToRead(), metavar="DIR", help="Translate these images (CycleGAN).")
@click.option("--direction", type=Text(), metavar="NAME", help="Of the translation: a2b or b2a.")
@click.option("--fast", is_flag=True, help="In float32: some bytes depend on device and batch then.")
@click.option("--device", type=Text(), metavar="NAME", help="cpu, cuda, cuda:1 ... [default: a GPU, else the CPU]")
@sweeps_dir_option
@click.pass_context
def command(context: click.Context, /, **options: object) -> None:
    """Make images with the generator of SWEEP's winner, of another of its trials, or of a CHECKPOINT.

    The same seed gives the same files, on any device and however often it was interrupted: the same command goes on.
    """
    asked = Asked(**options)  # type: ignore[arg-type]
    typed = {name for name in options if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE}
    mode = next((mode for mode in MODES if mode in typed), "count")
    check_together(mode, typed)
    make = {
        "epochs": _epochs,
        "translate": _translate,
        "interpolate": _interpolate,
        "grid": _grid,
        "count": _set,
    }[mode]
    try:
        make(asked)
    except OSError as error:
        if is_full(error):
            raise
        raise UserError(f"--out {asked.out}: {error.filename2 or error.filename}: {error.strerror or error}") from error


def check_together(mode: str, typed: set[str]) -> None:
    """Check that the options that were `typed` go together; `mode` is the one that decides what is made.

    Raises:
        UserError: one has no meaning beside another.
    """
    for name in sorted(typed & frozenset.union(*MODES.values(), MODES) - MODES[mode] - {mode}):
        goes_with = " or ".join(f"--{other}" for other, taken in MODES.items() if name in taken)
        beside = f" beside --{mode}" if mode in typed else ""
        raise UserError(f"--{name} has no meaning{beside}{f': it goes with {goes_with}' if goes_with else ''}")
    if {"gif", "mp4"} <= typed:
        raise UserError("--gif and --mp4: give one of them")


def _set(asked: Asked) -> None:
    from trainers.inference import Output, make_set

    chosen, generator = _load(asked)
    _check_format(asked, "png", "webp", "parquet")
    _refuse_translating(generator)
    with _stoppable(), _progress("generating images", asked.count) as progress:
        output = Output(folder=asked.out, format=asked.format, source=chosen.name, progress=progress)
        filled = make_set(
            generator,
            asked.count,
            output,
            seed=asked.seed,
            classes=_classes(asked),
            truncation=asked.truncation,
        )
    _say_filled(asked, chosen, generator, filled)


def _translate(asked: Asked) -> None:
    from trainers.inference import Output, translate_set

    assert asked.translate is not None
    _check_format(asked, "png", "webp")
    chosen, generator = _load(asked)
    if generator.directions and asked.direction is None:
        raise UserError(f"--translate needs --direction: {' or '.join(generator.directions)}")
    fetch(asked.translate)
    with _stoppable(), _progress("translating images") as progress:
        output = Output(folder=asked.out, format=asked.format, source=chosen.name, progress=progress)
        filled, skipped = translate_set(generator, asked.translate, asked.direction or "", output)
    _say_filled(asked, chosen, generator, filled)
    for file in skipped:
        click.echo(f"skipped {file.path}: {file.reason}, {file.detail}", err=True)


def _grid(asked: Asked) -> None:
    from PIL import Image

    from trainers.atomic import replacing
    from trainers.inference import tiled

    _check_format(asked, "png", "webp")
    rows, columns = _rows_and_columns(asked)
    chosen, generator = _load(asked)
    _refuse_translating(generator)
    inputs = generator.inputs(
        range(rows * columns), seed=asked.seed, classes=_classes(asked), truncation=asked.truncation
    )
    path = _picture_path(asked, f"grid_{rows}x{columns}_seed{asked.seed}.{asked.format}")
    with replacing(path) as part:
        Image.fromarray(tiled(generator.pixels(inputs), columns)).save(part, lossless=True)
    click.echo(f"{chosen.name}, epoch {generator.epoch}: {path}")


def _interpolate(asked: Asked) -> None:
    from trainers.inference import check_video, save_animation, walk

    assert asked.interpolate is not None
    if asked.mp4:
        check_video()
    rows, columns = _rows_and_columns(asked)
    chosen, generator = _load(asked)
    _refuse_translating(generator)
    if (total := asked.interpolate * asked.frames) > MOST_FRAMES:
        raise UserError(
            f"--interpolate {asked.interpolate} with --frames {asked.frames}: {total} frames, at most {MOST_FRAMES} "
            "are allowed, 400 s"
        )
    frames = walk(
        generator,
        asked.interpolate,
        asked.frames,
        rows=rows,
        columns=columns,
        seed=asked.seed,
        classes=_classes(asked),
        truncation=asked.truncation,
    )
    path = _picture_path(asked, f"walk_{asked.interpolate}_seed{asked.seed}{asked.suffix}")
    with _progress("generating frames", total) as progress:
        save_animation(path, frames, tell=lambda done: progress(done, total))
    click.echo(f"{chosen.name}, epoch {generator.epoch}: {path}, {total} frames, {total / 25:.1f} s")


def _epochs(asked: Asked) -> None:
    from orchestrator.display.epochs_film import epoch_frames
    from orchestrator.results.winner import choose_trial
    from trainers.inference import check_video, save_animation

    if asked.mp4:
        check_video()
    if Path(asked.sweep).is_file():
        raise UserError(f"--epochs shows the sample grids of a sweep's trial, and {asked.sweep} is a checkpoint")
    store, trial = choose_trial(asked.sweep, asked.sweeps_dir, asked.trial)
    frames = epoch_frames(store, trial.trial_id)
    name = f"{store.directory.name}_{trial.trial_id}"
    path = _picture_path(asked, f"{name}_epochs{asked.suffix}")
    times = max(2, min(15, 250 // len(frames)))  # 10 s in all, where that is not too fast or too slow
    save_animation(path, frames, times=times, last=4)
    click.echo(f"{path}: {len(frames)} epochs of trial {trial.trial_id} of {store.directory.name}")


def _load(asked: Asked) -> tuple[Chosen, FinishedGenerator]:
    import torch

    from orchestrator.results.winner import choose
    from trainers.inference import FinishedGenerator, find_device

    device = find_device(asked.device)
    chosen = choose(asked.sweep, asked.sweeps_dir, asked.trial)
    dtype = torch.float32 if asked.fast else torch.float64
    return chosen, FinishedGenerator.load(chosen.checkpoint, device, dtype)


def _refuse_translating(generator: FinishedGenerator) -> None:
    if generator.directions:
        raise UserError(
            f"{generator.source} translates images: give --translate DIR --direction {'|'.join(generator.directions)}"
        )


def _check_format(asked: Asked, *valid: str) -> None:
    if asked.format not in valid:
        raise unknown_name("--format", asked.format, valid)


def _classes(asked: Asked) -> dict[str, str]:
    wanted = {}
    for text in asked.classes:
        name, equals, value = text.partition("=")
        if not equals or not name or not value or name in wanted:
            twice = f" ({name} stands twice)" if name in wanted else ""
            raise UserError(f"--classes {shortened(text)}: write NAME=CLASS, once for each name{twice}")
        wanted[name] = value
    return wanted


def _rows_and_columns(asked: Asked) -> tuple[int, int]:
    if asked.grid is None:
        return 1, 1
    sides = [int(side) if side.isascii() and side.isdigit() and len(side) < 6 else 0 for side in asked.grid.split("x")]
    if len(sides) != 2 or not 1 <= sides[0] * sides[1] <= MOST_TILES:
        raise UserError(f"--grid {shortened(asked.grid)}: write rows and columns, such as 4x8, of {MOST_TILES} at most")
    return sides[0], sides[1]


def _picture_path(asked: Asked, name: str) -> Path:
    """Where a single picture goes; not among the images of a set, which others count and compare."""
    from trainers.inference.recipe import read_recipe

    if read_recipe(asked.out) is not None:
        raise UserError(f"--out {asked.out} holds a set of images: name another folder for {name}")
    try:
        asked.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--out {asked.out}: {error.strerror or error}") from error
    return asked.out / name


@contextmanager
def _stoppable() -> Iterator[None]:
    """Say after Ctrl-C that nothing is lost."""
    try:
        yield
    except KeyboardInterrupt:
        click.echo("gan-sweep: stopped; the same command goes on from here", err=True)
        raise click.Abort from None


@contextmanager
def _progress(what: str, total: int | None = None) -> Iterator[Callable[[int, int], None]]:
    from rich.console import Console

    from orchestrator.display.progress import progress_bar

    with progress_bar(Console(stderr=True), what, total) as progress:
        yield progress


def _say_filled(asked: Asked, chosen: Chosen, generator: FinishedGenerator, filled: Filled) -> None:
    size = generator.image_size
    click.echo(
        f"{chosen.name}, epoch {generator.epoch}: {filled.images + filled.found} images of {size} px in {asked.out}"
    )
    if filled.found:
        click.echo(f"  {filled.found} of them were there before")
    if filled.images:
        click.echo(f"  {_speed(filled, generator.device)}")


def _speed(filled: Filled, device: torch.device) -> str:
    """Images/s, and what they waited for; on a CPU both kinds of work share the threads."""
    on_cpu, whole = device.type == "cpu", filled.seconds * filled.threads
    making, encoding = filled.making_s / (whole if on_cpu else filled.seconds), filled.encoding_s / whole
    threads = "1 thread" if filled.threads == 1 else f"{filled.threads} threads"
    limit = "the generator" if making > encoding else "encoding"
    took = f"it took {max(making, encoding):.0%} of {threads if on_cpu or limit == 'encoding' else device}"
    other = f"encoding {encoding:.0%}" if limit == "the generator" else f"the generator {making:.0%}"
    rest = "; other processes had the rest, or it waited" if on_cpu and making + encoding < BUSY else ""
    speed = f"{filled.images} in {filled.seconds:.1f} s: {filled.images / filled.seconds:.0f} images/s"
    return f"{speed}, limited by {limit}: {took}, {other}{rest}"
