"""`Space`: a search space as its YAML defines it."""

from typing import Annotated, Any, Literal

import optuna
from pydantic import Field

from orchestrator.space.changes import Change
from orchestrator.space.domains import Domain, Value, value_text
from orchestrator.space.rungs import all_rungs
from orchestrator.space.sections import MOST_TRIALS, ConfirmConfig, SamplerConfig, SchedulerConfig, Section
from trainers.config import TrainConfig, field_names
from trainers.errors import UserError
from trainers.fid_schedule import fid_due
from trainers.metric_names import FID


class Space(Section):
    """One search: where it starts, which keys vary, and how trials are proposed, cut and confirmed.

    Attributes:
        name: the file's name without ``.yaml``.
    """

    name: str
    description: str = Field("", description="one line for `gan-sweep spaces list`")
    base: TrainConfig = Field(
        description="the setting that the search starts from, always the first trial; keys left out have their defaults"
    )
    search: dict[str, Domain] = Field(
        description="what varies, by dotted name: {float: [low, high], log: true}, {int: [low, high], step: 50} or "
        "{choice: [a, b]}; with when: {other.key: value} a key exists only beside that value"
    )
    sampler: SamplerConfig = Field(SamplerConfig(), description="which sampler proposes settings")
    scheduler: SchedulerConfig = Field(SchedulerConfig(), description="which trials are cut early")
    confirm: ConfirmConfig = Field(
        ConfirmConfig(), description="which trials are measured again at the end, before one wins"
    )
    objectives: tuple[str, ...] = Field(
        (FID,),
        description="one that is measured, which decides: fid, kid, or, maximised, precision, recall, density, "
        "coverage or inception_score; and at most one more: another of these, device_seconds or generator_parameters",
    )
    constraints: dict[str, str] = Field(
        default_factory=dict,
        description='what the winner has to keep, by what is measured: {recall: ">= 0.3"}; fid too where it is not the '
        "objective",
    )
    pruning: bool | dict[str, bool | dict[str, Any]] = Field(
        True, description="rules that end doomed trials: true: all; false: none; or settings by rule, false for off"
    )
    trials: Annotated[int, Field(ge=1, le=MOST_TRIALS)] = Field(20, description="how many, unless --trials says it")
    points: tuple[dict[str, Value], ...] = Field(
        (), description="further settings to try before sampling: dotted names to values; other keys as in the base"
    )
    changes: tuple[Change, ...] = Field(
        (),
        description="settings that change within every trial: {from: 11, set: {optimizer.lr_g: 1e-4}}, from epoch 11 "
        "on; launch --schedule writes them",
    )
    synthetic: Literal["cars", "domains", "faces", "motorbikes", "sprites"] | None = Field(
        None, description="the kind of pictures that --demo draws"
    )
    demo: dict[str, Value] = Field(
        default_factory=dict,
        description="what --demo changes besides its usual settings: dotted names, and trials, to values",
    )

    @property
    def conditional(self) -> bool:
        """Whether some keys exist only for certain values of others."""
        return any(domain.when for domain in self.search.values())

    @property
    def most_repeats(self) -> int:
        """How often settings are trained again at the end, at most: no more of them than there are trials."""
        return min(self.confirm.top, self.trials) * self.confirm.train_seeds

    def resolve(self, params: dict[str, Any]) -> TrainConfig:
        """The config of a trial with these searched values; FID is measured at the scheduler's rungs too."""
        config = TrainConfig.build(self.base.model_dump(), params)
        rungs = [epoch for epoch in all_rungs(self.scheduler, config.schedule.epochs) if not fid_due(epoch, config)]
        if not rungs:
            return config
        at = tuple(sorted({*config.fid.at, *rungs}))
        return config.model_copy(update={"fid": config.fid.model_copy(update={"at": at})})

    def sample(self, trial: optuna.trial.BaseTrial) -> dict[str, Value]:
        """Draw one setting from Optuna. Each key is drawn after the keys that its ``when:`` names."""
        params: dict[str, Value] = {}
        for name in self.in_order():
            if self.is_active(name, params):
                params[name] = self.search[name].suggest(trial, name)
        return params

    def is_active(self, name: str, params: dict[str, Any]) -> bool:
        """Whether the searched key `name` exists when the other searched keys have the values `params`."""
        values = self.base.flat()
        for parent, allowed in self.search[name].when.items():
            if parent in self.search and parent not in params:
                return False
            if (params[parent] if parent in self.search else values[parent]) not in allowed:
                return False
        return True

    def in_order(self) -> list[str]:
        """The searched keys, each after those that its ``when:`` names.

        Raises:
            UserError: the conditions are circular.
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
        """Add the values that other keys need for all of `params` to exist; None where that is impossible.

        Keys that no condition restricts stay out: they keep the base's value.
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

    def going_on(self) -> list[TrainConfig]:
        """The configs of its trials where they go on from checkpoints (`gan-sweep extend`), each as it is; else none.

        Their values go together: a mixture of them need not be possible.
        """
        if not self.base.init.takes("progress") or self.trials > 1 + len(self.points):
            return []
        return [self.resolve(point) for point in self.known_points()]

    def combined(self) -> dict[str, Domain]:
        """The searched keys whose values trials may have in any combination: all, or none where they are `going_on`."""
        return {} if self.going_on() else self.search

    def known_points(self) -> list[dict[str, Value]]:
        """Settings to evaluate first: the base, then `points`; each with exactly the keys that exist for it."""
        flat = self.base.flat()
        base = {name: flat[name] for name in self.search}
        return [self._existing({**base, **point}) for point in ({}, *self.points)]

    def _existing(self, params: dict[str, Value]) -> dict[str, Value]:
        kept: dict[str, Value] = {}
        for name in self.in_order():
            if self.is_active(name, kept):
                kept[name] = params[name]
        return kept


def possible_search(space: Space) -> Space:
    """Drop the keys that can no longer exist, because a key that their ``when:`` names is fixed at another value.

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
    """Every dotted name of a config, including the names that only `base` has, such as class weights by label."""
    return list(dict.fromkeys([*field_names(), *base.flat()]))


def condition_text(when: dict[str, tuple[Value, ...]]) -> str:
    """A condition for people: ``only when regime.name = monitored``."""
    texts = (f"{key} = {' or '.join(map(value_text, values))}" for key, values in when.items())
    return "only when " + " and ".join(texts)
