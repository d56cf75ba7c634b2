"""``--cluster``: the same command on a cluster's head node, as a job of Ray there."""

from __future__ import annotations

import re
import shlex
import shutil
import tempfile
import time
import webbrowser
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.commands.parameters import (
    FileToRead,
    FileToWrite,
    FolderToRead,
    NameOrPath,
    SweepsFolder,
    SweepToFind,
    Text,
)
from orchestrator.commands.travelling import ENTRYPOINT, Errand, Receiver
from orchestrator.results.argument import on_cluster
from orchestrator.results.places import page_file
from trainers.errors import UserError, unknown_name
from trainers.masking import masked
from trainers.remote import is_uri

if TYPE_CHECKING:
    from cluster.jobs import Head, Job

SWEEPS_DIR = "sweeps_dir"
DRIVERS = ("launch", "resume")  # commands that run as long as the sweep does, but for their dry run
DRY_RUN = "--dry-run"
DIED_EXIT = 1  # of a command that was killed there
_RELATIVE_DATABASE = re.compile(r"sqlite:///[^/]")  # it would lie in the job's folder, which Ray removes


def cluster_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option ``--cluster`` to a command of the class `OnCluster`."""
    return click.option(
        "--cluster",
        type=Text(),
        metavar="ADDRESS|FILE",
        expose_value=False,
        help="Do it on a cluster: http://HOST:8265 of its head, or its file.",
    )(command)


class OnCluster(click.Command):
    """A command that runs on a cluster's head where ``--cluster`` is given.

    Its other words are checked here as far as they do not depend on the machine.
    """

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        given, _, _ = self.make_parser(context).parse_args(list(args))
        if "cluster" in given and not given.get("help"):
            from cluster.token import own_token

            cluster = Text().convert(given.pop("cluster"), None, context)
            with own_token():
                code = _run_there(context, self, cluster, given)
            context.exit(code)
        return super().parse_args(context, args)


def _run_there(context: click.Context, command: click.Command, cluster: str, given: dict[str, Any]) -> int:
    open_it = given.pop("open_it", False)
    words = _Words(context, command, given)
    from cluster.tunnel import reached

    names = _names(context)
    name = names[0]
    with reached(cluster) as head:
        if name == "watch":
            return _watch(head, words)
        if name == "launch":
            words.sweeps = words.sweeps or [f"{Path(given['space']).stem}-{time.strftime('%Y%m%d-%H%M%S')}"]
            words.set("--name", words.sweeps[0])
        elif (sweep := words.sweep) and not words.has("--sweeps-dir") and (place := _place_of(head, sweep)):
            words.set("--sweeps-dir", place)
        if name == "report" and words.bring is None:
            words.set("--out", words.brought(page_file(words.sweeps)))
        if name in DRIVERS:
            words.set("--address", "auto")
        drives = name in DRIVERS and not words.has(DRY_RUN)
        job = _submit(head, names, words)
        if drives:
            return _follow(head, job, words.sweep or "")
        try:
            code = head.follow(job, _print if words.bring is None else Receiver(words.bring, _print))
        finally:
            head.forget(job)
    if open_it and words.bring is not None and code == 0:
        webbrowser.open(words.bring.resolve().as_uri())
    return code if code >= 0 else DIED_EXIT


class _Words:
    """What was typed after a command's name, as it is typed on the head.

    Attributes:
        sweeps: what it is about; empty where the command names none.
        files: of this machine that the command reads; they travel along.
        bring: file of this machine that the command writes, and that comes back; None: none.

    Raises:
        UserError: a value is wrong, or a path means nothing there.
    """

    def __init__(self, context: click.Context, command: click.Command, given: Mapping[str, Any]) -> None:
        self.sweeps: list[str] = []
        self.bring: Path | None = None
        self.files: dict[str, Path] = {}
        self._options: dict[str, list[Any]] = {}
        self._arguments: list[str] = []
        if given.get("detach"):
            raise UserError("--detach: with --cluster a sweep goes on without this terminal anyway: leave it out")
        for param in command.get_params(context):
            value = given.get(str(param.name))
            values = list(value) if isinstance(value, list | tuple) else [value]
            if not isinstance(values[0] if values else None, str | int):  # click's own mark for what was not given
                continue
            if not isinstance(param, click.Option):
                self._arguments += [self._checked(param, context, one) for one in values]
            elif param.is_flag:
                self._options[param.opts[-1]] = []
            else:
                self._options[max(param.opts, key=len)] = [self._checked(param, context, one) for one in values]
            if param.name in ("name", "sweep", "sweeps"):
                self.sweeps = [Path(str(one)).name for one in values]

    @property
    def sweep(self) -> str | None:
        """The first of the sweeps."""
        return next(iter(self.sweeps), None)

    def brought(self, file: Path) -> str:
        """The name on the head of a file that the command writes there, and that comes back to `file`."""
        self.bring = file
        return file.name

    def has(self, option: str) -> bool:
        """Whether an option is among them."""
        return option in self._options

    def set(self, option: str, value: str) -> None:
        """Add an option, or replace it."""
        self._options[option] = [value]

    def get(self, option: str) -> str:
        """The value of an option that is among them."""
        return str(self._options[option][0])

    def all(self, names: list[str], there: Mapping[Path, str]) -> list[str]:
        """The command called `names`, where files are as `there` says."""
        words = [*names]
        for option, values in self._options.items():
            words += [f"{option}={self._where(value, there)}" for value in values] or [option]
        return [*words, *(["--", *self._arguments] if self._arguments else [])]

    def _where(self, value: str, there: Mapping[Path, str]) -> str:
        return there[self.files[value]] if value in self.files else value

    def _checked(self, param: click.Parameter, context: click.Context, value: Any) -> str:
        text, kind = str(value), param.type
        shown = max(param.opts, key=len)
        if isinstance(kind, FolderToRead | SweepsFolder) or (isinstance(kind, SweepToFind) and "/" in text):
            if not is_uri(text) and not text.startswith("/"):
                raise UserError(
                    f"{shown} {text}: with --cluster give a URI, or an absolute path of the cluster's machines"
                )
            return text
        if _RELATIVE_DATABASE.match(text) and param.name in ("storage", "tracking_uri"):
            raise UserError(
                f"{shown} {text}: with --cluster give a database's server, or sqlite:////PATH, an absolute path of "
                "the cluster's machines"
            )
        if isinstance(kind, FileToRead) or (isinstance(kind, NameOrPath) and Path(text).is_file()):
            self.files[text] = Path(kind.convert(text, param, context))
            return text
        converted = kind.convert(text, param, context)
        return self.brought(converted) if isinstance(kind, FileToWrite) else text


def _names(context: click.Context | None) -> list[str]:
    """The words of a command's name after ``gan-sweep``, such as ``trial``, ``stop``."""
    if context is None or context.parent is None:
        return []
    return [*_names(context.parent), str(context.command.name)]


def _submit(head: Head, names: list[str], words: _Words) -> str:
    from cluster.shipped import ship

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        there = ship(folder, words.files.values())
        typed = words.all(names, there)
        bring = "" if words.bring is None else words.bring.name
        Errand(words=typed, cluster=head.given, bring=bring).write(folder)
        facts = {"words": masked(shlex.join(typed))}
        if words.has("--sweeps-dir"):
            facts[SWEEPS_DIR] = words.get("--sweeps-dir")
        width = shutil.get_terminal_size().columns
        about = words.sweep or "all"
        command = DRY_RUN if words.has(DRY_RUN) else names[0]
        return head.submit(ENTRYPOINT, folder, sweep=about, command=command, facts=facts, columns=width)


def _watch(head: Head, words: _Words) -> int:
    assert words.sweep is not None, "click asks for it"
    place = words.get("--sweeps-dir") if words.has("--sweeps-dir") else None
    return _follow(head, driver_among(head.jobs(), words.sweep, head.given, place).id, words.sweep)


def _follow(head: Head, job: str, sweep: str) -> int:
    more = on_cluster(sweep, head.given)
    try:
        if (code := head.follow(job, _print)) >= 0:
            return code
        click.echo(f"gan-sweep: the driver of {sweep} has died; gan-sweep resume {more} goes on with it", err=True)
        return DIED_EXIT
    except KeyboardInterrupt:
        click.echo(f"\nthe sweep goes on there; gan-sweep watch {more} shows it, gan-sweep stop {more} ends it")
        return 130


def driver_among(jobs: Sequence[Job], sweep: str, given: str, place: str | None = None) -> Job:
    """The job that runs a sweep, else the newest that did, among the jobs of a cluster that was `given`, oldest first.

    Of two that run in one place the older has the sweep: the other is about to be refused.

    Args:
        jobs: all of them.
        sweep: its name.
        given: what the user named the cluster by, for errors.
        place: the ``--sweeps-dir`` that was given; None: any.

    Raises:
        UserError: there is none; the message names those that there are. Or sweeps of this name run in several places.
    """
    drivers = [job for job in jobs if job.command in DRIVERS and not job.refused]
    found = [job for job in drivers if job.sweep == sweep]
    if place is not None:  # one that was started without may be there too: the cluster's own folder has a name
        there = [job for job in found if _kept_in(job) == place.rstrip("/")]
        found = there or [job for job in found if not _kept_in(job)]
    if not found:
        raise unknown_name(f"sweep on {given}", sweep, sorted({job.sweep for job in drivers}))
    running = [job for job in found if job.runs]
    if len(places := sorted({_kept_in(job) for job in running})) > 1:
        shown = " and ".join(one or "the cluster's own folder" for one in places)
        raise UserError(f"sweep {sweep} on {given} runs in {shown}: say which: --sweeps-dir {places[-1]}")
    return running[0] if running else found[-1]


def _kept_in(job: Job) -> str:
    """The ``--sweeps-dir`` with which a sweep was started; empty: the cluster's own."""
    return job.facts.get(SWEEPS_DIR, "").rstrip("/")


def _place_of(head: Head, sweep: str) -> str | None:
    """The ``--sweeps-dir`` with which a sweep was started; None: the cluster's own. Errors as `driver_among`."""
    return driver_among(head.jobs(), sweep, head.given).facts.get(SWEEPS_DIR)


def _print(text: str) -> None:
    click.echo(text, nl=False)
