"""Keys of a scheduler that another one does not use."""

import re
from pathlib import Path
from typing import Any

import pytest

from orchestrator.space.load import build_space, load_space, space_as_yaml
from orchestrator.space.overrides import apply_settings
from orchestrator.space.yaml_text import dump_yaml
from trainers.errors import UserError


@pytest.mark.parametrize(
    ("scheduler", "says"),
    [
        ({"name": "asha", "quantile": 0.3}, "scheduler.quantile: scheduler asha has no quantile; pbt has, got 0.3"),
        ({"factors": [0.5, 2]}, "scheduler.factors: scheduler asha has no factors; pbt has, got (0.5, 2.0)"),
        ({"name": "median", "resample": 0}, "scheduler.resample: scheduler median has no resample; pbt has, got 0.0"),
        (
            {"name": "asha", "brackets": 2},
            "scheduler.brackets: scheduler asha has no brackets; hyperband and hyperband_stopping have, got 2",
        ),
        ({"name": "none", "rung_factor": 2}, "scheduler none has no rung_factor; asha and hyperband have"),
        ({"name": "none", "every_epochs": 2}, "scheduler none has no every_epochs; pbt has"),
    ],
)
def test_a_key_of_another_scheduler_is_refused(scheduler: dict[str, Any], says: str, tmp_path: Path) -> None:
    """In a file and by --set."""
    file = tmp_path / "mine.yaml"
    file.write_text(dump_yaml({"base": {}, "search": {}, "scheduler": scheduler}))
    with pytest.raises(UserError) as caught:
        load_space(str(file))
    assert str(caught.value).startswith(f"space mine: {says}" if ": " in says else "space mine: ")
    assert says in str(caught.value) and "\n" not in str(caught.value)
    settings = [f"scheduler.{key}={value}" for key, value in scheduler.items()]
    with pytest.raises(UserError, match=re.escape(says)):
        apply_settings(load_space("ralsgan_motorbike"), settings)


def test_a_default_of_another_scheduler_does_no_harm(tmp_path: Path) -> None:
    """Saved plans and spaces have them all, and plans of before may have any."""
    whole = space_as_yaml(load_space("ralsgan_motorbike"))
    file = tmp_path / "mine.yaml"
    file.write_text(dump_yaml(whole))
    assert load_space(str(file)).scheduler.quantile == 0.25
    old = build_space("old", {**whole, "scheduler": {**whole["scheduler"], "quantile": 0.3, "brackets": 2}})
    assert old.scheduler.quantile == 0.3


def test_another_scheduler_drops_the_keys_that_it_does_not_use() -> None:
    fixed = ["schedule.epochs=750", "schedule.window_first=550"]  # a population trains equally long
    settings = ["scheduler.name=pbt", "scheduler.factors=[0.5, 2]", "scheduler.every_epochs=9"]
    pbt = apply_settings(load_space("ralsgan_motorbike"), [*fixed, *settings])
    assert pbt.scheduler.factors == (0.5, 2.0)
    back = apply_settings(pbt, ["scheduler.name=asha"]).scheduler
    assert (back.factors, back.every_epochs, back.grace_epochs) == ((0.8, 1.2), None, 75)
