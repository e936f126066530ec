"""Who does a code task, and why."""

from __future__ import annotations

import pytest
from engine.booster.classifier import SOURCE_MAX_BYTES, Facts, classify
from engine.model.code_routes import CodeClass

KNOWN = Facts("", {"code.rename": ["python"], "code.outline": ["python", "tsx"]}, ())
NOT_TOLD = Facts("", {}, ())


@pytest.mark.row(161)
@pytest.mark.parametrize(
    ("type_", "payload", "facts", "expected", "reason"),
    [
        ("code.rename", {"path": "a.py"}, KNOWN, CodeClass.BOOSTER, "code.rename on python is done by the booster"),
        ("code.rename", {"source": ""}, NOT_TOLD, CodeClass.BOOSTER, "handed on where it is not certain"),
        ("code.outline", {"path": "a.tsx"}, KNOWN, CodeClass.BOOSTER, "on tsx"),
        ("code.outline", {"source": "", "language": "tsx"}, KNOWN, CodeClass.BOOSTER, "on tsx"),
        ("code.rename", {"path": "a.ts"}, KNOWN, CodeClass.REGULAR, "is not for typescript"),
        ("code.rename", {"path": "a.rb"}, KNOWN, CodeClass.REGULAR, "is not for an unknown language"),
        ("code.metrics", {"path": "a.py"}, KNOWN, CodeClass.REGULAR, "the booster has no code.metrics"),
        ("code.syntax_check", {"path": "a.ts"}, NOT_TOLD, CodeClass.REGULAR, "a reader of the regular agent"),
        ("code.syntax_check", {"path": "a.py"}, NOT_TOLD, CodeClass.BOOSTER, "done by the booster"),
        ("code.generate", {"prompt": "a parser"}, KNOWN, CodeClass.REGULAR, "needs a model"),
        ("code.rename", {"source": "x" * (SOURCE_MAX_BYTES + 1)}, KNOWN, CodeClass.REGULAR, "larger than 8 MB"),
        ("code.rename", {"path": "a.py"}, KNOWN._replace(absent="it was left out"), CodeClass.FALLBACK, "it was left out"),
        ("code.rename", {"path": "a.py"}, KNOWN._replace(breakers=("code.rename python",)), CodeClass.FALLBACK, "failed too often"),
        ("code.outline", {"path": "a.py"}, KNOWN._replace(breakers=("code.rename python",)), CodeClass.BOOSTER, "outline"),
        ("code.generate", {}, KNOWN._replace(absent="it was left out"), CodeClass.REGULAR, "needs a model"),
    ],
)
def test_each_class_has_its_reason(type_: str, payload: dict[str, object], facts: Facts, expected: CodeClass, reason: str) -> None:
    route = classify(type_, payload, facts)
    assert route.of is expected
    assert reason in route.reason
    assert str(route) == f"{expected}: {route.reason}"
