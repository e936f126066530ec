"""Logs and progress of tasks on hosts that joined, on virtual time: fetched while somebody looks, bounded, shielded, and with a word when the host is away."""

from __future__ import annotations

import asyncio
from pathlib import Path

from engine.agents.joined import looking
from engine.agents.joined import messages as m
from engine.agents.joined.looking import Looks
from engine.agents.logs import KEPT_BYTES, read_part
from engine.model.ids import HostId, TaskId
from engine.simulation.loop import VirtualClock, run_virtual

TASK = TaskId("tsk_1")


class Lab:
    """A host with a log, which answers through the same functions as a real one."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.silence = ""
        self.is_deaf = False
        self.told: list[m.Look] = []
        self.outbox: list[m.ToHost] = []
        self.looks: Looks

    def say(self, message: m.ToHost) -> None:
        assert isinstance(message, m.Look)
        if self.is_deaf:
            self.outbox.append(message)
            return
        self.told.append(message)
        part = read_part(self.log, message.after, message.most) if message.most else None
        self.looks.take(m.Shown(message.number, m.LogPart(*part) if part else None, {"text": "half \x1b[31mof it", "ratio": 0.5}))

    def take_back(self, message: m.ToHost) -> None:
        self.outbox = [one for one in self.outbox if one is not message]


def lab_of(log: Path, clock: VirtualClock) -> tuple[Lab, Looks]:
    lab = Lab(log)
    lab.looks = looks = Looks(lambda host: lab if host == HostId("lab") else None, clock)
    return lab, looks


def test_a_log_is_fetched_in_pieces_from_its_end_and_then_only_what_is_new(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"early\n" * 100_000 + "half a letter \u00e4".encode()[:-1])

    async def story() -> None:
        clock = VirtualClock()
        lab, looks = lab_of(log, clock)
        several = await asyncio.gather(*(looks.log("lab", TASK, 1, -1) for _ in range(5)))
        assert {len(lab.told), *(one.start for one in several)} == {KEPT_BYTES // m.PART_MAX, log.stat().st_size - KEPT_BYTES}, "five look, one asks"
        assert all(look.most == m.PART_MAX for look in lab.told)
        (tail, *_) = several
        assert tail.text.endswith("half a letter ")
        with log.open("ab") as file:
            file.write(b"\xa4 token=hunter22hunter22 \x1b[31mred\n")
        await clock.sleep(looking.FRESH_S)
        new = await looks.log("lab", TASK, 1, tail.end)
        assert (new.text, new.start) == ("ä token=[hidden] red\n", tail.end)
        assert lab.told[-1].after == tail.end + 1, "the rest of it was here"
        assert await looks.progress("lab", TASK, 1) == {"text": "half of it", "ratio": 0.5}
        asked = len(lab.told)
        assert asked == KEPT_BYTES // m.PART_MAX + 1, "the log came with it"
        log.write_bytes(b"anew\n")
        await clock.sleep(looking.FRESH_S)
        assert (await looks.log("lab", TASK, 1, new.end)).text == "anew\n"
        await clock.sleep(looking.KEEP_S)
        looks.forget_old()
        log.unlink()
        assert (await looks.log("lab", TASK, 1, -1)).text == ""

    run_virtual(story())


def test_a_host_that_is_silent_or_gone_is_said_and_what_was_seen_stays(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"seen\n")

    async def story() -> None:
        clock = VirtualClock()
        lab, looks = lab_of(log, clock)
        assert (await looks.log("lab", TASK, 1, -1)).note == ""
        await clock.sleep(10)
        lab.is_deaf = True
        tail = await looks.log("lab", TASK, 1, -1)
        assert (tail.text, tail.note) == ("seen\n", "host lab did not answer within 2 s; this is as of 12 s ago")
        assert lab.outbox == [], "nobody waits for it any more"
        lab.silence = "host lab has said nothing for 3 s"
        assert (await looks.log("lab", TASK, 2, -1)).note == lab.silence
        gone = await looks.log("other", TaskId("tsk_2"), 1, -1)
        assert (gone.text, gone.note[:18]) == ("", "host other is gone")

    run_virtual(story())


def test_what_is_kept_is_bounded_however_many_logs_are_looked_at(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"x" * 3 * KEPT_BYTES)

    async def story() -> None:
        lab, looks = lab_of(log, VirtualClock())
        for number in range(looking.SEEN_MAX + 8):
            await looks.log("lab", TaskId(f"tsk_{number}"), 1, -1)
        kept = looks._seen.values()  # noqa: SLF001  # what it holds is the point
        assert (len(kept), {len(one.tail) for one in kept}) == (looking.SEEN_MAX, {KEPT_BYTES})
        assert len(lab.told) == (looking.SEEN_MAX + 8) * KEPT_BYTES // m.PART_MAX

    run_virtual(story())
