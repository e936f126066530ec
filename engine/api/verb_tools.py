"""Verbs of the table as tools: what destroys work shows its plan first, and is done by the plan's id.

Owner: nobody; functions only.
"""

from __future__ import annotations

from engine.api.openapi import arguments_schema
from engine.api.tools import OWN, Arguments, Tool, ToolCaller, text_schema
from engine.model.commands import COMMANDS
from engine.model.errors import UsageError
from engine.model.memory_commands import RememberEntry
from engine.model.plans import Call
from engine.model.question_commands import AskOperator, TellProgress
from engine.model.task_commands import SubmitTask
from engine.model.verbs import Command, Danger
from engine.model.wire import command_of, nearest, to_plain

_COVERED = frozenset({SubmitTask, RememberEntry, AskOperator, TellProgress})
"""Verbs that a tool above stands for."""


def tools_of(verbs: str) -> dict[str, Tool]:
    """Return the tools by name: the fleet's own, and those of verbs: `all`, or their words with commas between. Raises UsageError."""
    kinds = {kind.verb: kind for kind in COMMANDS.values() if kind not in _COVERED}
    words = list(kinds) if verbs == "all" else [word.strip() for word in verbs.split(",") if word.strip()]
    for word in words:
        if word not in kinds:
            raise UsageError(f"no verb {word!r} for a tool{nearest(word, kinds)}")
    return {tool.name: tool for tool in (*OWN, *(_verb_tool(kinds[word]) for word in words))}


def _verb_tool(kind: type[Command]) -> Tool:
    """Return the tool of a verb: what destroys work shows its plan first, and is done by the plan's id."""
    destroys = kind.danger is Danger.DESTRUCTIVE
    schema = arguments_schema(kind)
    own = {
        "reason": text_schema("why; kept in the audit"),
        "confirm": text_schema("what a guardrail wants typed"),
        "dry_run": {"type": "boolean", "default": False, "description": "return the plan; change nothing"},
        **({"plan_id": text_schema("the plan that the first call returned; with it that is carried out")} if destroys else {}),
    }
    assert own.keys().isdisjoint(schema["properties"])
    schema["properties"] |= own

    async def call(caller: ToolCaller, given: Arguments) -> object:
        command = command_of(Call(kind.name, {name: value for name, value in given.items() if name not in own}))
        reason, plan_id = str(given.get("reason", "")), str(given.get("plan_id", ""))
        if given.get("dry_run") or (destroys and not plan_id):
            plan = to_plain(await caller.operator.plan([command], reason=reason))
            assert isinstance(plan, dict)
            return {**plan, "told": f"nothing was changed; to carry it out, call again with plan_id={plan['id']}" if destroys else "nothing was changed"}
        answer = await caller.operator.execute(plan_id or [command], reason=reason, confirm=str(given.get("confirm", "")))
        return to_plain(answer)

    return Tool(kind.name.replace(".", "_"), f"{kind.help}.", schema, call, destroys=destroys)
