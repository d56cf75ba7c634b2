"""The command line. Each command is a file in `orchestrator.commands`, imported on demand."""

from importlib import import_module

import click

from orchestrator.commands.shared import CommandGroup

# A command NAME is `command` in `orchestrator.commands.NAME`.
COMMANDS = ("data", "fid", "launch", "replay", "results", "spaces", "ui")


class _CommandLine(CommandGroup):
    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command: click.Command = import_module(f"orchestrator.commands.{name}").command
        return command


@click.group(cls=_CommandLine, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="gan-sweep")
def main() -> None:
    """Search GAN hyper-parameters by FID, on one machine or a Ray cluster."""


if __name__ == "__main__":
    main()
