"""What all models of settings that people write have in common."""

from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator
from pydantic_core import PydanticKnownError


class Checked(BaseModel):
    """Frozen; refuses unknown keys, nan and inf, and true or false for a number, which pydantic takes for 1 or 0.

    The latter in fields and in lists that are fields, no deeper: no settings have numbers there.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _numbers_are_numbers(cls, value: Any, info: ValidationInfo) -> Any:
        values = value if isinstance(value, list | tuple) else [value]
        if any(isinstance(one, bool) for one in values):
            may_be = _types(cls.model_fields[str(info.field_name)].annotation)
            if bool not in may_be and not may_be.isdisjoint((int, float)):
                raise PydanticKnownError("float_type" if float in may_be else "int_type")
        return value


def _types(annotation: Any) -> set[type]:
    """The types that a value may have; of a literal that of its values."""
    inner = [_types(one) for one in get_args(annotation)]
    return set().union(*inner) or {annotation if isinstance(annotation, type) else type(annotation)}
