"""What several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from cluster.errors import ClusterError
from trainers.errors import UserError, unknown_name


class CommandGroup(click.Group):
    """Prints user errors as one line, with exit code 2, and suggests the nearest name for an unknown command."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except (UserError, ClusterError) as error:
            click.echo(f"gan-sweep: {error}", err=True)
            context.exit(2)

    def resolve_command(self, context: click.Context, args: list[str]) -> Any:
        if args and self.get_command(context, args[0]) is None and not args[0].startswith("-"):
            raise unknown_name("command", args[0], self.list_commands(context))
        return super().resolve_command(context, args)


def sweeps_dir_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option ``--sweeps-dir`` to a command."""
    return click.option(
        "--sweeps-dir",
        type=click.Path(file_okay=False, path_type=Path),
        default=Path("sweeps"),
        show_default=True,
        help="Directory that holds the sweeps.",
    )(command)
