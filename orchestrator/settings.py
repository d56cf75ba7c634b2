"""``--set dotted.key=value`` laid over a space."""

from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError

from orchestrator.space import SchedulerConfig, Space, check_space, config_names, possible_search
from orchestrator.yaml import parse_yaml
from trainers.config import TrainConfig
from trainers.errors import UserError, first_problem, unknown_name

SCHEDULER_KEYS = [f"scheduler.{name}" for name in SchedulerConfig.model_fields]
_INTERVALS = ("schedule.checkpoint_every", "schedule.samples_every", "fid.every")


def apply_settings(space: Space, settings: Iterable[str]) -> Space:
    """Lay ``--set dotted.key=value`` over a space: the base changes, and a searched key is searched no longer.

    ``schedule.epochs`` alone takes the rest of the schedule along: the window and the scheduler's grace stay in
    proportion, and intervals shrink so far that each comes about eight times.

    Raises:
        UserError: not of that form, no such key, or a value that cannot be.
    """
    values: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise UserError(f"--set {setting!r}: write it as dotted.key=value")
        if name not in (known := [*config_names(space.base), *SCHEDULER_KEYS]):
            raise unknown_name("--set key", name, known)
        values[name] = parse_yaml(text, f"--set {name}")
    scheduler_values = {key.removeprefix("scheduler."): values.pop(key) for key in SCHEDULER_KEYS if key in values}
    if "schedule.epochs" in values:
        values = {**_schedule_for(space.base, values["schedule.epochs"]), **values}
    base = TrainConfig.build(space.base.model_dump(), values)
    search = {name: domain for name, domain in space.search.items() if name not in values}
    scheduler = _scheduler(space, base, scheduler_values)
    space = possible_search(space.model_copy(update={"base": base, "search": search, "scheduler": scheduler}))
    check_space(space)
    return space


def _schedule_for(base: TrainConfig, epochs: Any) -> dict[str, int]:
    if not isinstance(epochs, int) or epochs < 1:
        return {}  # TrainConfig says what is wrong with it
    schedule = base.schedule
    window = max(1, round(schedule.window_first * epochs / schedule.epochs))
    intervals = {name: min(base.flat()[name], max(1, epochs // 8)) for name in _INTERVALS}
    return {"schedule.window_first": window, **intervals}


def _scheduler(space: Space, base: TrainConfig, values: dict[str, Any]) -> SchedulerConfig:
    grace = space.scheduler.scaled_grace(space.base.schedule.epochs, base.schedule.epochs)
    try:
        return SchedulerConfig.model_validate({**space.scheduler.model_dump(), "grace_epochs": grace, **values})
    except ValidationError as error:
        name, message, given = first_problem(error)
        raise UserError(f"scheduler.{name}: {message}, got {given!r}") from None
