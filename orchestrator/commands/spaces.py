"""``gan-sweep spaces``: lists and shows the bundled search spaces."""

import click

from orchestrator.commands.parameters import NameOrPath
from orchestrator.commands.shared import CommandGroup


@click.group("spaces", cls=CommandGroup)
def command() -> None:
    """The bundled search spaces."""


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
