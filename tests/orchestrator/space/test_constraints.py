"""What the winner has to keep: as a space says it, and what follows for what is measured."""

from typing import Any

import pytest

from orchestrator.space.constraints import Limit, limits_of
from orchestrator.space.load import build_space, space_as_yaml
from orchestrator.space.overrides import apply_settings
from orchestrator.space.space import Space
from trainers.errors import UserError


def space_with(constraints: Any, objectives: tuple[str, ...] = ("fid",), **fid: Any) -> Space:
    search = {"optimizer.lr_g": {"float": [1e-4, 1e-2]}}
    more = {"constraints": constraints, "objectives": list(objectives)}
    return build_space("x", {"base": {"fid": fid}, "search": search, **more})


def test_what_is_bounded_is_measured() -> None:
    assert space_with({}).base.fid.metrics == ()
    assert space_with({"recall": ">= 0.3", "coverage": ">=0.5"}).base.fid.metrics == ("prdc",)
    space = space_with({"recall": ">= 0.3"}, metrics=["kid"])
    assert space.base.fid.metrics == ("kid", "prdc")
    assert apply_settings(space, ["fid.metrics=[]"]).base.fid.metrics == ("prdc",)
    again = build_space("x", space_as_yaml(space))
    assert (again.constraints, again.base) == (space.constraints, space.base)


@pytest.mark.parametrize(
    ("constraints", "text"),
    [
        (
            {"recal": ">= 0.3"},
            r"unknown value in constraints 'recal': did you mean recall\? valid: coverage, density, fid",
        ),
        ({"recall": "0.3"}, r"constraints.recall: write it as \">= 0.3\" or \"<= 0.3\", got '0.3'"),
        ({"recall": ">= 5"}, "constraints.recall: recall is a share between 0 and 1, got 5"),
        ({"coverage": "<= -0.1"}, "constraints.coverage: coverage is a share between 0 and 1, got -0.1"),
        ({"recall": ">= nan"}, "constraints.recall: write it as"),
        ({"recall": "= 0.3"}, "constraints.recall: write it as"),
        ({"recall": 0.3}, r"constraints\.recall: needs a text, got 0\.3"),
        ({"fid": "<= -1"}, "constraints.fid: fid is never below 0, got -1"),
        (
            {"fid": "<= 40"},
            r"constraints\.fid: FID is the objective, and the lowest wins: .* objectives: \[kid\]; got '<= 40'$",
        ),
        ({"inception_score": ">= 2"}, None),
    ],
)
def test_what_is_refused(constraints: Any, text: str | None) -> None:
    if text is None:  # with the default extractor, Inception
        assert space_with(constraints).base.fid.metrics == ("inception_score",)
        text = r"constraints and objectives: inception_score needs fid\.extractor inception, got efficientnet_lite0"
        with pytest.raises(UserError, match=text):
            space_with(constraints, extractor="efficientnet_lite0")
        return
    with pytest.raises(UserError, match=f"^space x: {text}"):
        space_with(constraints)


def test_fid_is_bounded_where_another_is_the_objective() -> None:
    """It is measured anyway."""
    space = space_with({"fid": "<= 40"}, ("kid",))
    assert (space.constraints, space.base.fid.metrics) == ({"fid": "<= 40"}, ("kid",))
    assert build_space("x", space_as_yaml(space)) == space
    assert space_with({"fid": "<= 40"}, ("kid", "fid")).objectives == ("kid", "fid")


def test_too_few_fakes_for_it() -> None:
    with pytest.raises(UserError, match=r"constraints and objectives: prdc needs more than 5 fakes, got fid\.n_fake 5"):
        space_with({"recall": ">= 0.3"}, n_fake=5)


def test_by_how_much_it_is_broken() -> None:
    least, most = limits_of({"recall": ">= 0.3", "kid": "<=1e-2"})
    assert (least, str(most)) == (Limit("recall", ">=", 0.3), "kid <= 0.01")
    assert [least.violation(found) <= 0 for found in (0.29, 0.3, 0.31)] == [False, True, True]
    assert least.violation(0.1) == pytest.approx(0.2)
    assert most.violation(0.03) == pytest.approx(0.02)
    assert [most.beyond(found) for found in (0.03, 0.0100004, None)] == ["0.03", "0.0100004", "not measured"]
    assert least.violation(None) == least.violation(float("nan")) == 1.0
