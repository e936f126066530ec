"""The book on the booster: what all of its workers have told, dead ones included, since the engine began.

Owner: of the newest figures of each worker, the sums of those that are gone, and the rates between two beats. Its limit
is the number of workers and agents. It is told on the engine's loop; readers get values.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import msgspec

from engine.booster.figures import OTHER, REASONS_MAX, Figures, InstanceFigures, ModuleFigures
from engine.booster.samples import Samples
from engine.model.ids import AgentId, HostId

MODULES_GONE_MAX = 64
CLOSED_MAX = 64
"""Workers that are gone whose figures are kept apart: one on a host that was given up may come back, and goes on counting."""


@dataclass(slots=True)
class Rates:
    """What an instance did between the last two beats of its worker."""

    ops_per_s: float = 0.0
    load: float = 0.0


@dataclass(slots=True)
class Sums:
    """Counts of many workers."""

    calls: int = 0
    answered: int = 0
    failures: int = 0
    cache_hits: int = 0
    cache_misses: int = 0
    busy_s: float = 0.0
    handed_on: Counter[str] = field(default_factory=Counter)

    def add(self, figures: Figures) -> None:
        """Add a worker's."""
        self.calls += figures.gone_calls + sum(one.calls for one in figures.instances)
        self.busy_s += figures.gone_busy_s + sum(one.busy_s for one in figures.instances)
        self.answered += figures.answered
        self.failures += figures.failures
        self.cache_hits += figures.cache_hits
        self.cache_misses += figures.cache_misses
        self.handed_on.update(figures.handed_on)
        for reason, count in [row for row in self.handed_on.most_common() if row[0] != OTHER][REASONS_MAX:]:
            del self.handed_on[reason]
            self.handed_on[OTHER] += count


@dataclass(slots=True)
class _Page:
    """One worker."""

    figures: Figures
    at: float
    rates: dict[AgentId, Rates] = field(default_factory=dict)


class BoosterBook:
    """What the workers have told."""

    def __init__(self) -> None:
        self._pages: dict[HostId, _Page] = {}
        self._closed: dict[HostId, Figures] = {}
        self._lacks: dict[HostId, dict[str, str]] = {}
        self._gone = Sums()
        """Of workers that were gone before those that are closed."""
        self._gone_modules: dict[str, ModuleFigures] = {}
        """Sums of modules of operators, of workers that are gone, at most `MODULES_GONE_MAX`."""
        self.instance_s = 0.0
        """Seconds that instances have been there, added up over all of them."""
        self.last_error: tuple[float, str] = (0.0, "")
        self.reproducer = ""
        self.samples = Samples()

    def note(self, host: HostId, raw: Mapping[str, object] | None, at: float) -> list[AgentId]:
        """Take a beat of a worker, with figures if any has changed; return the instances that read differently.

        Raises msgspec.ValidationError for what are no figures.
        """
        page = self._pages.get(host)
        if page is None:
            page = self._pages[host] = _Page(self._closed.pop(host, Figures()), at)
        old = {one.agent: one for one in page.figures.instances}
        if raw is not None:
            page.figures = msgspec.convert(raw, Figures)
            self._note_trouble(page.figures)
        elapsed_s, page.at = at - page.at, at
        self.instance_s += max(0.0, elapsed_s) * len(page.figures.instances)
        changed = []
        for one in page.figures.instances:
            agent = AgentId(one.agent)
            rates = _rates(old.get(one.agent), one, elapsed_s)
            if old.get(one.agent) != one or page.rates.get(agent) != rates:
                changed.append(agent)
            page.rates[agent] = rates
        gone = page.rates.keys() - {AgentId(one.agent) for one in page.figures.instances}
        for agent in gone:
            del page.rates[agent]
        return [*changed, *gone]

    def lost(self, host: HostId) -> list[AgentId]:
        """Keep the sums of a worker that is gone; return the instances that were its."""
        page = self._pages.pop(host, None)
        if page is None:
            return []
        self._closed[host] = page.figures
        while len(self._closed) > CLOSED_MAX:
            self._forget(self._closed.pop(next(iter(self._closed))))
        return list(page.rates)

    def _forget(self, figures: Figures) -> None:
        """Keep no more than the sums of a worker that does not come back."""
        self._gone.add(figures)
        for one in figures.modules:
            before = self._gone_modules.pop(one.sha256, ModuleFigures(one.sha256))
            self._gone_modules[one.sha256] = add_up(one.sha256, [before, one])
        while len(self._gone_modules) > MODULES_GONE_MAX:
            del self._gone_modules[next(iter(self._gone_modules))]

    def pages_of(self, host: HostId) -> list[HostId]:
        """Return the workers of a host that joined."""
        return [page for page in self._pages if page.startswith(f"{host}/")]

    def leave_hosts(self) -> list[AgentId]:
        """Close the pages of all hosts that joined, which tell it all anew to an engine that begins to lead; return the instances that were theirs."""
        self._lacks.clear()
        return [agent for page in list(self._pages) if "/" in page for agent in self.lost(page)]

    def lack(self, host: HostId, modules: Mapping[str, str]) -> None:
        """Take note of the modules, by hash, that a host has not got, and why."""
        self._lacks.pop(host, None)
        if modules:
            self._lacks[host] = dict(modules)

    def lacks(self) -> list[tuple[HostId, str, str]]:
        """Return which host has not got which module, and why."""
        return [(host, sha256, why) for host, modules in self._lacks.items() for sha256, why in modules.items()]

    def sums(self) -> Sums:
        """Return the counts of all workers since the engine began."""
        sums = replace(self._gone, handed_on=self._gone.handed_on.copy())
        for figures in (*self._closed.values(), *self.living()):
            sums.add(figures)
        return sums

    def instance(self, agent: AgentId) -> tuple[InstanceFigures, Rates] | None:
        """Return what is known of an agent's instance."""
        for page in self._pages.values():
            for one in page.figures.instances:
                if one.agent == agent:
                    return one, page.rates.get(agent, Rates())
        return None

    def living(self) -> list[Figures]:
        """Return the figures of the workers that are there."""
        return [page.figures for page in self._pages.values()]

    def ops_per_s(self) -> float:
        """Return the operations a second of all instances, between their last two beats."""
        return sum(rates.ops_per_s for page in self._pages.values() for rates in page.rates.values())

    def utilization(self) -> float:
        """Return busy instance-seconds of all instance-seconds, -1 before there were any."""
        return min(1.0, self.sums().busy_s / self.instance_s) if self.instance_s else -1.0

    def module(self, sha256: str) -> ModuleFigures:
        """Return the counts of a module of an operator, of all workers since the engine began."""
        told = [one for figures in (*self._closed.values(), *self.living()) for one in figures.modules if one.sha256 == sha256]
        gone = self._gone_modules.get(sha256)
        return add_up(sha256, told if gone is None else [gone, *told])

    def breakers(self, now: float) -> dict[str, float]:
        """Return the operations (with their language) that any worker leaves to regular agents now, and until when."""
        found: dict[str, float] = {}
        for page in self._pages.values():
            for name, until in page.figures.breakers.items():
                if until > now:
                    found[name] = max(until, found.get(name, 0.0))
        return found

    def _note_trouble(self, figures: Figures) -> None:
        if figures.reproducer:
            self.reproducer = figures.reproducer
        self.last_error = max([self.last_error, *((one.last_error_at, one.last_error) for one in figures.instances)])


def add_up(sha256: str, rows: Iterable[ModuleFigures]) -> ModuleFigures:
    """Return the sums of a module's figures, with its newest error."""
    sums = ModuleFigures(sha256)
    for row in rows:
        sums.calls += row.calls
        sums.cache_hits += row.cache_hits
        sums.failures += row.failures
        if row.last_error_at > sums.last_error_at:
            sums.last_error_at, sums.last_error = row.last_error_at, row.last_error
    return sums


def _rates(old: InstanceFigures | None, new: InstanceFigures, elapsed_s: float) -> Rates:
    if old is None or elapsed_s <= 0:
        return Rates()
    return Rates((new.calls - old.calls) / elapsed_s, min(1.0, (new.busy_s - old.busy_s) / elapsed_s))


def say_reasons(handed_on: Iterable[tuple[str, int]]) -> str:
    """Write reasons with their counts, the most frequent first."""
    ranked = sorted(handed_on, key=lambda row: (-row[1], row[0]))
    return "; ".join(f"{count} {reason}" for reason, count in ranked)
