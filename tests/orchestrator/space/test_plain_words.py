"""Wrong values in every section of a space: each is one line in plain words, none of them pydantic's."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from orchestrator.space.load import build_space
from orchestrator.space.sections import SchedulerConfig
from orchestrator.space.space import Space
from trainers.config import TrainConfig
from trainers.errors import UserError

WRONG: tuple[Any, ...] = (
    *(None, True, "much", "", -1, 0, 1.5, 10**30, float("nan"), float("inf")),
    *([], [1], ["x"], {}, {"a": 1}, {1: 2}, [[1]], {"a": [1]}, {"a": {"b": 1}}),
)
PYDANTICS = re.compile(r"[Ii]nput|Value error|Field required|permitted|should|Unable|valid (int|num|str|bool|tup|dict)")
SECTIONS = ("scheduler", "sampler", "confirm")


def places(wrong: Any) -> Iterator[dict[str, Any]]:
    """What a space file may say besides an empty base and search, with a wrong value somewhere."""
    yield from ({key: wrong} for key in Space.model_fields if key != "name")
    for section in SECTIONS:
        known = Space.model_fields[section].annotation.model_fields  # type: ignore[union-attr]
        yield from ({section: {key: wrong}} for key in (*known, "nme"))
    for section, field in TrainConfig.model_fields.items():
        yield {"base": {section: wrong}}
        yield from ({"base": {section: {key: wrong}}} for key in getattr(field.annotation, "model_fields", ()))
    for kind in ("float", "int", "choice"):
        whole = {kind: [1, 2]}
        domains = [
            {kind: wrong},
            {kind: [1, wrong]},
            *({**whole, key: wrong} for key in ("log", "step", "when", "whn")),
        ]
        yield from ({"search": {"optimizer.lr_g": domain}} for domain in (*domains, {**whole, "when": {"a": wrong}}))
    yield from ({"points": [point]} for point in (wrong, {"optimizer.lr_g": wrong}))
    changes = {"from": wrong, "set": {"optimizer.lr_g": 1}}, {"from": 3, "set": wrong}, {"from": 3}, {"x": wrong}
    yield from ({"changes": [change]} for change in (wrong, *changes))
    yield {"constraints": {"recall": wrong}}
    yield from ({"pruning": {"fid_plateau": value}} for value in (wrong, {"patience": wrong}, {"x": wrong}))


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
def test_no_word_is_pydantics(wrong: Any) -> None:
    refused = 0
    for given in places(wrong):
        try:
            build_space("x", {"base": {}, "search": {}, **given})
        except UserError as error:
            text = re.sub(r"got .*", "", str(error))
            assert not PYDANTICS.search(text) and "\n" not in text, (given, text)
            refused += 1
    assert refused > 20


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"trials": "many"}, "trials: needs a whole number, got 'many'"),
        ({"scheduler": {"quantile": 0}}, "scheduler.quantile: must be greater than 0, got 0"),
        ({"scheduler": {"factors": []}}, "scheduler.factors: must not be empty, got []"),
        ({"scheduler": {"nme": "asha"}}, "unknown key of scheduler 'nme': did you mean name? valid: brackets, "),
        ({"scheduler": "asha"}, "scheduler: needs a mapping of its keys, got 'asha'"),
        ({"objectives": "fid"}, "objectives: needs a list, got 'fid'"),
        ({"synthetic": "car"}, "'motorbikes' or 'sprites': did you mean cars?, got 'car'"),
        ({"base": {"runtime": {"tf32": "much"}}}, "runtime.tf32: needs true or false, got 'much'"),
        ({"points": [{"loss.name": []}]}, "points[0].loss.name: needs a number, a text or true or false, got []"),
        ({"changes": [{"from": 3, "sett": {}}]}, "changes[0].set: is missing, got "),
        ({"search": {1: {"float": [1, 2]}}}, "unknown searched key '1'"),
        (
            {"search": {"data.fit": {"choice": ["pad"], "wen": 1}}},
            "search.data.fit: unknown key 'wen': did you mean when?",
        ),
        ({"trials": True}, "trials: needs a whole number, got True"),
        ({"scheduler": {"factors": [True, 2]}}, "scheduler.factors: needs a number, got [True, 2]"),
        ({"base": {"schedule": {"epochs": True}}}, "schedule.epochs: needs a whole number, got True"),
        ({"base": {"fid": {"neighbours": [True]}}}, "fid.neighbours: needs a whole number, got [True]"),
        ({"pruning": {"fid_plateau": {"patience": True}}}, "fid_plateau.patience: needs a number, got True"),
        ({"search": {"optimizer.lr_g": {"float": [False, 0.1]}}}, "optimizer.lr_g: float: needs a number, got "),
        ({"constraints": {1: ">= 0.3"}}, "constraints[1]: a key of it needs a text, got 1"),
    ],
)
def test_the_line_names_place_rule_and_value(given: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError) as caught:
        build_space("x", {"base": {}, "search": {}, **given})
    assert says in str(caught.value)


def test_a_long_section_is_not_shown() -> None:
    with pytest.raises(UserError) as caught:
        scheduler = {**SchedulerConfig().model_dump(), "name": "asha_stopping", "rung_factor": 2}
        build_space("x", {"base": {}, "search": {}, "scheduler": scheduler})
    assert str(caught.value).endswith("scheduler asha_stopping has no rung_factor; asha and hyperband have")
