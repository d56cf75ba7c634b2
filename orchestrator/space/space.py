"""Spaces: what YAML may say, and what it means."""

from collections.abc import Mapping
from importlib.resources import files
from itertools import combinations, product
from pathlib import Path
from typing import Annotated, Any, Literal

import optuna
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from orchestrator.pruning import build_rules
from orchestrator.search.samplers import SamplerConfig, one_of
from orchestrator.space.domains import Domain, Value, build_domain
from orchestrator.space.objectives import FID, check_objectives
from orchestrator.space.yaml_text import parse_yaml
from trainers.config import TrainConfig, field_names
from trainers.errors import UserError, first_problem, unknown_name

SCHEDULERS = ("asha", "hyperband", "median", "none")


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class SchedulerConfig(_Model):
    """Which trials are cut for others' sake."""

    name: Annotated[str, one_of("scheduler", SCHEDULERS)] = Field(
        "asha", description="asha: successive halving on FID (arXiv:1810.05934); hyperband: with several graces; median"
    )
    grace_epochs: Annotated[int, Field(ge=1)] = Field(75, description="epochs that every trial may run")
    reduction_factor: Annotated[float, Field(gt=1)] = Field(
        3, description="asha, hyperband: one trial in this many goes on at a rung"
    )
    brackets: Annotated[int, Field(ge=1)] = Field(
        3, description="hyperband: how many graces, each reduction_factor times the last; those beyond the run go"
    )

    min_diversity: Annotated[float, Field(ge=0, le=1)] = Field(
        0.25,
        description="a FID of fakes less diverse than this, against the real images, is worse than any other at a rung",
    )

    def is_uniform(self, result: Mapping[str, Any]) -> bool:
        """Whether the fakes of a rung hardly vary; those whose diversity is not known count as varied."""
        return bool(result.get("diversity", 1.0) < self.min_diversity)

    def scaled_grace(self, before: int, now: int) -> int:
        """`grace_epochs` in proportion, for runs of `now` epochs instead of `before`."""
        return max(1, round(self.grace_epochs * now / before))


class ConfirmConfig(_Model):
    """Which trials are measured again, on latents that nobody has chosen them by, before a winner is named."""

    top: Annotated[int, Field(ge=0)] = Field(3, description="how many of the best trials; 0: none")
    seeds: Annotated[int, Field(ge=1)] = Field(3, description="how often each, every time on fresh latents")


class Space(_Model):
    """One search: where it starts, what varies, who is cut.

    Attributes:
        name: of the file, without ``.yaml``.
        description: one line for ``gan-sweep spaces list``.
        base: the setting that the search starts from; always the first trial.
        search: what varies, by dotted name.
        sampler: who proposes.
        scheduler: who is cut.
        confirm: who is measured again at the end.
        objectives: what is minimised: FID, and maybe a cost; see `orchestrator.space.objectives`.
        pruning: settings of the rules that end doomed trials; True: all as they are, False: none, else by rule's name.
        trials: how many, unless ``--trials`` says otherwise.
        points: further known-good settings to evaluate before sampling; dotted names to values.
        synthetic: the kind of pictures that ``--demo`` draws.
        demo: what ``--demo`` changes in this space besides its usual settings; dotted names (and trials) to values.
    """

    name: str
    description: str = ""
    base: TrainConfig
    search: dict[str, Domain]
    sampler: SamplerConfig = SamplerConfig()
    scheduler: SchedulerConfig = SchedulerConfig()
    confirm: ConfirmConfig = ConfirmConfig()
    objectives: tuple[str, ...] = (FID,)
    pruning: bool | dict[str, bool | dict[str, Any]] = True
    trials: Annotated[int, Field(ge=1)] = 20
    points: tuple[dict[str, Value], ...] = ()
    synthetic: Literal["cars", "domains", "faces", "motorbikes", "sprites"] | None = None
    demo: dict[str, Value | None] = {}

    @property
    def conditional(self) -> bool:
        """Whether some keys exist only beside certain values of others."""
        return any(domain.when for domain in self.search.values())

    def resolve(self, params: dict[str, Any]) -> TrainConfig:
        """The config of a trial with these searched values."""
        return TrainConfig.build(self.base.model_dump(), params)

    def sample(self, trial: optuna.trial.BaseTrial) -> dict[str, Value]:
        """Ask Optuna for one setting, every key after those that its ``when:`` names."""
        params: dict[str, Value] = {}
        for name in self.in_order():
            if self.is_active(name, params):
                params[name] = self.search[name].suggest(trial, name)
        return params

    def is_active(self, name: str, params: dict[str, Any]) -> bool:
        """Whether `name` exists beside the other searched values `params`."""
        values = self.base.flat()
        for parent, allowed in self.search[name].when.items():
            value = params.get(parent) if parent in self.search else values[parent]
            if value not in allowed:
                return False
        return True

    def in_order(self) -> list[str]:
        """The searched keys, each after those that its ``when:`` names.

        Raises:
            UserError: conditions go round in a circle.
        """
        order: list[str] = []
        waiting = list(self.search)
        while waiting:
            ready = [n for n in waiting if not any(parent in waiting for parent in self.search[n].when)]
            if not ready:
                raise UserError(f"search: the conditions of {', '.join(waiting)} go round in a circle")
            order += ready
            waiting = [name for name in waiting if name not in ready]
        return order

    def completed(self, params: dict[str, Value]) -> dict[str, Value] | None:
        """`params`, and values for the keys that must have certain ones for all of `params` to exist; None: impossible.

        What is left open stays out: it keeps the base's value.
        """
        options: dict[str, tuple[Value, ...]] = {name: (value,) for name, value in params.items()}
        waiting = list(params)
        values = self.base.flat()
        while waiting:
            for parent, allowed in self.search[waiting.pop()].when.items():
                before = options.get(parent, allowed if parent in self.search else (values[parent],))
                options[parent] = tuple(value for value in before if value in allowed)
                if not options[parent]:
                    return None
                if parent in self.search:
                    waiting.append(parent)
        return {name: left[0] for name, left in options.items() if name in self.search}

    def known_points(self) -> list[dict[str, Value]]:
        """Settings to evaluate first: the base, then `points`; each with all the keys that exist beside it."""
        flat = self.base.flat()
        base = {name: flat[name] for name in self.search}
        return [self._existing({**base, **point}) for point in ({}, *self.points)]

    def _existing(self, params: dict[str, Value]) -> dict[str, Value]:
        kept: dict[str, Value] = {}
        for name in self.in_order():
            if self.is_active(name, kept):
                kept[name] = params[name]
        return kept


def bundled_spaces() -> dict[str, Path]:
    """The spaces that come with gan-sweep: name to file."""
    folder = Path(str(files("search_spaces")))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def load_space(name_or_file: str) -> Space:
    """A bundled space by name, or any by its file.

    Raises:
        UserError: no such space, or it says something wrong; one line.
    """
    path = bundled_spaces().get(name_or_file, Path(name_or_file))
    if not path.is_file():
        if path.suffix in {".yaml", ".yml"}:
            raise UserError(f"no space file {path}")
        raise unknown_name("space", name_or_file, bundled_spaces())
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read the space {path}: {error}") from None
    return build_space(path.stem, parse_yaml(text, str(path)))


def build_space(name: str, values: Any) -> Space:
    """Validate what a space's YAML says.

    Raises:
        UserError: naming the space, the key, the value and what would be valid.
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
    base = TrainConfig.build(values["base"])
    known = config_names(base)
    search = {key: build_domain(key, domain, known) for key, domain in values["search"].items()}
    try:
        space = Space.model_validate({**values, "name": name, "base": base, "search": search})
    except ValidationError as error:
        place, message, given = first_problem(error)
        raise UserError(f"{place}: {message}, got {given!r}") from None
    check_space(space)
    return space


def possible_search(space: Space) -> Space:
    """The space without the keys that can no longer exist, since what their ``when:`` names is fixed at another value.

    Points lose the keys that are not searched.
    """
    search, values = space.search, space.base.flat()
    while gone := [
        name
        for name, domain in search.items()
        if any(parent not in search and values[parent] not in allowed for parent, allowed in domain.when.items())
    ]:
        search = {name: domain for name, domain in search.items() if name not in gone}
    points = tuple({name: value for name, value in point.items() if name in search} for point in space.points)
    return space.model_copy(update={"search": search, "points": points})


def config_names(base: TrainConfig) -> list[str]:
    """Every dotted name that a setting of `base` may have, its own attributes' included."""
    return list(dict.fromkeys([*field_names(), *base.flat()]))


def check_space(space: Space) -> None:
    """Every searched value must make a valid config, and the known points must lie inside the ranges.

    Raises:
        UserError: naming the first that does not.
    """
    check_objectives(space.objectives, space.sampler.name)
    _check_conditions(space)
    if space.base.fid.n_fake_first is not None and "schedule.window_first" in space.search:
        raise UserError(
            "search: schedule.window_first needs fid.n_fake_first null: trials must have the same number "
            "of fakes at the same epoch"
        )
    for name, domain in space.search.items():
        for value in domain.probes():
            _check_possible(space, {name: value})
    for (one, first), (other, second) in combinations(space.search.items(), 2):
        for ends in product(*({domain.probes()[0], domain.probes()[-1]} for domain in (first, second))):
            _check_possible(space, dict(zip((one, other), ends, strict=True)))
    for number, point in enumerate(space.known_points()):
        where = "base" if number == 0 else f"points[{number - 1}]"
        if number:
            for name in space.points[number - 1]:
                if name not in space.search:
                    raise unknown_name(f"searched key in {where}", name, space.search)
                if name not in point:
                    raise UserError(f"{where}: {name} exists {said(space.search[name].when)}")
        for name, value in point.items():
            if not space.search[name].contains(value):
                raise UserError(f"{where}: {name} = {value!r} lies outside its range {space.search[name]}")


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


def said(when: dict[str, tuple[Value, ...]]) -> str:
    """A condition for people: ``only when regime.name = monitored``."""
    return "only when " + " and ".join(f"{key} = {' or '.join(map(str, values))}" for key, values in when.items())
