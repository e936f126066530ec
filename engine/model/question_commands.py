"""The verbs about what agents ask; part of the table in engine.model.commands."""

from __future__ import annotations

from engine.model.verbs import Command, Danger, Role, arg, verb


@verb
class AnswerTask(Command):
    """Answer what a task's agent asks: allow or deny a use of a tool, or reply to a question."""

    name = "task.answer"
    verb = "answer"
    help = "Answer what a task's agent asks"
    danger = Danger.NONE
    irreversible = "the agent goes on with it; `cancel` stops the task"

    task: str = arg("task that asks", completes="tasks")
    answer: str = arg("allow, deny, or the reply to a question")
    question: str = arg("id of the question; empty = the only one", default="", completes="questions", option=True)
    message: str = arg("told to the agent with allow or deny", default="", option=True)
    rule: str = arg("answer uses like this alike from now on in its pool: Tool or Tool(argument=pattern)", default="", option=True)


@verb
class AskOperator(Command):
    """Ask the operators about a task: it waits until somebody answers."""

    name = "task.ask"
    verb = "ask"
    help = "Ask the operators about a task; it waits for the answer"
    danger = Danger.NONE
    for_agents = True
    irreversible = "an answer ends it"

    question: str = arg("what is asked")
    options: tuple[str, ...] = arg("an answer to choose from", default=(), option=True)
    task: str = arg("task that it is about; empty = the one that this program does", default="", completes="tasks", option=True)


@verb
class TellProgress(Command):
    """Say how far a task is; it is shown with its age."""

    name = "task.progress"
    verb = "progress"
    help = "Say how far a task is"
    danger = Danger.NONE
    for_agents = True
    is_audited = False
    irreversible = "say anew how far it is"

    text: str = arg("what was done last, or is done now")
    ratio: float = arg("share that is done; -1 = not known", default=-1.0, ge=-1, le=1, option=True)
    task: str = arg("task that it is about; empty = the one that this program does", default="", completes="tasks", option=True)


@verb
class ForgetAnswerRule(Command):
    """Have a rule that an answer had set answer no more; those of the configuration stay."""

    name = "answer_rule.forget"
    verb = "ask-again"
    help = "Have a rule of a pool answer no more"
    role = Role.OPERATOR
    irreversible = "the next answer can set it again, with --rule"

    pool: str = arg("pool whose rule it is", completes="pools")
    rule: str = arg("the rule, as `get pool NAME` shows it")
