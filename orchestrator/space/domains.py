"""The domain of a searched key: a range or a choice, and the condition under which the key exists."""

import math
from collections.abc import Collection, Sequence
from typing import Annotated, Any, Self

import optuna
from pydantic import BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from trainers.checked import Checked
from trainers.errors import UserError, first_problem, problem_text, shortened, unknown_key

Value = float | int | str | bool | None
MOST_PROBES = 1000  # an int range with more values is checked at its ends only


def _several(allowed: Any) -> Any:
    """``when: {regime.name: monitored}`` may name one value or a list of them."""
    if isinstance(allowed, dict):
        return {key: value if isinstance(value, list | tuple) else (value,) for key, value in allowed.items()}
    return allowed


Conditions = Annotated[dict[str, Annotated[tuple[Value, ...], Field(min_length=1)]], BeforeValidator(_several)]


class _Domain(Checked):
    """``when: {other.key: [values]}`` makes the key exist only where each other key has one of the values."""

    model_config = ConfigDict(populate_by_name=True, allow_inf_nan=True)

    when: Conditions = Field({})


class FloatRange(_Domain):
    """``{float: [low, high], log: true}``; both ends are included."""

    bounds: tuple[float, float] = Field(alias="float")
    log: bool = False

    @model_validator(mode="after")
    def _check(self) -> Self:
        low, high = self.bounds
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise ValueError(f"float: [{low}, {high}] needs two finite numbers, low < high")
        if self.log and low <= 0:
            raise ValueError(f"float: [{low}, {high}] with log: true needs a low end above 0")
        return self

    def suggest(self, trial: optuna.trial.BaseTrial, name: str) -> float:
        """Draw one value with `trial`."""
        return trial.suggest_float(name, *self.bounds, log=self.log)

    def contains(self, value: Any) -> bool:
        """Whether `value` can be drawn."""
        return isinstance(value, int | float) and self.bounds[0] <= value <= self.bounds[1]

    def probes(self) -> list[Value]:
        """Values to check a space with: when these are valid, all are. The first and the last are the domain's ends."""
        return list(self.bounds)

    def every(self) -> None:
        """None: the values of a continuous range cannot be listed."""

    def __str__(self) -> str:
        return f"{self.bounds[0]:g} to {self.bounds[1]:g}{', log' if self.log else ''}"


class IntRange(_Domain):
    """``{int: [low, high], step: 50}``; low, low + step, ... up to high."""

    bounds: tuple[int, int] = Field(alias="int")
    step: int = Field(1, ge=1)
    log: bool = False

    @model_validator(mode="after")
    def _check(self) -> Self:
        low, high = self.bounds
        if low >= high or (high - low) % self.step:
            raise ValueError(f"int: [{low}, {high}] needs low < high, with high - low a multiple of step {self.step}")
        if self.log and (low < 1 or self.step != 1):
            raise ValueError(f"int: [{low}, {high}] with log: true needs low >= 1 and step 1")
        return self

    def suggest(self, trial: optuna.trial.BaseTrial, name: str) -> int:
        """Draw one value with `trial`."""
        return trial.suggest_int(name, *self.bounds, log=self.log, step=self.step)

    def contains(self, value: Any) -> bool:
        """Whether `value` can be drawn."""
        low, high = self.bounds
        return isinstance(value, int) and low <= value <= high and (value - low) % self.step == 0

    def probes(self) -> list[Value]:
        """Values to check a space with: when these are valid, all are. The first and the last are the domain's ends."""
        few = (self.bounds[1] - self.bounds[0]) // self.step < MOST_PROBES  # `len` of a huge range overflows
        return list(self.every()) if few else list(self.bounds)

    def every(self) -> Sequence[Value]:
        """All of its values."""
        return range(self.bounds[0], self.bounds[1] + 1, self.step)

    def __str__(self) -> str:
        step = f", step {self.step}" if self.step > 1 else ""
        return f"{self.bounds[0]} to {self.bounds[1]}{step}{', log' if self.log else ''}"


class Choice(_Domain):
    """``{choice: [pad, stretch]}``; null is a choice too."""

    choice: tuple[Value, ...] = Field(min_length=1)

    @field_validator("choice")
    @classmethod
    def _each_once(cls, choice: tuple[Value, ...]) -> tuple[Value, ...]:
        seen: set[tuple[type, Value]] = set()
        for value in choice:
            if (type(value), value) in seen:
                raise ValueError(f"the value {value_text(value)} stands twice")
            seen.add((type(value), value))
        return choice

    def suggest(self, trial: optuna.trial.BaseTrial, name: str) -> Value:
        """Draw one value with `trial`."""
        value: Any = trial.suggest_categorical(name, self.choice)
        return value

    def contains(self, value: Any) -> bool:
        """Whether `value` can be drawn."""
        return value in self.choice

    def probes(self) -> list[Value]:
        """Values to check a space with: when these are valid, all are. The first and the last are the domain's ends."""
        return list(self.choice)

    def every(self) -> Sequence[Value]:
        """All of its values."""
        return self.choice

    def __str__(self) -> str:
        return " | ".join(map(value_text, self.choice))


Domain = FloatRange | IntRange | Choice
_KINDS: dict[str, type[Domain]] = {"float": FloatRange, "int": IntRange, "choice": Choice}


def value_text(value: Any) -> str:
    """A value as YAML and ``--set`` take it, where that is null; else as Python prints it."""
    return "null" if value is None else str(value)


def searchable(name: str) -> bool:
    """Whether a key of a config may be searched: not if it decides how trials are run or measured."""
    return not name.startswith(("fid.", "runtime.", "labels", "data.heldout")) and name != "family"


def build_domain(name: str, values: Any, known: Collection[str]) -> Domain:
    """Validate one searched key: ``{float: [..]}``, ``{int: [..]}`` or ``{choice: [..]}``, and its ``when:``.

    Args:
        name: the key's dotted name.
        values: its YAML value.
        known: all dotted names of a config.

    Raises:
        UserError: the key cannot be searched, or its domain is invalid; the message names the key.
    """
    if name not in known:
        raise unknown_key("searched key", name, known)
    if not searchable(name):
        raise UserError(f"search.{name}: cannot be searched: it decides how trials are run or measured")
    kinds = [kind for kind in _KINDS if isinstance(values, dict) and kind in values]
    if len(kinds) != 1:
        raise UserError(f"search.{name}: needs exactly one of float:, int:, choice:, got {shortened(values)}")
    try:
        return _KINDS[kinds[0]].model_validate(values)
    except ValidationError as error:
        if error.errors()[0]["type"] == "extra_forbidden":
            raise UserError(f"search.{name}: {problem_text(error, _KINDS[kinds[0]])}") from None
        key, message, _ = first_problem(error)
        raise UserError(f"search.{name}: {key + ': ' if key else ''}{message}, got {shortened(values)}") from None
