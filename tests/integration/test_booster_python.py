"""On Python the module gives the answers of the regular agent, or says that it is not certain."""

from __future__ import annotations

import keyword
import random
import re
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
from engine.booster.module import find_module
from engine.booster.records import File, Language, Status, Tier
from engine.booster.sandbox import Machine, Sandbox

from tests.integration.booster_agreement import Arguments, ask_agent, ask_module

STANDARD_LIBRARY = Path(sysconfig.get_path("stdlib"))
TRICKY = (Path(__file__).parent / "booster_samples" / "tricky.py.txt").read_text("utf-8")
NOT_FREE = {*keyword.kwlist, "match", "case", "type", "_", "print", "exec"}
OPERATIONS: list[tuple[str, Arguments]] = [
    ("code.outline", {}),
    ("code.metrics", {}),
    ("code.find_references", {"name": "name"}),
    ("code.find_references", {"name": "x"}),
    ("code.find_references", {"name": "__future__"}),
    ("code.rename", {"name": "name", "to": "renamed", "attributes": True}),
    ("code.rename", {"name": "name", "to": "renamed", "attributes": False}),
    ("code.rename", {"name": "name", "to": "name", "attributes": True}),
    ("code.rename", {"name": "nowhere", "to": "renamed", "attributes": True}),
    ("code.remove_calls", {"function": "print"}),
    ("code.remove_calls", {"function": "name.name"}),
]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Machine() as machine, Sandbox(machine.load(find_module())) as sandbox:
        yield sandbox


def make_variants(source: str) -> dict[str, str]:
    """The same source as other editors write it."""
    return {
        "as it is": source,
        "carriage returns and feeds": source.replace("\n", "\r\n"),
        "no newline at the end": source.rstrip("\n"),
        "letters of all widths": source.replace("name", "näme").replace('"doc"', '"dóc 文 🎉"'),
    }


@pytest.mark.parametrize("variant", list(make_variants("")))
@pytest.mark.parametrize(("operation", "arguments"), OPERATIONS)
def test_tricky_code_has_the_agents_answers(
    sandbox: Sandbox, operation: str, arguments: Arguments, variant: str
) -> None:
    source = make_variants(TRICKY)[variant]
    if "näme" in source:
        arguments = {key: value.replace("name", "näme") if key in ("name", "function") and isinstance(value, str) else value for key, value in arguments.items()}  # fmt: skip
    said = ask_module(sandbox, operation, source, arguments, tiers=Tier.TREE)
    assert said == ask_agent(operation, source, arguments)


def choose_arguments(chance: random.Random, operation: str, source: str) -> Arguments:
    """Names that are in the source, so that there is something to find."""
    names = [name for name in re.findall(r"[A-Za-z_]\w*", source) if name not in NOT_FREE] or ["x"]
    calls = re.findall(r"(?m)^\s+((?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*)\(", source)
    calls = [call for call in calls if not set(call.split(".")) & set(keyword.kwlist)] or ["print"]
    return {
        "code.outline": {},
        "code.metrics": {},
        "code.find_references": {"name": chance.choice(names)},
        "code.rename": {"name": chance.choice(names), "to": "renamed_9", "attributes": chance.random() < 0.5},
        "code.remove_calls": {"function": chance.choice(calls)},
    }[operation]


@pytest.mark.parametrize(
    "operation",
    ["code.outline", "code.metrics", "code.find_references", "code.rename", "code.remove_calls"],
)
def test_files_of_the_standard_library_have_the_agents_answers(sandbox: Sandbox, operation: str) -> None:
    seed = 7
    chance = random.Random(seed)
    paths = [path for path in sorted(STANDARD_LIBRARY.glob("*.py")) if path.stat().st_size < 40_000]
    for path in chance.sample(paths, 12):
        source = path.read_text("utf-8")
        arguments = choose_arguments(chance, operation, source)
        said = ask_module(sandbox, operation, source, arguments, tiers=Tier.TREE)
        assert said == ask_agent(operation, source, arguments), (seed, path, arguments)


@pytest.mark.parametrize(
    "source",
    [
        "print 'old'\n", "exec 'old'\n", "print >>x, y\n", "a <> b\n", "x = 0777\n", "x = 10L\n",
        "def f(a, (b, c)): pass\n", "lambda (a, b): a\n", "(x): int = 1\n", "x = = 1\n", "def f(:\n", "try: pass\nexcept A, b: pass\n",
        "f(\n", "'open\n", "class\n",
    ],
)  # fmt: skip
@pytest.mark.parametrize("operation", ["code.outline", "code.metrics"])
def test_what_is_no_python_is_left_to_the_agent(sandbox: Sandbox, operation: str, source: str) -> None:
    (answer,) = sandbox.run(operation, [File(Language.PYTHON, source.encode())])
    assert answer.status is Status.UNSURE
    assert answer.value["line"] in (1, 2, 3)


@pytest.mark.parametrize(
    ("operation", "source", "arguments", "reason"),
    [
        ("code.rename", "a = b\n", {"name": "a", "to": "b", "attributes": False}, "in use"),
        ("code.rename", "match = 1\n", {"name": "match", "to": "b", "attributes": False}, "keyword"),
        ("code.rename", "a = 1\n", {"name": "a", "to": "type", "attributes": False}, "keyword"),
    ],
)
def test_what_the_module_does_not_know_is_left_to_the_agent(
    sandbox: Sandbox, operation: str, source: str, arguments: Arguments, reason: str
) -> None:
    (answer,) = sandbox.run(operation, [File(Language.PYTHON, source.encode())], arguments)
    assert answer.status is Status.UNSURE
    assert reason in answer.value["reason"]


def test_arguments_and_languages_are_checked(sandbox: Sandbox) -> None:
    python, other = File(Language.PYTHON, b"x = 1\n"), File(9, b"x = 1\n")
    for name in ("", "a..b", ".a", "a."):
        (answer,) = sandbox.run("code.remove_calls", [python], {"function": name})
        assert answer.status is Status.BAD_REQUEST
    answers = sandbox.run("code.outline", [python, other])
    assert [answer.status for answer in answers] == [Status.DONE, Status.BAD_REQUEST]
