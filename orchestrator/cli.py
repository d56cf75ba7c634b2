"""The command line. Each command is a file in `orchestrator.commands`, imported on demand."""

import sys
import traceback
from importlib import import_module
from types import TracebackType
from typing import Any

import click

from orchestrator.commands.shared import CommandGroup
from trainers.masking import masked

# A command NAME is `command` in `orchestrator.commands.NAME`.
COMMANDS = (
    "budget",
    "cluster",
    "compare",
    "data",
    "doctor",
    "evaluate",
    "export",
    "extend",
    "fid",
    "generate",
    "launch",
    "replay",
    "report",
    "results",
    "resume",
    "serve",
    "spaces",
    "status",
    "stop",
    "sync",
    "trial",
    "ui",
    "watch",
)


class _CommandLine(CommandGroup):
    def main(self, *arguments: Any, **extra: Any) -> Any:
        sys.excepthook = _print_masked
        return super().main(*arguments, **extra)

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command: click.Command = import_module(f"orchestrator.commands.{name}").command
        return command


def _print_masked(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """As Python prints an error that nobody caught; libraries' errors may hold a URI with its password."""
    print(masked("".join(traceback.format_exception(kind, error, trace))), end="", file=sys.stderr)


@click.group(cls=_CommandLine, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="gan-sweep")
def main() -> None:
    """Search GAN hyper-parameters by FID, on one machine or a Ray cluster."""


if __name__ == "__main__":
    main()
