"""Rules that end doomed trials: pure functions over a trial's history, one file each."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from orchestrator.pruning.d_collapse import DCollapse
from orchestrator.pruning.fid_diverged import FidDiverged
from orchestrator.pruning.fid_plateau import FidPlateau
from orchestrator.pruning.g_divergence import GDivergence
from orchestrator.pruning.g_fooling import GFooling
from orchestrator.pruning.grad_explosion import GradExplosion
from orchestrator.pruning.grad_vanish import GradVanish
from orchestrator.pruning.guard import Guard
from orchestrator.pruning.history import FidPoint, History
from orchestrator.pruning.mode_collapse import ModeCollapse
from orchestrator.pruning.nonfinite import Nonfinite
from orchestrator.pruning.rule import Rule, Trip
from trainers.errors import UserError, first_problem, unknown_name

# In order of evaluation: causes before symptoms.
_ALL = (
    Nonfinite,
    GradExplosion,
    GradVanish,
    DCollapse,
    ModeCollapse,
    GFooling,
    GDivergence,
    FidDiverged,
    FidPlateau,
)
RULES: dict[str, type[Rule]] = {rule.name: rule for rule in _ALL}
HOPELESS = frozenset(name for name, rule in RULES.items() if rule.hopeless)


def build_rules(settings: bool | Mapping[str, Any] = True) -> tuple[Rule, ...]:
    """Build the rules of a space's ``pruning:`` block, in their order of evaluation.

    Args:
        settings: True: all rules with their defaults; False: none; else a mapping from rule names to their settings, or
            to False (YAML ``off``) to switch a rule off. A rule that is not named is on with its defaults.

    Raises:
        UserError: a rule or setting does not exist, or a value is invalid.
    """
    if isinstance(settings, bool):
        return tuple(rule() for rule in RULES.values()) if settings else ()
    if not isinstance(settings, Mapping):
        raise UserError(f"pruning: must be on, off or a mapping of rules, got {settings!r}")
    for name in settings:
        if name not in RULES:
            raise unknown_name("rule", str(name), RULES)
    rules = (_build_rule(rule, settings.get(name, True)) for name, rule in RULES.items())
    return tuple(rule for rule in rules if rule is not None)


def _build_rule(rule: type[Rule], settings: Any) -> Rule | None:
    if settings is False:
        return None
    if settings is not True and not isinstance(settings, Mapping):
        raise UserError(f"pruning.{rule.name}: must be off or a mapping of settings, got {settings!r}")
    try:
        return rule.model_validate({} if settings is True else settings)
    except ValidationError as error:
        key, message, given = first_problem(error)
        if error.errors()[0]["type"] == "extra_forbidden":
            raise unknown_name(f"setting of pruning.{rule.name}", key, rule.model_fields) from None
        raise UserError(f"pruning.{rule.name}.{key}: {message}, got {given!r}") from None


__all__ = ["HOPELESS", "RULES", "FidPoint", "Guard", "History", "Rule", "Trip", "build_rules"]
