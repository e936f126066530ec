"""The subcommand `worker`: this machine as a host of a fleet.

Owner: nobody. Imports click only: every other library is loaded by the command that needs it.
"""

from __future__ import annotations

import click


@click.command()
@click.option("--join", "url", metavar="URL", required=True, help="The fleet's Redis: redis://HOST:6379, rediss://, unix://, redis+sentinel://S1,S2/NAME or redis+cluster://A,B, the password from REDIS_PASSWORD; or its only engine: wss://HOST, ws://127.0.0.1:PORT.")
@click.option("--token-file", default="", metavar="FILE", help="What an engine at ws:// or wss:// is to be shown: the content of its api.token.")
@click.option("--ca-file", default="", metavar="FILE", help="Certificates of authorities to trust at wss:// or rediss://, in place of the system's.")
@click.option("--region", default="local", show_default=True, help="The fleet's name there, as in its section [redis].")
@click.option("--name", default="", help="What the fleet calls this host; default: the machine's name.")
@click.option("--agents", type=click.IntRange(1, 10_000), help="Most agents; default: 8 a core.")
@click.option("--kinds", default="", metavar="KIND,…", help="Kinds of agents that it takes: python, command, session, openai, a2a, booster; default: all that can run here.")
@click.option("--pools", default="", metavar="POOL,…", help="Pools whose agents it takes; default: all.")
@click.option("--label", "labels", multiple=True, metavar="K=V", help="What it is, for pools that ask for it; can be repeated.")
def worker(**wanted: object) -> None:
    """Run agents of a fleet that is led on another machine, or here: until Ctrl-C, as a host of it."""
    from fleet_tui.worker import run

    run(click.get_current_context().find_root().params, wanted)
