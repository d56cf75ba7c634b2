"""How a sweep searches, for people: sampler, scheduler, storage, Pareto front."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.display.winner_text import counted
from orchestrator.results.pareto import pareto_front
from orchestrator.results.records import TrialRecord
from orchestrator.search.samplers import left_to_chance
from orchestrator.space.constraints import limits_of
from orchestrator.space.domains import build_domain, value_text
from orchestrator.space.narrowing import Narrowing
from orchestrator.space.sections import SAMPLERS
from orchestrator.space.space import Space
from trainers.masking import masked

if TYPE_CHECKING:
    from orchestrator.plan.plan import Plan
    from orchestrator.search.warm_start import WarmStart


def search_rows(plan: Plan, warm: WarmStart | None) -> dict[str, str]:
    """Rows of the plan that describe the search."""
    space = plan.space
    rows = {"search": f"sampler {space.sampler.name}, {space.scheduler}; study in {_storage(plan)}"}
    if len(space.objectives) > 1:
        rows["objectives"] = ", ".join(space.objectives)
    if space.constraints:
        rows["constraints"] = ", ".join(map(str, limits_of(space.constraints)))
    if warm:
        rows["warm start"] = str(warm)
    return {**rows, "narrowed": narrowed_text(plan.narrowed, space)} if plan.narrowed else rows


def narrowed_text(narrowing: Narrowing, space: Space) -> str:
    """What ``--narrow`` changed of a space, a line each: every range before and now, and what lay outside."""
    of = f"{counted(narrowing.trials, 'earlier trial')} (the best {narrowing.share:.0%} of those with an objective)"
    where = f"where the best {narrowing.good} of {of} are"
    if not narrowing.search:
        return f"nothing: {where} is everywhere"
    lines = [f"to {where}"]
    for name, before in narrowing.search.items():
        now = str(space.search[name]) if name in space.search else "cannot exist any longer"
        lines.append(f"{name}: {build_domain(name, before, [name])} -> {now}")
    if narrowing.base:
        values = ", ".join(f"{name}={value_text(value)}" for name, value in narrowing.base.items())
        lines.append(
            f"the space's own start lies outside ({values}): the start is the best earlier trial, tried already"
        )
    if narrowing.points:
        gone = len(narrowing.points) - len(space.points)
        lines.append(f"{gone} of {counted(len(narrowing.points), 'known point')} outside: not tried")
    return "\n".join(lines)


def sampler_hints(space: Space) -> list[str]:
    """What the sampler cannot do with this space, said once; Optuna would warn at every trial."""
    name, hints = space.sampler.name, []
    if keys := left_to_chance(name, space.search):
        hints.append(f"sampler {name} does not model these keys and draws them at random: {', '.join(keys)}")
    if space.constraints and not SAMPLERS[name].constraints:
        able = ", ".join(other for other, kind in SAMPLERS.items() if kind.constraints)
        hints.append(f"sampler {name} does not learn from constraints: the winner keeps them all the same; {able} do")
    if space.scheduler.name != "none" and not SAMPLERS[name].learns_from_cut:
        scheduler = space.scheduler.name
        unfinished = f"trials that {scheduler} does not train to their end"
        hints.append(f"sampler {name} learns nothing from {unfinished}; --scheduler none trains all to it")
    return hints


def front_rows(trials: list[TrialRecord]) -> dict[str, str]:
    """The Pareto front, where there are two objectives."""
    return {"Pareto front": ", ".join(pareto_front(trials))} if any(trial.costs for trial in trials) else {}


def _storage(plan: Plan) -> str:
    file = Path(plan.storage.removeprefix("sqlite:///"))
    return file.name if file.parent == plan.directory else masked(plan.storage)
