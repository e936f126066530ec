"""Rebuilds the fleet's state from the projections alone, whatever the length of the journal."""

from __future__ import annotations

import gc
import sqlite3
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import TypeVar

import msgspec

from engine.memory.stored import FleetFigures, StoredHost, agent_of, task_of
from engine.model.agents import Allocation
from engine.model.alerts import Alert, Rule, Silence
from engine.model.budgets import Budget, Ledger
from engine.model.consensus import Round
from engine.model.errors import JournalError
from engine.model.events import Audited
from engine.model.gangs import Gang
from engine.model.ids import AllocationId, PlanId, TaskId
from engine.model.learned import RouterRecord
from engine.model.machines import Machine
from engine.model.modules import UserModule
from engine.model.plans import AuditEntry
from engine.model.pools import Pool
from engine.model.scaling import Policy
from engine.model.swarm_mail import Mail, Traffic
from engine.model.swarm_sessions import Session
from engine.model.swarms import Swarm
from engine.model.tasks import FINISHED, Task, TaskState
from engine.state import FleetState, Host, KeptPlan, Touched

_T = TypeVar("_T")

TASK_COLUMNS = "status, spec, progress, result"

_SELECT = f"SELECT rowid, turn, ended, {TASK_COLUMNS} FROM tasks"  # noqa: S608
_UNFINISHED = f"{_SELECT} WHERE ended IS NULL"
_FINISHED = f"{_SELECT} WHERE ended IS NOT NULL ORDER BY ended DESC LIMIT ?"
_ONE = f"{_SELECT} WHERE id = ?"

_Loaded = tuple[int, int, int | None, Task]
"""Birth, turn, turn of its end, task."""


def load_state(connection: sqlite3.Connection, finished_max: int) -> tuple[FleetState, int]:
    """Return the state as of the last batch, or of the transaction that is open, and the last turn given out.

    Raises JournalError for rows that cannot be read or contradict each other, and sqlite3.Error.
    """
    state = FleetState(finished_max)
    # Everything made here stays: looking for garbage in between costs a third of the time.
    collecting = gc.isenabled()
    gc.disable()
    own = not connection.in_transaction
    if own:
        connection.execute("BEGIN")
    try:
        turn = _load(connection, state)
    except (msgspec.MsgspecError, ValueError, KeyError) as error:
        raise JournalError(f"a row cannot be read ({error!r}); restore a backup") from error
    finally:
        if own:
            connection.rollback()
        if collecting:
            gc.enable()
    return state, turn


def _load(connection: sqlite3.Connection, state: FleetState) -> int:
    last = int(connection.execute("SELECT coalesce(max(id), 0) FROM events").fetchone()[0])
    figures = next(_resources(connection, "fleet", FleetFigures), None)
    if figures is None:
        if last:
            raise JournalError("the fleet's own row is missing; restore a backup")
        return 0
    if figures.seq != last:
        raise JournalError(f"the tables are as of record {figures.seq}, the newest record is {last}; restore a backup")
    state.seq, state.at, state.engine, state.totals = figures.seq, figures.at, figures.engine, figures.totals
    state.halted = figures.halted
    for pool in _resources(connection, "pool", Pool):
        # The counts follow from the agents and tasks that are loaded; zeros stay, as they do in a live state.
        pool.blocked = 0
        pool.agents, pool.by_status, pool.by_state = 0, dict.fromkeys(pool.by_status, 0), dict.fromkeys(pool.by_state, 0)
        state.pools[pool.spec.name] = pool
    for machine in _resources(connection, "machine", Machine):
        state.machines[machine.id] = replace(machine, taken={})  # what is taken follows from the agents
    totals = state.totals
    totals.by_status, totals.by_state = dict.fromkeys(totals.by_status, 0), dict.fromkeys(totals.by_state, 0)
    _load_agents(connection, state)
    _load_tasks(connection, state)
    _load_rest(connection, state)
    state.touched = Touched()
    return figures.turn


def _load_agents(connection: sqlite3.Connection, state: FleetState) -> None:
    for stored in _resources(connection, "host", StoredHost):
        state.hosts[stored.info.id] = Host(stored.info, stored.health, stored.evidence, set(), stored.cordon, stored.cordon_why)
    rows = connection.execute("SELECT status, metadata, progress FROM agents WHERE removed_at IS NULL ORDER BY rowid")
    for row in rows:
        agent = agent_of(*row)
        host = state.hosts.get(agent.host) if agent.host else None
        if host is None:
            agent.host = None  # its host was lost; that does not write the rows of its agents
        else:
            host.agents.add(agent.spec.id)
        state.add_agent(agent)


def _load_tasks(connection: sqlite3.Connection, state: FleetState) -> None:
    rows = connection.execute(_UNFINISHED).fetchall()
    rows += connection.execute(_FINISHED, (state.finished_max,))
    loaded = [(birth, turn, end, task_of(*columns)) for birth, turn, end, *columns in rows]
    newest = sorted((end, task.spec.id) for _, _, end, task in loaded if end is not None)
    state.finished.update((task_id, None) for _, task_id in newest)
    loaded += _load_needed(connection, state, [task for *_, task in loaded])
    loaded.sort(key=itemgetter(0))
    waiting: list[tuple[int, TaskId]] = []
    for _birth, turn, end, task in loaded:
        if (task.state in FINISHED) != (end is not None):
            raise JournalError(f"{task.spec.id} is {task.state} but counts as {'ended' if end else 'unfinished'}; restore a backup")
        task.waiting_on = 0  # counted anew, and with it the pool's
        state.add_task(task)
        if task.agent is not None:
            state.set_to_work(state.agents[task.agent], task)
        if task.state is TaskState.PENDING:
            waiting.append((turn, task.spec.id))
    state.pending_of.clear()
    for _turn, task_id in sorted(waiting):
        state.pending_of.setdefault(state.tasks[task_id].spec.pool, {})[task_id] = None


def _load_needed(connection: sqlite3.Connection, state: FleetState, tasks: Sequence[Task]) -> list[_Loaded]:
    """Load what tasks that have not succeeded depend on, and what that does in turn, as far as it is not there."""
    known = {task.spec.id for task in tasks}
    found: list[_Loaded] = []
    unsure = deque(tasks)
    while unsure:
        task = unsure.popleft()
        for needed in task.spec.depends_on if task.state is not TaskState.SUCCEEDED else ():
            row = None if needed in known else connection.execute(_ONE, (needed,)).fetchone()
            if row is None:
                continue
            birth, turn, end, *columns = row
            found.append((birth, turn, end, task_of(*columns)))
            unsure.append(found[-1][3])
            known.add(needed)
            state.needed[needed] = None
    return found


def _load_rest(connection: sqlite3.Connection, state: FleetState) -> None:
    for allocation in _resources(connection, "allocation", Allocation):
        state.allocations[AllocationId(allocation.id)] = allocation
    for kept in _resources(connection, "plan", KeptPlan):
        state.plans[PlanId(kept.plan.id)] = kept
    for gang in _resources(connection, "gang", Gang):
        state.gangs[gang.id] = gang
    for policy in _resources(connection, "policy", Policy):
        state.policies[policy.id] = policy
    for module in _resources(connection, "module", UserModule):
        state.modules[module.name] = module
    _load_swarms(connection, state)
    for record in _resources(connection, "router", RouterRecord):
        state.routers[record.pool] = record
    _load_watched(connection, state)
    state.audit.extend(reversed(read_audit(connection, state.audit.maxlen or 0)))


def _load_watched(connection: sqlite3.Connection, state: FleetState) -> None:
    for budget in _resources(connection, "budget", Budget):
        state.spending.budgets[budget.scope] = budget
    for ledger in _resources(connection, "ledger", Ledger):
        state.spending.ledgers[ledger.scope] = ledger
    for rule in _resources(connection, "rule", Rule):
        state.alerting.rules[rule.id] = rule
    for alert in _resources(connection, "alert", Alert):
        state.alerting.alerts[alert.id] = alert
    for silence in _resources(connection, "silence", Silence):
        state.alerting.silences[silence.id] = silence


def _load_swarms(connection: sqlite3.Connection, state: FleetState) -> None:
    for round_ in sorted(_resources(connection, "proposal", Round), key=lambda round_: (round_.proposal.opened_at, round_.proposal.id)):
        state.rounds[round_.proposal.id] = round_
        state.swarming.count_vote(round_.proposal.swarm, was_open=None, is_open=round_.is_open)
    for swarm in sorted(_resources(connection, "swarm", Swarm), key=lambda swarm: (swarm.created_at, swarm.id)):
        state.swarming.add(swarm)
    boxes = state.swarming.mailboxes
    for mail in sorted(_resources(connection, "message", Mail), key=lambda mail: (mail.message.timestamp, mail.message.id)):
        boxes.add(mail)
    for session in sorted(_resources(connection, "session", Session), key=lambda session: (session.asked_at, session.id)):
        state.swarming.put_session(session)
    boxes.traffic.update((traffic.swarm, traffic) for traffic in _resources(connection, "traffic", Traffic))


def _resources(connection: sqlite3.Connection, kind: str, type_: type[_T]) -> Iterator[_T]:
    decoder = msgspec.json.Decoder(type_)
    for (data,) in connection.execute("SELECT data FROM resources WHERE kind = ? ORDER BY rowid", (kind,)):
        yield decoder.decode(data)


def read_audit(connection: sqlite3.Connection, limit: int, before: int = 0) -> list[AuditEntry]:
    """Return lines of the audit, newest first, from before a record when one is given."""
    rows = connection.execute(
        "SELECT data FROM events WHERE id IN (SELECT id FROM audit WHERE id < ? ORDER BY id DESC LIMIT ?) ORDER BY id DESC",
        (before or 1 << 62, limit),
    )
    decoder = msgspec.json.Decoder(Audited)
    return [decoder.decode(data).entry for (data,) in rows]
