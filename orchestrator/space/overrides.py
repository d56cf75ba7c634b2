"""Applies ``--set dotted.key=value`` to a space."""

from collections.abc import Iterable
from typing import Any, TypeVar

from pydantic import ValidationError

from orchestrator.space.load import check_space, with_metrics
from orchestrator.space.sections import ConfirmConfig, SamplerConfig, SchedulerConfig, Section
from orchestrator.space.space import Space, config_names, possible_search
from orchestrator.space.yaml_text import parse_yaml
from trainers.config import TrainConfig
from trainers.errors import UserError, problem_text, unknown_key

_SECTIONS: dict[str, type[Section]] = {
    "scheduler": SchedulerConfig,
    "sampler": SamplerConfig,
    "confirm": ConfirmConfig,
}
_SECTION_KEYS = [f"{section}.{name}" for section, model in _SECTIONS.items() for name in model.model_fields]
AnySection = TypeVar("AnySection", bound=Section)
_INTERVALS = ("schedule.checkpoint_every", "schedule.samples_every", "fid.every")


def apply_settings(space: Space, settings: Iterable[str]) -> Space:
    """Apply ``--set dotted.key=value``: each setting fixes its key in the base and removes it from the search.

    ``schedule.epochs`` alone scales the rest of the schedule: the window and the scheduler's grace stay in proportion,
    and the intervals shrink so that each fits about eight times into the run. ``fid.n_fake`` alone removes
    ``fid.n_fake_first`` where that would not be smaller.

    Raises:
        UserError: a setting is malformed, its key does not exist, or its value is invalid.
    """
    values: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise UserError(f"--set {setting!r}: write it as dotted.key=value")
        if name not in (known := [*config_names(space.base), *_SECTION_KEYS]):
            raise unknown_key("--set key", name, known, "`gan-sweep spaces show SPACE`")
        values[name] = parse_yaml(text, f"--set {name}")
    given: dict[str, dict[str, Any]] = {section: {} for section in _SECTIONS}
    for key in _SECTION_KEYS:
        if key in values:
            section, name = key.split(".")
            given[section][name] = values.pop(key)
    if "schedule.epochs" in values:
        values = {**_schedule_for(space.base, values["schedule.epochs"]), **values}
    if "fid.n_fake" in values:
        values = {**_first_fakes_for(space.base, values["fid.n_fake"]), **values}
    base = TrainConfig.build(space.base.model_dump(), values)
    search = {name: domain for name, domain in space.search.items() if name not in values}
    grace = space.scheduler.scaled_grace(space.base.schedule.epochs, base.schedule.epochs)
    # Another scheduler or sampler has other options, so those of the space's own are dropped.
    own = space.scheduler.without_others(str(given["scheduler"].get("name", space.scheduler.name)))
    scheduler = _changed("scheduler", own, {"grace_epochs": grace, **given["scheduler"]})
    scheduler.check_used()
    another = given["sampler"].get("name", space.sampler.name) != space.sampler.name
    sampler = _changed("sampler", SamplerConfig() if another else space.sampler, given["sampler"])
    confirm = _changed("confirm", space.confirm, given["confirm"])
    changes = {"base": base, "search": search, "scheduler": scheduler, "sampler": sampler, "confirm": confirm}
    space = with_metrics(possible_search(space.model_copy(update=changes)))
    check_space(space)
    return space


def check_each_once(settings: Iterable[str]) -> None:
    """Check that no key is set twice.

    Raises:
        UserError: one is; which value is meant cannot be known.
    """
    seen: dict[str, str] = {}
    for setting in settings:
        name = setting.partition("=")[0]
        if name in seen:
            raise UserError(f"--set {name} is given twice: {seen[name]} and {setting}")
        seen[name] = setting


def _schedule_for(base: TrainConfig, epochs: Any) -> dict[str, int]:
    if not isinstance(epochs, int) or epochs < 1:
        return {}  # TrainConfig reports the error
    schedule = base.schedule
    window = max(1, round(schedule.window_first * epochs / schedule.epochs))
    intervals = {name: min(base.flat()[name], max(1, epochs // 8)) for name in _INTERVALS}
    return {"schedule.window_first": window, **intervals}


def _first_fakes_for(base: TrainConfig, n_fake: Any) -> dict[str, int | None]:
    """Remove `fid.n_fake_first` where it would not be smaller than the new `fid.n_fake`."""
    first = base.fid.n_fake_first
    return {"fid.n_fake_first": None} if first is not None and isinstance(n_fake, int) and n_fake <= first else {}


def _changed(title: str, section: AnySection, values: dict[str, Any]) -> AnySection:
    try:
        return section.model_validate({**section.model_dump(), **values})
    except ValidationError as error:
        text = problem_text(error)
        raise UserError(f"{title}{'.' if error.errors()[0]['loc'] else ': '}{text}") from None
