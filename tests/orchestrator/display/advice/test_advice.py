"""Each sentence appears when its numbers say so, and not when they do not."""

import random
from statistics import mean
from typing import Any

import pytest

from orchestrator.display.advice.advice import advice, advice_on
from orchestrator.display.advice.broken import broken
from orchestrator.display.advice.edges import edges, widened
from orchestrator.display.advice.finding import Finding, facts_of
from orchestrator.display.advice.influence import influence
from orchestrator.display.advice.leaders import leaders, seeds_needed
from orchestrator.display.advice.window import window
from orchestrator.results.records import TrialRecord
from orchestrator.results.seed_odds import odds_of
from orchestrator.results.state import SweepState
from orchestrator.results.verdict import SweepStatus, TrialOutcome
from orchestrator.space.domains import Choice
from orchestrator.space.load import build_space, space_as_yaml
from orchestrator.space.space import Space
from tests.orchestrator.sweep_helpers import PLAN, epoch, repeated
from trainers.errors import UserError

SPACE: dict[str, Any] = {
    "base": {"schedule": {"epochs": 8, "window_first": 4}, "optimizer": {"lr_g": 1e-3}},
    "search": {
        "optimizer.lr_g": {"float": [1e-4, 1e-2], "log": True},
        "noise.latent_sigma": {"float": [0.5, 1.5]},
        "data.fit": {"choice": ["pad", "stretch"]},
    },
}


def space(**search: Any) -> Space:
    return build_space("x", {**SPACE, "search": {**SPACE["search"], **search}})


def trial(
    number: int,
    objective: float | None,
    verdict: str = "completed",
    *,
    fids: tuple[float, float] | None = None,
    confirmed: tuple[float, ...] = (),
    **params: Any,
) -> TrialRecord:
    """One of 8 epochs, measured at 4 and 8; `fids` say otherwise than `objective` and 9 more before or after it."""
    draw = random.Random(number)
    values = {
        "optimizer.lr_g": 10 ** draw.uniform(-4, -2),
        "noise.latent_sigma": draw.uniform(0.5, 1.5),
        "data.fit": draw.choice(["pad", "stretch"]),
    }
    values |= {key.replace("__", "."): value for key, value in params.items()}
    made = TrialRecord(f"{number:04d}", values, 8, 100.0)
    if objective is not None:
        level = (objective + 9 * (number % 2), objective + 9 * (1 - number % 2))
        for one, fid in zip((4, 8), fids or level, strict=True):
            made.progress(epoch(one, fid=fid, objective=objective))
        made.best_epoch = 4 if (fids or level)[0] == objective else 8
    outcome = {"epochs": 8 if verdict == "completed" else 3, "objective": objective, "best_epoch": made.best_epoch}
    made.end(TrialOutcome(verdict=verdict, **outcome), seconds=20.0)
    made.confirmed = list(confirmed)
    return made


KINDS = {"edge": edges, "influence": influence, "rule": broken, "window": window, "leaders": leaders}


def said(trials: list[TrialRecord], about: str) -> list[Finding]:
    return list(KINDS[about](facts_of(trials, space())))


# The edge of a range


def at_the_edge(count: int, *rates: float) -> list[TrialRecord]:
    """The best trials have these rates, the others are spread over the range."""
    best = [trial(number, 40.0 + number, optimizer__lr_g=rate) for number, rate in enumerate(rates)]
    spread = [10 ** (-4 + 2 * number / count) for number in range(count)]
    return best + [trial(10 + number, 60.0 + number, optimizer__lr_g=rate) for number, rate in enumerate(spread)]


def test_the_best_values_at_the_edge_ask_for_a_wider_range() -> None:
    (found,) = said(at_the_edge(20, 9.8e-3, 9.5e-3, 9e-3), "edge")
    assert found.key == "optimizer.lr_g"
    assert found.text == (
        "optimizer.lr_g: the best trial, 0000, has 0.0098, 0% of the range from its upper end (0.01), and the best 3 "
        "of 23 trials lie within 10% of that end, where 4 of all lie. Chance alone would put them there in 0.2% of "
        "cases. A better value may lie beyond: widen the range to 0.0001 to 0.032, log."
    )


@pytest.mark.parametrize(
    "rates",
    [
        (6e-3, 9.5e-3, 9e-3),  # the best is 11% away
        (9.8e-3, 1e-3, 9e-3),  # one of the best is elsewhere
        (9.8e-3, 9.5e-3),  # so is the third, of the others
    ],
)
def test_one_value_at_the_edge_says_nothing(rates: tuple[float, ...]) -> None:
    assert said(at_the_edge(20, *rates), "edge") == []


def test_values_at_an_edge_where_all_are_say_nothing() -> None:
    trials = [trial(number, 40.0 + number, optimizer__lr_g=9.5e-3) for number in range(20)]
    assert [one for one in said(trials, "edge") if one.key == "optimizer.lr_g"] == []


def test_equal_trials_get_no_advice() -> None:
    """The first three by number are not better than the others."""
    trials = at_the_edge(20, 9.8e-3, 9.5e-3, 9e-3)
    for one in trials:
        one.objective = one.lowest_fid = 50.0
    assert said(trials, "edge") == [] and said(trials, "influence") == []


def test_a_range_is_not_widened_beyond_what_is_valid() -> None:
    shares = space(**{"optimizer.beta1": {"float": [0.0, 0.9]}, "regime.g_steps": {"int": [1, 3]}})
    beta, steps = shares.search["optimizer.beta1"], shares.search["regime.g_steps"]
    assert not isinstance(beta, Choice) and not isinstance(steps, Choice)
    assert widened("optimizer.beta1", beta, 0, shares) is None
    wider = widened("optimizer.beta1", beta, 1, shares)
    assert wider is None or wider.bounds[1] < 1
    assert widened("regime.g_steps", steps, 0, shares) is None
    assert str(widened("regime.g_steps", steps, 1, shares)) == "1 to 4"


# Keys without influence


def influenced(count: int, noise: float, seed: int = 0) -> list[TrialRecord]:
    """The rate makes the FID, to which `noise` is added; the other keys do nothing."""
    draw, trials = random.Random(seed), []
    for number in range(count):
        rate = draw.uniform(-4, -2)
        fid = 50 * (1 + (rate + 3) ** 2 * 4) + draw.gauss(0, noise)
        trials.append(trial(number, fid, optimizer__lr_g=10**rate))
    return trials


def test_keys_that_do_nothing_are_named_beside_one_that_does() -> None:
    found = said(influenced(60, 1.0), "influence")
    assert {one.key for one in found} <= {"noise.latent_sigma", "data.fit"} and found
    assert "resamples of 60 trials; a meaningless key up to" in found[0].text
    assert f"--set {found[0].key}=" in found[0].text


def test_few_trials_or_noise_alone_say_nothing_of_influence() -> None:
    assert said(influenced(14, 1.0), "influence") == []
    draw = random.Random(3)
    assert said([trial(number, 50 + draw.random()) for number in range(40)], "influence") == []


# Trials that a rule ended


def collapsing(above: float) -> list[TrialRecord]:
    """Of thirty, those with a rate of at least `above` break."""
    trials = []
    for number in range(30):
        rate = 10 ** (-4 + 2 * number / 29)
        broke = rate >= above
        made = trial(
            number, None if broke else 50.0 + number, "d_collapse" if broke else "completed", optimizer__lr_g=rate
        )
        trials.append(made)
    return trials


def test_a_rule_that_ended_many_is_named_with_the_values_that_did_it() -> None:
    (found,) = said(collapsing(3e-3), "rule")
    assert found.key == "optimizer.lr_g"
    assert found.text == (
        "d_collapse ended 8 of 30 trials (27%; 95% interval 14% to 44%), most with optimizer.lr_g at 0.00329 or "
        "above: 8 of these 8 and 0 of the other 22, by chance in less than 0.1% of cases; a range without these values "
        "spends fewer trials on them. `gan-sweep replay` shows what a milder rule would have done."
    )


def test_a_choice_that_breaks_trials_is_named() -> None:
    trials = [trial(number, 50.0 + number, data__fit="pad") for number in range(10)]
    trials += [trial(10 + number, None, "nonfinite", data__fit="stretch") for number in range(10)]
    (found,) = said(trials, "rule")
    assert found.key == "data.fit" and "data.fit = stretch: 10 of these 10 and 0 of the other 10" in found.text


def test_a_rule_without_a_reason_names_no_key_and_a_rare_one_is_not_named() -> None:
    draw = random.Random(1)
    broke = set(draw.sample(range(30), 9))
    trials = [
        trial(n, None if n in broke else 50.0 + n, "d_collapse" if n in broke else "completed") for n in range(30)
    ]
    (found,) = said(trials, "rule")
    assert found.key is None and "most with" not in found.text
    assert said(collapsing(7.5e-3), "rule") == [], "two of thirty"


def test_a_scheduler_is_no_rule() -> None:
    trials = [trial(n, 50.0 + n if n < 10 else None, "completed" if n < 10 else "outranked") for n in range(30)]
    assert said(trials, "rule") == []


# The end of training


def test_the_best_that_still_fell_were_not_trained_long_enough() -> None:
    trials = [trial(number, 40.0 + number, fids=(60.0, 40.0 + number)) for number in range(40)]
    (found,) = said(trials, "window")
    assert found.text == (
        "The best 5 of 40 trials had their lowest FID when training ended, at the last of 2 measurements in their "
        "window; were FID level there, chance would do that in 3.1% of cases. That of 0000 still fell from 60.00 to "
        "40.00 at epoch 8. Train longer: --set schedule.epochs=12 moves the window along."
    )


def test_an_earlier_best_or_too_few_say_nothing_of_the_window() -> None:
    fell = [trial(number, 40.0 + number, fids=(60.0, 40.0 + number)) for number in range(40)]
    assert said(fell[:16], "window") == [], "three of two measurements each: chance does it once in eight"
    fell[2] = trial(2, 42.0, fids=(42.0, 60.0))
    assert said(fell, "window") == []


# Two leaders


def leading(second: tuple[float, ...]) -> list[TrialRecord]:
    first = trial(0, 38.0, confirmed=(40.0, 42.0, 44.0))
    return [first, trial(1, 39.0, confirmed=second), *(trial(2 + n, 60.0 + n) for n in range(5))]


def test_two_leaders_within_their_spread_need_more_seeds() -> None:
    (found,) = said(leading((41.0, 43.0, 45.0)), "leaders")
    assert "0000 and 0001 cannot be told apart: their mean FIDs are 1.00 apart" in found.text
    assert "spreads of 2.00 and 2.00 over 3 and 3 sets of fresh latents" in found.text
    assert "with 80% power at a two-sided 5% takes some 64 sets of fresh latents each (confirm.seeds)" in found.text


def test_settings_that_were_trained_again_compare_by_their_trainings() -> None:
    """Their checkpoints differ clearly; repeats are no trials of the search."""
    first, second, *others = leading((60.0, 62.0, 64.0))
    repeats = []
    for setting, means in ((first, (40.0, 46.0)), (second, (42.0, 48.0))):
        for number, value in enumerate(means):
            repeat = trial(setting.number, value, confirmed=(value,))
            repeat.trial_id = f"{setting.trial_id}s{number + 1}"
            setting.repeats.append(repeat)
            repeats.append(repeat)
    trials = [first, second, *others, *repeats]
    (found,) = said(trials, "leaders")
    assert found.text.startswith(
        "0000 has a lower mean over training seeds than 0001 with a probability of 50%: they cannot be told apart. "
        "Their mean FIDs over 2 and 2 training seeds are 2.00 apart, and trainings that differ by their seed alone "
        "have a spread of 4.24."
    )
    assert found.text.endswith("training seeds each (confirm.train_seeds).")
    assert [one.trial_id for one in facts_of(trials, space()).trials] == [f"{number:04d}" for number in range(7)]


def test_where_the_odds_cannot_be_said_their_sentence_says_why() -> None:
    one, two = repeated("0000", 60.0, 60.0, 61.0, None), repeated("0001", 60.5, 61.0, 62.0)
    one.confirmed, two.confirmed = [60.0, 61.0], [60.5, 61.5]
    assert said([one, two], "leaders") == []
    two.repeats = []
    (found,) = said([one, two], "leaders")
    assert found.text.endswith("the settings compare when both are trained again.")


def test_leaders_that_differ_clearly_or_not_at_all_get_no_advice() -> None:
    assert said(leading((60.0, 62.0, 64.0)), "leaders") == []
    assert said(leading((40.0, 42.0, 44.0)), "leaders") == []
    assert said(leading(()), "leaders") == []


@pytest.mark.parametrize(("apart", "seeds"), [(0.2, 394), (0.5, 64), (0.8, 26), (0.05, None)])
def test_seeds_are_those_of_the_tables(apart: float, seeds: int | None) -> None:
    """Cohen 1988, table 2.4.1: two-sided 5%, power 0.80, effects of 0.2, 0.5 and 0.8."""
    assert seeds_needed(apart, 1.0) in (seeds, seeds and seeds - 1)


def test_the_advice_never_contradicts_the_odds_and_asks_for_more_seeds_than_there_are() -> None:
    """Three settings that differ by 2.5 deviations, with three seeds each: other settings tell their spread, too."""
    draw, told = random.Random(1), {False: 0, True: 0}
    for _ in range(60):
        drawn = [[round(60 + 2.5 * place + draw.gauss(0, 1), 1) for _ in range(3)] for place in range(3)]
        drawn.sort(key=mean)
        trials = [repeated(f"000{place}", 55.0 + place, *values) for place, values in enumerate(drawn)]
        odds = odds_of(trials)
        assert odds is not None
        told[odds.is_clear] += 1
        found = said(trials, "leaders")
        assert len(found) == (not odds.is_clear and mean(drawn[0]) != mean(drawn[1]))
        for one in found:
            assert int(one.text.partition("takes some ")[2].split()[0]) > 3
    assert min(told.values()) > 5


# All of it


def test_nothing_is_said_of_nothing() -> None:
    assert advice([], space()) == []
    assert advice([trial(0, 50.0)], space()) == []
    assert advice([trial(0, 50.0), trial(1, 50.0)], space()) == []


def test_random_trials_get_little_advice() -> None:
    """Where no key matters: over twenty searches of 24 trials hardly one sentence, by the level of 5% a kind."""
    sentences = 0
    for seed in range(20):
        draw = random.Random(seed)
        trials = [trial(1000 * seed + n, 50 + draw.random()) for n in range(24)]
        sentences += sum(len(said(trials, about)) for about in KINDS if about != "influence")  # which takes seconds
    assert sentences <= 4


def test_two_objectives_have_no_best_trial() -> None:
    several = build_space("x", {**SPACE, "objectives": ["fid", "device_seconds"], "sampler": {"name": "nsga2"}})
    trials = [*at_the_edge(20, 9.8e-3, 9.5e-3, 9e-3), *(trial(50 + n, None, "d_collapse") for n in range(10))]
    assert [one.about for one in advice(trials, several)] == ["rule"]


def test_a_sweep_that_runs_gets_none() -> None:
    from dataclasses import replace

    state = SweepState(replace(PLAN, definition=space_as_yaml(space())))
    state.trials = {one.trial_id: one for one in at_the_edge(20, 9.8e-3, 9.5e-3, 9e-3)}
    assert advice_on(state, SweepStatus.RUNNING) == []
    assert "edge" in [one.about for one in advice_on(state, SweepStatus.OUT_OF_TIME)]
    older = SweepState(replace(PLAN, definition={"base": {"old_key": 1}, "search": {}}))
    with pytest.raises(UserError):
        build_space("x", older.plan.definition)
    assert advice_on(older, SweepStatus.FINISHED) == []
