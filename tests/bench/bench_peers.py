"""Tasks that are lost or done twice when workers and the server break: the fleet and its peers by one script from one seed.

It takes ten minutes, and installs the peers into environments of their own, below the cache folder of its user.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from fleet_tui.chaos.chance import CLOCK, Chance
from fleet_tui.chaos.servers import KEPT, Server, one_server

from tests.bench.peer_programs import AGAIN_S, PEERS, Peer
from tests.bench.peer_queues import WORKERS, FleetQueue, PeerQueue, Queue

FLEET = "fleet"
NAMES = (FLEET, *(peer.name for peer in PEERS))
FIGURES = ("taken", "lost", "doubled", "begun_twice")
ROWS = {f"peers.{figure}.{name}": "tasks" for name in NAMES for figure in FIGURES}
ONLY_NAMED = True
SEED = 1
TASKS = 1_500
PACE_PER_S = 50
FAULTS = ("worker-killed", "worker-killed", "server-killed", "server-hangs")
ROUNDS = 3
HANG_S = 1.0
DOWN_S = 0.5
QUIET_S = 40.0
"""With nothing new done for so long what is left is lost: longer than any of them takes to hand out again what a worker left."""
STARTS_WITHIN_S = 120.0


@dataclass(frozen=True, slots=True)
class Blow:
    """A fault."""

    at: int
    """After so many tasks were sent."""
    fault: str
    worker: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the tasks."""

    taken: int
    lost: int
    """Taken, and never done."""
    doubled: int
    """Done more than once."""
    begun_twice: int
    """Begun more than once: what a killed worker was at, too."""


def script(seed: int) -> list[Blow]:
    """Return the faults of a run: all kinds in each round, in an order by chance."""
    chance = Chance(seed)
    order = [fault for _ in range(ROUNDS) for fault in chance.shuffled(FAULTS)]
    apart = TASKS // (len(order) + 1)
    return [Blow(apart * (place + 1) + chance.below(apart // 3), fault, chance.pick(WORKERS)) for place, fault in enumerate(order)]


def judged(notes: Sequence[str], answered: dict[int, bool]) -> Outcome:
    """Return what became of tasks by the notes that they made, `b NUMBER` and `e NUMBER`."""
    began, ended = (Counter(int(line[2:]) for line in notes if line[0] == word) for word in "be")
    taken = {number for number, is_taken in answered.items() if is_taken}
    return Outcome(len(taken), len(taken - ended.keys()), sum(count > 1 for count in ended.values()), sum(count > 1 for count in began.values()))


def measure(report: Callable[..., None]) -> None:
    """Measure and report."""
    for name, peer in zip(NAMES, (None, *PEERS), strict=True):
        outcome = asyncio.run(_run(peer))
        note = f"of {TASKS:,} sent, {len(script(SEED))} faults from seed {SEED}"
        for figure in FIGURES:
            report(f"peers.{figure}.{name}", getattr(outcome, figure), 1, note)


async def _run(peer: Peer | None) -> Outcome:
    with TemporaryDirectory(prefix="fleet-peers-") as name:
        folder = Path(name)
        notes = folder / "notes"
        notes.touch()
        async with one_server(folder, *KEPT) as server:
            queue = PeerQueue(peer, server.url, folder, notes) if peer else FleetQueue(server.url, folder, notes, Chance(SEED))
            async with queue.running():
                await _begun(queue, notes)
                await _send(queue, server)
                await _quiet(queue, notes)
                return judged(_lines(notes), {number: taken for number, taken in queue.answered.items() if number})


async def _begun(queue: Queue, notes: Path) -> None:
    """Wait until a first task, number 0, is done."""
    queue.send(0)
    async with asyncio.timeout(STARTS_WITHIN_S):
        while "e 0" not in _lines(notes):
            await CLOCK.sleep(0.05)


async def _send(queue: Queue, server: Server) -> None:
    """Send all tasks at the pace, and strike as the script says."""
    blows, began = script(SEED), CLOCK.now()
    async with asyncio.TaskGroup() as group:
        for number in range(1, TASKS + 1):
            await CLOCK.sleep(began + number / PACE_PER_S - CLOCK.now())
            queue.send(number)
            if blows and blows[0].at == number:
                group.create_task(_strike(queue, server, blows.pop(0)))


async def _strike(queue: Queue, server: Server, blow: Blow) -> None:
    if blow.fault == "worker-killed":
        queue.kill(blow.worker)
    elif blow.fault == "server-killed":
        server.kill()
        await CLOCK.sleep(DOWN_S)
        await server.start()
    else:
        server.freeze()
        await CLOCK.sleep(HANG_S)
        server.resume()


async def _quiet(queue: Queue, notes: Path) -> None:
    """Wait until all that were taken are done, and none again, or nothing more comes."""
    size, since = -1, CLOCK.now()
    while True:
        lines = _lines(notes)
        if len(lines) != size:
            size, since = len(lines), CLOCK.now()
        is_whole = len(queue.answered) > TASKS and not judged(lines, queue.answered).lost
        if CLOCK.now() - since > (3 * AGAIN_S if is_whole else QUIET_S):
            return
        await CLOCK.sleep(0.5)


def _lines(notes: Path) -> list[str]:
    return notes.read_text("ascii").splitlines()
