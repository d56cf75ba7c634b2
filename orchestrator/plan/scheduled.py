"""The space of ``launch --schedule``: one trial, whose settings change at the epochs that a schedule names."""

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from orchestrator.plan.launch_options import LaunchOptions
from orchestrator.space.changes import Change
from orchestrator.space.load import check_space
from orchestrator.space.sections import SamplerConfig, SchedulerConfig
from orchestrator.space.space import Space, config_names
from orchestrator.space.yaml_text import read_yaml
from trainers.config import TrainConfig, flatten
from trainers.errors import UserError, problem_text, unknown_key, unknown_name

KEYS = ("sweep", "space", "trial", "objective", "settings", "base")
_SEARCHES = ("trials", "sampler", "scheduler", "warm_start", "narrow")  # options that only a search has
_NOT_LEARNT = ("fid.", "runtime.", "seed", "schedule.checkpoint_every", "schedule.samples_every")


def scheduled(space: Space, file: Path, options: LaunchOptions) -> Space:
    """`space` with one trial, which trains from scratch with a schedule's settings.

    Args:
        space: where everything comes from that the schedule does not name; with ``--set`` and ``--demo`` applied.
        file: ``schedule.yaml`` of a sweep with scheduler ``pbt``, or one written by hand.
        options: of the launch.

    Raises:
        UserError: the file is wrong, does not go with the space, or an option does not go with it.
    """
    for name in _SEARCHES:
        if getattr(options, name) not in (None, ()):
            raise UserError(f"--schedule: trains one trial, without a search: leave out --{name.replace('_', '-')}")
    found = read_schedule(file)
    try:
        known = config_names(space.base)
        settings = [(int(one["from"]), one["set"]) for one in found["settings"]]
        for _, values in settings:
            for name in values:
                if name not in known:
                    raise unknown_key("key", name, known)
        for given in options.settings:
            if any(given.partition("=")[0] in values for _, values in settings):
                raise UserError(f"it has values of {given.partition('=')[0]}, which --set fixes")
        changes = {
            "base": TrainConfig.build(space.base.model_dump(), settings[0][1]),
            "search": {},
            "points": (),
            "trials": 1,
            "sampler": SamplerConfig(name="random"),
            "scheduler": SchedulerConfig(name="none"),
            "changes": tuple(Change.model_validate({"from": first, "set": values}) for first, values in settings[1:]),
        }
        space = space.model_copy(update=changes)
        check_space(space)
    except ValidationError as error:
        raise UserError(f"--schedule {file}: {problem_text(error)}") from None
    except UserError as error:
        raise UserError(f"--schedule {file}: {error}") from None
    return space


def read_schedule(file: Path) -> dict[str, Any]:
    """The contents of a schedule, of which ``settings`` are a list of first epochs (`from`) and values (`set`).

    Raises:
        UserError: it cannot be read, or is no schedule; one line.
    """
    found = read_yaml(file, "schedule")
    where = f"--schedule {file}"
    if not isinstance(found, dict) or "settings" not in found:
        raise UserError(
            f"{where}: is no schedule: it needs settings:, as schedule.yaml of a sweep with scheduler pbt has"
        )
    for key in found:
        if key not in KEYS:
            raise unknown_name(f"key in {where}", str(key), KEYS)
    settings = found["settings"]
    if not isinstance(settings, list) or not settings:
        raise UserError(f"{where}: settings: needs a list of {{from: EPOCH, set: {{KEY: VALUE}}}}")
    for number, one in enumerate(settings, 1):
        if not isinstance(one, dict) or one.keys() != {"from", "set"} or not isinstance(one["set"], dict):
            raise UserError(f"{where}: settings: item {number} is no {{from: EPOCH, set: {{KEY: VALUE}}}}")
        if type(one["from"]) is not int or (one["from"] == 1) != (number == 1):
            rule = "from: 1" if number == 1 else "a whole number above 1"
            raise UserError(f"{where}: settings: item {number} needs {rule} as its first epoch, got {one['from']!r}")
        if any(not isinstance(name, str) for name in one["set"]):
            raise UserError(f"{where}: settings: item {number}: set: needs dotted keys")
    if not isinstance(found.get("base", {}), dict):
        raise UserError(f"{where}: base: must be a mapping")
    return found


def other_base(space: Space, file: Path) -> list[str]:
    """In which keys a space differs from what a schedule was found with, besides how FID is measured: texts."""
    found = read_schedule(file)
    before = flatten(found.get("base", {}))
    settled = {name for one in found["settings"] for name in one["set"]}
    now = space.base.flat()
    return [
        f"{name} {now[name]}, there {value}"
        for name, value in before.items()
        if name in now and name not in settled and not name.startswith(_NOT_LEARNT) and _plain(now[name]) != value
    ]


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
