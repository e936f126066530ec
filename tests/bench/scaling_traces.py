"""Seeded tables in public formats, for tests: nobody's data, and the same for the same seed."""

from __future__ import annotations

import math
import random  # noqa: TID251  # seeded

MINUTES = 1_440
FUNCTIONS = ("http", "queue", "timer")


def azure_functions_table(seed: int) -> str:
    """Return a day of three functions as an Azure Functions 2019 invocation table: a daily wave, bursts, and a timer."""
    chance = random.Random(f"azure functions {seed}")
    rows = [f"HashOwner,HashApp,HashFunction,Trigger,{','.join(str(minute) for minute in range(1, MINUTES + 1))}"]
    for number, trigger in enumerate(FUNCTIONS):
        counts = ",".join(str(_count(trigger, minute, chance)) for minute in range(MINUTES))
        rows.append(f"owner{seed},app{seed},function{number},{trigger},{counts}")
    return "\n".join(rows) + "\n"


def _count(trigger: str, minute: int, chance: random.Random) -> int:
    if trigger == "timer":
        return 6 if minute % 15 == 0 else 0
    if trigger == "queue":
        return chance.randint(20, 40) if minute % 360 < 20 else chance.randint(0, 2)
    return max(0, round(chance.gauss(6 - 5 * math.cos(2 * math.pi * minute / MINUTES), 1.5)))
