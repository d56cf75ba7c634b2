"""``gan-sweep cluster``: machines as YAML: list, show, render and validate them; start and end them."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from orchestrator.commands.parameters import FileToRead, FileToWrite, Text, Whole
from orchestrator.commands.shared import CommandGroup, write_new
from trainers.errors import UserError


@click.group("cluster", cls=CommandGroup)
def command() -> None:
    """Machines as YAML: templates for clouds, KubeRay, Slurm and SSH hosts."""


def _gpus_file(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--gpus-file", type=FileToRead(), metavar="FILE", help="Machines and prices of yours, as in cluster/gpus.yaml."
    )(command)


@command.command("list")
@_gpus_file
def cluster_list(gpus_file: Path | None) -> None:
    """Clouds, and their GPU types."""
    from cluster.tables import list_clouds

    click.echo(list_clouds(gpus_file))


@command.command("show")
@click.argument("cloud", type=Text())
@_gpus_file
def cluster_show(cloud: str, gpus_file: Path | None) -> None:
    """CLOUD's machines, indicative prices, and what this machine needs for it."""
    from cluster.tables import describe

    click.echo(describe(cloud, gpus_file))


@command.command("render")
@click.argument("cloud", type=Text())
@click.option("-o", "--out", type=FileToWrite(), metavar="FILE", help="Where to. [default: the screen]")
@click.option("--gpu-type", type=Text(), default="T4", show_default=True, metavar="T", help="See `cluster show CLOUD`.")
@click.option("--gpus", type=Whole(1, 16), metavar="N", help="Per machine. [default: the smallest there is]")
@click.option("--spot/--on-demand", default=None, help="Spot machines first, or none.  [default: spot]")
@click.option("--region", type=Text(), metavar="R", help="[default: the cloud's]")
@click.option("--max-workers", type=Whole(1, 1000), metavar="N", help="GPU machines.  [default: 4]")
@click.option("--image", type=Text(), metavar="I", help="A container image. [default: install from the lock file]")
@click.option("--bucket", type=Text(), metavar="B", help="Of sweeps and data, such as s3://my-sweeps.")
@click.option("--name", type=Text(), default="gan-sweep", show_default=True, metavar="N", help="Of the cluster.")
@click.option("--project", type=Text(), metavar="P", help="Of Google Cloud.")
@click.option("--security-group", type=Text(), metavar="SG", help="Of AWS, such as sg-0123456789abcdef0.")
@click.option(
    "--host", "hosts", type=Text(), multiple=True, metavar="H", help="Of `local`; repeatable, the head first."
)
@click.option("--ssh-user", type=Text(), metavar="U", help="Who logs in.  [default: ubuntu]")
@_gpus_file
def cluster_render(cloud: str, out: Path | None, gpus_file: Path | None, **options: Any) -> None:
    """Write a complete file for CLOUD; comments in it say what each block is for."""
    from cluster.render import RenderOptions, doubt, render

    chosen = RenderOptions(**options)
    text = render(cloud, chosen, gpus_file=gpus_file)
    if unsure := doubt(chosen):
        click.echo(f"warning: {unsure}", err=True)
    if out is None:
        click.echo(text, nl=False)
        return
    write_new(out, text)
    click.echo(f"{out}: read its comments; `gan-sweep cluster validate {out}` checks what you change")


@command.command("validate")
@click.argument("files", type=FileToRead(), nargs=-1, required=True)
@_gpus_file
def cluster_validate(files: tuple[Path, ...], gpus_file: Path | None) -> None:
    """Check cluster files offline; a line for each mistake, exit code 2 where there is one."""
    from cluster.gpus import load_gpus
    from cluster.validate import validate
    from cluster.validate.machine_table import machine_table

    machines = machine_table(load_gpus(gpus_file))
    found = [finding for file in files for finding in validate(file, machines=machines)]
    for finding in found:
        click.echo(str(finding), err=True)
    wrong = sum(not finding.warning for finding in found)
    counts = f"{wrong} wrong, {len(found) - wrong} to look at" if found else "ok"
    gaps = "" if wrong else "; ".join(filter(None, map(_gaps, files)))
    click.echo(f"{', '.join(map(str, files))}: {counts}{gaps and f'; to fill in before `up`: {gaps}'}")
    sys.exit(2 if wrong else 0)


def _gaps(file: Path) -> str:
    """Where a file that is right has yet to be filled in."""
    from cluster.actions import ClusterFile

    lines = ClusterFile.read(file).unfilled
    return f"{file}:{','.join(map(str, lines))}" if lines else ""


def _act(action: str, file: Path, *, yes: bool = False, **more: Any) -> None:
    """Print a command of Ray, kubectl or Slurm, and run it; its exit code is ours."""
    from cluster.actions import ClusterFile, check_ready, command_for

    cluster = ClusterFile.read(file)
    words = command_for(action, cluster, yes=yes, **more)
    if action == "up":
        _check(cluster)
    check_ready(cluster.cloud)
    click.echo(f"$ {shlex.join(words)}")
    sys.stdout.flush()
    if action == "down" and cluster.cloud.kind != "ray" and not yes:  # Ray asks by itself
        _ask(cluster.name)
    sys.exit(subprocess.run(words, check=False).returncode)


def _ask(name: str) -> None:
    """Ask whether a cluster is to end; no: nothing is done, as after Ctrl-C.

    Raises:
        UserError: the input is at its end, so nobody answers.
    """
    try:
        click.confirm(f"end {name}?", abort=True)
    except click.Abort as abort:
        if not isinstance(abort.__context__, EOFError):
            raise
        click.echo()  # after the question
        raise UserError(f"nobody answers, and {name} was not ended: --yes ends it without asking") from None


def _check(cluster: Any) -> None:
    """Refuse to start what is wrong.

    Raises:
        UserError: something is, or is not filled in, or a file that is sent is not there.
    """
    from cluster.validate import validate

    if cluster.unfilled:
        lines = ", ".join(map(str, cluster.unfilled))
        raise UserError(f"{cluster.path}: REPLACE-ME in line {lines}: fill it in as the comments there say")
    if cluster.unsent:
        missing = ", ".join(map(str, cluster.unsent))
        raise UserError(
            f"{cluster.path} sends files that are not here: {missing}: its first comments say how they are made"
        )
    found = validate(cluster.path)
    for finding in found:
        click.echo(str(finding), err=True)
    if any(not finding.warning for finding in found):
        raise UserError(f"{cluster.path} is wrong as said above: nothing was started")


_file = click.argument("file", type=FileToRead())
_yes = click.option("--yes", is_flag=True, help="Do not ask.")


@command.command("up")
@_file
@_yes
def cluster_up(file: Path, yes: bool) -> None:
    """Start the cluster, or change one that runs to what FILE says."""
    _act("up", file, yes=yes)


@command.command("down")
@_file
@_yes
def cluster_down(file: Path, yes: bool) -> None:
    """End all of its machines; nothing is billed any more but disks and buckets."""
    _act("down", file, yes=yes)


@command.command("status")
@_file
def cluster_status(file: Path) -> None:
    """Show which machines there are, and what they do."""
    _act("status", file)


@command.command("ssh")
@_file
def cluster_ssh(file: Path) -> None:
    """Open a shell on the head."""
    _act("ssh", file)


@command.command("dashboard")
@_file
@click.option("--port", type=Whole(1, 65535), default=8265, show_default=True, metavar="N", help="Of this machine.")
def cluster_dashboard(file: Path, port: int) -> None:
    """Bring the head's dashboard and jobs server to this machine, until Ctrl-C."""
    _act("dashboard", file, port=port)


@command.command("mlflow")
@_file
@click.option("--port", type=Whole(1, 65535), default=5000, show_default=True, metavar="N", help="Of this machine.")
def cluster_mlflow(file: Path, port: int) -> None:
    """Bring the head's MLflow to this machine, until Ctrl-C."""
    _act("mlflow", file, port=port)


@command.command("logs")
@_file
def cluster_logs(file: Path) -> None:
    """Follow what the autoscaler does, until Ctrl-C."""
    _act("logs", file)
