"""The command line: parse, then one call each. What a command needs is imported when it runs, so help is instant."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from trainers.errors import UserError


class _Group(click.Group):
    """Turns a UserError into one line and exit code 2, and a near miss of a command's name into a hint."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except UserError as error:
            click.echo(f"gan-sweep: {error}", err=True)
            context.exit(2)

    def resolve_command(self, context: click.Context, args: list[str]) -> Any:
        from trainers.errors import unknown_name

        if args and self.get_command(context, args[0]) is None and not args[0].startswith("-"):
            raise unknown_name("command", args[0], self.list_commands(context))
        return super().resolve_command(context, args)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="gan-sweep")
def main() -> None:
    """Search GAN hyper-parameters by FID, on one machine or a Ray cluster."""


def _sweeps_dir(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--sweeps-dir",
        type=click.Path(file_okay=False, path_type=Path),
        default=Path("sweeps"),
        show_default=True,
        help="Directory that holds the sweeps.",
    )(command)


@main.command()
@click.option("--space", required=True, metavar="NAME|FILE", help="A bundled space (see `spaces list`) or a YAML file.")
@click.option("--data", type=click.Path(path_type=Path), metavar="DIR", help="Folder of images, any format and size.")
@click.option("--name", metavar="SWEEP", help="Name of the sweep. [default: SPACE-DATE-TIME]")
@click.option("--demo", is_flag=True, help="Small enough for 2 CPU cores; draws pictures when --data is not given.")
@click.option("--trials", type=click.IntRange(1), metavar="N", help="How many trials. [default: the space's]")
@click.option("--concurrency", type=click.IntRange(1), metavar="N", help="Trials at once. [default: one per GPU, or 1]")
@click.option("--workers-per-trial", type=click.IntRange(1), metavar="N", help="DDP ranks per trial. [default: 1]")
@click.option("--cpus-per-worker", type=click.FloatRange(0, min_open=True), metavar="F", help="CPUs per rank.")
@click.option(
    "--gpus-per-worker", type=click.FloatRange(0), metavar="F", help="GPUs per rank; 0.25 shares one by four."
)
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Fix a dotted key, such as data.image_size=32."
)
@click.option("--fid-extractor", metavar="NAME", help="inception or efficientnet_lite0. [default: the space's]")
@click.option("--fid-weights", type=click.Path(path_type=Path), metavar="FILE", help="Weights of the extractor.")
@click.option("--sampler", metavar="NAME", help="tpe, gp, cmaes, qmc, random or nsga2. [default: the space's]")
@click.option("--scheduler", metavar="NAME", help="asha, hyperband, median or none. [default: the space's]")
@click.option(
    "--rules", metavar="FILE|on|off", help="A pruning: block, YAML, or all or no rules. [default: the space's]"
)
@click.option("--storage", metavar="KIND|URL", help="Optuna's: journal, sqlite or a database. [default: journal]")
@click.option("--warm-start", metavar="SWEEP", help="Give the sampler the trials of an earlier sweep.")
@click.option("--tracking-uri", metavar="URI", help="MLflow's store or server. [default: SQLite in the sweep]")
@_sweeps_dir
@click.option("--address", metavar="ADDR", help="A running Ray cluster, HOST:PORT or auto. [default: start one here]")
@click.option("--time-budget", metavar="2h", help="End the sweep after this long, wherever its trials are.")
@click.option("--max-gpu-hours", metavar="H", help="End it after so many GPU hours: GPUs held x time.")
@click.option("--target-fid", metavar="X", help="End it when a trial's objective is X or less.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, metavar="N")
@click.option("--dry-run", is_flag=True, help="Check everything, print the plan, start nothing.")
def launch(dry_run: bool, **values: Any) -> None:
    """Run a sweep."""
    from orchestrator.commands.launch import launch as run
    from orchestrator.plan.plan import LaunchOptions

    sys.exit(run(LaunchOptions(**values), dry_run=dry_run))


@main.command()
@click.argument("sweep")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@_sweeps_dir
def results(sweep: str, as_json: bool, sweeps_dir: Path) -> None:
    """Show the trials of SWEEP, running or finished."""
    from orchestrator.results.store import find_sweep

    store = find_sweep(sweep, sweeps_dir)
    if as_json:
        click.echo(json.dumps(store.summary(), indent=1))
        return
    from rich.console import Console

    from orchestrator.display.summary import print_results

    print_results(Console(), store)


@main.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUNS...")
@click.option("--rules", "rules_file", type=click.Path(path_type=Path), metavar="FILE", help="A pruning: block, YAML.")
@click.option("--space", metavar="NAME|FILE", help="The rules of this space. [default: all rules as they are]")
@click.option("--scheduler", metavar="NAME", help="Compared with the rules. [default: the space's, or asha]")
@click.option("--json", "as_json", is_flag=True, help="One JSON object; steps_saved is a share from 0 to 1.")
@click.option("--tune", "tuning", is_flag=True, help="Search the rules' settings for the most saved at no regret.")
@click.option("--candidates", type=click.IntRange(2), default=128, show_default=True, help="Tried by --tune.")
@_sweeps_dir
def replay(runs: tuple[str, ...], **values: Any) -> None:
    """Say where the rules would have stopped RUNS: sweeps, CSV logs (step, fid, d_loss, ...) or folders of them."""
    from orchestrator.commands.replay import run_replay

    run_replay(runs, **values)


@main.group(cls=_Group)
def spaces() -> None:
    """The bundled search spaces."""


@spaces.command("list")
def spaces_list() -> None:
    """Name and description of each."""
    from orchestrator.space.load import bundled_spaces, load_space

    for name in bundled_spaces():
        click.echo(f"{name:<22}{load_space(name).description}")


@spaces.command("show")
@click.argument("name")
def spaces_show(name: str) -> None:
    """What NAME searches, and what it starts from."""
    from rich.console import Console

    from orchestrator.display.summary import print_space
    from orchestrator.space.load import load_space

    print_space(Console(), load_space(name))


@main.command()
@click.argument("sweep")
@click.option("--port", type=click.IntRange(1, 65535), default=5000, show_default=True)
@_sweeps_dir
def ui(sweep: str, port: int, sweeps_dir: Path) -> None:
    """Open MLflow on SWEEP."""
    from orchestrator.commands.ui import serve_ui
    from orchestrator.results.store import find_sweep

    serve_ui(find_sweep(sweep, sweeps_dir).read_info(), port)


@main.command()
@click.argument("dir_a", type=click.Path(path_type=Path))
@click.argument("dir_b", type=click.Path(path_type=Path))
@click.option("--fid-extractor", default="inception", show_default=True, metavar="NAME")
@click.option("--fid-weights", type=click.Path(path_type=Path), metavar="FILE", help="Weights of the extractor.")
@click.option("--batch-size", type=click.IntRange(1), default=50, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def fid(dir_a: Path, dir_b: Path, fid_extractor: str, fid_weights: Path | None, batch_size: int, as_json: bool) -> None:
    """FID between the images of two folders, as pytorch-fid computes it."""
    from orchestrator.commands.fid import folders_fid

    folders_fid(dir_a, dir_b, fid_extractor, fid_weights, batch_size, as_json)


@main.group(cls=_Group)
def data() -> None:
    """Prepare a folder of images, or look at one."""


@data.command("prepare")
@click.argument("source", metavar="SRC", type=click.Path(path_type=Path))
@click.argument("destination", metavar="DEST", type=click.Path(path_type=Path))
@click.option(
    "--size", type=click.IntRange(1), default=128, show_default=True, metavar="PX", help="Side of the images."
)
@click.option("--fit", default="pad", show_default=True, metavar="pad|stretch", help="Black bars, or fill the square.")
@click.option("--detector", metavar="NAME|FILE", help="Crop to single objects: torchvision's name or COCO JSON file.")
@click.option("--detector-weights", type=click.Path(path_type=Path), metavar="FILE", help="Weights of the detector.")
@click.option("--label", metavar="CLASS", help="What to crop to. [default: motorcycle]")
@click.option("--min-score", type=float, metavar="S", help="Of a detection that counts. [default: 0.5]")
@click.option("--min-side", type=int, default=1, metavar="PX", help="Drop pictures or crops with a shorter side.")
@click.option("--max-aspect", type=float, metavar="R", help="Drop those whose longer side is more than R times that.")
@click.option("--max-colourfulness", type=float, metavar="X", help="Drop busy backgrounds: 15 slight, 45 average.")
@click.option("--dedupe", is_flag=True, help="Of equal and near equal pictures keep the largest.")
@click.option(
    "--animated", default="drop", show_default=True, metavar="first|drop", help="Keep the first frame, or none."
)
@click.option("--tags", type=click.Path(path_type=Path), metavar="CSV", help='Rows such as 0,"blonde hair blue eyes".')
@click.option("--drop-tag", "drop_tags", multiple=True, metavar="T", help="Drop images with this tag; may be repeated.")
@click.option("--workers", type=click.IntRange(1), metavar="N", help="Threads. [default: one per core]")
def data_prepare(source: Path, destination: Path, workers: int | None, **values: Any) -> None:
    """Turn the folder SRC into a clean dataset in the new folder DEST, with a report of what was dropped and why."""
    from orchestrator.commands.data import run_prepare
    from trainers.data.prepare import PrepareOptions

    sys.exit(run_prepare(source, destination, PrepareOptions(**values), workers))


@data.command("inspect")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--sheet", type=click.Path(path_type=Path), metavar="FILE.png", help="[default: ./DIR_contact_sheet.png]")
def data_inspect(folder: Path, as_json: bool, sheet: Path | None) -> None:
    """Say what is in DIR, a folder of images or a prepared dataset, and draw a contact sheet."""
    from orchestrator.commands.data import run_inspect

    run_inspect(folder, sheet=sheet, as_json=as_json)


if __name__ == "__main__":
    main()
