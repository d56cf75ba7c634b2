"""Text for people who wait: what a trial does at this moment, and when it and the sweep may be done."""

from orchestrator.results.now import Now
from orchestrator.results.repeats import searched
from orchestrator.results.state import SweepState
from orchestrator.results.verdict import State
from orchestrator.space.rungs import mean_epochs
from orchestrator.space.sections import SchedulerConfig

CELLS = 10  # of a bar
SOON_S = 5.0  # less is not worth saying


def duration(seconds: float) -> str:
    """``2 h 05 min``, ``3 min 20 s`` or ``45 s``; ``0 s`` of less than nothing."""
    whole = max(0, round(seconds))
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 60} min {whole % 60:02d} s" if whole >= 60 else f"{whole} s"


def left_text(state: SweepState) -> str:
    """``about 12 min 00 s left``; empty where nothing can be said, or no trial starts any more.

    The trials that are left take as long as those that are over did. Before one is over, they take as long as those
    that run will by all their epochs: the scheduler will cut some of them. Where trials wait at rungs, as many epochs
    are left as the scheduler lets so many trials run on average.
    """
    if state.halting is not None:
        return ""
    trials = searched(list(state.trials.values()))  # at once: another thread adds to them
    gangs = max(1, state.plan.resources.get("gangs", len(state.gangs)))
    if any(trial.paused for trial in trials):
        scheduler = SchedulerConfig.model_validate(state.plan.definition.get("scheduler", {}))
        done, seconds = sum(trial.trained for trial in trials), sum(trial.seconds for trial in trials)
        longest = max(trial.total_epochs for trial in trials)
        left = max(0.0, state.planned * mean_epochs(scheduler, longest) - done)
        return f"about {duration(left * seconds / done / gangs)} left" if done and left else ""
    over = [trial.seconds for trial in trials if trial.over]
    open_ones = [trial for trial in trials if trial.trained and not trial.over]
    whole = [trial.seconds / trial.trained * (trial.total_epochs - trial.began) for trial in open_ones]
    if not (known := over or whole):
        return ""
    used = sum(trial.seconds for trial in trials if trial.state is State.RUNNING)
    left = max(0.0, (state.planned - len(over)) * sum(known) / len(known) - used)
    about = duration(left / gangs)
    return f"about {about} left" if over else f"at most about {about} left"


def doing_text(now: Now, *, bar: bool = True) -> str:
    """``training █████░░░░░ 52%, 3 min 20 s left in this epoch``."""
    filled = round(CELLS * now.share)
    cells = "█" * filled + "░" * (CELLS - filled) + " " if bar else ""
    text = f"{now.what} {cells}{now.share:.0%}"
    if now.left_s is None or now.left_s < SOON_S:
        return text
    left = f"{text}, {duration(now.left_s)} left"
    return f"{left} in this epoch" if now.epoch and bar else left
