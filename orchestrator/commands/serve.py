"""``gan-sweep serve``: images from a finished generator over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.commands.parameters import FileToRead, SweepToFind, Text, Whole
from orchestrator.commands.shared import sweeps_dir_option
from trainers.errors import UserError

if TYPE_CHECKING:
    from orchestrator.results.winner import Chosen


@click.command("serve")
@click.argument("sweep", type=SweepToFind(), metavar="SWEEP|MODEL_DIR|CHECKPOINT")
@click.option("--trial", type=Text(), default="best", show_default=True, metavar="ID", help="Of the sweep.")
@click.option(
    "--host", type=Text(), default="127.0.0.1", show_default=True, metavar="ADDR", help="0.0.0.0: other machines too."
)
@click.option("--port", type=Whole(1, 65535), default=8000, show_default=True, metavar="N", help="Where it listens.")
@click.option(
    "--token-file", type=FileToRead(), metavar="FILE", help="Whose token a request must bear; private to you."
)
@click.option("--device", type=Text(), metavar="D", help="Such as cpu or cuda:1. [default: a GPU where there is one]")
@click.option("--ray", "on_ray", is_flag=True, help="On Ray Serve: several replicas, on a cluster too.")
@click.option("--replicas", type=Whole(1, 10_000), metavar="N", help="With --ray. [default: 1]")
@click.option("--address", type=Text(), metavar="ADDR", help="With --ray: of the cluster. [default: this machine]")
@sweeps_dir_option
def command(
    sweep: str,
    trial: str,
    host: str,
    port: int,
    token_file: Path | None,
    device: str | None,
    on_ray: bool,
    replicas: int | None,
    address: str | None,
    sweeps_dir: Path,
) -> None:
    """Serve images of SWEEP's best trial over HTTP, with a page to play with."""
    from orchestrator.serving.address import is_loopback, reserve, url_of
    from orchestrator.serving.gate import LOOPBACK_NAMES, Door
    from orchestrator.serving.model import Model
    from orchestrator.serving.server import serve
    from orchestrator.serving.token import read_token
    from trainers.inference import find_device

    if not on_ray and (given := {"--replicas": replicas, "--address": address}) != dict.fromkeys(given):
        raise UserError(f"{next(name for name, value in given.items() if value is not None)} needs --ray")
    token = None if token_file is None else read_token(token_file)
    found = str(find_device(device))
    if address is not None:
        from orchestrator.sweep.ray_session import check_answers

        check_answers(address)
    with reserve(host, port) as bound:
        chosen = _find(sweep, sweeps_dir, trial)
        url, local = url_of(bound), is_loopback(bound)
        if not local and token is None:
            click.echo(f"warning: everybody who reaches {url} can use it: there is no --token-file", err=True)
        door = Door(token=token, hosts=LOOPBACK_NAMES if local and token is None else None)
        model = Model.load(chosen, "cpu" if on_ray else found)

        def listening() -> None:
            where = f"{replicas or 1} x {found.partition(':')[0]} of Ray" if on_ray else found
            click.echo(f"serving {model.name} ({model.generator.digest}) on {where}: {url} (Ctrl-C ends it)")

        if not on_ray:
            from orchestrator.serving.app import build_app

            serve(build_app(model, door=door), door, bound, listening)
            return
    from orchestrator.serving.on_ray import Place, serve_on_ray

    place = Place(address=address, replicas=replicas or 1, gpu=found != "cpu", host=host, port=port)
    serve_on_ray(lambda device: Model.load(chosen, device), door, place, listening)


def _find(source: str, sweeps_dir: Path, trial: str) -> Chosen | Path:
    """A checkpoint, or the folder of an exported model."""
    from orchestrator.results.winner import WINNER, choose
    from trainers.inference.exported import is_exported

    if not is_exported(source):
        return choose(source, sweeps_dir, trial)
    if trial != WINNER:
        raise UserError(f"{source} is an exported model, and --trial {trial} chooses among those of a sweep")
    return Path(source)
