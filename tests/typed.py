"""Finds the commands that a text shows, and runs them as a user would type them.

A command is a line of a fenced block, or an inline code span, that begins with gan-sweep, make or python -m. Each runs
in a folder of its own that holds what its arguments name: pictures, a finished sweep, logs. Only what takes long is
shortened: launch makes a dry run, resume finds its time used up, serve and ui their port taken, clusters are not there,
make's targets are those that CI runs before or around the tests, benchmarks have tests/benchmarks/test_benchmarks.py.
`Home.stand_for` replaces placeholders such as NAME.
"""

import importlib
import re
import shlex
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
from click.testing import CliRunner

from cluster.render import RenderOptions, render
from orchestrator.cli import main
from orchestrator.results.store import ResultsStore
from orchestrator.space.load import bundled_spaces, load_space
from tests.benchmarks.test_benchmarks import BENCHMARKS
from tests.test_docs import FENCE
from trainers.data import draw_synthetic
from trainers.remote import is_uri

ROOT = Path(__file__).parents[1]
SPAN = re.compile(r"`((?:[^`\n]|\n(?!\n))+)`")
OF_RUNNING = ("budget", "stop", "trial add", "trial stop", "watch")  # commands that ask a sweep which runs
PLACEHOLDER = re.compile(r"[A-Z][A-Z_]+(\.\w+)?")
UNKNOWN = "tests/typed.py does not know how to type this: teach it, or show another command"


@dataclass(frozen=True)
class Command:
    """A command's text, and whether it has a line of its own; in a sentence it may leave out required options."""

    text: str
    whole: bool


def commands(text: str) -> list[Command]:
    """The commands that a text shows."""
    found = []
    for block in FENCE.findall(text):
        lines = "\n".join(block.splitlines()[1:-1]).replace("\\\n", " ").splitlines()
        found += [Command(part, True) for line in lines for part in parts(line)]
    found += [Command(part, False) for span in SPAN.findall(FENCE.sub("", text)) for part in parts(span)]
    return list(dict.fromkeys(found))


def parts(line: str) -> Iterator[str]:
    """The commands of a shell line, without prompt, comment, and variables that are set before them."""
    line = re.sub(r"(^|\s)#.*", "", " ".join(line.split())).removeprefix("$ ")
    for part in re.split(r"\s*(?:&&|;|\s\|\s)\s*", line):
        command = re.sub(r"^(\w+=\S* )+", "", part).removeprefix(".venv/bin/").strip()
        if re.match(r"(gan-sweep|make|python3? -m) ", command):
            yield command


def made(script: str) -> list[str]:
    """The `make` commands of a shell script, in order."""
    return [" ".join(match.split()) for match in re.findall(r"^\s*(make(?:[ \t]+[a-z][a-z-]*)+)", script, re.M)]


CI = made((ROOT / ".ci" / "run").read_text())


class Home:
    """A folder that holds what a command's arguments name."""

    def __init__(self, folder: Path, pictures: Path, sweep: ResultsStore) -> None:
        self.folder, self.pictures, self.sweep = folder, pictures, sweep
        folder.mkdir()

    def stand_for(self, role: str, word: str, space: str) -> list[str]:
        """What replaces `word`, which is the argument or the value of the option `role`."""
        match role:
            case "--space" if word.endswith(".yaml"):
                shutil.copy(self.sweep.directory / "space.yaml", self.folder / word)
            case "--space" if PLACEHOLDER.fullmatch(word):
                return [str(self.sweep.directory / "space.yaml")]
            case "name" | "--from" if PLACEHOLDER.fullmatch(word):
                return [next(iter(bundled_spaces()))]
            case "sweep" | "sweeps" | "other" | "--warm-start" | "--sweep":
                return [str(self.sweep.directory)]
            case "runs" if "/" not in word and not word.endswith(".csv"):
                return [str(self.sweep.directory)]
            case "runs":
                return self._logs(word)
            case "--trials" if word.startswith("0"):
                return ["best"]
            case "side_a" | "side_b" if not word.endswith("/"):
                return [str(self.sweep.directory)]
            case "dir_a" | "dir_b" | "side_a" | "side_b":
                (self.folder / word).mkdir()
                for path in sorted(self.pictures.glob("bike_*.jpg"))[:6]:
                    shutil.copy(path, self.folder / word)
            case "--sweeps-dir" if is_uri(word):
                return [f"file://{self.folder / 'bucket-sweeps'}"]  # a remote folder too, without a server
            case "--data" if is_uri(word):
                self._pictures(self.folder / "bucket-photos", space)
                return [f"file://{self.folder / 'bucket-photos'}"]
            case "--data" | "folder" | "source":
                self._pictures(self.folder / word, space)
            case "--rules" if word not in ("on", "off"):
                (self.folder / word).write_text("pruning: {fid_plateau: off}\n")
            case "--schedule":
                (self.folder / word).write_text("settings: [{from: 1, set: {}}]\n")
            case "--token-file":
                (self.folder / word).write_text("t" * 32)
                (self.folder / word).chmod(0o600)
            case "file" | "files" if word == "cluster.yaml":
                (self.folder / word).write_text(render("azure", RenderOptions()))  # which is not reached from here
            case "cloud" if PLACEHOLDER.fullmatch(word):
                return ["aws"]
            case "--cluster":
                return ["http://127.0.0.1:1"]
            case "file" | "--name" | "-o" | "--output":
                pass  # any will do
            case "--address":
                return ["127.0.0.1:1"]
            case "--tracking-uri":
                return [f"sqlite:///{self.folder / 'mlflow.db'}"]
            case "--storage" if "://" in word:
                return [f"sqlite:///{self.folder / 'study.db'}"]
            case _:
                assert not PLACEHOLDER.fullmatch(word), f"{UNKNOWN}: what {word} stands for as {role}"
        return [word]

    def _pictures(self, place: Path, space: str) -> None:
        """Those of the finished sweep; for a bundled space, which wants whole batches, more."""
        place.parent.mkdir(parents=True, exist_ok=True)
        if space not in bundled_spaces():
            place.symlink_to(self.sweep.read_plan().data)
            return
        kind = load_space(space).synthetic
        if kind in ("domains", "faces"):
            draw_synthetic(kind, place, count=64)
            return
        for copy in range(6):
            shutil.copytree(self.pictures, place / str(copy))

    def _logs(self, word: str) -> list[str]:
        """Logs of three runs where the shell would find them."""
        names = [word.replace("*", str(run)) for run in range(3)] if "*" in word else [word]
        for run, name in enumerate(names):
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            rows = (f"{step},0.5,1.5,{100 + run - step if step < 20 else 300}" for step in range(40))
            (self.folder / name).write_text("\n".join(["step,d_loss,g_loss,fid", *rows]) + "\n")
        return names


def type_command(command: Command, home: Home) -> None:
    """Run it; an AssertionError says what is wrong with it."""
    match shlex.split(command.text):
        case ["gan-sweep", *words]:
            type_gan_sweep(words, command.whole, home)
        case ["make", *targets]:
            type_make(targets)
        case [_, "-m", module, *words] if module.startswith("tests.benchmarks."):
            type_benchmark(module, words)
        case [_, "-m", "tests.cluster.golden_cases"]:
            assert importlib.import_module("tests.cluster.golden_cases")  # it writes what its test compares
        case [_, "-m", "build", "--wheel"]:
            assert importlib.import_module("build")  # what it makes is tests/test_packaging.py's
        case [_, "-m", "tests.faults.run", *_]:
            assert importlib.import_module("tests.faults.run").FAULTS  # its test runs one of them
        case [_, "-m", "tests.rehearsal.run", *parts]:
            assert set(parts) <= importlib.import_module("tests.rehearsal.run").PARTS.keys()
        case _:
            raise AssertionError(f"{UNKNOWN}: {command.text}")


def type_gan_sweep(words: list[str], whole: bool, home: Home) -> None:
    """Run it through the real command line, in `home`."""
    command, path, rest = leaf(words)
    name = " ".join(path)
    needs_more = isinstance(command, click.Group) or any(parameter.required for parameter in command.params)
    if not whole and not rest and needs_more:  # a command's name in a sentence
        rest = ["--help"]
    filled, given = fill(command, rest, home)
    if "--help" not in rest:
        filled += rest_of(name, given, whole, home)
    with socket.socket() as taken:
        refused = None
        if name in ("serve", "ui") and "--help" not in rest:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            filled, refused = [*filled, "--port", str(port)], f"port {port} is taken"
        elif "--cluster" in given:
            refused = "nothing answers at --cluster"
        elif name == "resume" and "--help" not in rest:
            filled = [word for word in filled if word != "--detach"]  # it would start pytest again, as that was typed
            refused = "goes on"  # what the sweep has used up, or reached: see `rest_of`
        elif name in OF_RUNNING and "--help" not in rest:
            refused = "does not run: finished"
        elif path[:1] == ["cluster"] and "file" in given:
            refused = "REPLACE-ME in line" if path[1] == "up" else "the Python package of azure.identity is not"
        elif "--address" in given:
            refused = "nothing answers at --address"
        run = CliRunner().invoke(main, [*path, *filled])
    said = f"gan-sweep {' '.join([*path, *filled])}\n{run.output}{run.exception or ''}"
    if refused is None:
        assert run.exit_code == 0, said
    else:
        assert run.exit_code == (1 if name == "doctor" else 2) and refused in run.output, said


def leaf(words: list[str]) -> tuple[click.Command, list[str], list[str]]:
    """The command that `words` name, the words of its name, and the other words."""
    command: click.Command = main
    depth = 0
    while isinstance(command, click.Group) and depth < len(words):
        found = command.get_command(click.Context(command), words[depth])
        if found is None:
            break
        command, depth = found, depth + 1
    return command, words[:depth], words[depth:]


def fill(command: click.Command, words: list[str], home: Home) -> tuple[list[str], dict[str, str]]:
    """Put what `words` name into `home`; returns the words to run, and those given, by option or argument name."""
    takes_value = {
        name: not option.is_flag
        for option in command.params
        if isinstance(option, click.Option)
        for name in option.opts
    }
    arguments = [str(argument.name) for argument in command.params if isinstance(argument, click.Argument)]
    roles: list[str | None] = []
    for word in words:
        if roles and roles[-1] is None and takes_value.get(words[len(roles) - 1]):
            roles.append(words[len(roles) - 1])
        elif word.startswith("-") or not arguments:
            roles.append(None)
        else:
            roles.append(arguments.pop(0) if len(arguments) > 1 else arguments[0])
    given = {role or word: word for role, word in zip(roles, words, strict=True)}
    space = given.get("--space", "")
    filled: list[str] = []
    for role, word in zip(roles, words, strict=True):
        filled += [word] if role is None else home.stand_for(role, word, space)
    return filled, given


def rest_of(name: str, given: dict[str, str], whole: bool, home: Home) -> list[str]:
    """Options that make a command short, and those that a command in a sentence leaves out."""
    more: list[str] = []
    if "--cluster" in given:
        return ["--space", "ralsgan_motorbike"] if name == "launch" and "--space" not in given else []
    if name == "launch":
        more += ["--dry-run"]
        if not given.keys() & {"--fid-extractor", "--demo"}:
            more += ["--fid-extractor", "efficientnet_lite0"]  # Inception's weights are a download
        if not whole and "--space" not in given:
            more += ["--space", *home.stand_for("--space", "NAME", "")]
        if not whole and not given.keys() & {"--data", "--demo"}:
            more += ["--data", *home.stand_for("--data", "more-photos", given.get("--space", ""))]
    elif name == "replay" and "--tune" in given:
        more += ["--candidates", "2"]
    elif name == "extend":  # no rule has ended a trial of the sweep at hand
        more += ["--dry-run", *([] if "--epochs" in given else ["--epochs", "1"])]
    elif name == "resume":
        more += ["--time-budget", "1s"]
    elif name in ("results", "status", "ui") and "sweep" not in given:
        more += ["--sweeps-dir", str(home.sweep.directory.parent)]
    elif name == "generate" and not whole and "--out" not in given:
        more += ["--out", "generated"]
    elif name in ("evaluate", "fid") and not given.keys() & {"--fid-extractor", "--sweep"}:
        more += ["--fid-extractor", "efficientnet_lite0"]
    if name == "replay" and not whole and "runs" not in given:
        more += home.stand_for("runs", "SWEEP", "")
    return more


def type_make(targets: list[str]) -> None:
    """CI has typed it, or does so around this test; what CI does not type make is asked about."""
    for target in targets:
        if f"make {target}" not in CI:
            asked = subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, check=False)
            assert asked.returncode == 0, asked.stderr


def type_benchmark(module: str, words: list[str]) -> None:
    """It is one that runs in a test, and takes these options."""
    name = module.rpartition(".")[2]
    assert name in BENCHMARKS, f"there is no benchmark {name}"
    try:
        importlib.import_module(module).parser().parse_args(words)
    except SystemExit:
        raise AssertionError(f"{module} does not take {' '.join(words)}") from None
