"""What a policy would have done on the load of the last day, replayed in a process of its own so that keys stay quick.

Owner: of that process; it ends with the answer or with the console.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from typing import Any

from engine.model.errors import FleetError, NotFound
from engine.model.policy_text import policy_table
from engine.model.wire import decode, encode
from engine.operations import Operator
from fleet_tui.backtests import read_fleet

LAST_S = 86_400
REPLAY_TIMEOUT_S = 120.0


async def what_if(operator: Operator, name: str, policy: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the comparison, for the pools that it concerns, of the policies in force with those where one reads as given.

    Raises FleetError.
    """
    fleet = await read_fleet(operator, LAST_S)
    tables = {known: policy_table(one) for known, one in fleet.policies.items()}
    concerned = {str(table.get("pool") or "") for table in (tables.get(name, policy), policy)}
    load = [one for one in fleet.load if one.pool in concerned or "" in concerned]
    if not load:
        whose = "no task" if "" in concerned else f"no task of {' or '.join(sorted(concerned))}"
        raise NotFound(f"{whose} has run in the last day, so there is no load to replay")
    question = {
        "load": load,
        "limits": {pool: (one.min, one.max, one.cost_per_agent_s) for pool, one in fleet.limits.items()},
        "sets": {"in force": tables, "edited": {**tables, name: dict(policy)}},
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "engine.scaling.comparing",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(REPLAY_TIMEOUT_S):
            answer, errors = await process.communicate(encode(question))
    except TimeoutError as error:
        raise FleetError(f"the replay took longer than {REPLAY_TIMEOUT_S:g} s; use `fleet-tui simulate` with a shorter --last") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        last = errors.decode(errors="replace").strip().splitlines()
        raise FleetError(f"the replay failed: {last[-1] if last else 'it said nothing'}")
    found: Mapping[str, Any] = decode(answer)
    return found
