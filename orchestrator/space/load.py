"""Reads spaces from YAML, checks them and writes them back."""

from importlib.resources import files
from itertools import combinations, product
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from orchestrator.pruning import build_rules
from orchestrator.space.check_changes import check_changes
from orchestrator.space.constraints import limits_of
from orchestrator.space.domains import Domain, Value, build_domain
from orchestrator.space.objectives import check_objectives
from orchestrator.space.population import check_population
from orchestrator.space.space import Space, condition_text, config_names
from orchestrator.space.yaml_text import read_yaml
from trainers.config import TrainConfig
from trainers.errors import UserError, problem_text, shortened, unknown_name
from trainers.metric_names import FID, INCEPTION_SCORE, all_values, metric_of


def bundled_spaces() -> dict[str, Path]:
    """The spaces that come with gan-sweep: name to file."""
    folder = Path(str(files("search_spaces")))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def load_space(name_or_file: str) -> Space:
    """Load a bundled space by its name, or any space by its file.

    Raises:
        UserError: the space does not exist, or it is invalid; one line.
    """
    path = bundled_spaces().get(name_or_file, Path(name_or_file))
    if not path.is_file():
        if path.suffix in {".yaml", ".yml"}:
            raise UserError(f"no space file {path}")
        raise unknown_name("space", name_or_file, bundled_spaces())
    space = build_space(path.stem, read_yaml(path, "space"))
    try:
        space.scheduler.check_used()
    except UserError as error:
        raise UserError(f"space {path.stem}: {error}") from None
    return space


def build_space(name: str, values: Any) -> Space:
    """Build and validate a space from its parsed YAML.

    Raises:
        UserError: something in it is invalid; the message names the space, the key, the value and the valid choices.
    """
    try:
        return _build(name, values)
    except UserError as error:
        raise UserError(f"space {name}: {error}") from None


def _build(name: str, values: Any) -> Space:
    if not isinstance(values, dict) or "base" not in values or "search" not in values:
        raise UserError("needs a mapping with at least base: and search:")
    keys = set(Space.model_fields) - {"name"}
    for key in values:
        if key not in keys:
            raise unknown_name("key", str(key), keys)
    if not isinstance(values["base"], dict) or not isinstance(values["search"], dict):
        raise UserError("base: and search: must be mappings")
    build_rules(values.get("pruning", True))
    values = _with_moved_keys(values)
    base = TrainConfig.build(values["base"])
    known = config_names(base)
    search = {str(key): build_domain(str(key), domain, known) for key, domain in values["search"].items()}
    try:
        space = Space.model_validate({**values, "name": name, "base": base, "search": search})
    except ValidationError as error:
        raise UserError(problem_text(error, Space)) from None
    if "grace_epochs" not in space.scheduler.model_fields_set:  # the default is for trainings of the default length
        grace = space.scheduler.scaled_grace(TrainConfig().schedule.epochs, base.schedule.epochs)
        space = space.model_copy(update={"scheduler": space.scheduler.model_copy(update={"grace_epochs": grace})})
    space = with_metrics(space)
    check_space(space)
    return space


def with_metrics(space: Space) -> Space:
    """`space`, in which all that its constraints and objectives name is measured at every measurement.

    Its trials' own objective is the first of its objectives.

    Raises:
        UserError: one is wrong, what they name cannot be measured, or the base names another objective.
    """
    check_objectives(space.objectives, space.sampler.name)
    fid, first = space.base.fid, space.objectives[0]
    if fid.objective not in (FID, first):
        raise UserError(f"fid.objective {fid.objective}: the space's objectives say it, and the first is {first}")
    named = [limit.value for limit in limits_of(space.constraints)]
    if FID in named and first == FID:
        raise UserError(
            f"constraints.fid: FID is the objective, and the lowest wins: bound it where another is, such as "
            f"objectives: [kid]; got {shortened(space.constraints[FID])}"
        )
    needed = [metric_of(value) for value in [*named, *space.objectives] if value in all_values()]
    metrics = tuple(dict.fromkeys([*fid.metrics, *needed]))
    if metrics == fid.metrics and fid.objective == first:
        return space
    fid.check_metrics("constraints and objectives", metrics)
    wanted = {"fid.metrics": metrics, "fid.objective": first}
    return space.model_copy(update={"base": TrainConfig.build(space.base.model_dump(), wanted)})


def _with_moved_keys(values: dict[str, Any]) -> dict[str, Any]:
    """`values` of an older version: ``scheduler.min_diversity`` is ``fid.min_diversity`` of the base today."""
    scheduler, fid = values.get("scheduler"), values["base"].get("fid", {})
    if not isinstance(scheduler, dict) or "min_diversity" not in scheduler or not isinstance(fid, dict):
        return values
    rest = {name: value for name, value in scheduler.items() if name != "min_diversity"}
    moved = {"min_diversity": scheduler["min_diversity"], **fid}
    return {**values, "scheduler": rest, "base": {**values["base"], "fid": moved}}


def check_space(space: Space) -> None:
    """Check that every searched value makes a valid config, and that the known points lie inside the ranges.

    Raises:
        UserError: one does not; the message names the first.
    """
    _check_conditions(space)
    if INCEPTION_SCORE in space.confirm.metrics:  # neighbours of few fakes are left out: they are asked for by default
        space.base.fid.check_metrics("confirm.metrics", (INCEPTION_SCORE,))
    _check_confirm(space)
    check_population(space)
    check_changes(space)
    _check_starts(space)
    if space.base.fid.n_fake_first is not None and "schedule.window_first" in space.search:
        raise UserError(
            "search: schedule.window_first needs fid.n_fake_first null: trials must have the same number "
            "of fakes at the same epoch"
        )
    searched = space.combined()
    for name, domain in searched.items():
        for value in domain.probes():
            _check_possible(space, {name: value})
    for (one, first), (other, second) in combinations(searched.items(), 2):
        for ends in product(*({domain.probes()[0], domain.probes()[-1]} for domain in (first, second))):
            _check_possible(space, dict(zip((one, other), ends, strict=True)))
    for number, point in enumerate(space.known_points()):
        where = "base" if number == 0 else f"points[{number - 1}]"
        if number:
            for name in space.points[number - 1]:
                if name not in space.search:
                    raise unknown_name(f"searched key in {where}", name, space.search)
                if name not in point:
                    raise UserError(f"{where}: {name} exists {condition_text(space.search[name].when)}")
        for name, value in point.items():
            if not space.search[name].contains(value):
                raise UserError(f"{where}: {name} = {value!r} lies outside its range {space.search[name]}")


def _check_starts(space: Space) -> None:
    key = "init.parts"
    for parts in space.search[key].probes() if key in space.search else [space.base.init.parts]:
        if "progress" in str(parts).split(",") and space.scheduler.name != "none":
            raise UserError(
                f"{key} {parts}: progress needs scheduler none: others compare trials from their first epochs on"
            )


def _check_confirm(space: Space) -> None:
    confirm = space.confirm
    if confirm.train_seeds and not confirm.top:
        raise UserError(f"confirm.train_seeds {confirm.train_seeds}: needs confirm.top of 1 at least, which is 0")
    if confirm.train_seeds and len(space.objectives) > 1:
        raise UserError(
            f"confirm.train_seeds {confirm.train_seeds}: goes with one objective alone, not with "
            f"{' and '.join(space.objectives)}, which have no one winner to try again"
        )


def _check_conditions(space: Space) -> None:
    values = space.base.flat()
    space.in_order()
    for name, domain in space.search.items():
        for parent, allowed in domain.when.items():
            if parent not in values:
                raise unknown_name(f"key in search.{name}: when", parent, values)
            searched = space.search.get(parent)
            for value in allowed:
                if searched is not None and not searched.contains(value):
                    raise UserError(f"search.{name}: when {parent} is {value!r}, which is not in its range {searched}")
            if searched is None and values[parent] not in allowed:
                raise UserError(f"search.{name}: never exists: {parent} is always {values[parent]!r}")


def _check_possible(space: Space, params: dict[str, Value]) -> None:
    completed = space.completed(params)
    if completed is None:
        return
    try:
        space.resolve(completed)
    except UserError as error:
        what = " with ".join(f"{name} = {value!r}" for name, value in params.items())
        raise UserError(f"search: {what} is not possible: {error}") from None


def space_as_yaml(space: Space) -> dict[str, Any]:
    """The space as the contents of a YAML space file."""
    return {
        "description": space.description,
        "base": space.base.model_dump(mode="json"),
        "search": {name: _domain_as_yaml(domain) for name, domain in space.search.items()},
        "sampler": space.sampler.model_dump(exclude_none=True),
        "scheduler": space.scheduler.model_dump(mode="json"),
        "objectives": list(space.objectives),
        "constraints": dict(space.constraints),
        "confirm": space.confirm.model_dump(mode="json"),
        "pruning": space.pruning,
        "trials": space.trials,
        "changes": [change.model_dump(by_alias=True) for change in space.changes],
        "points": [dict(point) for point in space.points],
        "synthetic": space.synthetic,
        "demo": dict(space.demo),
    }


def _domain_as_yaml(domain: Domain) -> dict[str, Any]:
    return domain.model_dump(by_alias=True, mode="json", exclude_defaults=True)
