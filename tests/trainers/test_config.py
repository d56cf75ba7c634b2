"""TrainConfig: frozen, without unknown keys, and with errors that name what is wrong."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from trainers.config import TrainConfig, field_names, flatten, unflatten
from trainers.errors import UserError

WORDS = st.text("abcdefg_", min_size=1, max_size=5)
VALUES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text("xyz .") | st.lists(st.integers())
)
# A busy machine is slow, which is no fault of the code.
patiently = settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
NESTED = st.dictionaries(WORDS, st.recursive(VALUES, lambda c: st.dictionaries(WORDS, c, min_size=1), max_leaves=12))


def sections() -> Iterator[tuple[str, type[BaseModel]]]:
    yield "", TrainConfig
    for name, field in TrainConfig.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield f"{name}.", field.annotation


LEAVES = {
    f"{prefix}{name}": field
    for prefix, section in sections()
    for name, field in section.model_fields.items()
    if not (isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel))
}


def message(values: dict[str, Any], overrides: dict[str, Any] | None = None) -> str:
    """The text of the error, which must be one line."""
    with pytest.raises(UserError) as caught:
        TrainConfig.build(values, overrides)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_defaults_are_document_001() -> None:
    flat = TrainConfig().flat()
    expected = {
        "data.image_size": 128,
        "data.fit": "pad",
        "data.batch_size": 64,
        "data.flip_p": 0.5,
        "data.rotation_p": 0.3,
        "data.rotation_degrees": 5.0,
        "network.latent_dim": 128,
        "loss.name": "ralsgan",
        "optimizer.lr_g": 0.0008,
        "optimizer.lr_d": 0.0008,
        "schedule.epochs": 750,
        "schedule.window_first": 550,
    }
    assert {name: flat[name] for name in expected} == expected


@pytest.mark.parametrize("section", [section for _, section in sections()])
def test_every_section_is_frozen_and_keyword_only(section: type[BaseModel]) -> None:
    config = section()
    name = next(iter(section.model_fields))
    with pytest.raises(ValidationError, match="frozen"):
        setattr(config, name, getattr(config, name))
    with pytest.raises(TypeError):
        section(1)  # type: ignore[call-arg]


@pytest.mark.parametrize("name", LEAVES)
def test_every_field_has_a_description(name: str) -> None:
    assert len(LEAVES[name].description or "") > 10


def test_field_names_are_the_leaves() -> None:
    assert set(field_names()) == set(LEAVES)


# Unknown keys


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("optimizer.lrg", "optimizer.lr_g"),
        ("optimiser.lr_g", "optimizer.name"),
        ("data.imagesize", "data.image_size"),
        ("noise.instance_sgima", "noise.instance_sigma"),
        ("sed", "seed"),
    ],
)
def test_an_unknown_key_names_the_nearest(wrong: str, right: str) -> None:
    for text in (message({}, {wrong: 1}), message(unflatten({wrong: 1}))):
        assert repr(wrong.split(".")[0]) in text or repr(wrong) in text
        assert f"did you mean {right}?" in text


def test_an_unknown_key_like_no_other_lists_all_sections() -> None:
    text = message({"zzzzzz": 1})
    names = {re.sub(r"\..*", ".*", name) for name in field_names()}
    assert "did you mean" not in text and all(name in text for name in names)


# Values


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("data.image_size", 100),
        ("data.batch_size", 0),
        ("data.batch_size", 1.5),
        ("data.flip_p", 1.1),
        ("data.rotation_degrees", -1),
        ("data.crop_margin", -0.1),
        ("data.contrast_p", 2),
        ("data.contrast_low", -1),
        ("data.fit", "crop"),
        ("network.latent_dim", 0),
        ("loss.real_label", float("nan")),
        ("loss.fake_label", "low"),
        ("regime.ema_halflife_images", 0),
        ("optimizer.lr_g", 0),
        ("optimizer.lr_d", -1e-3),
        ("optimizer.lr_d", float("inf")),
        ("optimizer.beta1", 1.0),
        ("optimizer.grad_clip_norm", 0.0),
        ("noise.instance_sigma", -0.1),
        ("noise.instance_decay", 0),
        ("schedule.epochs", 0),
        ("fid.n_fake", 1),
        ("runtime.precision", "fp8"),
        ("seed", -1),
        ("seed", 2**32),
        ("data", 5),
    ],
)
def test_a_bad_value_is_named_and_shown(name: str, value: object) -> None:
    text = message({}, {name: value})
    assert text.startswith(f"{name}: ") and text.endswith(f"got {value!r}")


def test_choices_are_listed() -> None:
    text = message({"data": {"image_size": 100}})
    assert all(str(size) in text for size in (32, 64, 128, 256))


def test_the_window_must_begin_within_the_epochs() -> None:
    assert message({"schedule": {"epochs": 10}}) == "schedule.window_first 550 is after schedule.epochs 10"
    assert TrainConfig.build({"schedule": {"epochs": 10, "window_first": 10}}).schedule.window_first == 10


def test_contrasts_must_be_a_range() -> None:
    expected = "data.contrast_low 1.5 is above data.contrast_high 1.2"
    assert message({"data": {"contrast_low": 1.5}}) == expected


def test_numbers_written_as_text_are_numbers() -> None:
    # YAML 1.1 reads 8e-4 as text.
    assert TrainConfig.build({"optimizer": {"lr_g": "8e-4"}}).optimizer.lr_g == 8e-4


# Overrides


def test_dotted_overrides_win_and_leave_the_rest() -> None:
    values = {"optimizer": {"lr_g": 0.1, "lr_d": 0.2}, "seed": 4}
    config = TrainConfig.build(values, {"optimizer.lr_d": 0.3, "fid.n_fake": 50})
    assert (config.optimizer.lr_g, config.optimizer.lr_d, config.seed, config.fid.n_fake) == (0.1, 0.3, 4, 50)
    assert values == {"optimizer": {"lr_g": 0.1, "lr_d": 0.2}, "seed": 4}


def test_none_can_be_overridden_with() -> None:
    assert TrainConfig.build({}, {"regime.ema_halflife_images": None}).regime.ema_halflife_images is None


def test_an_override_below_a_value_is_refused() -> None:
    assert "'data' is a value" in message({"data": 5}, {"data.image_size": 32})


# Flat and nested


@patiently
@given(NESTED)
def test_nested_survives_flattening(nested: dict[str, Any]) -> None:
    assert unflatten(flatten(nested)) == nested


@patiently
@given(st.dictionaries(st.lists(WORDS, min_size=2, max_size=2).map(".".join), VALUES))
def test_flat_survives_nesting(flat: dict[str, Any]) -> None:
    assert flatten(unflatten(flat)) == flat


def test_a_config_survives_both() -> None:
    config = TrainConfig.build({}, {"optimizer.lr_g": 0.1, "loss.fake_label": -1.0, "regime.ema_halflife_images": None})
    assert TrainConfig.build(config.model_dump()) == config
    assert TrainConfig.build({}, config.flat()) == config
