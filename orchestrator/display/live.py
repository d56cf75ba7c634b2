"""What the screen shows while a sweep runs: a live table on a terminal, a line per measurement elsewhere."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from orchestrator.display.beside_text import amount_text, beside_cells, beside_text
from orchestrator.display.exploit_text import exploit_text
from orchestrator.display.fitting import fitting
from orchestrator.display.seeds_text import seeds_cell
from orchestrator.display.waiting import doing_text, left_text
from orchestrator.results.now import read_now
from orchestrator.results.pareto import pareto_front
from orchestrator.results.prices import CURRENCY
from orchestrator.results.records import TrialRecord, best_trial
from orchestrator.results.repeats import repeats_text, searched
from orchestrator.results.sinks import Sink
from orchestrator.results.state import SweepState
from orchestrator.results.verdict import State
from orchestrator.space.objectives import called, number_text, spread_text
from orchestrator.space.sections import PBT
from trainers.metric_names import FID
from trainers.run_report import EpochReport

_STYLES = {
    State.RUNNING: "bold",
    State.PAUSED: "dim",
    State.COMPLETED: "green",
    State.PRUNED: "yellow",
    State.STOPPED: "yellow",
    State.FAILED: "red",
}


QUIET_S = 30.0  # where there is no live table, a line says after so long what the trials do
NOTICE_S = 30.0  # a notice stays above the table
WIDE = 110  # from so many columns on there is room for a bar

MOST_ROWS = 500  # of a table that is printed: rich takes 2 ms for each, and `results --json` has all trials
# Columns that a narrow terminal leaves out, in this order; then the costs of a second objective, epoch and best.
_EXTRAS = ("images/s", "on FID", "time", "FID")
_SENTENCE = 30  # letters that a verdict with its sentence wants, before columns give way to it


def trials_table(
    trials: list[TrialRecord],
    *,
    title: str = "",
    rows: int | None = None,
    width: int | None = None,
    now: Callable[[TrialRecord], str | None] = lambda trial: None,
    clock: float = 0.0,
    costs: Mapping[str, str] | None = None,
) -> Table:
    """Trial, epoch, FID, best, images/s, time, share of the time spent on FID, verdict; ``*`` marks the winner.

    "confirmed" is mean and spread over latents of one checkpoint, "seeds" over training seeds of one setting. The
    winner may be a repeat of a setting: the run whose generator is used.

    What was measured beside FID has columns, for the trials that were measured again.
    With a second objective the cost has a column, and ``+`` marks the Pareto front.

    A FID that was not measured at the newest epoch has its epoch beside it (``71.2 @550``), and one on fewer fakes than
    in the window has their number (``71.2 n1000``).

    Args:
        trials: all trials, by number.
        title: above the table.
        rows: show at most this many: the running ones, then the best, then the newest.
        width: of the terminal: columns that do not fit are left out, and the verdict stays; None: show all.
        now: returns what one does; asked of those that are shown.
        clock: seconds since 1970; 0: the time of running ones is that of their newest epoch.
        costs: what each has cost, by trial; empty: there is no such column.
    """
    extra = list(dict.fromkeys(name for trial in trials for name in trial.costs))
    shows = Shows(confirmed=any(trial.confirmed for trial in trials), seeds=any(trial.repeats for trial in trials))
    found = dict.fromkeys(name for trial in trials for name in beside_cells(trial))
    beside = [name for name in found if name.lower() not in (*extra, FID)]  # FID has a column of its own
    best = best_trial(trials)
    front = set(pareto_front(trials)) if extra else set()
    shown = _rows_to_show(trials, rows)
    columns: dict[str, list[str]] = {"trial": []}
    for trial in shown:
        star = " *" if trial is best else ""
        star += " +" if trial.trial_id in front else ""
        objectives = {_heading(name): _amount(name, trial.costs.get(name)) for name in extra}
        cells = {
            "trial": f"{trial.trial_id}{star}",
            **_cells(trial, shows, clock),
            **{name: beside_cells(trial).get(name, "-") for name in beside},
            **objectives,
            **({CURRENCY: costs.get(trial.trial_id, "-")} if costs else {}),
            "verdict": _verdict(trial, now(trial)),
        }
        for name, cell in cells.items():
            columns.setdefault(name, []).append(cell)
    kept = list(columns)
    if width is not None:
        spare = ("epoch", *dict.fromkeys(best_heading(trial.measure) for trial in shown))
        first_to_go = (*beside, *_EXTRAS, *map(_heading, extra), CURRENCY, *spare)
        kept = fitting(columns, width=width, first_to_go=first_to_go, wraps="verdict", least=_SENTENCE)
    table = Table(title=title or None, title_justify="left", box=None, pad_edge=False, header_style="dim")
    table.show_header = bool(shown)
    for name in kept:
        justify: Literal["left", "right"] = "left" if name in ("trial", "verdict") else "right"
        table.add_column(name, justify=justify, no_wrap=name != "verdict")
    for number, trial in enumerate(shown):
        table.add_row(*(escape(columns[name][number]) for name in kept), style=_STYLES[trial.state])
    if len(shown) < len(trials):
        table.caption = f"{len(trials) - len(shown)} more"
    return table


def _amount(name: str, value: float | None) -> str:
    return amount_text(name, value).replace(",", "")


def _heading(cost: str) -> str:
    return cost.replace("_", "\n")


def _rows_to_show(trials: list[TrialRecord], rows: int | None) -> list[TrialRecord]:
    if rows is None or len(trials) <= rows:
        return trials
    best = sorted(trials, key=lambda trial: (trial.objective is None, trial.lower(trial.objective or 0.0)))[: rows // 2]
    running = [trial for trial in trials if trial.state is State.RUNNING]
    newest = trials[::-1]
    ranked = dict.fromkeys(trial.trial_id for trial in [*running, *best, *newest])
    kept = set(list(ranked)[:rows])
    return [trial for trial in trials if trial.trial_id in kept]


@dataclass(frozen=True, kw_only=True)
class Shows:
    """Which columns the table has besides the usual ones: the spread over latents, and that over training seeds."""

    confirmed: bool
    seeds: bool


def _cells(trial: TrialRecord, shows: Shows, clock: float) -> dict[str, str]:
    few = _fewer_fakes(trial, trial.last_fid_n)
    carried = "" if trial.last_fid_epoch in (None, trial.epochs) else f" @{trial.last_fid_epoch}"
    best = "-" if trial.objective is None else number_text(trial.objective, ".1f")
    if trial.stands_for_none:
        best = f"~{trial.lowest_fid:.1f}{few}"
    seconds = max(trial.seconds, trial.running_seconds(clock)) if trial.state is State.RUNNING else trial.seconds
    return {
        "epoch": f"{trial.epochs}/{trial.total_epochs}",
        "FID": _number(trial.last_fid, ".1f") + few + carried,
        best_heading(trial.measure): best,
        **({"confirmed": confirmed_text(trial, ".1f") or "-"} if shows.confirmed else {}),
        **({"seeds": seeds_cell(trial, ".1f") or "-"} if shows.seeds else {}),
        "images/s": _number(trial.images_per_second, ".0f"),
        "time": f"{seconds:.0f} s",
        "on FID": _number(trial.fid_share, ".0%"),
    }


def confirmed_text(trial: TrialRecord, form: str) -> str:
    """``64.1 ± 0.4``: mean and sample standard deviation of a trial's confirmed objective; empty where there are none.

    A single value has no deviation.
    """
    return "" if trial.objective_mean is None else spread_text(trial.objective_mean, trial.objective_spread, form)


def best_heading(measure: str) -> str:
    """Of the column of objectives: ``best``, which is of FID, or ``best KID``."""
    return "best" if measure == FID else f"best {called(measure)}"


def _fewer_fakes(trial: TrialRecord, n_fake: int | None) -> str:
    """A suffix for a FID, such as ``n1000``: its number of fakes, where the objective has another."""
    return f" n{n_fake}" if n_fake is not None and 0 < trial.n_fake != n_fake else ""


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _verdict(trial: TrialRecord, now: str | None = None) -> str:
    if trial.verdict is None:
        return now or ("paused" if trial.paused else "training")
    details = "; ".join(filter(None, (trial.detail, trial.refused)))
    return f"{trial.verdict}: {details}" if details else str(trial.verdict)


class Screen(Sink):
    """Shows the trials while the sweep runs.

    Args:
        console: where to draw.
        directory: of the sweep.
    """

    def __init__(self, console: Console, directory: Path) -> None:
        self._console, self._directory = console, directory
        self._state: SweepState | None = None
        self._notice, self._noticed = "", 0.0
        self._spoke = time.monotonic()  # when a line was printed last
        self._short: set[int] = set()  # gangs of which it was said that they have too few ranks
        self._live: Live | None = None
        if console.is_terminal:
            # Ray and others print into the sweep's log, so nothing has to be redirected above the table.
            self._live = Live(
                get_renderable=self._render,
                console=console,
                refresh_per_second=4,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )

    def watch(self, state: SweepState) -> None:
        """Show this state, which others keep up to date."""
        self._state = state

    def open(self) -> None:
        """Start the live table."""
        if self._live is not None:
            self._live.start()

    def close(self) -> None:
        """Leave the final table on the screen."""
        if self._live is not None:
            self._live.stop()
        if trials := self._trials():
            self._console.print(trials_table(trials, rows=MOST_ROWS, width=self._console.width))

    def say(self, text: str) -> None:
        """Show a line: as the live table's title, or printed."""
        self._notice, self._noticed = text, time.monotonic()
        self._print(text)

    def look(self) -> None:
        """Where lines are printed, and none was for some time, say what the running trials do; called often."""
        if self._live is None and time.monotonic() - self._spoke > QUIET_S:
            for trial in self._trials():
                if (now := read_now(self._directory, trial)) is not None:
                    self._line(trial, f"epoch {now.epoch or trial.epochs + 1}/{trial.total_epochs}  {doing_text(now)}")
            self._spoke = time.monotonic()

    def resized(self, state: SweepState, gang: int) -> None:
        """Print a line where a gang has fewer ranks than planned, or all of them again; the live title has it."""
        has, of = state.sizes[gang]
        if self._live is None and (has < of or gang in self._short):
            self._console.print(f"gang {gang} has {has} of {of} workers", highlight=False, soft_wrap=True)
        (self._short.add if has < of else self._short.discard)(gang)

    def started(self, trial: TrialRecord) -> None:
        """Say it of a trial that goes on."""
        if trial.epochs:
            self._line(trial, "goes on from its last checkpoint")

    def interrupted(self, trial: TrialRecord, why: str) -> None:
        """Say that its workers are gone."""
        text = f"trial {trial.trial_id}  {why}: it goes on from its last checkpoint when they are up again"
        self.say(text)

    def progressed(self, trial: TrialRecord, report: EpochReport) -> None:
        """Print a line for a measurement; the live table updates itself."""
        if (newest := report.measurement) is not None:
            rate = report.metrics["images_per_second"]
            fid = f"{newest.fid:.1f}{_fewer_fakes(trial, newest.n_fake)}"
            own = "" if trial.measure == FID else f"  {called(trial.measure)} {number_text(newest.value)}"
            self._line(trial, f"epoch {report.epoch}/{trial.total_epochs}  FID {fid}{own}  {rate:.0f} images/s")

    def paused(self, trial: TrialRecord) -> None:
        """Say where it waits."""
        population = self._state is not None and self._state.plan.scheduler == PBT
        when = "all are there" if population else "it is among the best there"
        self._line(trial, f"waits at epoch {trial.epochs}: it goes on when {when}")

    def exploited(self, trial: TrialRecord) -> None:
        """Say of whom it becomes a copy."""
        self._line(trial, exploit_text(trial))

    def ended(self, trial: TrialRecord) -> None:
        """Show the verdict."""
        self._line(trial, _verdict(trial))

    def confirmed(self, trial: TrialRecord) -> None:
        """Show the confirmed objective."""
        own = f"{called(trial.measure)} {confirmed_text(trial, '.1f')}"
        found = ", ".join(filter(None, (own, beside_text(trial))))
        self._line(trial, f"measured again  {trial.refused or found}")

    def _trials(self) -> list[TrialRecord]:
        return self._state.by_number() if self._state is not None else []

    def _line(self, trial: TrialRecord, text: str) -> None:
        self._print(f"trial {trial.trial_id}  {text}")

    def _print(self, text: str) -> None:
        if self._live is None:
            self._console.print(text, markup=False, highlight=False, soft_wrap=True)
            self._spoke = time.monotonic()

    def _title(self, trials: list[TrialRecord]) -> str:
        if self._notice and time.monotonic() - self._noticed < NOTICE_S:
            return self._notice
        if not trials or self._state is None:
            return "the gangs are starting ..."
        done = sum(not trial.open for trial in searched(trials))
        waiting = sum(trial.paused for trial in trials)
        wait = f"{waiting} wait{'s' if waiting == 1 else ''} for others to come as far" if waiting else ""
        soon = left_text(self._state) if done < self._state.planned else ""
        return ", ".join(
            filter(None, (f"{done} of {self._state.planned} trials done", wait, soon, repeats_text(self._state)))
        )

    def _render(self) -> Table:
        trials, wide = self._trials(), self._console.width >= WIDE
        title = self._title(trials)
        if self._state is not None and self._state.short:
            title = "; ".join([title, *self._state.short])

        def doing(trial: TrialRecord) -> str | None:
            now = read_now(self._directory, trial)
            return None if now is None else doing_text(now, bar=wide)

        height, width = max(5, self._console.height - 6), self._console.width
        return trials_table(trials, title=title, rows=height, width=width, now=doing, clock=time.time())
