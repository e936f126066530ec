"""A thing as TOML to edit and read back; the loop around an editor: good, bad then good, given up, failed, and conflicts."""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from engine.gate.editable import editable
from engine.model.editing import Editable, patch_of, table_of
from engine.model.errors import EngineUnavailable, FleetError, UsageError
from engine.model.policy_text import policy_of
from engine.model.pool_commands import CreatePolicy, EditPool
from fleet_tui.edit_text import TextWrong, read_edited, text_to_edit, toml_value, with_problems
from fleet_tui.editor import Edited, edit_as_text, editor_words
from fleet_tui.lent_terminal import find_editor
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.core_fleet import Fleet

POLICY = {"pool": "coder", "target": 0.8, "up": {"metric": "cpu", "threshold": 0.7}, "scale_up": {"rates": [{"period_s": 15, "agents": 4}]}}


@pytest.fixture
def fleet() -> Fleet:
    fleet = Fleet()
    fleet.do(CreatePolicy("own", POLICY))
    return fleet


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def thing_of(fleet: Fleet, kind: str = "pools", word: str = "coder") -> Editable:
    return editable(fleet.state, kind, word)


# ---- the text


@pytest.mark.parametrize(("kind", "word"), [("pools", "coder"), ("policies", "own")])
def test_the_text_means_the_thing_as_it_is(fleet: Fleet, kind: str, word: str) -> None:
    thing = thing_of(fleet, kind, word)
    text = text_to_edit(thing, "a thing")
    assert patch_of(thing.fields, read_edited(thing, text)) == {}
    assert all(len(line) <= 100 or not line.startswith("#") for line in text.splitlines())
    assert text.startswith("# a thing\n")


def test_every_key_is_there_with_its_help_those_at_their_default_in_comments(fleet: Fleet) -> None:
    text = text_to_edit(thing_of(fleet, "policies", "own"), "policy own")
    assert "\n# drain_s = 5.0\n" in text
    assert "\n# scale_down.stabilization_s = 300.0\n" in text
    assert '\nup.metric = "cpu"\n' in text
    assert "\nscale_up.rates = [{ period_s = 15.0, agents = 4, percent = 0.0 }]\n" in text
    assert "# Goal for `metric`, tracked; 0 = none; a number 0 or more; 0.0 by default\ntarget = 0.8\n" in text


def test_what_is_set_changed_and_taken_out(fleet: Fleet) -> None:
    thing = thing_of(fleet, "policies", "own")
    text = text_to_edit(thing, "policy own").replace("target = 0.8", "target = 0.7").replace("# drain_s = 5.0", "drain_s = 2").replace('up.metric = "cpu"\n', "").replace("up.threshold = 0.7\n", "")
    patch = patch_of(thing.fields, read_edited(thing, text))
    assert patch == {"target": 0.7, "drain_s": 2.0, "up": None}
    assert policy_of(table_of(thing, patch)).drain_s == 2.0


def test_tables_work_as_dotted_keys_do(fleet: Fleet) -> None:
    thing = thing_of(fleet, "policies", "own")
    assert read_edited(thing, "[up]\nmetric = 'cpu'\nthreshold = 0.9\n")["up.threshold"] == 0.9


def test_all_that_is_wrong_is_told_at_once_and_replaces_what_was_told_before(fleet: Fleet) -> None:
    thing = thing_of(fleet)
    with pytest.raises(TextWrong) as caught:
        read_edited(thing, "min = 'few'\nmaxx = 3\npriority = 11\ncost = true\n")
    assert caught.value.problems == (
        "min: few is no whole number", "maxx: no such key; did you mean 'max'?", "priority: 11 is not 1 to 10", "cost: yes is no number",
    )  # fmt: skip
    once = with_problems("min = 'few'\n", caught.value.problems)
    assert once.splitlines()[1:5] == [f"#! {problem}" for problem in caught.value.problems]
    assert with_problems(once, ["other"]).splitlines()[1:] == ["#! other", "min = 'few'"]
    with pytest.raises(TextWrong, match="this is no TOML: "):
        read_edited(thing, "min = \n")


PLAIN = st.recursive(
    st.booleans() | st.integers(-(10**15), 10**15) | st.floats(allow_nan=False, allow_infinity=False) | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(PLAIN)
def test_any_plain_value_is_the_same_after_toml(value: Any) -> None:
    assert tomllib.loads(f"key = {toml_value(value)}\n") == {"key": value}


# ---- the loop


class Editor:
    """Leaves what a test wants, each time that it is opened."""

    def __init__(self, *steps: Callable[[str], str] | tuple[int, str]) -> None:
        self.steps = list(steps)
        self.seen: list[str] = []

    async def __call__(self, path: Path) -> tuple[int, str]:
        text = path.read_text("utf-8")  # noqa: ASYNC240  # a test
        self.seen.append(text)
        step = self.steps.pop(0)
        if isinstance(step, tuple):
            return step
        path.write_text(step(text), "utf-8")  # noqa: ASYNC240
        return 0, ""


def edit(fleet: Fleet, editor: Editor, before_read: Callable[[], object] = lambda: None) -> Edited | None:
    async def read() -> Editable:
        before_read()
        return thing_of(fleet)

    return asyncio.run(edit_as_text(thing_of(fleet), "pool coder", editor, read))


def put(old: str, new: str) -> Callable[[str], str]:
    return lambda text: text.replace(old, new)


def left(folder: Path) -> list[str]:
    return [path.read_text("utf-8") for path in folder.iterdir()]


def test_a_good_edit_gives_its_changes_and_keeps_the_text_until_they_are_applied(fleet: Fleet, temporary: Path) -> None:
    edited = edit(fleet, Editor(put("max = 9", "max = 6")))
    assert edited is not None
    assert edited.patch == {"max": 6}
    assert edited.path.stat().st_mode & 0o777 == 0o600
    assert "max = 6" in left(temporary)[0]
    edited.discard()
    assert left(temporary) == []


def test_a_bad_edit_is_opened_again_with_what_is_wrong_at_its_top(fleet: Fleet) -> None:
    editor = Editor(put("max = 9", "max = 'x'"), put("max = 'x'", "max = 1"), put("max = 1", "max = 6"))
    edited = edit(fleet, editor)
    assert edited is not None
    assert edited.patch == {"max": 6}
    assert editor.seen[1].splitlines()[1] == "#! max: x is no whole number"
    assert editor.seen[2].splitlines()[1] == "#! min 2 would be above max 1", "what makes no sense together, too"
    assert "max = 1" in editor.seen[2]


def test_nothing_changed_is_nothing(fleet: Fleet, temporary: Path) -> None:
    assert edit(fleet, Editor(lambda text: text)) is None
    assert edit(fleet, Editor(lambda text: text + "\n# a note\n")) is None
    assert left(temporary) == []


def test_giving_up_on_a_bad_edit_keeps_it(fleet: Fleet, temporary: Path) -> None:
    with pytest.raises(UsageError, match=r"left as it was, with what is wrong in it; nothing was changed; your text is kept in .*fleet-tui-coder-.*\.toml"):
        edit(fleet, Editor(put("max = 9", "max = 'x'"), lambda text: text))
    assert "max = 'x'" in left(temporary)[0]


def test_an_editor_that_fails_is_told_and_what_it_wrote_is_kept(fleet: Fleet, temporary: Path) -> None:
    with pytest.raises(UsageError, match="^the editor failed: it ended with 1; nothing was changed$"):
        edit(fleet, Editor((1, "")))
    assert left(temporary) == [], "there is nothing to keep"
    with pytest.raises(UsageError, match="there is no such program"):
        edit(fleet, Editor((127, "not run: there is no such program")))
    with pytest.raises(UsageError, match="ended with 1; nothing was changed; your text is kept in "):
        edit(fleet, Editor(put("max = 9", "max = 'x'"), (1, "")))
    assert "max = 'x'" in left(temporary)[0]


def test_what_somebody_else_changed_is_told_and_only_then_overwritten(fleet: Fleet) -> None:
    changes = iter([lambda: fleet.do(EditPool("coder", {"max": 7})), lambda: None])
    editor = Editor(put("max = 9", "max = 6"), lambda text: "\n".join(line for line in text.splitlines() if not line.startswith("#!")))
    edited = edit(fleet, editor, lambda: next(changes)())
    assert "It changed while you edited: max is 7 now, it was 9." in editor.seen[1]
    assert edited is not None
    assert edited.patch == {"max": 6}
    assert edited.thing.field("max").value == 7


def test_an_engine_that_is_gone_meanwhile_costs_no_text(fleet: Fleet, temporary: Path) -> None:
    def gone() -> None:
        raise EngineUnavailable("no engine answers")

    with pytest.raises(FleetError, match="no engine answers; your text is kept in "):
        edit(fleet, Editor(put("max = 9", "max = 6")), gone)
    assert "max = 6" in left(temporary)[0]


def test_a_file_that_the_editor_took_away_is_told(fleet: Fleet) -> None:
    async def removes(path: Path) -> tuple[int, str]:
        path.unlink()  # noqa: ASYNC240
        return 0, ""

    with pytest.raises(UsageError, match="what the editor left cannot be read, nothing was changed"):
        edit(fleet, removes)  # type: ignore[arg-type]  # another kind of editor


def test_which_editor() -> None:
    assert find_editor({"VISUAL": "code -w", "EDITOR": "vi"}) == "code -w"
    assert find_editor({"VISUAL": " ", "EDITOR": "vi"}) == "vi"
    assert find_editor({}) == ""
    assert editor_words("code -w 'a b'") == ["code", "-w", "a b"]
    with pytest.raises(UsageError, match="no editor is set: set"):
        editor_words("")
    with pytest.raises(UsageError, match="cannot be read"):
        editor_words("vi '")
