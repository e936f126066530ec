"""Every verb of the table is a subcommand with every field of it, and its words become exactly the verb."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from engine.model.agent_commands import DrainAgent, RegisterAgent, ReleaseAgent
from engine.model.commands import COMMANDS, VERBS
from engine.model.consensus_commands import ProposalVerb
from engine.model.pool_commands import PausePool, ScalePool
from engine.model.task_commands import CancelTask, SubmitTask
from engine.model.verbs import Command
from fleet_tui import acts
from fleet_tui.subcommands import SECTIONS, cli
from fleet_tui.verbs import COMMON, make_verb, many_field, verb_names

KINDS = [pytest.param(kind, id=kind.verb) for kind in COMMANDS.values()]


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Type a command line; gives the request that would be carried out."""
    taken: list[acts.Request] = []
    monkeypatch.setattr(acts, "act", lambda _paths, request: taken.append(request))

    def run(*words: str) -> acts.Request:
        done = CliRunner().invoke(cli, words)
        assert done.exit_code == 0, done.output
        return taken.pop()

    return run


def refused(*words: str) -> str:
    """Type what is refused as wrong usage; gives what was said."""
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 2, done.output
    return done.output


@pytest.mark.row(19)
@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_a_parameter(kind: type[Command]) -> None:
    verb = make_verb(kind.verb)
    assert verb is not None
    params = {param.name: param for param in verb.params}
    fields = {spec.name: spec for spec in dataclasses.fields(kind)}
    extra = set() if issubclass(kind, ProposalVerb) else {"wait"}
    assert params.keys() == fields.keys() | set(COMMON) | extra
    for name, spec in fields.items():
        param = params[name]
        is_option = bool(spec.metadata.get("option"))
        assert isinstance(param, click.Option if is_option else click.Argument)
        assert param.required is (spec.default is dataclasses.MISSING and spec.default_factory is dataclasses.MISSING)
        assert str(spec.metadata["help"]) in str(param.help)
        for low_or_high, attribute in (("ge", "min"), ("le", "max")):
            assert getattr(param.type, attribute, None) == spec.metadata.get(low_or_high), name


@pytest.mark.parametrize("kind", KINDS)
def test_no_field_takes_a_name_of_the_common_options(kind: type[Command]) -> None:
    assert not {spec.name for spec in dataclasses.fields(kind)} & {*COMMON, "wait", "help"}


@pytest.mark.parametrize("kind", KINDS)
def test_help_says_what_the_table_says(kind: type[Command]) -> None:
    done = CliRunner().invoke(cli, [kind.verb, "--help"], terminal_width=200)
    assert done.exit_code == 0
    assert kind.help in done.output
    for spec in dataclasses.fields(kind):
        assert str(spec.metadata["help"]) in done.output


@pytest.mark.parametrize("kind", KINDS)
def test_defaults_are_the_tables(kind: type[Command], typed: Any) -> None:
    required = [spec for spec in dataclasses.fields(kind) if spec.default is dataclasses.MISSING and spec.default_factory is dataclasses.MISSING]
    values = {spec.name: 7 if spec.type in ("int", "float") else spec.metadata.get("choices", ["word"])[0] for spec in required}
    request = typed(kind.verb, *(str(value) for value in values.values()))
    assert request.commands == [kind(**values)]
    assert (request.dry_run, request.reason, request.yes, request.output, request.wait) == (False, "", False, "text", False)


def test_verbs_and_subcommands_do_not_clash() -> None:
    written = set(cli.commands)
    assert not written & set(verb_names())
    assert written == {name for names in SECTIONS.values() for name in names}


@pytest.mark.row(19)
def test_help_lists_every_subcommand_and_verb() -> None:
    output = CliRunner().invoke(cli, ["--help"]).output
    for name in (*VERBS, *cli.commands):
        assert re.search(rf"^  {name} ", output, re.MULTILINE), name


@pytest.mark.parametrize("size", ["12", "+3", "-2", "150%", "-50%", "=min", "=max"])
def test_sizes_may_begin_with_a_sign(typed: Any, size: str) -> None:
    assert typed("scale", "coder", size).commands == [ScalePool("coder", size)]
    assert typed("scale", "--dry-run", "coder", size, "--reason", "load").commands == [ScalePool("coder", size)]


def test_common_options(typed: Any) -> None:
    request = typed("drain", "coder-1", "--dry-run", "--reason", "patch day", "--yes", "-o", "json")
    assert request == acts.Request([DrainAgent("coder-1")], dry_run=True, reason="patch day", yes=True, output="json")


def test_several_targets_are_one_plan(typed: Any) -> None:
    assert typed("cancel", "tsk_a", "tsk_b", "tsk_a").commands == [CancelTask("tsk_a"), CancelTask("tsk_b")]
    assert typed("pause", "coder", "tester").commands == [PausePool("coder"), PausePool("tester")]
    assert typed("register", "coder", "tester", "--count", "2").commands == [
        RegisterAgent("coder", count=2),
        RegisterAgent("tester", count=2),
    ]


def test_which_verbs_take_several_targets() -> None:
    several = {kind.verb for kind in COMMANDS.values() if many_field(kind) is not None}
    assert several >= {"pause", "unpause", "drain", "undrain", "restart", "unregister", "cancel", "retry"}
    assert not several & {"scale", "submit", "prioritise", "undo", "redo", "stop"}


def test_submit_takes_everything(typed: Any, tmp_path: Path) -> None:
    payload = tmp_path / "payload.json"
    payload.write_text('{"path": "a.py", "n": [1, 2]}')
    request = typed(
        "submit", "code.outline", "coder", "--payload", f"@{payload}", "--priority", "9", "--depends-on", "tsk_a", "--depends-on",
        "tsk_b", "--take-inputs", "--deadline-s", "1.5", "--apply", "--wait",
    )  # fmt: skip
    assert request.wait
    assert request.commands == [
        SubmitTask(
            "code.outline", "coder", payload={"path": "a.py", "n": [1, 2]}, priority=9, depends_on=("tsk_a", "tsk_b"),
            take_inputs=True, deadline_s=1.5, apply=True,
        )
    ]  # fmt: skip
    assert typed("submit", "noop", "--payload", '{"a": {}}').commands == [SubmitTask("noop", payload={"a": {}})]


HELD = '{"a": [1, "ü"]}\n'


@pytest.mark.parametrize("words", [["remember", "k"], ["resolve", "k", "--value"]])
def test_a_value_may_stand_in_a_file(typed: Any, tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "held").write_text(HELD, "utf-8")
    for text, value in {f"@{tmp_path / 'held'}": HELD, "@@x": "@x", "@@": "@", "a@b": "a@b", "'@x'": "'@x'"}.items():
        [command] = typed(*words, text).commands
        assert command.value == value, text
    done = CliRunner().invoke(cli, [*words, "@-"], input=HELD)
    assert done.exit_code == 0, done.output


def test_a_file_of_a_value_that_cannot_be_used_is_refused_in_words(tmp_path: Path) -> None:
    for name, held in {"empty": b"", "binary": b"ab\xff\x00"}.items():
        (tmp_path / name).write_bytes(held)
    with (tmp_path / "large").open("wb") as sparse:
        sparse.truncate(100_000_000)
    said = {
        "missing": "No such file",
        "empty": "it is empty",
        "binary": "it is not text in UTF-8 (byte 2)",
        "large": "it is larger than 16,777,216 bytes, the most that an engine takes at once",
        "": "no file cannot be read",
    }
    for name, words in said.items():
        text = f"@{tmp_path / name}" if name else "@"
        answer = " ".join(refused("remember", "k", text).split())
        assert words in answer, answer
        assert f"written with two: @{text[:40]}" in answer
    assert "cannot be read: " in refused("send", "swarm", "task", "--payload", f"@{tmp_path / 'binary'}")


def test_a_flag_that_is_on_can_be_switched_off(typed: Any) -> None:
    assert typed("release", "alc_1", "--no-ok").commands == [ReleaseAgent("alc_1", ok=False)]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["scale", "coder"], "Missing argument"),
        (["prioritise", "tsk_a", "11"], "11 is not in the range"),
        (["prioritise", "tsk_a", "high"], "not a valid int"),
        (["submit", "noop", "--payload", "[1]"], "not a JSON object"),
        (["submit", "noop", "--payload", "{"], "not valid JSON"),
        (["submit", "noop", "--payload", "@/no/such/file"], "cannot be read"),
        (["submit", "noop", "--priority", "0"], "0 is not in the range"),
        (["submit", "noop", "--backoff-s", "nan"], "nan"),
        (["drain"], "Missing argument"),
        (["drain", "a", "--reson", "x"], "No such option"),
        (["scael", "coder", "3"], "did you mean 'scale'"),
        (["frobnicate"], "no command 'frobnicate'"),
    ],
)
def test_wrong_words_are_refused(words: list[str], said: str) -> None:
    assert said in refused(*words)
