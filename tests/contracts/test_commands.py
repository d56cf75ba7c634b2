"""The contract of commands: every file of orchestrator/commands is a command with a row, and its help imports
nothing that takes long."""

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import orchestrator.commands
from cluster.errors import ClusterError
from orchestrator.cli import COMMANDS, main
from orchestrator.commands.shared import CommandGroup

NOT_COMMANDS = {"__init__", "elsewhere", "parameters", "running", "shared", "travelling"}
HEAVY = ("torch", "ray", "optuna", "mlflow", "rich", "orchestrator.plan", "orchestrator.space.space")


def test_every_file_has_a_row() -> None:
    files = {path.stem for path in Path(orchestrator.commands.__file__).parent.glob("*.py")} - NOT_COMMANDS
    assert files == set(COMMANDS)
    assert list(COMMANDS) == sorted(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_what_it_does(name: str) -> None:
    context = click.Context(main)
    command = main.get_command(context, name)  # type: ignore[attr-defined]
    assert command is not None and command.name == name
    shown = CliRunner().invoke(main, [name, "--help"])
    assert shown.exit_code == 0 and command.help is not None and command.help.split()[0] in shown.output
    commands = command.commands.values() if isinstance(command, click.Group) else [command]
    for one in commands:
        undescribed = [p.opts[0] for p in one.params if isinstance(p, click.Option) and not p.help]
        assert not undescribed, f"{one.name}: options without help: {undescribed}"


@pytest.mark.parametrize("name", COMMANDS)
def test_wrong_words_end_with_exit_code_2(name: str) -> None:
    shown = CliRunner().invoke(main, [name, "--no-such-option"])
    assert shown.exit_code == 2 and "no-such-option" in shown.output.lower()


def test_help_imports_nothing_that_takes_long() -> None:
    code = f"""
import sys
from importlib import import_module
from orchestrator.cli import COMMANDS
for name in COMMANDS:
    import_module(f"orchestrator.commands.{{name}}")
print([name for name in {HEAVY!r} if name in sys.modules])
"""
    root = Path(__file__).parents[2]
    shown = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_what_people_can_mend_about_machines_is_one_line_too() -> None:
    @click.group(cls=CommandGroup)
    def group() -> None: ...

    @group.command()
    def up() -> None:
        raise ClusterError("unknown cloud 'awz': did you mean aws?")

    shown = CliRunner().invoke(group, ["up"])
    assert (shown.exit_code, shown.stderr) == (2, "gan-sweep: unknown cloud 'awz': did you mean aws?\n")
