"""``gan-sweep spaces``: lists and shows the bundled search spaces, and helps to write one."""

from pathlib import Path

import click

from orchestrator.commands.parameters import FileToWrite, NameOrPath
from orchestrator.commands.shared import CommandGroup, write_new


@click.group("spaces", cls=CommandGroup)
def command() -> None:
    """The bundled search spaces, and how to write your own."""


@command.command("list")
def spaces_list() -> None:
    """Name and description of each."""
    from orchestrator.space.load import bundled_spaces, load_space

    for name in bundled_spaces():
        click.echo(f"{name:<22}{load_space(name).description}")


@command.command("show")
@click.argument("name", type=NameOrPath())
def spaces_show(name: str) -> None:
    """What NAME searches, and what it starts from."""
    from rich.console import Console

    from orchestrator.display.summary import print_space
    from orchestrator.space.load import load_space

    print_space(Console(), load_space(name))


@command.command("new")
@click.argument("file", type=FileToWrite())
@click.option(
    "--from",
    "source",
    type=NameOrPath(),
    default="ralsgan_motorbike",
    show_default=True,
    metavar="NAME|FILE",
    help="The space whose values it has.",
)
def spaces_new(file: Path, source: str) -> None:
    """Write a space with comments to FILE, for you to change."""
    from orchestrator.space.load import load_space
    from orchestrator.space.schema import FILE
    from orchestrator.space.template import commented

    text = commented(load_space(source), FILE if (file.parent / FILE).is_file() else None)
    write_new(file, text)
    click.echo(f"{file}: change it, then `gan-sweep launch --space {file} --data photos/ --dry-run` checks it")


@command.command("schema")
@click.option("-o", "--output", type=FileToWrite(), metavar="FILE", help="Write to FILE instead of here.")
def spaces_schema(output: Path | None) -> None:
    """A JSON schema of space files: editors complete and check with it."""
    import json

    from orchestrator.space.schema import space_schema
    from trainers.atomic import write_text

    text = json.dumps(space_schema(), indent=1) + "\n"
    if output is None:
        click.echo(text, nl=False)
    else:
        write_text(output, text)
