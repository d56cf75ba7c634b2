"""``gan-sweep export``: the winner's generator as files that others load, with a model card."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.commands.parameters import FolderToMake, SweepToFind, Text
from orchestrator.commands.shared import sweeps_dir_option
from trainers.errors import UserError, is_full, shortened, unknown_name

if TYPE_CHECKING:
    from orchestrator.results.winner import Chosen
    from trainers.inference import FinishedGenerator
    from trainers.inference.export import Origin, Written

_CARD, _PICTURE = "README.md", "samples.png"
_LICENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_-]{0,63}")
_COLUMNS, _ROWS = 8, 4  # of the picture


@click.command("export")
@click.argument("sweep", metavar="SWEEP|CHECKPOINT", type=SweepToFind())
@click.option("--out", type=FolderToMake(), required=True, metavar="DIR", help="Folder of the model, a new one.")
@click.option(
    "--to",
    "formats",
    type=Text(),
    multiple=True,
    default=("safetensors",),
    show_default=True,
    metavar="FORMAT",
    help="safetensors (for gan-sweep), torchscript (for torch alone) or onnx; repeatable.",
)
@click.option("--trial", type=Text(), default="best", show_default=True, metavar="ID", help="Of the sweep.")
@click.option(
    "--license", "licence", type=Text(), default="unknown", show_default=True, metavar="NAME", help="Such as cc-by-4.0."
)
@click.option("--force", is_flag=True, help="Replace an earlier export in DIR.")
@sweeps_dir_option
def command(
    sweep: str, out: Path, formats: tuple[str, ...], trial: str, licence: str, force: bool, sweeps_dir: Path
) -> None:
    """Write the generator of SWEEP's winner, or of a CHECKPOINT, to DIR, with a model card (README.md)."""
    from orchestrator.results.winner import choose
    from trainers.inference import FinishedGenerator
    from trainers.inference.formats import FORMATS

    for name in formats:
        if name not in FORMATS:
            raise unknown_name("format of --to", name, FORMATS)
    if not _LICENCE.fullmatch(licence):
        raise UserError(f"--license {shortened(licence)}: give a short name, such as apache-2.0, cc-by-4.0 or other")
    _check_place(out, force)
    for name in formats:
        FORMATS[name].check()
    chosen = choose(sweep, sweeps_dir, trial)
    generator = FinishedGenerator.load(chosen.checkpoint)
    written = _write(generator, chosen, out, tuple(dict.fromkeys(formats)), licence)
    _say(chosen, generator, out, written, licence)


def _check_place(out: Path, force: bool) -> None:
    """Check that a model may be written to a folder.

    Raises:
        UserError: it is not empty.
    """
    from trainers.inference import is_exported, read_model

    if not out.exists() or not any(out.iterdir()):
        return
    if not is_exported(out):
        raise UserError(f"--out: {out} holds other files: name a new folder")
    if not force:
        raise UserError(f"--out: {out} holds an exported model already: name another folder, or --force replaces it")
    read_model(out)


def _write(
    generator: FinishedGenerator, chosen: Chosen, out: Path, formats: tuple[str, ...], licence: str
) -> list[Written]:
    from orchestrator.display.model_card import model_card
    from trainers.atomic import new_folder, write_text
    from trainers.inference import read_model
    from trainers.inference.export import write_model

    # One that is there is filled, not replaced: it may be a mounted disk, or a shell's current folder.
    place = out / "export.part" if out.exists() else out
    try:
        with new_folder(place) as part:
            written = write_model(generator, part, formats, _origin(chosen), licence)
            model = read_model(part)
            caption = _draw(generator, chosen, part / _PICTURE)
            picture = _PICTURE if (part / _PICTURE).exists() else None
            write_text(part / _CARD, model_card(model, written, picture, caption))
        if place != out:
            _move_into(place, out)
    except OSError as error:
        if is_full(error):
            raise
        raise UserError(f"--out: {out} cannot be written: {(error.strerror or str(error)).lower()}") from error
    return written


def _move_into(new: Path, out: Path) -> None:
    """Replace the files of an earlier export, if there is one, by those of a new one; whatever else is there stays."""
    from trainers.inference import is_exported, read_model
    from trainers.inference.exported import MODEL_FILE

    before = {name for names in read_model(out)["files"].values() for name in names} if is_exported(out) else set()
    files = sorted(new.iterdir(), key=lambda file: file.name == MODEL_FILE)  # last the one that names the others
    for file in files:
        os.replace(file, out / file.name)
    for name in before - {file.name for file in files}:
        (out / name).unlink(missing_ok=True)
    new.rmdir()


def _origin(chosen: Chosen) -> Origin:
    from orchestrator.results.repeats import setting_of
    from trainers.inference.export import Origin

    if chosen.store is None or (trial := chosen.trial) is None:
        return Origin()
    plan = chosen.store.read_plan()
    setting = next(one for one in chosen.store.read_trials() if one.trial_id == setting_of(trial.trial_id))
    return Origin(
        sweep=plan.sweep,
        trial=trial.trial_id,
        objective_name=plan.objective,
        objective=trial.objective,
        confirmed_mean=trial.objective_mean,
        confirmed_spread=trial.objective_spread,
        confirmed_seeds=len(trial.confirmed),
        training_mean=setting.seeds.mean,
        training_spread=setting.seeds.spread,
        training_seeds=len(setting.seeds.values),
        data_fingerprint=plan.fingerprint,
        data_images=plan.n_real,
    )


def _draw(generator: FinishedGenerator, chosen: Chosen, file: Path) -> str:
    """Draw a sample grid where there can be one; returns what it shows, or why there is none."""
    import shutil

    import torch

    from orchestrator.results.sample_grids import find_grids
    from trainers.samples import save_grid

    if generator.directions:
        grids = {
            epoch: grid for epoch, grid in find_grids(chosen.checkpoint.parent).items() if epoch <= generator.epoch
        }
        if not grids:
            return "No samples: a translation needs images to translate."
        shutil.copyfile(grids[max(grids)], file)
        return f"Training images, their translations and the way back, at epoch {max(grids)}."
    inputs, what = [generator.inputs(range(_COLUMNS * _ROWS))], "not selected"
    if generator.classes:
        attribute, names = next(iter(generator.classes.items()))
        inputs = [generator.inputs(range(_COLUMNS), classes={attribute: name}) for name in names]
        what = f"not selected, a row per {attribute}: {', '.join(names)}"
    save_grid(generator.images(torch.cat(inputs)), file, columns=_COLUMNS)
    return f"Samples of seed 0, {what}."


def _say(chosen: Chosen, generator: FinishedGenerator, out: Path, written: list[Written], licence: str) -> None:
    """Tell what was written, and what can be done with it."""
    click.echo(f"exported {chosen.name}, epoch {generator.epoch}, {generator.image_size} px, to {out}")
    for one in written:
        close = f"to {one.difference:.1g}" if one.difference else "exactly"
        click.echo(f"  {one.name:22} {one.size / 1e6:6.1f} MB  the checkpoint's own images {close}")
    unsaid = "license unknown (--license NAME)" if licence == "unknown" else f"license {licence}"
    known = "" if chosen.trial else "; no FID: only a sweep knows it"
    click.echo(f"  {_CARD:22} {'':9}  the model card: {unsaid}{known}")
    if any(one.format == "safetensors" for one in written):
        click.echo(f"next: gan-sweep serve {shlex.quote(str(out))}")
