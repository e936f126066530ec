"""Rules of routing: agents that some tasks go to when one of them is free (seed A 8.2: rules first, above a confidence of 0.8).

Owner: of what it has looked up; at most LOOKED_UP_MAX pools and types, and as many agents. Rules do not change while an engine runs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase, translate

from engine.model.config_sections import RoutingRule
from engine.model.learned import RULE_CONFIDENCE, Advice, By

LOOKED_UP_MAX = 4_096


class Rules:
    """The rules of a configuration that are sure enough to decide, in their order."""

    def __init__(self, rules: Sequence[RoutingRule]) -> None:
        self._rules = [rule for rule in rules if rule.confidence > RULE_CONFIDENCE]
        self._names = {id(rule): re.compile(translate(rule.agents)) for rule in self._rules}
        self._found: dict[tuple[str, str], RoutingRule | None] = {}

    def find(self, pool: str, task_type: str) -> RoutingRule | None:
        """Return the first rule for tasks of a type in a pool."""
        if not self._rules:
            return None
        key = (pool, task_type)
        if key not in self._found:
            if len(self._found) >= LOOKED_UP_MAX:
                self._found.clear()
            self._found[key] = next((rule for rule in self._rules if fnmatchcase(pool, rule.pool) and fnmatchcase(task_type, rule.tasks)), None)
        return self._found[key]

    def wants(self, rule: RoutingRule, agent: str) -> bool:
        """Tell whether a rule means an agent of that name."""
        return self._names[id(rule)].match(agent) is not None


def advice_by(rule: RoutingRule) -> Advice:
    """Return what there is to say of a decision of a rule."""
    return Advice(By.RULE, f"{rule.tasks} to {rule.agents}", confidence=rule.confidence)
