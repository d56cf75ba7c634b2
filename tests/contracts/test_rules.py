"""What every registered rule promises."""

import copy
import math
import random
from pathlib import Path

import pytest

import orchestrator.pruning
from orchestrator.pruning import RULES, History, Rule, build_rules
from trainers.errors import UserError

NOT_RULES = {"__init__", "g_loss_rule", "guard", "history", "reach", "rule"}
METRICS = {
    "d_loss": 0.6,
    "g_loss": 1.2,
    "grad_norm_d": 2.0,
    "grad_norm_g": 1.0,
    "d_real_accuracy": 0.8,
    "d_fake_accuracy": 0.8,
    "diversity": 0.9,
}


@pytest.fixture(params=sorted(RULES))
def rule(request: pytest.FixtureRequest) -> Rule:
    return RULES[request.param]()


def healthy(epochs: int, seed: int = 0) -> list[tuple[dict[str, float], float | None]]:
    """Noisy metrics, and every fifth epoch a FID that falls with 2% of noise."""
    rng = random.Random(seed)
    reports: list[tuple[dict[str, float], float | None]] = []
    for epoch in range(1, epochs + 1):
        metrics = {name: value * math.exp(rng.gauss(0, 0.1)) for name, value in METRICS.items()}
        fid = (20 + 200 * math.exp(-epoch / 60)) * math.exp(rng.gauss(0, 0.02)) if epoch % 5 == 0 else None
        reports.append((metrics, fid))
    return reports


def test_every_file_has_a_row() -> None:
    files = {path.stem for path in Path(orchestrator.pruning.__file__).parent.glob("*.py")} - NOT_RULES
    assert files == set(RULES)
    assert all(rule.__module__.rsplit(".", 1)[1] == name for name, rule in RULES.items())


def test_it_says_its_policy_for_nan(rule: Rule) -> None:
    assert "NaN policy" in (type(rule).__doc__ or "")


def test_every_setting_is_described(rule: Rule) -> None:
    assert all(field.description for field in type(rule).model_fields.values())


def test_tunable_settings_are_settings_and_their_ranges_valid(rule: Rule) -> None:
    for name, (low, high) in rule.tunable.items():
        assert 0 < low <= getattr(rule, name) <= high
        for end in (low, high):
            assert getattr(type(rule)(**{name: end}), name) == end


@pytest.mark.parametrize("seed", range(5))
def test_a_healthy_trial_is_left_alone(rule: Rule, seed: int) -> None:
    history = History(200)
    for epoch, (metrics, fid) in enumerate(healthy(200, seed), start=1):
        history.append(epoch, metrics, fid, "fid_test_n2")
        assert rule.trip(history) is None


def test_nothing_is_said_of_what_was_never_reported(rule: Rule) -> None:
    history = History(50)
    for epoch in range(1, 51):
        history.append(epoch, {"images_per_second": 100.0})
        assert rule.trip(history) is None


def test_judging_is_pure(rule: Rule) -> None:
    history = History(40)
    for epoch, (metrics, fid) in enumerate(healthy(40), start=1):
        history.append(epoch, metrics, None if fid is None else fid * epoch**2, "fid_test_n2")
    before = copy.deepcopy(vars(history))
    assert rule.trip(history) == rule.trip(history)
    assert vars(history) == before


def test_it_stays_silent_in_its_warmup(rule: Rule) -> None:
    patient = type(rule)(warmup=100.0)
    history = History(200)
    for epoch in range(1, 101):
        metrics = {name: math.nan for name in METRICS}
        history.append(epoch, metrics, 10.0 * epoch, "fid_test_n2")
        assert patient.trip(history) is None


def test_values_that_are_not_finite_are_left_out(rule: Rule) -> None:
    """Only ``nonfinite`` may act on them."""
    history = History(200)
    for epoch, (metrics, fid) in enumerate(healthy(200), start=1):
        history.append(epoch, metrics if epoch % 3 else {**metrics, "d_loss": math.nan, "g_loss": math.inf}, fid)
        if rule.name != "nonfinite":
            assert rule.trip(history) is None


def test_a_space_can_set_it_and_switch_it_off(rule: Rule) -> None:
    assert rule in build_rules()
    assert rule.name not in {other.name for other in build_rules({rule.name: False})}
    (changed,) = (other for other in build_rules({rule.name: {"warmup": 7}}) if other.name == rule.name)
    assert changed.warmup == 7


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"d_colapse": False}, "unknown rule 'd_colapse': did you mean d_collapse"),
        ({"d_collapse": {"d_los": 1}}, "unknown setting of pruning.d_collapse 'd_los': did you mean d_loss"),
        ({"fid_plateau": {"patience": -1}}, "pruning.fid_plateau.patience: must be at least 0"),
        ({"fid_plateau": 3}, "pruning.fid_plateau: must be off or a mapping of settings, got 3"),
        (None, "pruning: must be on, off or a mapping of rules, got None"),
    ],
)
def test_wrong_settings_are_one_line(settings: object, said: str) -> None:
    with pytest.raises(UserError, match=said.replace("(", r"\(")) as error:
        build_rules(settings)  # type: ignore[arg-type]
    assert "\n" not in str(error.value)


def test_all_rules_may_be_off() -> None:
    assert build_rules(False) == ()
