"""Sections of a space's YAML: sampler, scheduler, confirm."""

from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from trainers.checked import Checked
from trainers.config import MOST, MetricNames
from trainers.errors import UserError, shortened, unknown_name
from trainers.metric_names import KID, PRDC


def one_of(kind: str, names: tuple[str, ...]) -> AfterValidator:
    """A pydantic check that a string is one of `names`; its error names the nearest match."""

    def check(name: str) -> str:
        if name not in names:
            raise unknown_name(kind, name, names)
        return name

    return AfterValidator(check)


# Which trials each scheduler cuts, for people; the fields of `SchedulerConfig` are filled in, and its grace in words.
# Each scheduler is a file in `orchestrator.search.schedulers`.
SCHEDULERS = {
    "asha": "every trial runs {grace} and waits; the best one in {reduction_factor:g} goes on, rung by rung",
    "asha_stopping": "every trial runs {grace}, then one in {reduction_factor:g} goes on, and the others are cut",
    "hyperband": "every trial runs {grace}, some {farther:g} times as many and so on (at most {brackets} brackets), "
    "and waits; the best one in {reduction_factor:g} goes on, rung by rung",
    "hyperband_stopping": "every trial runs {grace}, some {farther:g} times as many and so on (at most {brackets} "
    "brackets), then one in {reduction_factor:g} goes on, and the others are cut",
    "median": "every trial runs {grace}, then those worse than the median end",
    "none": "no trial is cut",
    "pbt": "population-based training: every {grace} all wait; the worst {quantile:.0%} go on as copies of the best "
    "{quantile:.0%}, with settings near theirs",
}
PBT = "pbt"
RUNGS_APART = 4.0  # of types whose trials wait; see the table of recorded trainings in search/README.md
PROMOTING = ("asha", "hyperband")  # the best of their trials go on from rungs
WAITING = (*PROMOTING, PBT)  # their trials wait at rungs
HALVING = (*PROMOTING, "asha_stopping", "hyperband_stopping")
# Which schedulers use a key; all use one that is not here, or keep it while a space is switched to another and back.
_USED_BY = {
    "rung_factor": PROMOTING,
    "brackets": ("hyperband", "hyperband_stopping"),
    **dict.fromkeys(("every_epochs", "quantile", "resample", "factors"), (PBT,)),
}


# Far more than anybody trains; Tune and Optuna keep every trial in memory.
MOST_TRIALS = 1_000_000
MOST_BRACKETS = 100  # each has some 3 times the grace of the one before
MOST_SEEDS = 1000


class Section(Checked):
    """A section of a space."""

    model_config = ConfigDict(populate_by_name=True)


class SchedulerConfig(Section):
    """Which trials are cut early in favour of better ones."""

    name: Annotated[str, one_of("scheduler", tuple(SCHEDULERS))] = Field(
        "asha",
        description="asha: successive halving on FID (arXiv:1810.05934), its trials wait; asha_stopping: they are cut; "
        "hyperband, hyperband_stopping: with several graces; median; pbt: population-based training (arXiv:1711.09846)",
    )
    grace_epochs: Annotated[int, Field(ge=1, le=MOST)] = Field(75, description="epochs that every trial may run")
    reduction_factor: Annotated[float, Field(gt=1, le=MOST)] = Field(
        3, description="asha, hyperband, and their stopping types: one trial in this many goes on at a rung"
    )
    rung_factor: Annotated[float | None, Field(ge=1.1, le=MOST)] = Field(
        None,
        description="asha, hyperband: each rung is this many times as far as the one before; None: 4",
    )
    brackets: Annotated[int, Field(ge=1, le=MOST_BRACKETS)] = Field(
        3,
        description="of hyperband; each has as many times the grace of the one before as rungs are apart",
    )
    every_epochs: Annotated[int | None, Field(ge=1, le=MOST)] = Field(
        None, description="pbt: epochs between comparisons; None: grace_epochs"
    )
    quantile: Annotated[float, Field(gt=0, le=0.5)] = Field(
        0.25, description="pbt: share of the population that is replaced, and of that whose copies replace it"
    )
    resample: Annotated[float, Field(ge=0, le=1)] = Field(
        0.25, description="pbt: probability that a copied number is drawn anew from its range instead of multiplied"
    )
    factors: Annotated[tuple[Annotated[float, Field(gt=0, le=MOST)], ...], Field(min_length=1)] = Field(
        (0.8, 1.2), description="pbt: by one of these a copied number is multiplied"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        for key in ("rung_factor", "every_epochs"):
            if key in self._without_effect(self.name):
                raise ValueError(self._refusal(key))
        return self

    def check_used(self) -> None:
        """Check that no key has a value of its own that this scheduler does not use.

        That is asked of what people write. A saved plan may have such a value of an older version, and must load.

        Raises:
            UserError: one has.
        """
        for key in self._without_effect(self.name):
            raise UserError(f"scheduler.{key}: {self._refusal(key)}, got {shortened(getattr(self, key))}")

    def without_others(self, name: str) -> Self:
        """This, with the defaults of all keys that scheduler `name` does not use."""
        return self.model_copy(update=self._without_effect(name))

    def _without_effect(self, name: str) -> dict[str, Any]:
        """The defaults of the keys that scheduler `name` does not use, of those that have another value."""
        defaults = {key: type(self).model_fields[key].default for key, users in _USED_BY.items() if name not in users}
        return {key: default for key, default in defaults.items() if getattr(self, key) != default}

    def _refusal(self, key: str) -> str:
        users = _USED_BY[key]
        return f"scheduler {self.name} has no {key}; {' and '.join(users)} ha{'s' if len(users) == 1 else 've'}"

    @property
    def farther(self) -> float:
        """How many times as far each rung is as the one before; stopping types know one factor alone."""
        return self.rung_factor or (RUNGS_APART if self.name in PROMOTING else self.reduction_factor)

    @property
    def apart(self) -> int:
        """pbt: epochs between comparisons."""
        return self.every_epochs or self.grace_epochs

    def __str__(self) -> str:
        epochs = self.apart if self.name == PBT else self.grace_epochs
        grace = f"{epochs} epoch{'s' if epochs > 1 else ''}"
        values = {**self.model_dump(), "grace": grace, "farther": self.farther}
        return f"scheduler {self.name}: {SCHEDULERS[self.name].format(**values)}"

    def scaled_grace(self, before: int, now: int) -> int:
        """`grace_epochs` scaled from runs of `before` epochs to runs of `now` epochs."""
        return max(1, round(self.grace_epochs * now / before))


class ConfirmConfig(Section):
    """Which trials are measured again before the winner is chosen, on latents that had no part in their selection."""

    top: Annotated[int, Field(ge=0, le=MOST_TRIALS)] = Field(3, description="how many of the best trials; 0: none")
    seeds: Annotated[int, Field(ge=1, le=MOST_SEEDS)] = Field(
        3, description="how often each, every time on fresh latents"
    )
    train_seeds: Annotated[int, Field(ge=0, le=MOST_SEEDS)] = Field(
        0, description="how often each is trained again, every time with a fresh training seed; 0: never"
    )
    metrics: MetricNames = Field(
        (KID, PRDC),
        description="measured with them beside FID, on the same images: some of kid, prdc and inception_score, as in "
        "fid.metrics; []: nothing",
    )


@dataclass(frozen=True)
class SamplerKind:
    """What a sampler can do.

    Attributes:
        options: fields of `SamplerConfig` that it uses.
        several_objectives: whether it can search for two objectives.
        conditions: whether it models conditional keys; if not, it draws them at random.
        choices: whether it models choices; if not, it draws them at random.
        violations: whether it learns from constraints of failed trials. A failed trial has no objective, so it can only
            be reported as PRUNED, and Optuna's GP and NSGA-II read the constraints of COMPLETE trials alone.
        learns_from_cut: whether it learns from trials that the scheduler cut.
        constraints: whether it learns which finished trials keep the space's constraints.
    """

    options: frozenset[str] = frozenset()
    several_objectives: bool = True
    conditions: bool = False
    choices: bool = True
    violations: bool = False
    learns_from_cut: bool = False
    constraints: bool = False


# Each is built in `orchestrator.search.samplers`.
SAMPLERS: dict[str, SamplerKind] = {
    "tpe": SamplerKind(
        frozenset({"startup", "random_fraction"}),
        conditions=True,
        violations=True,
        learns_from_cut=True,
        constraints=True,
    ),
    "gp": SamplerKind(
        frozenset({"startup", "random_fraction"}), violations=True, learns_from_cut=True, constraints=True
    ),
    "cmaes": SamplerKind(frozenset({"population"}), several_objectives=False, choices=False, learns_from_cut=True),
    "qmc": SamplerKind(learns_from_cut=True),  # it never learns, so a cut trial is no loss
    "random": SamplerKind(conditions=True, learns_from_cut=True),
    "nsga2": SamplerKind(frozenset({"population"}), constraints=True),
}


class SamplerConfig(Section):
    """Which sampler proposes settings, and its options."""

    name: Annotated[str, one_of("sampler", tuple(SAMPLERS))] = Field(
        "tpe", description="tpe, gp (Gaussian process), cmaes, qmc (Sobol sequence), random, nsga2 (two objectives)"
    )
    startup: int | None = Field(None, ge=1, le=MOST, description="tpe, gp: trials before the model is used; None: 10")
    random_fraction: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="tpe, gp: share of later trials that are drawn at random all the same, so that a model that took a "
        "poor region for the best gets out of it (BOHB, arXiv:1807.01774); None: 0.125, and 0.5 until a trial is 10% "
        "below the median of all first FIDs",
    )
    population: int | None = Field(
        None, ge=2, le=MOST, description="nsga2, cmaes: trials of a generation; None: 10, or its own"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        for option in (field for field in type(self).model_fields if field != "name"):
            if getattr(self, option) is not None and option not in SAMPLERS[self.name].options:
                having = " and ".join(name for name, kind in SAMPLERS.items() if option in kind.options)
                raise ValueError(f"sampler {self.name} has no {option}; {having} have")
        return self
