"""The verb about budgets; part of the table in engine.model.commands."""

from __future__ import annotations

from engine.model.budget_words import FLEET, LIMITS, SOFT
from engine.model.verbs import Command, arg, verb


@verb
class SetBudget(Command):
    """Set, raise or lift a limit on what work may use; what waited for it goes on, what is over it is stopped."""

    name = "budget.set"
    verb = "budget"
    help = "Set, raise or lift a limit on the cost, tokens, turns or run time of work"
    inverse = "budget.set"
    undo_note = "what was used in the meantime, or stopped, stays so"

    limit: str = arg("what is limited: cost in dollars, tokens, turns or seconds; soft: the share at which it is told", choices=(*LIMITS, SOFT))
    amount: str = arg("a number, +N = so much more, none = no limit, configured = as the configuration says")
    of: str = arg("fleet, a pool; or an agent or a task, for its own limit alone", default=FLEET, completes="pools")
