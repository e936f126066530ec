"""The feed of conflated rows: every follower gets what changed since its own last frame, at most ten times a second.

Owner: of which id changed at which revision, and of a ring of recent events in words. Limits: EVENTS_KEPT events,
TASK_ROWS_MAX task rows in a full frame (unfinished ones and the newest finished first), CHANGES_KEPT ids of a kind
(a follower that lags behind them starts over).
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from itertools import chain, islice

from engine.agents.runtime import HostSample
from engine.booster.book import BoosterBook
from engine.clock import Clock
from engine.gate import alert_rows
from engine.gate import booster_rows as boosted
from engine.gate import rows as build
from engine.gate.budgets import budget_row, ids_of, row_ids
from engine.gate.channel_rows import channel_row, notification_row
from engine.gate.dead_events import DeadEvents
from engine.gate.gang_plans import gang_row
from engine.gate.programs_seen import ProgramsSeen, Told
from engine.gate.questions import question_row
from engine.gate.reviewing import review_row
from engine.gate.routes import route_ids, route_row
from engine.gate.scaling_rows import advice_row, policy_row, scaling_row
from engine.gate.sessions import session_row
from engine.gate.swarms import swarm_row
from engine.gate.votes import proposal_row
from engine.gate.words import event_row
from engine.model.budget_events import BudgetMoved
from engine.model.budget_words import FLEET, id_of
from engine.model.config_sections import TasksSection
from engine.model.engine_rows import EngineRow
from engine.model.errors import UsageError
from engine.model.events import Event, FleetHalted, Record
from engine.model.ids import (
    AgentId,
    GangId,
    HostId,
    PlanId,
    ProposalId,
    QuestionId,
    SessionId,
    SwarmId,
    TaskId,
)
from engine.model.pool_events import PoolPaused
from engine.model.region_rows import RegionRow
from engine.model.room_events import TasksWaitForRoom
from engine.model.rows import (
    ROW_KINDS,
    STREAMED_KINDS,
    AdviceRow,
    EventRow,
    FleetStatus,
    Frame,
    Row,
)
from engine.model.tasks import FINISHED, TaskState
from engine.monitoring.alerts.alerter import Alerter
from engine.monitoring.notifying.notifier import Notifier
from engine.operations import EVENTS_IN_FRAME_MAX, FRAMES_PER_SECOND
from engine.plugins.room import PluginRoom
from engine.scaling.autoscaler import AutoScaler
from engine.scheduling.learned_router import LearnedRouter
from engine.state import FleetState, Touched

EVENTS_KEPT = 2_000
TASK_ROWS_MAX = 10_000
CHANGES_KEPT = 100_000
STATUS_INTERVAL_S = 1.0
"""A follower whose fleet does not change gets a frame with the status at this interval, so that it knows it is current."""
BOOSTER_KINDS = frozenset({"boosters", "instances", "modules"})
"""Kinds whose rows the booster's book is joined into."""

ADVICE_S = 5.0
"""What could be smaller is worked out again after so long: it is about minutes."""


class Feed:
    """What changed when, for any number of followers."""

    def __init__(self, state: Callable[[], FleetState], status: Callable[[], FleetStatus], clock: Clock) -> None:
        self._state, self._status, self._clock = state, status, clock
        self._revision = self._events_seen = self._followers = self._epoch = 0
        """While there are no followers, nothing is marked: each begins with a full frame. The epoch grows when the state was rebuilt: followers start over."""
        self._changed: dict[str, dict[str, int]] = {kind: {} for kind in ROW_KINDS}
        self._forgotten = -1
        """Newest revision of which a changed id is no longer known."""
        self._back_offs: list[tuple[float, TaskId]] = []
        """When the rows of tasks change because a back-off ends; a heap."""
        self._events, self._news = deque[EventRow](maxlen=EVENTS_KEPT), asyncio.Event()
        self.samples: dict[HostId, HostSample] = {}
        self.measured_at = 0.0
        """When the samples were taken."""
        self.programs = ProgramsSeen()
        self._advised: tuple[float, dict[str, AdviceRow]] = (-ADVICE_S, {})
        self.scaler: AutoScaler | None = None
        """Where the rows of kind `scaling` come from."""
        self.book = BoosterBook()
        """Where the rows of kinds `boosters` and `instances` come from."""
        self.alerter: Alerter | None = None
        """Where the newest values of alerts come from."""
        self.router: LearnedRouter | None = None
        """Where the rows of kind `routes` come from."""
        self.notifier: Notifier | None = None
        self.dead_events: DeadEvents | None = None
        """Where the rows of kinds `channels` and `notifications`, and those of `dead-events`, come from."""
        self.engines: Callable[[], Mapping[str, EngineRow]] = dict
        """Those of the fleet, by id."""
        self.regions: Callable[[], Mapping[str, RegionRow]] = dict
        """Those that know one another, by name."""
        self.plugins: PluginRoom | None = None
        """Where the rows of kind `plugins` come from."""
        self.aging_s = TasksSection().aging_s
        """How long a gang waits for one step of priority."""
        self.fallback: Callable[[], str] = lambda: ""
        """Which pool gets what the booster hands on."""

    def publish(self, records: Sequence[Record], touched: Touched) -> None:
        """Note what one commit changed; no records means that the state was rebuilt."""
        if not records:
            self._epoch += 1
        self._revision += 1
        state = self._state()
        self._mark("pools", touched.pools)
        self._mark_booster(state, touched)
        self._mark("agents", chain(touched.agents, touched.working))
        self._mark("agents", [agent.spec.id for agent in touched.removed_agents])
        self._mark("tasks", touched.tasks)
        self._mark("questions", touched.questions)
        self._mark("reviews", touched.reviews)
        self._note_back_offs(touched.tasks)
        self._mark("tasks", touched.forgotten_tasks)
        self._mark("hosts", touched.hosts)
        self._mark("plans", touched.plans)
        self._mark("modules", touched.modules)
        self._mark("proposals", touched.rounds)
        self._mark_swarms(state, touched)
        self._mark("routes", touched.routers)
        self._mark("budgets", [id_ for scope in {**touched.budgets, **touched.ledgers} for id_ in ids_of(state, scope)])
        for kind in alert_rows.ALERT_KINDS:
            self._mark(kind, getattr(touched, kind))
        if touched.alerts:  # how many it keeps quiet
            self._mark("silences", state.alerting.silences)
        if touched.policies:  # one more or less changes for how many pools the others decide
            self._mark("policies", {**touched.policies, **dict.fromkeys(state.policies)})
        if touched.gangs:  # one more or less changes the places of the others
            self._mark("gangs", [*touched.gangs, *state.gangs])
        for record in records:
            self._events.append(event_row(state, record))
            self._mark_waiting(state, record.event)
        self._events_seen += len(records)
        self._wake()

    def measured(
        self, samples: Sequence[HostSample], agents: Mapping[AgentId, Told] | None = None, stalled: Mapping[AgentId, str] | None = None
    ) -> None:
        """Take new measurements of the hosts and of agents that have a process of their own, and who is stalled on what evidence."""
        self._revision += 1
        self.samples, self.measured_at = {sample.host: sample for sample in samples}, self._clock.now()
        self._mark("hosts", [sample.host for sample in samples])
        self._mark("agents", self.programs.take(agents or {}))
        moved = self.programs.take_stalled(stalled or {})
        self._mark("agents", moved)
        self._mark("tasks", [agent.task for id_ in moved if (agent := self._state().agents.get(id_)) is not None and agent.task is not None])
        self._wake()

    def boosted(self, agents: Iterable[str]) -> None:
        """Take note that instances of the booster, and with them the booster, read differently."""
        self._revision += 1
        self._mark("instances", agents)
        self._mark("boosters", boosted.booster_pools(self._state()))
        self._mark("modules", self._state().modules)
        self._wake()

    def looked(self, alerts: Iterable[str], rules: Iterable[str]) -> None:
        """Take note that alerts and rules read differently after a look."""
        self._revision += 1
        self._mark("alerts", alerts)
        self._mark("rules", rules)
        self._wake()

    def told(self, channel: str, letter: str) -> None:
        """Take note that a channel, and if there is one a notification on its way through it, read differently."""
        self._revision += 1
        self._mark("channels", [channel])
        self._mark("notifications", [letter] if letter else [])
        self._wake()

    def buried(self, ids: Iterable[str]) -> None:
        """Take note that events were set aside by the bus, or are no more."""
        if ids := list(ids):
            self._revision += 1
            self._mark("dead-events", ids)
            self._wake()

    def routed(self, pools: Iterable[str]) -> None:
        """Take note that learned routing of some pools reads differently."""
        self._revision += 1
        self._mark("routes", pools)
        self._wake()

    def noted(self, kind: str, ids: Iterable[str]) -> None:
        """Take note that some rows of a kind read differently."""
        self._revision += 1
        self._mark(kind, ids)
        self._wake()

    def decided(self, pools: Iterable[str]) -> None:
        """Take note that the autoscaler's decision for some pools reads differently."""
        self._revision += 1
        self._mark("scaling", pools)
        _, before = self._advised
        if self._followers and (now := self.advice()) is not before:
            self._mark("advice", [id_ for id_ in {**before, **now} if before.get(id_) != now.get(id_)])
        self._wake()

    def advice(self) -> dict[str, AdviceRow]:
        """Return what could be smaller, by id; looked at anew after ADVICE_S."""
        now, (advised_at, advice) = self._clock.now(), self._advised
        if self.scaler is not None and not 0 <= now - advised_at < ADVICE_S:
            advice = {row.id: row for row in map(advice_row, self.scaler.optimizer.recommend(self._state().pools))}
            self._advised = now, advice
        return advice

    def recent_events(self, limit: int) -> list[EventRow]:
        """Return the newest events in words, oldest first."""
        return list(islice(self._events, max(0, len(self._events) - limit), None))

    def _mark(self, kind: str, ids: Iterable[str]) -> None:
        if not self._followers:
            return
        changed = self._changed[kind]
        for id_ in ids:
            changed.pop(id_, None)
            changed[id_] = self._revision
        while len(changed) > CHANGES_KEPT:
            self._forgotten = max(self._forgotten, changed.pop(next(iter(changed))))

    def _mark_waiting(self, state: FleetState, event: Event) -> None:
        """Mark the tasks that wait for another reason than before."""
        if isinstance(event, PoolPaused | TasksWaitForRoom):
            self._mark("tasks", state.pending_of.get(event.pool, ()))
        elif isinstance(event, BudgetMoved) and event.scope != FLEET:
            self._mark("tasks", state.pending_of.get(id_of(event.scope), ()))
        elif isinstance(event, FleetHalted | BudgetMoved):
            for waiting in state.pending_of.values():
                self._mark("tasks", waiting)

    def _mark_booster(self, state: FleetState, touched: Touched) -> None:
        """Mark what follows from agents and tasks: the states of instances, and how many tasks wait."""
        boosters = [name for name in boosted.booster_pools(state) if name in touched.pools]
        if boosters and self._followers:
            self._mark("boosters", boosters)
            self._mark("instances", [id_ for id_ in chain(touched.agents, touched.working) if state.agents[id_].spec.pool in boosters])
            self._mark("instances", [agent.spec.id for agent in touched.removed_agents if agent.spec.pool in boosters])

    def _mark_swarms(self, state: FleetState, touched: Touched) -> None:
        """Mark what follows from agents and votes: how many members are at work, and how many votes are open."""
        self._mark("sessions", touched.sessions)
        sessions = (state.swarming.sessions.get(id_) for id_ in touched.sessions)
        self._mark("swarms", chain(touched.swarms, touched.traffic, (session.swarm for session in sessions if session is not None)))
        of = state.swarming.of
        if of and self._followers:
            self._mark("swarms", [id_ for agent in chain(touched.agents, touched.working) for id_ in of.get(agent, ())])
            rounds = (state.rounds.get(id_) for id_ in touched.rounds)
            self._mark("swarms", [round_.proposal.swarm for round_ in rounds if round_ is not None and round_.proposal.swarm])

    def _forget_changes(self) -> None:
        for changed in self._changed.values():
            changed.clear()
        self._back_offs.clear()

    def _note_back_offs(self, tasks: Iterable[TaskId]) -> None:
        if not self._followers:
            return
        state, now = self._state(), self._clock.now()
        for task_id in tasks:
            task = state.tasks.get(task_id)
            if task is not None and task.state is TaskState.PENDING and task.not_before > now:
                heapq.heappush(self._back_offs, (task.not_before, task_id))
        self._mark_back_offs(now)

    def _mark_back_offs(self, now: float) -> None:
        ended = []
        while self._back_offs and self._back_offs[0][0] <= now:
            ended.append(heapq.heappop(self._back_offs)[1])
        if ended:
            self._revision += 1
            self._mark("tasks", ended)

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    @asynccontextmanager
    async def follow(self, kinds: Sequence[str]) -> AsyncIterator[AsyncIterator[Frame]]:
        """Give frames of some kinds; leaving the context ends them. Raises UsageError for an unknown kind."""
        unknown = set(kinds) - set(ROW_KINDS)
        if unknown:
            raise UsageError(f"no kind {', '.join(sorted(unknown))}; there are {', '.join(ROW_KINDS)}")
        self._followers += 1
        if self._followers == 1:
            self._note_back_offs(self._state().tasks)
        try:
            async with aclosing(self._frames(tuple(kinds))) as frames:
                yield frames
        finally:
            self._followers -= 1
            if not self._followers:
                self._forget_changes()

    async def _frames(self, kinds: tuple[str, ...]) -> AsyncGenerator[Frame, None]:
        seen, epoch, events_seen, audited = -1, -1, self._events_seen, 0
        while True:
            frame_at = self._clock.now()
            self._mark_back_offs(frame_at)
            full = epoch != self._epoch or seen < self._forgotten
            news = self._news
            frame, audited = self._frame(kinds, -1 if full else seen, events_seen, audited)
            seen, epoch, events_seen = self._revision, self._epoch, self._events_seen
            yield frame
            try:
                async with asyncio.timeout(STATUS_INTERVAL_S):
                    await news.wait()
            except TimeoutError:
                continue
            early = 1 / FRAMES_PER_SECOND - (self._clock.now() - frame_at)
            if early > 0:
                await self._clock.sleep(early)

    def _frame(self, kinds: Sequence[str], since: int, events_since: int, audited: int) -> tuple[Frame, int]:
        state = self._state()
        rows: dict[str, list[Row]] = {}
        removed: dict[str, list[str]] = {}
        for kind in kinds:
            if kind in STREAMED_KINDS:
                continue
            if kind == "audit":
                audited, lines = self._audit_since(audited if since >= 0 else 0)
                rows[kind] = lines
                continue
            ids = self.ids(kind) if since < 0 else self._since(kind, since)
            found = [(id_, self.row(kind, id_)) for id_ in ids]
            rows[kind] = [row for _, row in found if row is not None]
            removed[kind] = [id_ for id_, row in found if row is None]
        events: list[EventRow] = []
        left_out = 0
        if "events" in kinds:
            wanted = len(self._events) if since < 0 else self._events_seen - events_since
            events = self.recent_events(min(wanted, EVENTS_IN_FRAME_MAX))
            left_out = 0 if since < 0 else wanted - len(events)
        rows = {kind: entries for kind, entries in rows.items() if entries or since < 0}
        removed = {kind: gone for kind, gone in removed.items() if gone}
        return Frame(state.seq, self._clock.now(), since < 0, self._status(), rows, removed, events, left_out), audited

    def _audit_since(self, audited: int) -> tuple[int, list[Row]]:
        """Return how many lines there are in all, and the rows of those after a number."""
        state = self._state()
        total = state.totals.audited
        fresh = min(len(state.audit), total - audited)
        newest = islice(state.audit, len(state.audit) - fresh, None)
        return total, [build.audit_row(number, entry) for number, entry in enumerate(newest, total - fresh + 1)]

    def _since(self, kind: str, since: int) -> list[str]:
        ids = []
        for id_, revision in reversed(self._changed[kind].items()):
            if revision <= since:
                break
            ids.append(id_)
        ids.reverse()
        return ids

    def ids(self, kind: str) -> list[str]:
        """Return the ids of a kind that a full frame holds."""
        state = self._state()
        if kind in alert_rows.ALERT_KINDS:
            return list(alert_rows.ids_of(state, kind))
        if kind == "plugins":
            return self.plugins.names() if self.plugins else []
        if kind != "tasks":
            tables: dict[str, Mapping[str, object]] = {
                "pools": state.pools,
                "questions": state.asking,  # type: ignore[dict-item]
                "reviews": state.reviewing,  # type: ignore[dict-item]
                "budgets": dict.fromkeys(row_ids(state)),
                "agents": state.agents,  # type: ignore[dict-item]
                "hosts": state.hosts,  # type: ignore[dict-item]
                "engines": self.engines(),
                "regions": self.regions(),
                "plans": state.plans,  # type: ignore[dict-item]
                "policies": state.policies,
                "advice": self.advice(),
                "gangs": state.gangs,  # type: ignore[dict-item]
                "scaling": self.scaler.decisions if self.scaler else {},
                "boosters": dict.fromkeys(boosted.booster_pools(state)),
                "instances": dict.fromkeys(boosted.instance_ids(state)),
                "modules": state.modules,
                "proposals": state.rounds,  # type: ignore[dict-item]
                "swarms": state.swarming.swarms,  # type: ignore[dict-item]
                "sessions": state.swarming.sessions,  # type: ignore[dict-item]
                "routes": dict.fromkeys(route_ids(self.router, state)),
                "channels": self.notifier.channels if self.notifier else {},
                "notifications": dict.fromkeys(letter.id for letter in reversed(self.notifier.outbox.letters.values())) if self.notifier else {},
                "dead-events": dict.fromkeys(reversed(self.dead_events.rows())) if self.dead_events else {},
            }
            return list(tables[kind])
        open_tasks = [str(id_) for id_, task in state.tasks.items() if task.state not in FINISHED][:TASK_ROWS_MAX]
        newest = islice(chain(reversed(state.finished), state.needed), max(0, TASK_ROWS_MAX - len(open_tasks)))
        return [*open_tasks, *newest]

    def row(self, kind: str, id_: str) -> Row | None:
        """Return the current row of a thing, or None when it is gone."""
        state = self._state()
        if kind == "tasks":
            task = state.tasks.get(TaskId(id_))
            return build.task_row(state, task, self._clock.now(), self.programs.stalled.get(task.agent, "") if task.agent else "") if task else None
        if kind == "agents":
            agent = state.agents.get(AgentId(id_))
            return build.agent_row(state, agent, self.programs.used.get(agent.spec.id), self.programs.stalled.get(agent.spec.id, "")) if agent else None
        if kind == "pools":
            pool = state.pools.get(id_)
            return build.pool_row(state, pool, self._oldest_pending(id_)) if pool else None
        if kind == "hosts":
            host = state.hosts.get(HostId(id_))
            return build.host_row(host, self.samples.get(HostId(id_))) if host else None
        if kind in ("policies", "scaling", "advice", "gangs"):
            return self._scaling_row(kind, id_)
        if kind in alert_rows.ALERT_KINDS:
            return alert_rows.row_of(state, self.alerter.book if self.alerter else None, kind, id_)
        if kind in ("channels", "notifications", "dead-events", "routes", "questions", "reviews", "budgets", "engines", "regions", "plugins"):
            return self._told_row(kind, id_)
        if kind in BOOSTER_KINDS:
            return self._boosted_row(kind, id_)
        if kind in ("proposals", "swarms", "sessions"):
            return self._swarm_row(kind, id_)
        kept = state.plans.get(PlanId(id_))
        return build.plan_row(kept) if kept else None

    def _swarm_row(self, kind: str, id_: str) -> Row | None:
        state = self._state()
        if kind == "proposals":
            round_ = state.rounds.get(ProposalId(id_))
            return proposal_row(state, round_, self._clock.now()) if round_ else None
        if kind == "sessions":
            session = state.swarming.sessions.get(SessionId(id_))
            return session_row(state, session) if session else None
        swarm = state.swarming.swarms.get(SwarmId(id_))
        return swarm_row(state, swarm, self._clock.now()) if swarm else None

    def _told_row(self, kind: str, id_: str) -> Row | None:
        if kind in ("questions", "reviews"):
            return question_row(self._state(), QuestionId(id_)) if kind == "questions" else review_row(self._state(), TaskId(id_))
        if kind == "budgets":
            return budget_row(self._state(), id_, self._clock.now())
        if kind in ("engines", "regions"):
            return (self.engines() if kind == "engines" else self.regions()).get(id_)
        if kind == "dead-events":
            return self.dead_events.rows().get(id_) if self.dead_events else None
        if kind == "plugins":
            return self.plugins.row(id_) if self.plugins else None
        if kind == "routes":
            return route_row(self.router, self._state(), id_) if self.router else None
        make = channel_row if kind == "channels" else notification_row
        return make(self.notifier, id_) if self.notifier else None

    def _boosted_row(self, kind: str, id_: str) -> Row | None:
        state = self._state()
        if kind == "boosters":
            return boosted.booster_row(state, self.book, id_, self.fallback(), self._clock.now())
        if kind == "instances":
            return boosted.instance_row(state, self.book, id_)
        module = state.modules.get(id_)
        return boosted.module_row(module, self.book) if module else None

    def _scaling_row(self, kind: str, id_: str) -> Row | None:
        state = self._state()
        if kind == "policies":
            policy = state.policies.get(id_)
            return policy_row(state, policy) if policy else None
        if kind == "advice":
            return self.advice().get(id_)
        if kind == "gangs":
            gang = state.gangs.get(GangId(id_))
            return gang_row(state, gang, self.aging_s) if gang else None
        return scaling_row(state, self.scaler, id_) if self.scaler else None

    def _oldest_pending(self, pool: str) -> float:
        """Return when the pool's longest waiting task was submitted, of those that wait for an agent only; 0 when none does."""
        state = self._state()
        waiting = (state.tasks[task_id] for task_id in state.pending_of.get(pool, ()))
        first = next((task for task in waiting if not task.waiting_on), None)
        return first.spec.submitted_at if first is not None else 0.0
