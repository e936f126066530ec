"""What faces may ask: status, rows of a kind, and one thing in full. Reads only."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

from engine.agents.joined.door import Door
from engine.agents.logs import Output
from engine.clock import Clock
from engine.config import FleetManagerConfig
from engine.coordinator.distributing import conditions
from engine.gate import baselines, budgets, questions, reviewing, routes, sessions, swarms, votes
from engine.gate import rows as build
from engine.gate.alert_pages import alert_page, told_of
from engine.gate.alert_tests import try_rule
from engine.gate.discretion import Discretion
from engine.gate.editable import editable
from engine.gate.feed import Feed
from engine.gate.heat import SHORT_S, heat_of_agents, heat_of_pools
from engine.gate.history import SWITCHED_OFF, History
from engine.gate.maintaining import risks
from engine.gate.memory_words import shown_event
from engine.gate.region_plans import Regions
from engine.gate.reporting import Wanted, report_on
from engine.gate.standby_look import lent, measured
from engine.gate.why import explain
from engine.gate.why_tasks import explain_task
from engine.gate.words import event_row
from engine.memory.contract import Eraser, Journal, Keys
from engine.memory.exchanging import Exchange
from engine.memory.searching import Search
from engine.memory.store import Memory
from engine.model import wire
from engine.model.alerts import Rule
from engine.model.commands import COMMANDS
from engine.model.errors import NotFound, UsageError
from engine.model.ids import AgentId, TaskId
from engine.model.metrics import Span
from engine.model.policy_text import policy_table
from engine.model.rows import ROW_KINDS, FleetStatus, Row
from engine.model.tasks import HELD, Task
from engine.model.version import version
from engine.monitoring.alerts.rule_verbs import find_rule
from engine.monitoring.notifying.notifier import Notifier
from engine.scaling import costs
from engine.scaling.policy_verbs import find_policy
from engine.state import FleetState

LIMIT_DEFAULT = 1_000
LIMIT_MAX = 100_000
LOAD_MAX = 200_000
LIVES_MAX = 100_000
"""Agents that a report of costs counts."""
"""Tasks in an answer to `load`, the newest ones."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What queries read from."""

    state: Callable[[], FleetState]
    feed: Feed
    journal: Journal
    config: FleetManagerConfig
    clock: Clock
    status: Callable[[], FleetStatus]
    output: Output
    history: History | None = None
    memory: Memory | None = None
    search: Search | None = None
    erasing: Eraser | None = None
    exchanging: Exchange | None = None
    """With other engines."""
    keys: Keys | None = None
    """Of an encrypted memory."""
    notifier: Notifier | None = None
    """Who tells others of alerts."""
    regions: Regions | None = None
    """Those that know one another."""
    door: Door | None = None
    """The way of hosts that join; None = they join by Redis."""


async def answer(sources: Sources, what: str, parameters: dict[str, Any], discretion: Discretion) -> object:
    """Return plain values. Raises UsageError for an unknown question, NotFound for an unknown thing."""
    if what in ROW_KINDS:
        return wire.to_plain([wire.row_to_dict(row) for row in await _rows(sources, what, parameters, discretion)])
    if what == "status":
        return replace(sources.status(), swarms=conditions(sources.state()))
    ask = _ASK.get(what)
    if ask is None:
        raise UsageError(f"no query {what!r}{wire.nearest(what, {*ROW_KINDS, *_ASK, 'status', 'can-i'})}")
    return wire.to_plain(await ask(sources, parameters))


async def _rows(sources: Sources, kind: str, parameters: dict[str, Any], discretion: Discretion) -> list[Row]:
    limit = _number(parameters, "limit", LIMIT_DEFAULT)
    text = str(parameters.get("filter", ""))
    found: Iterable[Row | None]
    if kind == "events":
        records = await sources.journal.records(after=_number(parameters, "after", 0), limit=LIMIT_MAX if text else limit)
        found = [event_row(sources.state(), record) for record in records]
    elif kind == "audit":
        found = _audit(sources.state())
    elif kind == "tasks":
        found = (sources.feed.row(kind, id_) for id_ in reversed(sources.state().tasks))
    else:
        found = (sources.feed.row(kind, id_) for id_ in sources.feed.ids(kind))
    wanted = matcher(kind, text)
    kept = [row for row in discretion.rows(kind, filter(None, found)) if wanted(row)]
    return kept[-limit:] if kind in ("events", "audit") else kept[:limit]


def _audit(state: FleetState) -> list[Row | None]:
    first = state.totals.audited - len(state.audit) + 1
    return [build.audit_row(number, entry) for number, entry in enumerate(state.audit, first)]


def matcher(kind: str, text: str) -> Callable[[Row], bool]:
    """Return whether a row has every word of a filter: `word`, `!word` or `field=value`. Raises UsageError."""
    names = ROW_KINDS[kind]._fields
    checks: list[Callable[[Row], bool]] = []
    for word in text.split():
        name, equals, value = word.partition("=")
        if equals and name in names:
            checks.append(_equals(names.index(name), value))
        elif equals:
            raise UsageError(f"{kind} have no field {name!r}{wire.nearest(name, set(names))}")
        else:
            checks.append(_contains(word.removeprefix("!").lower(), wanted=not word.startswith("!")))
    return lambda row: all(check(row) for check in checks)


def _equals(index: int, value: str) -> Callable[[Row], bool]:
    return lambda row: str(row[index]).lower() == value.lower()


def _contains(word: str, *, wanted: bool) -> Callable[[Row], bool]:
    return lambda row: any(word in str(cell).lower() for cell in row) is wanted


def _number(parameters: dict[str, Any], name: str, default: int) -> int:
    value = parameters.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= LIMIT_MAX * 1_000_000:
        raise UsageError(f"{name} must be a whole number from 0, not {value!r}")
    return min(value, LIMIT_MAX) if name == "limit" else value


def _id(parameters: dict[str, Any]) -> str:
    value = parameters.get("id")
    if not isinstance(value, str) or not value:
        raise UsageError("this query needs an id")
    return value


async def _pool(sources: Sources, parameters: dict[str, Any]) -> object:
    name = _id(parameters)
    row = sources.feed.row("pools", name)
    if row is None:
        raise NotFound(f"no pool {name!r}{wire.nearest(name, sources.state().pools)}")
    pool = sources.state().pools[name]
    return {**wire.row_to_dict(row), "spec": pool.spec, "overrides": pool.overrides, "answer_rules": pool.answer_rules, "hold": pool.hold, "by_status": pool.by_status, "by_state": pool.by_state}


async def _proposal(sources: Sources, parameters: dict[str, Any]) -> object:
    return votes.in_full(sources.state(), _id(parameters), sources.clock.now())


async def _question(sources: Sources, parameters: dict[str, Any]) -> object:
    return questions.in_full(sources.state(), _id(parameters))


async def _review(sources: Sources, parameters: dict[str, Any]) -> object:
    task = await find(sources, _id(parameters))
    stored = await sources.journal.artifact(task.artifact) if task.artifact else None
    return reviewing.in_full(task, stored.data if stored is not None else None)


async def _session(sources: Sources, parameters: dict[str, Any]) -> object:
    return sessions.in_full(sources.state(), _id(parameters))


async def _swarm(sources: Sources, parameters: dict[str, Any]) -> object:
    return swarms.in_full(sources.state(), _id(parameters), sources.clock.now())


async def _route(sources: Sources, parameters: dict[str, Any]) -> object:
    router = sources.feed.router
    assert router is not None, "an engine routes"
    return routes.in_full(router, sources.state(), _id(parameters))


async def _agent(sources: Sources, parameters: dict[str, Any]) -> object:
    state, word = sources.state(), _id(parameters)
    agent = state.agent_named(word)
    if agent is None:
        raise NotFound(f"no agent {word!r}; `get agents` lists them")
    host = sources.feed.row("hosts", agent.host) if agent.host else None
    return {
        **wire.row_to_dict(build.agent_row(state, agent)),
        "spec": agent.spec,
        "cordoned": agent.cordoned,
        "by_type": {kind: {"succeeded": won, "finished": total} for kind, (won, total) in agent.by_type.items()},
        "host_row": wire.row_to_dict(host) if host else None,
        "events": [wire.row_to_dict(row) for row in await _story(sources, agent.spec.id)],
    }


async def _story(sources: Sources, id_: str, limit: int = 200) -> list[Row]:
    state = sources.state()
    return [event_row(state, told_of(record, id_)) for record in await sources.journal.story(id_, limit=limit)]


async def find(sources: Sources, word: str) -> Task:
    """Return a task from memory or the database. Raises NotFound."""
    task = sources.state().tasks.get(TaskId(word)) or await sources.journal.find_task(TaskId(word))
    if task is None:
        raise NotFound(f"no task {word!r}; `get tasks` lists them")
    return task


async def _task(sources: Sources, parameters: dict[str, Any]) -> object:
    state = sources.state()
    task = await find(sources, _id(parameters))
    now = sources.clock.now()
    known = task.spec.id in state.tasks
    row = build.task_row(state, task, now)
    return {
        **wire.row_to_dict(row),
        **{spec.name: getattr(task, spec.name) for spec in fields(task) if spec.name not in ("agent", "agent_name")},
        "why": [one.text for one in explain_task(state, task, now).evidence] if known else [],
        "in_memory": known,
        "progress": (await sources.output.progress(task) or _said(task)) if task.state in HELD else None,
        "dependents": list(state.dependents.get(task.spec.id, ())),
    }


def _said(task: Task) -> dict[str, object] | None:
    said = task.said
    return None if said is None else {"text": said.text, "ratio": said.ratio if said.ratio >= 0 else None, "evidence": "", "at": said.at}


async def _artifact(sources: Sources, parameters: dict[str, Any]) -> object:
    stored = await sources.journal.artifact(_id(parameters))
    if stored is None:
        raise NotFound(f"no artifact {parameters['id']!r}")
    data: object = wire.decode(stored.data) if stored.media == "application/json" else stored.data
    return {"id": stored.id, "media": stored.media, "task": stored.task, "data": data}


async def _log(sources: Sources, parameters: dict[str, Any]) -> object:
    task = await _logged(sources, _id(parameters))
    after = _number(parameters, "after", 0) if "after" in parameters else -1
    tail = await sources.output.log(task, after)
    return {
        "task": task.spec.id, "attempt": task.attempt, "state": task.state, "host": task.machine,
        "text": tail.text, "bytes": tail.end, "left_out": tail.start, "note": tail.note,
    }  # fmt: skip


async def _logged(sources: Sources, word: str) -> Task:
    """Return a task, or the one that an agent works on. Raises NotFound."""
    agent = None if word in sources.state().tasks else sources.state().agent_named(word)
    if agent is None:
        try:
            return await find(sources, word)
        except NotFound:
            raise NotFound(f"no task or agent {word!r}; `get tasks` and `get agents` list them") from None
    if agent.task is None:
        raise NotFound(f"{agent.spec.name} has no task now; the outputs of its earlier ones are with those: `get tasks --filter agent={agent.spec.name}`")
    return sources.state().tasks[agent.task]


async def _lent(sources: Sources, parameters: dict[str, Any]) -> object:
    kinds = parameters.get("kinds", [])
    if not isinstance(kinds, list) or not all(isinstance(kind, str) for kind in kinds):
        raise UsageError("kinds are a list of words")
    return lent(sources.feed, kinds)


async def _measured(sources: Sources, _parameters: dict[str, Any]) -> object:
    return measured(sources.feed)


async def _commands(_sources: Sources, _parameters: dict[str, Any]) -> object:
    return [
        {
            "name": kind.name,
            "verb": kind.verb,
            "help": kind.help,
            "role": kind.role.name.lower(),
            "danger": kind.danger,
            "inverse": kind.inverse,
            "undo_note": kind.undo_note,
            "irreversible": kind.irreversible,
            "arguments": [{"name": spec.name, "type": spec.type, **spec.metadata} for spec in fields(kind)],
        }
        for kind in COMMANDS.values()
    ]


async def _config(sources: Sources, _parameters: dict[str, Any]) -> object:
    return sources.config.model_dump(mode="json")


async def _schema(sources: Sources, _parameters: dict[str, Any]) -> object:
    return type(sources.config).model_json_schema(by_alias=False)


async def _timeline(sources: Sources, parameters: dict[str, Any]) -> object:
    word = _id(parameters)
    agent = sources.state().agent_named(word)
    return [wire.row_to_dict(row) for row in await _story(sources, agent.spec.id if agent else AgentId(word))]


async def _explain(sources: Sources, parameters: dict[str, Any]) -> object:
    return await explain(sources, str(parameters.get("kind", "")), _id(parameters))


async def _editable(sources: Sources, parameters: dict[str, Any]) -> object:
    return editable(sources.state(), str(parameters.get("kind", "")), _id(parameters))


async def _event(sources: Sources, parameters: dict[str, Any]) -> object:
    """Return one record of the journal in words and in full; its id is that of the event's row."""
    word = _id(parameters)
    number = word.removeprefix("ev_")
    seq = int(number) if number.isdecimal() and len(number) < 19 else -1  # noqa: PLR2004  # digits of the largest number that SQLite has
    records = await sources.journal.records(after=seq - 1, before=seq + 1, limit=1) if seq > 0 else []
    if not records:
        raise NotFound(f"no event {word!r}; the journal does not reach back to it, or it never was")
    [record] = records
    return {**wire.row_to_dict(event_row(sources.state(), record)), "record": shown_event(record.event)}


async def _policy(sources: Sources, parameters: dict[str, Any]) -> object:
    return policy_table(find_policy(sources.state(), _id(parameters)))


async def _recommendations(sources: Sources, _parameters: dict[str, Any]) -> object:
    scaler = sources.feed.scaler
    return [one._asdict() for one in scaler.optimizer.recommend(sources.state().pools)] if scaler else []


async def _cost(sources: Sources, parameters: dict[str, Any]) -> object:
    now, scaler = sources.clock.now(), sources.feed.scaler
    since = now - _number(parameters, "last_s", 86_400)
    load = await sources.journal.load_since(since, limit=LOAD_MAX)
    lives = await sources.journal.lives_since(since, limit=LIVES_MAX)
    best = {pool: min((one.mape for one in scaler.forecasts(pool).values()), default=math.inf) for pool in sources.state().pools} if scaler else {}
    accuracy = {pool: max(0.0, 1 - mape) for pool, mape in best.items() if math.isfinite(mape)}
    return wire.to_plain(costs.report(lives, load if len(load) < LOAD_MAX else None, since, now, accuracy))


async def _spending(sources: Sources, _parameters: dict[str, Any]) -> object:
    return budgets.spending(sources.state(), sources.clock.now())


async def _load(sources: Sources, parameters: dict[str, Any]) -> object:
    since = sources.clock.now() - _number(parameters, "last_s", 86_400)
    return await sources.journal.load_since(since, limit=LOAD_MAX)


def _kept(sources: Sources) -> History:
    if sources.history is None:
        raise UsageError(SWITCHED_OFF)
    return sources.history


async def _metrics(sources: Sources, _parameters: dict[str, Any]) -> object:
    return _kept(sources).listed()


async def _realtime(sources: Sources, _parameters: dict[str, Any]) -> object:
    return _kept(sources).current()


async def _loads(sources: Sources, _parameters: dict[str, Any]) -> object:
    return await _kept(sources).loads()


async def _prometheus(sources: Sources, _parameters: dict[str, Any]) -> object:
    return _kept(sources).scraped({"fleet": sources.config.name, "version": version()})


def _span(parameters: dict[str, Any]) -> Span:
    usual = Span()
    return Span(
        _number(parameters, "last_s", int(usual.last_s)),
        _number(parameters, "ago_s", 0),
        _number(parameters, "points", usual.points),
        _number(parameters, "quantile", round(100 * usual.quantile)) / 100,
    )


async def _history(sources: Sources, parameters: dict[str, Any]) -> object:
    trend = await _kept(sources).trend(str(parameters.get("metric", "")), str(parameters.get("label", "")), _span(parameters))
    return {**{spec.name: getattr(trend, spec.name) for spec in fields(trend)}, "gaps": trend.gaps}


async def _report(sources: Sources, parameters: dict[str, Any]) -> object:
    usual, scaler = Wanted(), sources.feed.scaler
    last_s, ago_s = _number(parameters, "last_s", int(usual.last_s)), _number(parameters, "ago_s", 0)
    wanted = Wanted(last_s, ago_s, str(parameters.get("pool", "")), str(parameters.get("baseline", "")))
    advice = scaler.optimizer.recommend(sources.state().pools) if scaler else []
    return {"fleet": sources.config.name, **await report_on(_kept(sources), wanted, advice)}


async def _baselines(sources: Sources, _parameters: dict[str, Any]) -> object:
    return await baselines.listed(_kept(sources))


async def _risks(sources: Sources, parameters: dict[str, Any]) -> object:
    return await risks(_kept(sources), str(parameters.get("of", "")))


async def _pools_heat(sources: Sources, parameters: dict[str, Any]) -> object:
    return await heat_of_pools(_kept(sources), str(parameters.get("metric", "")), _span(parameters))


async def _agents_heat(sources: Sources, parameters: dict[str, Any]) -> object:
    last_s, ago_s = _number(parameters, "last_s", SHORT_S), _number(parameters, "ago_s", 0)
    return await heat_of_agents(_kept(sources), str(parameters.get("metric", "")), last_s=last_s, ago_s=ago_s, roster=str(parameters.get("roster", "")))


async def _alert(sources: Sources, parameters: dict[str, Any]) -> object:
    alerter = sources.feed.alerter
    return alert_page(sources.state(), alerter.book if alerter else None, _id(parameters))


async def _alert_test(sources: Sources, parameters: dict[str, Any]) -> object:
    state, word = sources.state(), str(parameters.get("id", ""))
    rule = find_rule(state, word) if word else Rule("tried", str(parameters.get("expr", "")))
    expr = str(parameters.get("expr", "")) or rule.expr
    for_s, keep_s = (float(_number(parameters, key, round(usual))) for key, usual in (("for_s", rule.for_s), ("keep_firing_for_s", rule.keep_firing_for_s)))
    rule = replace(rule, expr=expr, for_s=for_s, keep_firing_for_s=keep_s)
    return await try_rule(_kept(sources), rule, _number(parameters, "last_s", 86_400), list(state.pools), sources.clock.now())


async def _foreseen(sources: Sources, parameters: dict[str, Any]) -> object:
    return _kept(sources).foreseen(_id(parameters))


_ASK: dict[str, Callable[[Sources, dict[str, Any]], Awaitable[object]]] = {
    "pool": _pool,
    "agent": _agent,
    "task": _task,
    "artifact": _artifact,
    "log": _log,
    "timeline": _timeline,
    "editable": _editable,
    "event": _event,
    "explain": _explain,
    "policy": _policy,
    "proposal": _proposal,
    "swarm": _swarm,
    "session": _session,
    "question": _question,
    "review": _review,
    "route": _route,
    "load": _load,
    "recommendations": _recommendations,
    "cost": _cost,
    "spending": _spending,
    "metrics": _metrics,
    "measured": _measured,
    "lent": _lent,
    "realtime": _realtime,
    "loads": _loads,
    "prometheus": _prometheus,
    "history": _history,
    "report": _report,
    "risks": _risks,
    "baselines": _baselines,
    "pools-heat": _pools_heat,
    "agents-heat": _agents_heat,
    "foreseen": _foreseen,
    "alert": _alert,
    "alert-test": _alert_test,
    "commands": _commands,
    "config": _config,
    "schema": _schema,
}
