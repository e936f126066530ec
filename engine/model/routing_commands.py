"""The verbs about learned routing; part of the table in engine.model.commands."""

from __future__ import annotations

from dataclasses import dataclass

from engine.model.verbs import Command, Danger, arg

AS_CONFIGURED = "configured"
MODES = ("on", "shadow", "off", AS_CONFIGURED)
ALL_POOLS = "all"


@dataclass(frozen=True, slots=True)
class SetRouting(Command):
    """Say what learned routing may do in a pool: nothing, learn and watch, or decide."""

    name = "routing.mode"
    verb = "routing"
    help = "Let learned routing decide, only watch (shadow), or do nothing in a pool"
    inverse = "routing.mode"

    mode: str = arg("on: it decides where it is sure; shadow: it learns and decides nothing; off; configured: as the configuration says", choices=MODES)
    pool: str = arg("pool that it is for, or all", default=ALL_POOLS, completes="pools")


@dataclass(frozen=True, slots=True)
class ForgetRouting(Command):
    """Set aside what learned routing has learned in a pool; it begins anew."""

    name = "routing.reset"
    verb = "reset-routing"
    help = "Forget what learned routing has learned in a pool; it begins anew"
    danger = Danger.REVERSIBLE
    inverse = "routing.recall"
    undo_note = "what is learned in the meantime is lost"

    pool: str = arg("pool in which it begins anew, or all", default=ALL_POOLS, completes="pools")


@dataclass(frozen=True, slots=True)
class RecallRouting(Command):
    """Take up again what the last reset of a pool forgot."""

    name = "routing.recall"
    verb = "recall-routing"
    help = "Take up again what the last reset-routing forgot"
    irreversible = "reset-routing forgets it again; what was learned after the first reset is lost"

    pool: str = arg("pool in which it counts again", completes="pools")
