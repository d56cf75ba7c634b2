"""Budgets: limits that end a sweep before all its trials have run."""

import re
from dataclasses import dataclass

from orchestrator.plan.amounts import amount
from orchestrator.plan.prices import check_priced
from orchestrator.results.prices import Prices, money
from orchestrator.results.verdict import SweepStatus
from orchestrator.space.objectives import called
from trainers.errors import UserError, shortened
from trainers.metric_names import FID, lower_better, maximised

LONGEST_S = 10 * 365 * 24 * 3600
_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?")


@dataclass(frozen=True, kw_only=True)
class Budgets:
    """Limits of a sweep; the first that is reached ends it. None: no limit.

    Attributes:
        time_s: seconds since the sweep started, its images decoded; the start of Ray and the gangs counts.
        gpu_hours: GPUs that the gangs hold x hours since their ranks started, busy or idle: what a cloud bills.
        target_fid: reached when a trial's objective is this or better.
        cost: US dollars, by the sweep's prices; see `orchestrator.results.prices`.
    """

    time_s: float | None = None
    gpu_hours: float | None = None
    target_fid: float | None = None
    cost: float | None = None

    def reached(
        self, *, seconds: float, gpu_hours: float, cost: float | None, objective: float | None, name: str = FID
    ) -> SweepStatus | None:
        """The sweep's end status when a budget is reached, None while none is. The target takes precedence.

        Args:
            seconds: since the sweep started.
            gpu_hours: held so far.
            cost: US dollars so far, None without a price; `read_budgets` refuses a limit then.
            objective: the best of all trials, as it is compared: lower is better; None while no trial has one.
            name: what the objective is.
        """
        if self.target_fid is not None and objective is not None and objective <= lower_better(name, self.target_fid):
            return SweepStatus.TARGET_REACHED
        if self.time_s is not None and seconds > self.time_s:
            return SweepStatus.OUT_OF_TIME
        if self.gpu_hours is not None and gpu_hours > self.gpu_hours:
            return SweepStatus.OUT_OF_GPU_HOURS
        if self.cost is not None and cost is not None and cost > self.cost:
            return SweepStatus.OUT_OF_MONEY
        return None

    def text(self, name: str) -> str:
        """For people, of a sweep whose objective is `name`; empty without a limit."""
        parts = (
            f"at most {self.time_s:.0f} s" if self.time_s else "",
            f"at most {self.gpu_hours:g} GPU hours" if self.gpu_hours else "",
            f"at most {money(self.cost)}" if self.cost else "",
            target_text(name, self.target_fid),
        )
        return ", ".join(filter(None, parts))

    def __str__(self) -> str:
        return self.text(FID)


def target_text(name: str, target: float | None) -> str:
    """``until FID <= 40``, ``until recall >= 0.4``; empty without one."""
    if target is None:
        return ""
    return f"until {called(name)} {'>=' if maximised(name) else '<='} {target:g}"


def read_budgets(
    *,
    time: str | None,
    gpu_hours: str | float | None,
    target_fid: str | float | None,
    cost: str | float | None,
    gpus: float,
    prices: Prices,
) -> Budgets:
    """Parse and check the budget options.

    Args:
        time: value of ``--time-budget``.
        gpu_hours: value of ``--max-gpu-hours``.
        target_fid: value of ``--target-fid``.
        cost: value of ``--max-cost``.
        gpus: GPUs per worker of the sweep.
        prices: of the sweep.

    Raises:
        UserError: a value is invalid, GPU hours are limited without GPUs, or money without a price.
    """
    budgets = Budgets(
        time_s=None if time is None else parse_duration(time),
        gpu_hours=None if gpu_hours is None else amount("--max-gpu-hours", gpu_hours),
        target_fid=None if target_fid is None else amount("--target-fid", target_fid),
        cost=None if cost is None else amount("--max-cost", cost),
    )
    if budgets.gpu_hours is not None and gpus <= 0:
        raise UserError("--max-gpu-hours needs GPUs, and this sweep has none: limit it with --time-budget")
    check_priced(budgets.cost, prices, gpus)
    return budgets


def parse_duration(text: str, option: str = "--time-budget") -> float:
    """Parse ``2h``, ``30m``, ``1h30m`` or ``90s`` into seconds.

    Raises:
        UserError: it is none of these.
    """
    match = _DURATION.fullmatch(text.strip())
    if not text.strip() or match is None or not any(match.groups()):
        raise UserError(f"{option} {shortened(text)}: write it as 2h, 30m, 1h30m or 90s")
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    if (total := hours * 3600 + minutes * 60 + seconds) <= 0:
        raise UserError(f"{option} {text!r}: must be greater than 0")
    if total > LONGEST_S:
        raise UserError(f"{option} {shortened(text)}: must be at most {LONGEST_S // 3600}h, ten years")
    return total
