"""Spaces: what YAML may say, and what it means."""

import math
from importlib.resources import files
from itertools import combinations, product
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from orchestrator.yaml import parse_yaml
from trainers.config import TrainConfig, field_names
from trainers.errors import UserError, first_problem, unknown_name

Value = float | int | str | bool
MOST_PROBES = 1000  # an int range with more values is tried at its ends only


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class FloatRange(_Model):
    """``{float: [low, high], log: true}``; both ends belong to it."""

    bounds: tuple[float, float] = Field(alias="float")
    log: bool = False

    @model_validator(mode="after")
    def _check(self) -> Self:
        low, high = self.bounds
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise ValueError(f"float: [{low}, {high}] needs two finite numbers, low before high")
        if self.log and low <= 0:
            raise ValueError(f"float: [{low}, {high}] with log: true needs a low end above 0")
        return self

    def distribution(self) -> BaseDistribution:
        """As Optuna samples it."""
        return FloatDistribution(*self.bounds, log=self.log)

    def contains(self, value: Any) -> bool:
        """Whether `value` can be drawn."""
        return isinstance(value, int | float) and self.bounds[0] <= value <= self.bounds[1]

    def probes(self) -> list[Value]:
        """Values that must be valid for all others to be; the first and the last are its ends."""
        return list(self.bounds)

    def __str__(self) -> str:
        return f"{self.bounds[0]:g} to {self.bounds[1]:g}{', log' if self.log else ''}"


class IntRange(_Model):
    """``{int: [low, high], step: 50}``; low, low + step, ... up to high."""

    bounds: tuple[int, int] = Field(alias="int")
    step: int = Field(1, ge=1)
    log: bool = False

    @model_validator(mode="after")
    def _check(self) -> Self:
        low, high = self.bounds
        if low >= high or (high - low) % self.step:
            raise ValueError(f"int: [{low}, {high}] needs low before high, a multiple of step {self.step} apart")
        if self.log and (low < 1 or self.step != 1):
            raise ValueError(f"int: [{low}, {high}] with log: true needs a low end from 1 on and step 1")
        return self

    def distribution(self) -> BaseDistribution:
        """As Optuna samples it."""
        return IntDistribution(*self.bounds, log=self.log, step=self.step)

    def contains(self, value: Any) -> bool:
        """Whether `value` can be drawn."""
        low, high = self.bounds
        return isinstance(value, int) and low <= value <= high and (value - low) % self.step == 0

    def probes(self) -> list[Value]:
        """Values that must be valid for all others to be; the first and the last are its ends."""
        values = range(self.bounds[0], self.bounds[1] + 1, self.step)
        return list(values) if len(values) <= MOST_PROBES else list(self.bounds)

    def __str__(self) -> str:
        step = f", step {self.step}" if self.step > 1 else ""
        return f"{self.bounds[0]} to {self.bounds[1]}{step}{', log' if self.log else ''}"


class Choice(_Model):
    """``{choice: [pad, stretch]}``."""

    choice: tuple[Value, ...] = Field(min_length=1)

    def distribution(self) -> BaseDistribution:
        """As Optuna samples it."""
        return CategoricalDistribution(self.choice)

    def contains(self, value: Any) -> bool:
        """Whether `value` can be drawn."""
        return value in self.choice

    def probes(self) -> list[Value]:
        """Values that must be valid for all others to be; the first and the last are its ends."""
        return list(self.choice)

    def __str__(self) -> str:
        return " | ".join(str(value) for value in self.choice)


Domain = FloatRange | IntRange | Choice
_KINDS: dict[str, type[Domain]] = {"float": FloatRange, "int": IntRange, "choice": Choice}


class SchedulerConfig(_Model):
    """Which trials are cut for others' sake."""

    name: Literal["asha", "none"] = Field("asha", description="asha: successive halving on FID (arXiv:1810.05934)")
    grace_epochs: Annotated[int, Field(ge=1)] = Field(75, description="epochs that every trial may run")
    reduction_factor: Annotated[float, Field(gt=1)] = Field(3, description="one trial in this many goes on at a rung")

    def scaled_grace(self, before: int, now: int) -> int:
        """`grace_epochs` in proportion, for runs of `now` epochs instead of `before`."""
        return max(1, round(self.grace_epochs * now / before))


class Space(_Model):
    """One search: where it starts, what varies, who is cut.

    Attributes:
        name: of the file, without ``.yaml``.
        description: one line for ``gan-sweep spaces list``.
        base: the setting that the search starts from; always the first trial.
        search: what varies, by dotted name.
        scheduler: who is cut.
        trials: how many, unless ``--trials`` says otherwise.
        points: further known-good settings to evaluate before sampling; dotted names to values.
        synthetic: the kind of pictures that ``--demo`` draws.
    """

    name: str
    description: str = ""
    base: TrainConfig
    search: dict[str, Domain]
    scheduler: SchedulerConfig = SchedulerConfig()
    trials: Annotated[int, Field(ge=1)] = 20
    points: tuple[dict[str, Value], ...] = ()
    synthetic: Literal["motorbikes"] | None = None

    def resolve(self, params: dict[str, Any]) -> TrainConfig:
        """The config of a trial with these searched values."""
        return TrainConfig.build(self.base.model_dump(), params)

    def known_points(self) -> list[dict[str, Value]]:
        """Settings to evaluate first: the base, then `points`, each complete."""
        base = {name: self.base.flat()[name] for name in self.search}
        return [base, *({**base, **point} for point in self.points)]


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
    known = set(Space.model_fields) - {"name"}
    for key in values:
        if key not in known:
            raise unknown_name("key", str(key), known)
    if not isinstance(values["base"], dict) or not isinstance(values["search"], dict):
        raise UserError("base: and search: must be mappings")
    base = TrainConfig.build(values["base"])
    search = {key: build_domain(key, domain) for key, domain in values["search"].items()}
    try:
        space = Space.model_validate({**values, "name": name, "base": base, "search": search})
    except ValidationError as error:
        place, message, given = first_problem(error)
        raise UserError(f"{place}: {message}, got {given!r}") from None
    check_space(space)
    return space


def build_domain(name: str, values: Any) -> Domain:
    """Validate one searched key: ``{float: [..]}``, ``{int: [..]}`` or ``{choice: [..]}``.

    Raises:
        UserError: naming the key and what is wrong.
    """
    if name not in field_names():
        raise unknown_name("searched key", name, field_names())
    if name.startswith(("fid.", "runtime.")) or name == "family":
        raise UserError(f"search.{name}: cannot be searched: it says how a trial is run or measured")
    kinds = [kind for kind in _KINDS if isinstance(values, dict) and kind in values]
    if len(kinds) != 1:
        raise UserError(f"search.{name}: needs exactly one of float:, int:, choice:, got {values!r}")
    try:
        return _KINDS[kinds[0]].model_validate(values)
    except ValidationError as error:
        key, message, _ = first_problem(error)
        raise UserError(f"search.{name}: {key + ': ' if key else ''}{message}, got {values!r}") from None


def _check_possible(space: Space, params: dict[str, Value]) -> None:
    try:
        space.resolve(params)
    except UserError as error:
        what = " with ".join(f"{name} = {value!r}" for name, value in params.items())
        raise UserError(f"search: {what} is not possible: {error}") from None


def check_space(space: Space) -> None:
    """Every searched value must make a valid config, and the known points must lie inside the ranges.

    Raises:
        UserError: naming the first that does not.
    """
    for name, domain in space.search.items():
        for value in domain.probes():
            _check_possible(space, {name: value})
    for (one, first), (other, second) in combinations(space.search.items(), 2):
        for ends in product(*({domain.probes()[0], domain.probes()[-1]} for domain in (first, second))):
            _check_possible(space, dict(zip((one, other), ends, strict=True)))
    for number, point in enumerate(space.known_points()):
        where = "base" if number == 0 else f"points[{number - 1}]"
        for name, value in point.items():
            if name not in space.search:
                raise unknown_name(f"searched key in {where}", name, space.search)
            if not space.search[name].contains(value):
                raise UserError(f"{where}: {name} = {value!r} lies outside its range {space.search[name]}")
