"""What a rule of alerts may be: checked when it is written, by whoever writes it.

Owner: nobody; pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from engine.model.alert_commands import LONGEST_S
from engine.model.alert_expressions import parse
from engine.model.alert_words import SEVERITIES
from engine.model.alerts import Rule
from engine.model.errors import UsageError
from engine.model.verb_lines import parse_line

LABELS_MAX = 10
ACTIONS_MAX = 5
RESERVED = frozenset({"pool", "agent", "source", "kind", "who", "rule", "severity"})
"""Labels that come from what a condition is about."""
_ID = re.compile(r"[a-z0-9][a-z0-9_.\-]{0,62}")
_LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_SAMPLE = {"pool": "p", "agent": "a", "source": "s", "kind": "k", "who": "w", "value": "1", "limit": "1", "rule": "r"}
"""Labels of an action that is tried when it is written."""
_PLACE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")


def filled(text: str, known: Mapping[str, str]) -> str:
    """Return a text with {name} replaced by what is known under it; others stay as they are."""
    return _PLACE.sub(lambda found: known.get(found[1], found[0]), text)


def check_rule(rule: Rule) -> None:
    """Raise UsageError that says what of a rule cannot be, and where."""
    if not _ID.fullmatch(rule.id):
        raise UsageError(f"{rule.id!r} is no name for a rule: small letters, digits, - _ and . only, 63 at most")
    place = f"rule {rule.id!r}"
    try:
        parse(rule.expr)
    except UsageError as error:
        raise UsageError(f"{place}: {error}") from error
    if rule.severity not in SEVERITIES:
        raise UsageError(f"{place}: severity is one of {', '.join(SEVERITIES)}, not {rule.severity!r}")
    for name in ("for_s", "keep_firing_for_s"):
        if not 0 <= getattr(rule, name) <= LONGEST_S:
            raise UsageError(f"{place}: {name} is 0 to {LONGEST_S:g} seconds")
    for label in rule.labels:
        if not _LABEL.fullmatch(label) or label in RESERVED:
            raise UsageError(f"{place}: {label!r} cannot be a label of a rule" + (": it comes from the condition" if label in RESERVED else ""))
    if len(rule.labels) > LABELS_MAX:
        raise UsageError(f"{place}: at most {LABELS_MAX} labels")
    _check_actions(rule, place)


def _check_actions(rule: Rule, place: str) -> None:
    if len(rule.actions) > ACTIONS_MAX:
        raise UsageError(f"{place}: at most {ACTIONS_MAX} actions")
    for action in rule.actions:
        try:
            parse_line(filled(action, {**_SAMPLE, **rule.labels}))
        except UsageError as error:
            raise UsageError(f"{place}: action {action!r}: {error}") from error
