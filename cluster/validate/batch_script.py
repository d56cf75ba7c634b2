"""A Slurm batch script as the rules see it."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from cluster.pins import Pins
from cluster.validate.tree import Item

_DIRECTIVE = re.compile(r"^#SBATCH\s+(.*)$")
# Short options of sbatch and the long ones that they stand for.
SHORT = {
    "-A": "--account",
    "-a": "--array",
    "-b": "--begin",
    "-C": "--constraint",
    "-c": "--cpus-per-task",
    "-D": "--chdir",
    "-d": "--dependency",
    "-e": "--error",
    "-G": "--gpus",
    "-H": "--hold",
    "-i": "--input",
    "-J": "--job-name",
    "-k": "--no-kill",
    "-L": "--licenses",
    "-M": "--clusters",
    "-m": "--distribution",
    "-N": "--nodes",
    "-n": "--ntasks",
    "-O": "--overcommit",
    "-o": "--output",
    "-p": "--partition",
    "-q": "--qos",
    "-s": "--oversubscribe",
    "-t": "--time",
    "-w": "--nodelist",
    "-x": "--exclude",
}


@dataclass(frozen=True)
class Directive:
    """One option of an #SBATCH line."""

    name: str  # the long one, where it is known
    value: str | None
    item: Item  # its path is the option as written
    too_late: bool  # stands after the first command, where Slurm no longer looks


@dataclass(frozen=True)
class BatchScript:
    """The script, and what it is compared with."""

    text: str
    here: Pins

    @cached_property
    def lines(self) -> list[Item]:
        """Each line; its key is the first word."""
        found = []
        for number, line in enumerate(self.text.splitlines(), start=1):
            words = line.split()
            found.append(Item(line, number, (words[0],) if words else ()))
        return found

    @cached_property
    def commands(self) -> list[Item]:
        """Commands: lines that end in a backslash joined with what follows, comments left out."""
        found: list[Item] = []
        joined, first = "", 0
        for item in self.lines:
            if not joined and item.value.lstrip().startswith("#"):
                continue
            first = first if joined else item.line
            joined += item.value.removesuffix("\\") + " "
            if not item.value.endswith("\\"):
                if joined.strip():
                    found.append(Item(joined.strip(), first, (joined.split()[0],)))
                joined = ""
        return found

    @cached_property
    def directives(self) -> list[Directive]:
        """Every option of every #SBATCH line."""
        first_command = min((item.line for item in self.commands), default=len(self.lines) + 1)
        found: list[Directive] = []
        for item in self.lines:
            if match := _DIRECTIVE.match(item.value):
                found.extend(self._options(match[1], item.line, item.line > first_command))
        return found

    def values(self, *names: str) -> Iterator[Directive]:
        """The options of these names that Slurm heeds."""
        return (each for each in self.directives if each.name in names and not each.too_late)

    @staticmethod
    def _options(text: str, line: int, too_late: bool) -> Iterator[Directive]:
        try:
            words = shlex.split(text, comments=True)
        except ValueError:
            words = text.split()
        while words:
            word = words.pop(0)
            name, equals, value = word.partition("=")
            if not word.startswith("--") and word.startswith("-") and len(word) > 2 and not equals:
                name, equals, value = word[:2], "=", word[2:]  # -N4
            given: str | None = value if equals else None
            if not equals and words and not words[0].startswith("-"):
                given = words.pop(0)
            yield Directive(SHORT.get(name, name), given, Item(given, line, (name,)), too_late)
