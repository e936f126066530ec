"""Modules of operators in real engines: added, run, replaced, taken back, removed; and what becomes of hostile ones."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from engine.model.booster_commands import AddModule, RemoveModule
from engine.model.errors import CommandRefused, NotFound, UsageError
from engine.model.events import ModuleAdded, ModuleRemoved
from engine.model.fleet_commands import RedoPlan, UndoPlan
from engine.model.task_commands import RetryTask
from engine.model.tasks import TaskState
from engine.model.verbs import Command
from fleet_tui.repeat import repeat

from tests.integration.boosted import NOTHING_KEPT, Boosted, boosted
from tests.integration.booster_modules import assemble, describe
from tests.integration.engines import engine as engine_process
from tests.integration.engines import until
from tests.integration.user_modules import LETTERS, answering, fickle, make, starting


def write(path: Path, wasm: bytes) -> str:
    path.write_bytes(wasm)
    return str(path)


async def do(engine: Boosted, command: Command) -> Any:
    return await engine.operator.execute([command])


def reproducer_of(message: str) -> dict[str, Any]:
    """Read the file that a message names."""
    (path,) = re.findall(r"repeat (\S+?)`", message)
    return dict(json.loads(Path(path).read_text()))


async def rows(engine: Boosted) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in await engine.operator.query("modules")}  # type: ignore[attr-defined]


async def told(engine: Boosted, name: str, **figures: int) -> dict[str, Any]:
    """Wait until the workers have told such figures of a module, and return its row."""
    async with asyncio.timeout(60):
        while True:
            row = (await rows(engine))[name]
            if all(row[key] == value for key, value in figures.items()):
                return row
            await asyncio.sleep(0.05)


async def test_a_module_is_planned_added_run_and_counted(tmp_path: Path) -> None:
    wasm = make("user.one", "user.two")
    path = write(tmp_path / "one.wasm", wasm)
    sha256 = hashlib.sha256(wasm).hexdigest()
    async with boosted(tmp_path, booster={"poolSize": 1}) as engine:
        with pytest.raises(NotFound, match=re.escape("no module offers user.one; there are none; add one: add-module NAME PATH")):
            await engine.submit("user.one", {"source": "x"})
        plan = await engine.operator.plan([AddModule("mine", path)])
        (step,) = plan.steps
        assert (step.target, step.before, step.after) == ("mine", "none", f"mine 1 ({sha256[:12]})")
        for said in ("offers user.one, user.two", f"{len(wasm):,} bytes", "0.1 MB of memory", "booster_run", sha256):
            assert said in step.effect
        assert not await rows(engine), "a plan changes nothing"
        await engine.operator.execute(plan.id)
        task = await engine.do("user.one", {"source": "print(1)\n"})
        assert (task.state, task.result, task.spec.pool, task.attempt) == (TaskState.SUCCEEDED, {"files": 1}, "booster", 1)
        assert task.spec.routed == f"offered by the module mine ({sha256[:12]})"
        # The same question is answered by what was kept.
        again = await engine.do("user.one", {"source": "print(1)\n"})
        assert again.result == task.result
        row = await told(engine, "mine", calls=1, cache_hits=1)
        assert (row["sha256"], row["size_bytes"], row["operations"], row["failures"]) == (sha256, len(wasm), "user.one (python), user.two (python)", 0)
        with pytest.raises(NotFound, match=re.escape("no module offers user.on; did you mean user.one or user.two?")):
            await engine.submit("user.on", {"source": "x"})
        assert [one.event.type for one in await engine.fleet.journal.records(limit=1_000) if one.event.type.startswith("booster.module")] == [ModuleAdded.type]


async def test_what_was_planned_is_what_is_added_or_nothing(tmp_path: Path) -> None:
    path = tmp_path / "one.wasm"
    write(path, make("user.one"))
    async with boosted(tmp_path) as engine:
        plan = await engine.operator.plan([AddModule("mine", str(path))])
        write(path, make("user.one", version="2"))
        with pytest.raises(CommandRefused, match="has changed since; make the plan again"):
            await engine.operator.execute(plan.id)
        path.unlink()
        with pytest.raises(CommandRefused, match="cannot be read: No such file"):
            await engine.operator.execute(plan.id)
        assert not await rows(engine)
        write(path, make("user.one"))
        await engine.operator.execute(plan.id)
        assert list(await rows(engine)) == ["mine"]


async def test_another_of_the_same_name_takes_its_place_and_undo_brings_the_first_back(tmp_path: Path) -> None:
    first, second = make("user.one"), make("user.one", "user.more", version="2")
    path = tmp_path / "one.wasm"
    async with boosted(tmp_path) as engine:
        await do(engine, AddModule("mine", write(path, first)))
        await do(engine, AddModule("mine", write(path, second)))
        path.unlink()
        assert (await rows(engine))["mine"]["sha256"] == hashlib.sha256(second).hexdigest()
        assert (await engine.do("user.more", {"source": "x"})).result == {"files": 1}
        await do(engine, UndoPlan())
        assert (await rows(engine))["mine"]["sha256"] == hashlib.sha256(first).hexdigest()
        assert (await engine.do("user.one", {"source": "x"})).result == {"files": 1}
        with pytest.raises(NotFound, match="no module offers user.more"):
            await engine.submit("user.more", {"source": "x"})
        await do(engine, RedoPlan())
        assert (await rows(engine))["mine"]["sha256"] == hashlib.sha256(second).hexdigest()
        await do(engine, RemoveModule("mine"))
        assert not await rows(engine)
        await do(engine, UndoPlan())
        assert (await engine.do("user.more", {"source": "y"})).result == {"files": 1}
        with pytest.raises(NotFound, match=re.escape("no module 'mind'; did you mean 'mine'?")):
            await do(engine, RemoveModule("mind"))
        # The same again changes nothing, and so leaves nothing to undo.
        plan = await engine.operator.plan([AddModule("mine", write(path, second))])
        assert not plan.steps[0].changes


async def test_an_operation_belongs_to_one_module(tmp_path: Path) -> None:
    async with boosted(tmp_path) as engine:
        await do(engine, AddModule("first", write(tmp_path / "1.wasm", make("user.one"))))
        path = write(tmp_path / "2.wasm", make("user.two", "user.one"))
        with pytest.raises(CommandRefused, match=r"user\.one is offered by the module first"):
            await do(engine, AddModule("second", path))
        with pytest.raises(UsageError, match="a module cannot be called"):
            await do(engine, AddModule("no name", path))
        with pytest.raises(UsageError, match="name the file"):
            await do(engine, AddModule("second"))
        with pytest.raises(NotFound, match="no module '0000' is kept"):
            await do(engine, AddModule("second", sha256="0000"))
        assert list(await rows(engine)) == ["first"]
        # What was refused is not left lying about, but for what was checked last.
        assert len(list((tmp_path / "state" / "booster" / "modules").iterdir())) <= 2


async def test_hostile_files_are_refused_each_with_its_reason_and_the_engine_lives(tmp_path: Path) -> None:
    files = {
        "text": (b"no module", "this is no WebAssembly module"),
        "endless start": (starting("(loop $again (br $again))"), "the module does not start: it was stopped after 1 s"),
        "memory bomb": (bomb(), "user.bomb was tried with no file: the module wanted more than its 64 MB"),
        "nesting": (starting("(drop (call $deeper (i32.const 0)))"), "the module does not start: its calls nest too deep"),
        "huge": (huge(), "the module does not start"),
    }
    hostile = {write(tmp_path / what, wasm): reason for what, (wasm, reason) in files.items()}
    large, pipe, folder = tmp_path / "large", tmp_path / "pipe", tmp_path / "folder"
    with large.open("wb") as file:
        file.truncate(100 * 2**20)
    os.mkfifo(pipe)
    folder.mkdir()
    hostile |= {
        str(large): "at most 8,388,608 are taken",
        str(pipe): "it is no file",
        str(folder): "it cannot be read: Is a directory",
        "/dev/zero": "it is no file",
    }
    async with boosted(tmp_path) as engine:
        for number, (path, reason) in enumerate(hostile.items()):
            with pytest.raises(CommandRefused, match=re.escape(reason)):
                await engine.operator.plan([AddModule("bad", path)])
            assert not await rows(engine), path
            task = await engine.do("code.outline", {"source": f"def f{number}(): pass\n"})
            assert task.state is TaskState.SUCCEEDED, path


def bomb() -> bytes:
    """A module that grows as far as it may at every call, the one that tries it included."""
    return assemble(description=describe(names=["bomb"]).replace(b'"bomb"', b'"user.bomb"'))


def huge() -> bytes:
    """A module that begins with 4 GB."""
    return assemble(description=describe(names=["fine"]).replace(b'"fine"', b'"user.fine"'), memory='(memory (export "memory") 65536)')


@pytest.mark.parametrize("letter", LETTERS)
async def test_a_module_that_fails_ends_its_task_and_nothing_else(tmp_path: Path, letter: str) -> None:
    """No regular agent could do it, so nothing is handed on; what fails is in a file that repeats it."""
    limits = {"poolSize": 1, "memoryLimit": 64, "taskTimeout": 1_000}
    async with boosted(tmp_path, booster=limits | NOTHING_KEPT) as engine:
        await do(engine, AddModule("fickle", write(tmp_path / "f.wasm", fickle("user.try"))))
        task = await engine.do("user.try", {"source": f"{letter}\n"}, max_attempts=3)
        assert task.error is not None
        assert (task.state, task.error.kind, task.attempt) == (TaskState.FAILED, "module_failed", 1)
        assert "fleet-tui repeat" in task.error.message
        (path,) = re.findall(r"repeat (\S+?)`", task.error.message)
        again = (await asyncio.to_thread(repeat, Path(path), 1.0))["module"]  # one of them has no end
        assert again["failure"] in task.error.message
        row = await told(engine, "fickle", calls=1, failures=1)
        assert row["last_error"].startswith("user.try: ")
        kept = reproducer_of(task.error.message)
        assert (kept["operation"], kept["request"]["source"]) == ("user.try", f"{letter}\n")
        assert (await engine.do("user.try", {"source": "x\n"})).result == {"files": 1}
        assert (await engine.do("code.outline", {"source": "def f(): pass\n"})).spec.pool == "booster"


async def test_a_module_that_keeps_failing_is_left_alone_for_a_while(tmp_path: Path) -> None:
    async with boosted(tmp_path, booster={"poolSize": 1} | NOTHING_KEPT) as engine:
        await do(engine, AddModule("fickle", write(tmp_path / "f.wasm", fickle("user.try"))))
        ends = [await engine.do("user.try", {"source": f"T{number}"}) for number in range(6)]
        assert "left alone for a while" in str(ends[-1].error)
        assert (await told(engine, "fickle", failures=5))["calls"] == 5


async def test_what_a_module_is_not_certain_of_ends_the_task_with_its_reason(tmp_path: Path) -> None:
    cases: list[tuple[int, dict[str, object], str, str]] = [
        (1, {"reason": "two of them", "line": 3, "column": 0}, "module_refused", "is not certain: two of them (line 3)"),
        (2, {"reason": "no", "line": None, "column": None}, "module_refused", "refuses: no"),
        (3, {"reason": "no such word", "line": None, "column": None}, "bad_parameter", "no such word"),
        (2, {"reason": 7}, "module_failed", "an answer that is not done has no reason"),
    ]
    async with boosted(tmp_path) as engine:
        for number, (status, value, kind, said) in enumerate(cases):
            name = f"user.say{number}"
            await do(engine, AddModule(f"say{number}", write(tmp_path / "say.wasm", answering(name, value, status=status))))
            task = await engine.do(name, {"source": "a = 1\n"})
            assert task.error is not None
            assert (task.state, task.error.kind) == (TaskState.FAILED, kind)
            assert (f"{name} {said}" if kind == "module_refused" else said) in task.error.message


async def test_edits_are_read_again_before_they_are_written(tmp_path: Path) -> None:
    cases: list[tuple[list[object], str, str, str]] = [
        ([[0, 1, "b"]], "a = 1\n", "b = 1\n", ""),
        ([[0, 1, "b ="]], "a = 1\n", "", "broken_edit"),
        ([[0, 1, "b"]], "a = = 1\n", "", "syntax_error"),
        ([[4, 5, "2"], [0, 1, "b"]], "a = 1\n", "", "module_failed"),
        ([[0, 99, ""]], "a = 1\n", "", "module_failed"),
        ([[0.0, 1.0, ""]], "a = 1\n", "", "module_failed"),
    ]
    async with boosted(tmp_path) as engine:
        for number, (splices, source, becomes, kind) in enumerate(cases):
            path, name = tmp_path / f"it{number}.py", f"user.edit{number}"
            path.write_text(source)
            await do(engine, AddModule(f"edit{number}", write(tmp_path / "edit.wasm", answering(name, {"splices": splices, "count": 1}, edits=True))))
            task = await engine.do(name, {"path": path.name}, workspace=str(tmp_path), apply=True)
            if kind:
                assert task.error is not None
                assert (task.state, task.error.kind) == (TaskState.FAILED, kind)
            else:
                assert (task.state, task.result["changed"], task.result["applied"], task.result["edits"]) == (TaskState.SUCCEEDED, True, True, 1)
                assert "+b = 1" in str(task.result["diff"])
            assert path.read_text() == (becomes or source)


async def test_a_wrong_payload_is_said(tmp_path: Path) -> None:
    async with boosted(tmp_path) as engine:
        await do(engine, AddModule("mine", write(tmp_path / "m.wasm", make("user.one", arguments=["word"]))))
        for payload, said in (
            ({"source": "x"}, "`word` must be given"),
            ({"source": "x", "word": "a", "wort": 1}, "user.one has no parameter 'wort'; it takes apply, language, path, source, word, workspace."),
            ({"word": "a"}, "Give user.one either `path` or `source`."),
            ({"source": "x", "word": "a", "language": "tsx"}, "user.one is for python, not for tsx."),
        ):
            task = await engine.do("user.one", payload)
            assert task.error is not None
            assert task.error.kind == "bad_parameter"
            assert said in task.error.message
        assert (await engine.do("user.one", {"source": "x", "word": "a"})).state is TaskState.SUCCEEDED


async def test_a_module_removed_while_a_task_waits_or_runs(tmp_path: Path) -> None:
    """What runs goes on; what waits fails with words that say what to do, and can be retried once the module is back."""
    async with boosted(tmp_path, booster={"poolSize": 1, "taskTimeout": 2_000} | NOTHING_KEPT) as engine:
        await do(engine, AddModule("fickle", write(tmp_path / "f.wasm", fickle("user.try"))))
        running = await engine.submit("user.try", {"source": "L"})
        await engine.until(lambda: engine.tasks[running].state is TaskState.RUNNING)
        waiting = await engine.submit("user.try", {"source": "x"})
        plan = await engine.operator.plan([RemoveModule("fickle")])
        assert plan.steps[0].warning == "1 waiting task will fail"
        await engine.operator.execute(plan.id)
        first, second = await engine.ended(running, waiting)
        assert first.error is not None
        assert second.error is not None
        assert "stopped after 2 s" in first.error.message, "it was done to its end, by the module that it began with"
        assert second.error.kind == "no_module"
        assert "add it again, then retry the task" in second.error.message
        await do(engine, UndoPlan())
        await do(engine, RetryTask(waiting))
        (again,) = await engine.ended(waiting)
        assert again.result == {"files": 1}
        types = [one.event.type for one in await engine.fleet.journal.records(limit=1_000)]
        assert types.count(ModuleRemoved.type) == 1


async def test_an_engine_without_a_booster_takes_no_module(tmp_path: Path) -> None:
    async with boosted(tmp_path, booster={"enabled": False}) as engine:
        with pytest.raises(CommandRefused, match="there is no booster that could run a module: the configuration has no booster"):
            await do(engine, AddModule("mine", write(tmp_path / "m.wasm", make("user.one"))))


async def test_a_damaged_file_is_not_run_and_is_made_again_at_the_next_start(tmp_path: Path) -> None:
    async with boosted(tmp_path) as engine:
        await do(engine, AddModule("mine", write(tmp_path / "m.wasm", make("user.one"))))
        (kept,) = (tmp_path / "state" / "booster" / "modules").iterdir()
        kept.write_bytes(make("user.one", "user.two"))
        task = await engine.do("user.one", {"source": "x"})
        assert task.error is not None
        assert "was changed; start the engine anew" in task.error.message
    async with boosted(tmp_path) as engine:
        assert (await engine.do("user.one", {"source": "x"})).result == {"files": 1}


@pytest.mark.row(204)
def test_a_killed_engine_has_its_modules_again(tmp_path: Path) -> None:
    """By the command line, a file from where the person is; after kill -9 the file is not needed any more."""
    config = '[fleet.default_pools.coder]\nmin = 1\nmax = 2\n[booster]\nsample_share = 0\n'
    with engine_process(tmp_path, config) as engine:
        path = Path(write(tmp_path / "one.wasm", make("user.one")))
        done = engine.run("add-module", "mine", str(path), "--yes", "-o", "json")
        assert done.returncode == 0, done.stderr
        engine.kill()
        path.unlink()
        for kept in (engine_files := list(tmp_path.rglob("booster/modules/*.wasm"))):
            kept.unlink()
        assert engine_files, "the test looks where the files are"
        engine.start()
        (row,) = engine.get("modules")
        assert (row["id"], row["operations"]) == ("mine", "user.one (python)")
        done = engine.run("submit", "user.one", "--payload", '{"source": "x"}', "--wait", "--yes", "-o", "json")
        assert done.returncode == 0, done.stderr
        assert '"files"' in done.stdout or "files" in json.dumps(engine.get("tasks"))
        done = engine.run("submit", "user.two", "--payload", '{"source": "x"}')
        assert done.returncode == 4
        assert "did you mean user.one?" in done.stderr
        assert engine.run("remove-module", "mine", "--yes").returncode == 0
        until(lambda: engine.get("modules") == [])
