"""What every section of the configuration is: frozen, strict about its keys, known by snake_case and the seeds' camelCase."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class ConfigTree(BaseModel):
    """A section."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True, defer_build=True)


def seconds_of(key: str, value: object) -> float:
    """Return milliseconds, which the seeds write, as seconds. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{key} is {value!r}; write milliseconds as a number, such as 5000")  # noqa: TRY004  # pydantic's
    return value / 1000
