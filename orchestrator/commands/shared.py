"""What several commands share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.exceptions import NoArgsIsHelpError

from cluster.errors import ClusterError
from orchestrator.commands.parameters import Number, SweepsFolder, Text
from trainers.errors import UserError, disk_is_full, is_full, unknown_name
from trainers.masking import is_masked, masked
from trainers.remote import shown

if TYPE_CHECKING:
    from orchestrator.results.saved_plan import SavedPlan

_LOOK_S = 0.3  # between looks for an answer


class CommandGroup(click.Group):
    """Prints user errors as one line, with exit code 2, and suggests the nearest name for an unknown word."""

    def make_context(self, info_name: str | None, args: list[str], *rest: Any, **extra: Any) -> click.Context:
        try:
            return super().make_context(info_name, args, *rest, **extra)
        except click.UsageError as error:
            raise _OneLine.of(error) from None

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except (UserError, ClusterError) as error:
            _say(context, str(error))
        except click.UsageError as error:
            if isinstance(error, NoArgsIsHelpError):
                raise
            _say(context, _OneLine.of(error).format_message())
        except Exception as error:
            if not is_full(error):
                raise
            _say(context, str(disk_is_full(error)))

    def resolve_command(self, context: click.Context, args: list[str]) -> Any:
        if args and self.get_command(context, args[0]) is None and not args[0].startswith("-"):
            raise unknown_name("command", args[0], self.list_commands(context))
        return super().resolve_command(context, args)


class _OneLine(click.UsageError):
    """Click's own error without the three lines that it prints around it."""

    @classmethod
    def of(cls, error: click.UsageError) -> click.UsageError:
        if isinstance(error, NoArgsIsHelpError | cls):
            return error
        if isinstance(error, click.NoSuchOption):
            return cls._typo(error)
        help_line = f" (`{error.ctx.command_path} --help` says more)" if error.ctx is not None else ""
        return cls(f"{error.format_message().rstrip('.')}{help_line}", error.ctx)

    @classmethod
    def _typo(cls, error: click.NoSuchOption) -> click.UsageError:
        params = error.ctx.command.get_params(error.ctx) if error.ctx is not None else []
        valid = sorted(name for param in params if isinstance(param, click.Option) for name in param.opts)
        close = get_close_matches(error.option_name, valid, n=1)
        hint = f" did you mean {close[0]}?" if close else ""
        return cls(f"No such option {error.option_name!r}:{hint} valid: {', '.join(valid)}", error.ctx)

    def show(self, file: Any = None) -> None:
        _print_error(self.message, file)

    def format_message(self) -> str:
        return self.message


def sweeps_dir_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option ``--sweeps-dir`` to a command."""
    return click.option(
        "--sweeps-dir",
        type=SweepsFolder(),
        default=Path("sweeps"),
        show_default=True,
        metavar="DIR|URI",
        help="Directory that holds the sweeps, here or in an object store such as s3://BUCKET/sweeps.",
    )(command)


def list_sweeps(sweeps_dir: Path, hint: str) -> None:
    """Print how each sweep stands, and `hint` below: what a command that was given no sweep does.

    Raises:
        UserError: there are none.
    """
    from rich.console import Console

    from orchestrator.display.status_text import print_all
    from orchestrator.results.store import find_sweep

    def read(store: Any) -> Any:
        try:
            return store.read_state()
        except UserError as error:
            return str(error)

    stores = [find_sweep(name, sweeps_dir) for name in names_of_sweeps(sweeps_dir)]
    print_all(Console(), [(store, read(store)) for store in stores])
    click.echo(hint)


def names_of_sweeps(sweeps_dir: Path) -> list[str]:
    """The sweeps that there are.

    Raises:
        UserError: there are none.
    """
    from orchestrator.results.store import sweep_names

    if not (names := sweep_names(sweeps_dir)):
        raise UserError(f"no sweeps in {shown(sweeps_dir)}: `gan-sweep launch` makes one")
    return names


def fetch(folder: Path) -> None:
    """Fetch a remote folder of images into `folder`, its local copy, with a bar; another folder is left as it is."""
    from rich.console import Console

    from orchestrator.display.progress import progress_bar
    from trainers.data.remote_images import fetch_images

    with progress_bar(Console(stderr=True), "fetching images") as progress:
        fetch_images(folder, progress)


def write_new(file: Path, text: str) -> None:
    """Write a file that is not there yet.

    Raises:
        UserError: it is.
    """
    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise UserError(f"{file} is there already, and is not overwritten: name another file") from None


def tracking_uri_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option ``--tracking-uri`` to a command on a sweep that is there."""
    return click.option(
        "--tracking-uri",
        type=Text(),
        metavar="URI",
        help="As given to launch, where it has a password. [default: the sweep's]",
    )(command)


def register_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option ``--register`` to a command."""
    return click.option(
        "--register",
        type=Text(),
        metavar="MODEL",
        help="Register the best generator in MLflow: models:/MODEL@champion.",
    )(command)


def release_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option ``--release-after``."""
    return click.option(
        "--release-after",
        type=Text(),
        metavar="15m",
        help="Gangs leave when their driver is silent this long. [default: 15m on a cluster, else never]",
    )(command)


def budget_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the limits of a sweep that is there; see `orchestrator.plan.budgets`."""
    in_all, more = "In all, with what was used so far.", Number(0, 10**9, above=True)
    for option in (
        click.option(
            "--target-fid", "--target", type=more, metavar="X", help="End it when an objective is X or better."
        ),
        click.option("--max-cost", type=more, metavar="USD", help=f"{in_all} It wants a price."),
        click.option("--max-gpu-hours", type=more, metavar="H", help=in_all),
        click.option("--time-budget", type=Text(), metavar="2h", help=in_all),
    ):
        command = option(command)
    return command


def price_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--gpu-price`` and ``--head-price``; see `orchestrator.plan.prices`."""
    hour = Number(0, 10**6, above=True)
    for option in (
        click.option(
            "--head-price",
            type=hour,
            metavar="USD",
            help="What the driver's machine costs per hour. [default: $GAN_SWEEP_HEAD_PRICE]",
        ),
        click.option(
            "--gpu-price",
            type=hour,
            metavar="USD",
            help="What one GPU costs per hour, for costs in the results. [default: $GAN_SWEEP_GPU_PRICE]",
        ),
    ):
        command = option(command)
    return command


def with_secrets(plan: SavedPlan, given: str | None) -> SavedPlan:
    """`plan` with the tracking URI that was `given`: the sweep's own is kept without its secrets.

    Raises:
        UserError: it names another place than the sweep's, or none is given where the sweep's has a secret.
    """
    if given is not None:
        if masked(given) != plan.tracking_uri:
            raise UserError(f"--tracking-uri {masked(given)}: {plan.sweep} is tracked at {plan.tracking_uri}")
        return replace(plan, tracking_uri=given)
    if is_masked(plan.tracking_uri) and not plan.tracking_uri.startswith("http"):
        raise UserError(
            f"{plan.sweep} is tracked at {plan.tracking_uri}: give that with its password: --tracking-uri URI"
        )
    return plan


class RunningSweep:
    """A sweep whose driver lives, to ask something of.

    Attributes:
        store: its directory.
        name: of the sweep.
        session: number of its driver.
    """

    def __init__(self, store: Any, session: int) -> None:
        self.store, self.session = store, session
        self.name = store.directory.name

    def lives(self) -> bool:
        """Whether its driver still lives."""
        from orchestrator.results.driver_lock import driver_lives

        return driver_lives(self.store.directory)

    def ask(self, request: Any, done: Callable[[Any], bool] | None = None, *, ending: bool = False) -> None:
        """Ask, and wait until the sweep's state shows that it is done, also while the sweep is `ending`.

        Args:
            request: one of `orchestrator.results.requests`.
            done: whether a state shows it; None: that the log has the answer does.
            ending: wait on while the sweep ends.

        Raises:
            UserError: it was not done, the driver has ended before, or another has followed, which does not answer what
                that was asked.
        """
        import time

        from orchestrator.results.follower import Follower
        from orchestrator.results.requests import ask

        ask(self.store.directory, request)
        follower = Follower(self.store.directory, self.store.read_plan(), every_epoch=False)
        while True:
            alive = self.lives()  # before the look: what it wrote at last is seen
            follower.poll()
            state = follower.state
            if state.session != self.session:
                raise UserError(f"another driver has just taken over sweep {self.name}: ask again")
            if why := state.answers.get(request.key):
                raise UserError(f"sweep {self.name} has not done it: {why}")
            if request.key in state.answers if done is None else done(state):
                return
            if not alive or not (ending or (state.is_open and state.halting is None)):
                raise UserError(f"sweep {self.name} has ended before it could do that")
            time.sleep(_LOOK_S)


def running_sweep(name: str, sweeps_dir: Path) -> RunningSweep:
    """A sweep that runs.

    Raises:
        UserError: there is none of this name, or it does not run; the text says how it stands.
    """
    from orchestrator.results.driver_lock import driver_lives
    from orchestrator.results.store import find_sweep
    from orchestrator.results.verdict import SweepStatus

    store = find_sweep(name, sweeps_dir)
    state = store.read_state()
    if driver_lives(store.directory) and state.is_open:
        return RunningSweep(store, state.session)
    standing = store.standing(state)
    if standing.status is SweepStatus.RUNNING:
        host = state.sessions[-1].opened.host
        raise UserError(f"sweep {store.directory.name} runs on {host}: give this command there")
    detail = f", {standing.detail}" if standing.detail else ""
    raise UserError(f"sweep {store.directory.name} does not run: {standing.status}{detail}")


def _say(context: click.Context, text: str) -> None:
    _print_error(text)
    context.exit(2)


def _print_error(text: str, file: Any = None) -> None:
    click.echo(f"gan-sweep: {_in_one_line(masked(text))}", err=True, file=file)


def _in_one_line(text: str) -> str:
    """`text` with its control characters written out: a file's name may hold a line break."""
    return "".join(char if char.isprintable() or char == " " else ascii(char)[1:-1] for char in text)
