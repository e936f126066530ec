"""One secret, told in every way in which models and other people's agents tell anything: it is in no file of the engine and in nothing that faces are given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from a2a.helpers import (
    new_data_part,
    new_message,
    new_task_from_user_message,
    new_text_message,
    new_text_part,
)
from a2a.server.agent_execution import RequestContext
from a2a.server.events import EventQueue
from a2a.server.tasks import TaskUpdater
from engine import FleetManager
from engine.clock import SystemClock
from engine.model.question_commands import AnswerTask
from engine.model.task_commands import SubmitTask
from engine.model.tasks import Task, TaskState
from fleet_tui.mock_model.script import Script, Turn
from fleet_tui.mock_model.server import MockModel
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tests.integration.test_a2a_pools import Sample, served, serving
from tests.integration.test_scaling_library import until
from tests.integration.test_secrets_nowhere import CORE, found_in, ways

LONG = "password=" + "x" * 470 + " "
"""A cut of the sentence of an error falls into what comes after it."""
BAD_BODY: dict[str, object] = {"error": {"message": f"{LONG}sk-modelrefused{CORE}", "type": "invalid_request_error"}}
TURNS = [
    Turn(match="tell", text=f"it is sk-modeltext{CORE}, and Bearer modelbearer{CORE}\nno more"), Turn(match="wield", text=f"sk-modelbefore{CORE}", tool="Bash", input={"command": f"echo sk-modelinput{CORE}"}),
    Turn(match="refuse", status=400, body=BAD_BODY), Turn(match="babble", status=500, body=f"{LONG}sk-modelbabble{CORE}"),
    Turn(match="be busy", status=429, retry_after_s=1, body={"error": f"wait, sk-modelbusy{CORE}"}, repeat=100), Turn(match="break", text=f"sk-modelbroken{CORE} " * 9, cut="during"),
]  # fmt: skip
ASKED: dict[str, Any] = {
    "tool": "Bash", "arguments": {"command": f"a --token=farargument{CORE}; b", "token": f"farnamed{CORE}"}, "diff": f"+sk-fardiff{CORE}\n+password = 'fardiffnamed{CORE}'\n", "options": [f"sk-faroption{CORE}"],
}  # fmt: skip


class Teller(Sample):
    """An agent of the SDK that tells a secret in all that it says."""

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        """Do what the task says, which is one word."""
        task, word = context.current_task, context.get_user_input()
        if task is None:
            assert context.message is not None
            task = new_task_from_user_message(context.message)
            await event_queue.enqueue_event(task)
        told = TaskUpdater(event_queue, task.id, task.context_id)
        if word == "ask":
            await told.requires_input(new_message([new_text_part(f"May I sk-farask{CORE}?"), new_data_part(ASKED)]))
        elif word in ("reject", "fail"):
            await getattr(told, {"reject": "reject", "fail": "failed"}[word])(new_text_message(f"no: sk-far{word}{CORE}"))
        elif word == "login":
            await told.requires_auth(new_text_message(f"with sk-farlogin{CORE}"))
        elif word == "raise":
            raise ValueError(f"sk-farraised{CORE}")
        else:
            await told.start_work(new_text_message(f"at sk-farstatus{CORE}"))
            self.go.set()
            await told.add_artifact([new_text_part(f"it is sk-fartext{CORE}"), new_data_part({"api_key": f"farkey{CORE}", "deep": [f"sk-fardeep{CORE}"], "n": 7})], name=f"sk-farartifact{CORE}")
            await told.complete(new_text_message(f"done, sk-fardone{CORE}"))


async def _wrong(request: Request) -> Response:
    """Answer as no agent does."""
    match request.path_params["how"]:
        case "code":
            return PlainTextResponse(f"{LONG}sk-farbody{CORE}", 400)
        case "busy":
            return PlainTextResponse(f"{LONG}sk-farbusy{CORE}", 503)
        case "error" if request.method == "POST":
            return JSONResponse({"jsonrpc": "2.0", "id": 1, "error": {"code": -32000, "message": f"{LONG}sk-farerror{CORE}"}})
        case how:
            url = f"http://me:farcard{CORE}@there/" if how == "card" else "/error"
            return JSONResponse({"supportedInterfaces": [{"protocolBinding": "JSONRPC", "protocolVersion": "1.0", "url": url}]})


def pools(model: str, agent: str, wrong: str) -> dict[str, Any]:
    """Pools of all that tells."""
    url = {"base_url": f"{model}/v1", "model": "mock-model", "key_env": "", "wait_max_s": 0.1}
    made: dict[str, Any] = {"model": {"kind": "openai", "min": 1, "max": 1, "openai": {**url, "parallel": 8}}}
    for name, place in {"far": agent, **{how: f"{wrong}/{how}" for how in ("code", "busy", "error", "card")}}.items():
        made[name] = {"kind": "a2a", "min": 1, "max": 1, "a2a": {"url": place, "poll_s": 0.05, "wait_max_s": 0.1}}
    return made


async def test_a_secret_that_others_tell_is_nowhere(tmp_path: Path) -> None:
    told = [("model", turn.match) for turn in TURNS] + [("far", word) for word in ("give", "fail", "reject", "login", "raise", "ask")] + [(how, "give") for how in ("code", "busy", "error", "card")]
    script, state_dir = Script({turn.match: [turn] for turn in TURNS}), tmp_path / "state"
    state_dir.mkdir()
    shown: list[Any] = []
    app = Starlette(routes=[Route("/{how}/.well-known/agent-card.json", _wrong), Route("/{how}", _wrong, methods=["POST"])])
    async with MockModel(script, clock=SystemClock()) as model, served(Teller(), streaming=True) as (agent, _), serving(lambda _: app) as (wrong, _):
        config = {"fleet": {"default_pools": pools(model.url, agent, wrong)}, "booster": {"enabled": False}}
        async with FleetManager(config, directory=tmp_path, state_dir=state_dir) as fleet:
            operator, tasks = fleet.operator(), fleet.coordinator.state.tasks
            done: dict[tuple[str, str], Task] = {}
            for pool, word in told:
                answer = await operator.execute([SubmitTask("work", pool, prompt=word, max_attempts=1)])
                done[pool, word] = tasks[answer.values[0]]  # type: ignore[index]
            asks = done["far", "ask"]
            await until(lambda: bool(asks.questions))
            [ask] = [one.ask for one in asks.questions.values()]
            shown += [await operator.query("questions"), await operator.query("question", id=next(iter(asks.questions)))]
            await operator.execute([AnswerTask(asks.spec.id, "allow")])
            await until(lambda: all(task.finished_at for task in done.values()))
            for kind in ("tasks", "audit", "events"):
                shown.append(await operator.query(kind))
            for task in done.values():
                shown += [await operator.query("task", id=task.spec.id), await operator.query("log", id=task.spec.id), task.result, task.error]
    errors = {one: task.error.message for one, task in done.items() if task.error is not None}
    assert {one for one, task in done.items() if task.state is TaskState.SUCCEEDED} == {("model", "tell"), ("far", "give"), ("far", "ask")}, errors
    assert done["model", "tell"].result["text"] == "it is [hidden], and Bearer [hidden]\nno more"
    assert (done["far", "give"].result["text"], done["far", "give"].result["data"]) == ("it is [hidden]", {"api_key": "[hidden]", "deep": ["[hidden]"], "n": 7})
    assert (ask.text, ask.arguments, ask.diff) == ("May I [hidden]?", {"command": "a --token=[hidden]; b", "token": "[hidden]"}, "+[hidden]\n+password = '[hidden]'\n")
    assert errors["far", "fail"] == "no: [hidden]"
    assert [errors[one].endswith("password=[hidden] [hidden]") for one in (("code", "give"), ("busy", "give"), ("error", "give"), ("model", "refuse"), ("model", "babble"))] == [True] * 5, errors
    assert not ways(str(shown).encode())
    assert not found_in(state_dir)
