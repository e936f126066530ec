"""Why a task waits, runs where it does, or ended as it did; pure, from the state and the autoscaler's newest decision."""

from __future__ import annotations

from collections import Counter
from itertools import islice

from engine.gate.questions import why_waits
from engine.gate.routes import advice_words
from engine.gate.why_acts import find_act, halts_of, told
from engine.model.agents import Agent
from engine.model.explanations import Evidence, Explanation
from engine.model.ids import AgentId, TaskId
from engine.model.pools import Pool
from engine.model.questions import in_a_line
from engine.model.scaling import Decision
from engine.model.tasks import HELD, Task, TaskState
from engine.scaling.words import explain as explain_decision
from engine.scheduling.halting import DRAIN
from engine.scheduling.router import count_reasons
from engine.state import FleetState

FACTOR_NAMES = ("capability match", "availability", "performance", "cost", "historical")
NAMED_MAX = 5
"""Dependencies, busy agents and alternatives that are named one by one; the rest is counted."""
BLAMED_MAX = 3
AHEAD_SCANNED = 10_000
"""Waiting tasks of the pool that are looked at, the longest waiting first: an explanation may cost the engine a few milliseconds."""


def explain_task(state: FleetState, task: Task, now: float, decision: Decision | None = None) -> Explanation:
    """Return why a task is where it is; `decision` is the autoscaler's newest one for its pool."""
    if task.state is TaskState.PENDING:
        headline, level, evidence = _pending(state, task, now, decision)
    elif task.state in HELD:
        headline, level, evidence = _held(state, task)
    else:
        headline, level, evidence = _ended(state, task)
    return Explanation("tasks", task.spec.id, task.spec.title or task.spec.id, headline, level, now, tuple(evidence))


# ---- it waits


def _pending(state: FleetState, task: Task, now: float, decision: Decision | None) -> tuple[str, str, list[Evidence]]:
    dependencies = _dependencies(state, task)
    backing_off = _backing_off(task, now)
    halted = halts_of(state, "placing", "agents")
    pool = state.pools[task.spec.pool]
    paused = [told(f"pool {pool.spec.name} was paused", find_act(state, ("pool.pause",), (pool.spec.name,)), "warn")] if pool.paused else []
    over = [Evidence(text, "warn")] if (text := task.over or state.spending.closed(pool.spec.name)) else []
    reasons = Counter[str]() if dependencies else count_reasons(state, task)
    crowd = [] if dependencies else _crowd(state, task, reasons)
    evidence = [*_routed(task), *dependencies, *backing_off, *halted, *paused, *over, *_earlier(task), *crowd]
    if not (dependencies or backing_off or halted or pool.paused or over):
        evidence += _ahead(state, task) + _supply(state, task, decision)
    if dependencies:
        headline = f"it waits for {_plural(task.waiting_on, 'task')} to end", "info"
    elif backing_off:
        headline = "it waits before it is tried again", "warn"
    elif over:
        headline = f"it waits for its budget: {over[0].text}", "warn"
    elif halted:
        headline = halted[0].text.partition(";")[0], "warn"
    else:
        headline = _headline(pool, reasons)
    return (*headline, evidence)


def _routed(task: Task) -> list[Evidence]:
    """Return why it went to its pool, if the fleet chose it, and when it was handed on."""
    lines = [Evidence(f"it named no pool; {task.spec.routed}", at=task.spec.submitted_at)] if task.spec.routed else []
    return lines + [Evidence(f"it was handed on {detail}", "warn", at) for at, what, detail in task.history if what == "handed on"][-NAMED_MAX:]


def _headline(pool: Pool, reasons: Counter[str]) -> tuple[str, str]:
    """Return why no agent of its pool takes it."""
    if pool.paused:
        return f"it waits for an agent, and pool {pool.spec.name} is paused", "warn"
    if not reasons:
        return f"it waits for an agent, and {pool.spec.name} has none", "warn"
    if pool.tasks_wait:
        return f"it {pool.tasks_wait}", "warn"
    if all(reason.startswith("lacks ") for reason in reasons):
        return f"no agent of {pool.spec.name} can do it: {next(iter(reasons))}", "error"
    return f"it waits for an agent of {pool.spec.name} to become free", "info"


def _dependencies(state: FleetState, task: Task) -> list[Evidence]:
    """Return the tasks that must end first, the longest known first."""
    if not task.waiting_on:
        return []
    ids = state.awaited_by(task)
    lines = [_dependency(state, task_id) for task_id in ids[:NAMED_MAX]]
    rest = len(ids) - NAMED_MAX
    return [*lines, Evidence(f"and {rest} more that have not ended")] if rest > 0 else lines


def _dependency(state: FleetState, task_id: TaskId) -> Evidence:
    other = state.tasks[task_id]
    where = f" on {other.agent_name}" if other.state in HELD else ""
    at = other.started_at or other.leased_at if other.state in HELD else other.spec.submitted_at
    return Evidence(f"needs {other.spec.title or task_id}, which is {other.state}{where}", at=at, kind="tasks", id=task_id)


def _backing_off(task: Task, now: float) -> list[Evidence]:
    left = task.not_before - now
    if left <= 0:
        return []
    return [Evidence(f"backs off for {left:.1f} s more after attempt {task.attempt} of {task.spec.max_attempts}", "warn")]


def _earlier(task: Task) -> list[Evidence]:
    """Return how earlier attempts went."""
    lines = []
    if task.error is not None:
        at = task.history[-1][0] if task.history else 0.0
        lines.append(Evidence(f"attempt {task.attempt} ended: {task.error.kind}: {task.error.message}", "warn", at, *_on(task)))
    return lines + _losses(task)


def _on(task: Task) -> tuple[str, str]:
    return ("agents", task.agent) if task.agent else ("", "")


def _losses(task: Task) -> list[Evidence]:
    """Return the line about attempts that do not count, if there were any."""
    if not task.uncounted:
        return []
    died = f"; {_plural(task.deaths, 'agent')} died while running it" if task.deaths else ""
    return [Evidence(f"{task.tries} of its {task.spec.max_attempts} attempts count, {task.uncounted} were lost, replayed or handed on{died}", "warn")]


def _crowd(state: FleetState, task: Task, reasons: Counter[str]) -> list[Evidence]:
    """Return why each agent of the pool cannot take it, counted, and what the busy ones do."""
    pool = task.spec.pool
    total = sum(reasons.values())
    if not total:
        return [Evidence(f"{pool} has no agents", "warn", kind="pools", id=pool)]
    counted = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
    busy = [agent for agent in state.agents_in(pool) if agent.task is not None]
    longest = sorted(busy, key=lambda agent: state.tasks[agent.task].leased_at if agent.task else 0.0)[:BLAMED_MAX]
    return [Evidence(f"none of {total} agents in {pool} is free: {counted}", kind="pools", id=pool), *(_busy(state, agent) for agent in longest)]


def _busy(state: FleetState, agent: Agent) -> Evidence:
    assert agent.task is not None
    other = state.tasks[agent.task]
    return Evidence(f"{agent.spec.name} is at {other.spec.title or agent.task}", at=other.started_at or other.leased_at, kind="agents", id=agent.spec.id)


def _ahead(state: FleetState, task: Task) -> list[Evidence]:
    """Return how many tasks of the pool have a higher priority, or the same and a longer wait."""
    ids = state.pending_of.get(task.spec.pool, {})
    waiting = (state.tasks[task_id] for task_id in islice(ids, AHEAD_SCANNED))
    ready = [other for other in waiting if not other.waiting_on]
    higher = sum(other.priority > task.priority for other in ready)
    older = sum(other.priority == task.priority and other.spec.submitted_at < task.spec.submitted_at for other in ready)
    if not higher and not older:
        return []
    first = [f"{higher} of a priority above its {task.priority}"] if higher else []
    first += [f"{older} of its priority that waited longer"] if older else []
    among = f", among the {AHEAD_SCANNED:,} that wait longest" if len(ids) > AHEAD_SCANNED else ""
    return [Evidence(f"before it{among}: {', '.join(first)}", kind="pools", id=task.spec.pool)]


def _supply(state: FleetState, task: Task, decision: Decision | None) -> list[Evidence]:
    """Return why the pool has no more agents."""
    pool = state.pools[task.spec.pool]
    lines = []
    if pool.size >= pool.spec.max:
        lines.append(Evidence(f"{pool.spec.name} has its most agents: {pool.size} of {pool.spec.max}", "warn", kind="pools", id=pool.spec.name))
    if decision is not None and decision.reasons and decision.reasons[0].policy:
        lines.append(Evidence(f"the autoscaler wants {_plural(decision.target, 'agent')}: {explain_decision(decision)}", at=decision.at, kind="scaling", id=pool.spec.name))
    elif decision is not None:
        lines.append(Evidence(f"no policy moves {pool.spec.name}: it keeps its {_plural(pool.size, 'agent')}", at=decision.at, kind="scaling", id=pool.spec.name))
    return lines


# ---- an agent has it, or had it


def _held(state: FleetState, task: Task) -> tuple[str, str, list[Evidence]]:
    since = task.started_at or task.leased_at
    evidence = [Evidence(f"it is with {task.agent_name}", at=since, kind="agents", id=task.agent or "")]
    if task.stopping:
        act = find_act(state, ("task.cancel", "fleet.halt"), (task.spec.id, "agents")) if task.stopping != DRAIN else None
        why = told(f"it is being stopped ({task.stopping})", act) if act else Evidence(f"it is being stopped: {task.stopping}", "warn")
        return f"{task.agent_name} is being told to stop it", "warn", [why, *evidence, *_placed(state, task)]
    if task.questions:
        asked = [Evidence(f"{question.ask.tool or 'it asks'}: {in_a_line(question.ask)}", "warn", question.asked_at) for question in task.questions.values()]
        return f"{task.agent_name} {why_waits(task)}", "warn", [*asked, *evidence, *_placed(state, task)]
    if task.spec.timeout_s:
        evidence.append(Evidence(f"an attempt may take {task.spec.timeout_s:g} s"))
    word = "runs on" if task.state is TaskState.RUNNING else "was handed to"
    return f"it {word} {task.agent_name}, attempt {task.attempt}", "info", [*evidence, *_routed(task), *_placed(state, task)]


def _placed(state: FleetState, task: Task) -> list[Evidence]:
    """Return why it went to its agent: the numbers of that decision."""
    placement = task.placement
    if placement is None:
        return _losses(task)
    factors = ", ".join(f"{name} {value:.2f}" for name, value in zip(FACTOR_NAMES, placement.factors, strict=True))
    known = _known(state, task.agent_name)
    lines = [
        Evidence(
            f"attempt {task.attempt} went to {task.agent_name}: score {placement.value:.3f}, best of {placement.candidates} free",
            at=task.leased_at, kind="agents" if known else "", id=known,
        ),
        Evidence(factors, at=task.leased_at),
        *([Evidence(advice_words(placement.advice, lambda id_: _name_of(state, id_)), at=task.leased_at)] if placement.advice else []),
        *_losses(task),
    ]  # fmt: skip
    for agent_id, value in placement.alternatives[:NAMED_MAX]:
        agent = state.agents.get(agent_id)
        name = agent.spec.name if agent else agent_id
        lines.append(Evidence(f"then {name} {value:.3f}", at=task.leased_at, kind="agents" if agent else "", id=agent_id if agent else ""))
    return lines


def _name_of(state: FleetState, id_: str) -> str:
    agent = state.agents.get(AgentId(id_))
    return agent.spec.name if agent else id_


def _known(state: FleetState, name: str) -> str:
    agent = state.agent_named(name)
    return agent.spec.id if agent else ""


def _ended(state: FleetState, task: Task) -> tuple[str, str, list[Evidence]]:
    if task.error is None:
        return f"it succeeded on {task.agent_name}, attempt {task.attempt}", "info", [*_routed(task), *_placed(state, task)]
    said = f"{task.error.kind}: {task.error.message}"
    level = "warn" if task.state is TaskState.CANCELLED else "error"
    evidence = [Evidence(said, level, task.finished_at)]
    if task.fell:
        evidence += [_fallen(state, task_id) for task_id in task.spec.depends_on if _spoiled(state, task_id)][:NAMED_MAX]
    elif task.state is TaskState.CANCELLED and (act := find_act(state, ("task.cancel",), (task.spec.id,))):
        evidence.append(told("it was cancelled", act))
    if task.state is TaskState.DEAD:
        tried = f"{task.tries} of its {task.spec.max_attempts} attempts are used up"
        evidence.append(Evidence(tried + (f", {_plural(task.deaths, 'agent')} died while running it" if task.deaths else ""), "error", task.finished_at))
    elif task.state is TaskState.FAILED:
        evidence.append(Evidence(f"no other attempt follows: {task.tries} of {task.spec.max_attempts} were made", at=task.finished_at))
    evidence += _routed(task) + _steps(task) + _placed(state, task)
    return f"it {'is dead' if task.state is TaskState.DEAD else 'was cancelled' if task.state is TaskState.CANCELLED else 'failed'}: {said}", level, evidence


def _steps(task: Task) -> list[Evidence]:
    """Return the earlier attempts that ended badly."""
    bad = [(at, what, detail) for at, what, detail in task.history if what not in ("submitted", "leased", "started", "running", "handed on") and at < task.finished_at]
    return [Evidence(f"{what}: {detail}" if detail else what, at=at) for at, what, detail in bad[-NAMED_MAX:]]


def _spoiled(state: FleetState, task_id: TaskId) -> bool:
    other = state.tasks.get(task_id)
    return other is not None and other.state in (TaskState.FAILED, TaskState.DEAD, TaskState.CANCELLED)


def _fallen(state: FleetState, task_id: TaskId) -> Evidence:
    other = state.tasks[task_id]
    return Evidence(f"it needs {other.spec.title or task_id}, which is {other.state}", "warn", other.finished_at, "tasks", task_id)


def _plural(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
