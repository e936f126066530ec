"""The subcommands that try fleets out: simulated lives, and real engines that are broken on purpose.

Owner: nobody. Imports click only: every other library is loaded by the command that needs it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


@click.command()
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="The first seed.")
@click.option("--count", type=click.IntRange(1), default=1, show_default=True, help="How many seeds.")
@click.option("--policy", "policies", type=click.Path(dir_okay=False, path_type=Path), help="TOML file with scaling policies to replay load through.")
@click.option("--trace", type=click.Path(dir_okay=False, path_type=Path), help="Load from a file: .jsonl, .csv (also Azure Functions), .swf.")
@click.option("--shape", help="Seeded load: daily, bursts, steps or sawtooth.")
@click.option("--last", default="24h", show_default=True, help="Load of the running engine: 90m, 24h, 7d.")
@click.option("--pool", default="coder", show_default=True, help="Pool of a trace that names none.")
@click.option("--service-s", type=click.FloatRange(0.001), default=1.0, show_default=True, help="Service time where a trace has none.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", help="Form of the comparison.")
def simulate(seed: int, count: int, **wanted: Any) -> int:  # noqa: ANN401  # the options above
    """Live random fleets, or replay load through scaling policies.

    Without --policy: live a random fleet's life on virtual time, with kills and a failing journal, and check it at
    every step; a seed that fails is named with the command that repeats it. With --policy: say what these policies
    would have done on the recorded load, beside those in force.
    """
    if wanted["policies"] is None:
        from engine.simulation.runner import main

        return main(["--seed", str(seed), "--count", str(count)], say=click.echo)
    from fleet_tui.backtests import Backtest, backtest
    from fleet_tui.subcommands import places

    backtest(places(), Backtest(seed=seed, **wanted))
    return 0


@click.command()
@click.option("--seed", type=int, default=1, show_default=True, help="Gives the order of the faults again; the first seed.")
@click.option("--count", type=click.IntRange(1), default=1, show_default=True, help="How many seeds.")
@click.option("--rounds", type=click.IntRange(1), default=1, show_default=True, help="How often each fault strikes.")
@click.option("--fault", "faults", multiple=True, help="Only this one; may be given again. `--fault help` lists them.")
@click.option("--topology", type=click.Choice(["single", "sentinel", "cluster", "regions"]), default="single", show_default=True, help="One server, a master with replicas and Sentinels, a cluster, or regions with a server each.")
@click.option("--durability", type=click.Choice(["async", "replicated"]), default="async", show_default=True, help="What the engines are set to; replicated needs replicas.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", help="Form of the report.")
def chaos(faults: tuple[str, ...], *, topology: str, durability: str, output: str, **wanted: int) -> int:
    """Break a fleet of its own, for real and under load, and see that nothing is lost.

    Starts three engines that share a fleet on servers of their own, all in a temporary directory and on loopback, and
    strikes: kills, freezes, cuts, a full server, a wrong clock and so on. What was answered must be there, once, and done in the end, one engine
    lead at a time, and all engines have the same. Exit code 1 when something was not kept. No other fleet is touched.
    """
    from fleet_tui.chaos.reporting import Wish
    from fleet_tui.chaos.reporting import chaos as run
    from fleet_tui.chaos.setups import Setup, Topology

    return run(Wish(faults=faults, setup=Setup(Topology(topology), durability), **wanted), as_json=output == "json")
