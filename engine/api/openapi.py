"""The OpenAPI description of the REST face, generated from the table of verbs and the rows.

Owner: nobody; functions only.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from typing import Any

import msgspec

from engine.model.commands import COMMANDS
from engine.model.explanations import EXPLAINED, Explanation
from engine.model.plans import Answer, Call, Plan
from engine.model.rows import ROW_KINDS, FleetStatus, Row
from engine.model.verbs import Command, Danger

Schema = dict[str, Any]

LIST_PARAMETERS: dict[str, tuple[type, str]] = {
    "limit": (int, "most rows to give"),
    "filter": (str, "only rows that match every word: `word`, `!word` or `field=value`"),
    "after": (int, "events only: those after this number"),
}
"""Query parameters of a list: type and meaning."""

LOG_PARAMETERS: dict[str, tuple[type, str]] = {"after": (int, "only what comes after so many bytes: `bytes` of the answer before")}

SINGULAR = {
    "pools": "pool", "agents": "agent", "tasks": "task", "artifacts": "artifact", "timeline": "timeline", "events": "event", "policies": "policy",
    "proposals": "proposal", "swarms": "swarm", "sessions": "session", "routes": "route", "questions": "question", "reviews": "review",
}  # fmt: skip
"""What can be asked for by an id, and the query for it."""

SINGULAR_HELP = {
    "pools": "Return one pool in full.",
    "agents": "Return one agent in full.",
    "tasks": "Return one task in full.",
    "artifacts": "Return the content of an artifact, as it is.",
    "timeline": "Return the events of one agent or task.",
    "events": "Return one event in words and in full.",
    "policies": "Return one scaling policy in full.",
    "proposals": "Return one vote in full: its terms, its voters with what they said, and what was counted.",
    "questions": "Return one open question of an agent in full: its words, or its tool with the arguments exactly as they are, and the diff.",
    "reviews": "Return one review in full: the work, its commits, as much of its diff as fits, and what somebody decided.",
    "sessions": "Return one objective of a swarm in full: its plan, and its parts with who works on them.",
    "swarms": "Return one swarm in full: its settings, its topology, its members and links.",
    "routes": "Return learned routing of one pool: its newest decisions with both choices and what came of them, its weights and agents.",
}

PLAIN_QUERIES = {
    "status": "the fleet in one look",
    "commands": "the table of verbs",
    "config": "the configuration in force",
    "schema": "the schema of the configuration",
    "recommendations": "how pools could be sized better, with the evidence",
    "cost": "what the pools cost, by measured agent-seconds and hour, and what a fixed size at the peak would have",
    "spending": "what work has used, by pool, model, task, agent, day and hour, and every limit on it with its forecast",
    "metrics": "every metric that is measured: name, unit, group, kind, help, and how it reads now for the fleet",
    "realtime": "how every metric reads now, for the fleet and each pool, in six groups; null = unknown",
    "history": "the history of one metric: a value for each step, null where nothing was measured",
    "report": "how the fleet performed: aggregates, trends, what changed against the span before or a baseline, agents at risk, and recommendations; null = not measured",
    "baselines": "the spans that were saved by name, to compare reports with, the newest first",
    "risks": "the agents that are likely to fail soon, the worst first: signs with their evidence, and the verb that would help",
    "pools-heat": "the history of one metric for every pool, all of the same steps; null where nothing was measured",
    "agents-heat": "one metric of every agent: the mean of twelve looks, of a count how much it grew; null where nothing was measured",
    "memory": "the entries of memory that I may read, without their values",
    "entry": "an entry of memory with its value; without an owner mine, else the only one that I may read",
    "entry-history": "the versions of an entry of memory that I may read, newest first",
    "memory-search": "the entries of memory that I may read and that have these words or are like a text, best first, with a piece of each value",
    "memory-figures": "how much memory holds of each kind, and what its first cache does",
    "conflicts": "the versions of entries of memory that were written in two places and lost, of those that I may read",
    "conflict": "an entry in conflict with all its versions and their values, the one that won first",
    "peers": "the engines that entries of memory are exchanged with, and how that goes",
    "alert-test": "when an alert rule, or a condition, would have fired in the past: from when to when, of what, by which value",
    "mail": "the messages of swarms in a mailbox: mine, or an agent's; the most urgent first",
    "load": "the recorded load of the pools, a line for each pool and instant",
    "can-i": "every verb, whether I may ask for it, why not, and under which conditions",
}

_ENTRY: dict[str, tuple[type, str]] = {"key": (str, "its key"), "namespace": (str, "default when it is left out"), "owner": (str, "whose, by id or name")}

_ENTRIES: dict[str, tuple[type, str]] = {
    "namespace": (str, "only of this one"),
    "owner": (str, "only of this agent, by id or name, or of this operator"),
    "prefix": (str, "only keys that begin so"),
    "kind": (str, "only of these kinds, with commas between"),
    "level": (str, "only of these levels, with commas between"),
    "tag": (str, "only with all of these tags, with spaces between"),
    "since": (str, "only what changed since: 2h (so long ago), 2026-11-21 or 2026-11-21T18:00 (UTC)"),
    "until": (str, "only what changed before"),
}

_SPAN: dict[str, tuple[type, str]] = {
    "last_s": (int, "only the last so many seconds; an hour when it is left out"),
    "ago_s": (int, "the same span so many seconds earlier"),
    "points": (int, "most values to give"),
    "quantile": (int, "of durations, in percent; 95 when it is left out"),
}

QUERY_PARAMETERS: dict[str, dict[str, tuple[type, str]]] = {
    "memory": {
        **_ENTRIES,
        "limit": (int, "most entries; 100 when it is left out"),
        "after": (str, "the last entry of the page before, as JSON: [namespace, owner, key]"),
    },
    "memory-search": {
        "words": (str, "words of the entry, or how they begin; \"words in quotation marks\" stand together"),
        "like": (str, "a text that the entry is like; the words when it is left out"),
        "by": (str, "words, likeness or both; both when there are words"),
        **_ENTRIES,
        "limit": (int, "most entries; 20 when it is left out"),
        "skip": (int, "leave out so many of the best: the pages before"),
    },
    "entry": _ENTRY,
    "entry-history": {**_ENTRY, "limit": (int, "most versions; 100 when it is left out")},
    "conflict": {"id": (str, "the entry's path, namespace/owner/key, or a conflict's")},
    "cost": {"last_s": (int, "only the last so many seconds; a day when it is left out")},
    "load": {"last_s": (int, "only the last so many seconds; a day when it is left out")},
    "history": {
        "metric": (str, "its name, or a seed's spelling of it"),
        "label": (str, "a pool, or an agent's id; the fleet when it is left out"),
        **_SPAN,
    },
    "report": {
        "last_s": (int, "about the last so many seconds; a day when it is left out"),
        "ago_s": (int, "the same span so many seconds earlier"),
        "pool": (str, "only about this pool and the fleet"),
        "baseline": (str, "compared with this baseline; with the span before when it is left out"),
    },
    "risks": {"of": (str, "only of this pool or agent; all when it is left out")},
    "pools-heat": {"metric": (str, "a figure of pools: its name, or a seed's spelling of it"), **_SPAN},
    "agents-heat": {
        "metric": (str, "a figure of single agents, such as agent_busy"),
        "last_s": (int, "only the last so many seconds, 60 at least and when it is left out"),
        "ago_s": (int, "the same span so many seconds earlier"),
        "roster": (str, "that of the answer before: its ids are left out if they are the same"),
    },
    "mail": {"agent": (str, "whose; mine when it is left out")},
    "can-i": {"verb": (str, "only this verb, by its word or full name"), "target": (str, "on this pool, agent, task or policy")},
}
"""Parameters of a plain query: type and meaning; those that are not here take none."""

_REFERENCE = "#/components/schemas/{name}"


def describe(version: str) -> Schema:
    """Return the whole document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "fleet-tui engine",
            "version": version,
            "description": "Every verb of the fleet, its rows, and one thing in full. Errors are {code, message}.",
        },
        "paths": _verb_paths() | _list_paths() | _read_paths(),
        "components": {"schemas": _schemas(), "responses": _problems()},
    }


def arguments_schema(kind: type[Command]) -> Schema:
    """Return the schema of a verb's arguments."""
    hints = typing.get_type_hints(kind)
    properties: Schema = {}
    required = []
    for spec in dataclasses.fields(kind):
        schema = msgspec.json.schema(hints[spec.name])
        unit = spec.metadata.get("unit")
        schema["description"] = spec.metadata["help"] + (f" ({unit})" if unit else "")
        for limit, word in (("ge", "minimum"), ("le", "maximum"), ("choices", "enum")):
            if limit in spec.metadata:
                schema[word] = msgspec.to_builtins(spec.metadata[limit])
        if spec.default is not dataclasses.MISSING:
            schema["default"] = msgspec.to_builtins(spec.default)
        elif spec.default_factory is not dataclasses.MISSING:
            schema["default"] = msgspec.to_builtins(spec.default_factory())
        else:
            required.append(spec.name)
        properties[spec.name] = schema
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def row_schema(kind: type[Row]) -> Schema:
    """Return the schema of a row as an object with the model's field names."""
    hints = typing.get_type_hints(kind)
    return {
        "type": "object",
        "description": kind.__doc__,
        "properties": {name: msgspec.json.schema(hints[name]) for name in kind._fields},
        "required": list(kind._fields),
    }


def _verb_paths() -> Schema:
    paths: Schema = {}
    dry_run = {
        "name": "dry_run",
        "in": "query",
        "description": "return the plan, change nothing",
        "schema": {"type": "boolean", "default": False},
    }
    for name, kind in COMMANDS.items():
        schema = arguments_schema(kind)
        schema["properties"] |= {
            "reason": {"type": "string", "default": "", "description": "why; kept in the audit"},
            "confirm": {"type": "string", "default": "", "description": "what a guardrail wants typed: `confirm` of the plan"},
        }
        tail = " Work may be lost." if kind.danger is Danger.DESTRUCTIVE else ""
        tail += f" Cannot be undone: {kind.irreversible}." if kind.irreversible else " It can be taken back."
        operation = _operation(name, f"{kind.help}.{tail} Role: {kind.role.name.lower()}.", _json("AnswerOrPlan"))
        operation["responses"] |= _voted()
        operation |= {"parameters": [dry_run], "requestBody": _body(schema, required=bool(schema["required"]))}
        paths[f"/v1/{name}"] = {"post": operation}
    return paths


def _list_paths() -> Schema:
    by_commands = {
        "type": "object",
        "properties": {
            "commands": {"type": "array", "items": {"$ref": "#/components/schemas/Call"}},
            "reason": {"type": "string", "default": ""},
            "confirm": {"type": "string", "default": "", "description": "for execute: what a guardrail wants typed"},
        },
        "required": ["commands"],
        "additionalProperties": False,
    }
    by_plan = {
        "type": "object",
        "properties": {
            "plan": {"type": "string", "description": "id that /v1/plan gave"},
            "reason": {"type": "string", "default": ""},
            "confirm": {"type": "string", "default": "", "description": "the plan's own `confirm`, typed by a person"},
        },
        "required": ["plan"],
        "additionalProperties": False,
    }
    plan = _operation("plan", "Describe what verbs would do; nothing changes.", _json("Plan"))
    execute = _operation("execute", "Carry out verbs, or a plan by its id, as one.", _json("Answer"))
    execute["responses"] |= _voted()
    return {
        "/v1/plan": {"post": plan | {"requestBody": _body(by_commands)}},
        "/v1/execute": {"post": execute | {"requestBody": _body({"oneOf": [by_commands, by_plan]})}},
    }


def _read_paths() -> Schema:
    paths: Schema = {}
    parameters = _parameters(LIST_PARAMETERS)
    for kind, row in ROW_KINDS.items():
        rows = {"application/json": {"schema": {"type": "array", "items": {"$ref": _REFERENCE.format(name=row.__name__)}}}}
        paths[f"/v1/{kind}"] = {"get": _operation(f"list.{kind}", f"List {kind}.", rows) | {"parameters": parameters}}
    for what, text in PLAIN_QUERIES.items():
        body = _json("FleetStatus") if what == "status" else {"application/json": {"schema": {}}}
        given = {"parameters": _parameters(QUERY_PARAMETERS[what])} if what in QUERY_PARAMETERS else {}
        paths[f"/v1/{what}"] = {"get": _operation(what, f"Return {text}.", body) | given}
    anything: Schema = {"application/json": {"schema": {}}}
    for kind, what in SINGULAR.items():
        content = anything | ({"application/octet-stream": {"schema": {}}} if what == "artifact" else {})
        paths[f"/v1/{kind}/{{id}}"] = {"get": _one(what, SINGULAR_HELP[kind], content)}
    for kind in EXPLAINED:
        paths[f"/v1/{kind}/{{id}}/why"] = {"get": _one(f"{kind}.why", "Return why it is as it is, with the evidence.", _json("Explanation"))}
    paths["/metrics"] = {"get": _operation("prometheus", "Return the newest figures in the text format of Prometheus.", {"text/plain": {"schema": {"type": "string"}}})}
    log = _one("task.log", "Return the end of what a task wrote, wherever it runs; `note` says why it is not all.", anything)
    paths["/v1/tasks/{id}/log"] = {"get": log | {"parameters": [*log["parameters"], *_parameters(LOG_PARAMETERS)]}}
    return paths


def _parameters(known: Mapping[str, tuple[type, str]]) -> list[Schema]:
    return [
        {"name": name, "in": "query", "description": text, "schema": msgspec.json.schema(kind)}
        for name, (kind, text) in known.items()
    ]


def _one(operation_id: str, summary: str, content: Schema) -> Schema:
    parameter = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    return _operation(operation_id, summary, content) | {"parameters": [parameter]}


def _operation(operation_id: str, summary: str, content: Schema) -> Schema:
    problems = {str(status): {"$ref": f"#/components/responses/Problem{status}"} for status in _PROBLEMS}
    return {
        "operationId": operation_id,
        "summary": summary,
        "responses": {"200": {"description": "done", "content": content}} | problems,
    }


def _voted() -> Schema:
    headers = {"Location": {"description": "the vote", "schema": {"type": "string"}}}
    return {"202": {"description": "put to the vote: done once it is accepted", "headers": headers, "content": _json("Answer")}}


def _body(schema: Schema, *, required: bool = True) -> Schema:
    return {"required": required, "content": {"application/json": {"schema": schema}}}


def _json(name: str) -> Schema:
    return {"application/json": {"schema": {"$ref": _REFERENCE.format(name=name)}}}


_PROBLEMS = {
    400: "the request is wrong",
    403: "not the engine's user, or nothing for this role, this connection or a guardrail",
    404: "no such thing",
    409: "understood, but not allowed now; nothing was changed",
    413: "the body is too large",
    500: "the engine failed inside",
    503: "the engine takes no commands now",
    504: "not done in time",
}


def _problems() -> Schema:
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {f"Problem{status}": {"description": text, "content": content} for status, text in _PROBLEMS.items()}


def _schema_of_any(kind: type) -> Schema:
    """Return the schema of `object`: any JSON. Called by msgspec for what it does not know."""
    if kind is object:
        return {"description": "any JSON value"}
    raise NotImplementedError


def _schemas() -> Schema:
    _, named = msgspec.json.schema_components(
        (Answer, Plan, FleetStatus, Call, Explanation), ref_template=_REFERENCE, schema_hook=_schema_of_any
    )
    schemas: Schema = dict(named)
    schemas |= {row.__name__: row_schema(row) for row in ROW_KINDS.values()}
    schemas["AnswerOrPlan"] = {"oneOf": [{"$ref": _REFERENCE.format(name=name)} for name in ("Answer", "Plan")]}
    schemas["Problem"] = {
        "type": "object",
        "properties": {
            "code": {"type": "string", "description": "usage, refused, not_found, read_only, failed, …"},
            "message": {"type": "string", "description": "what is wrong and what to do next"},
            "status": {"type": "integer"},
        },
        "required": ["code", "message", "status"],
    }
    return schemas
