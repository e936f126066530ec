"""The operator's price list: what tokens cost of which the agent told no cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

import msgspec
from pydantic import Field

from engine.model.budgets import TOKEN_PARTS, Used
from engine.model.config_tree import ConfigTree

MILLION = 1_000_000
PRICE_MAX = 1e6


class PriceSection(ConfigTree):
    """Dollars per million tokens, for models and pools by patterns with * and ?."""

    model: str = Field("*", description="models, such as gpt-*; an agent that does not name its model has the empty name, which * fits")
    pool: str = Field("*", description="pools in which it holds")
    input: float = Field(ge=0, le=PRICE_MAX, description="a million tokens read")
    output: float = Field(ge=0, le=PRICE_MAX, description="a million tokens written")
    cache_read: float | None = Field(None, ge=0, le=PRICE_MAX, description="read from a cache; none = as input")
    cache_write: float | None = Field(None, ge=0, le=PRICE_MAX, description="written to a cache; none = as input")

    def fits(self, model: str, pool: str) -> bool:
        """Tell whether it is the price of a model in a pool."""
        return fnmatchcase(model, self.model) and fnmatchcase(pool, self.pool)

    def cost_of(self, parts: Mapping[str, float]) -> float:
        """Return the dollars for tokens by part, in the words of TOKEN_PARTS."""
        cache_read = self.input if self.cache_read is None else self.cache_read
        cache_write = self.input if self.cache_write is None else self.cache_write
        by_part = dict(zip(TOKEN_PARTS, (self.input, self.output, cache_read, cache_write), strict=True))
        return sum(by_part[name] * tokens for name, tokens in parts.items()) / MILLION


def priced(used: Used, pool: str, prices: Sequence[PriceSection]) -> Used:
    """Return what was used, with the cost of what none is told of; the first price that fits counts.

    Tokens of which the parts are not told have no price.
    """
    models = {}
    for name, told in used.models.items():
        price = next((one for one in prices if one.fits(name, pool)), None) if told.cost is None and told.parts else None
        models[name] = msgspec.structs.replace(told, cost=told.cost if price is None else price.cost_of(told.parts), parts={})
    return msgspec.structs.replace(used, models=models)
