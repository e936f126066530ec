"""What ends a sandbox, and what keeps one from being made.

Owner: nobody; a failure is a value. After one of them the sandbox is lost: make a new one. The reason is
text only, so that a failure that is kept (in a log, in a list) keeps no instance and no memory alive.
"""

from typing import ClassVar

from engine.model.errors import FleetError


class ModuleMissing(FleetError):
    """There is no booster.wasm: it was not built, or the installation left it out."""

    code = "module_missing"


class SandboxFailure(FleetError):
    """A sandbox that could not do what was asked, and is lost."""

    kind: ClassVar[str] = "failure"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Trapped(SandboxFailure):
    """The code stopped itself: a defect of the module, met by this input."""

    kind = "trap"


class OutOfMemory(SandboxFailure):
    """The call wanted more memory than the sandbox may have."""

    kind = "out_of_memory"


class TimedOut(SandboxFailure):
    """The call took longer than it was given, and was stopped."""

    kind = "timed_out"


class StackOverflow(SandboxFailure):
    """The code nested its calls too deep."""

    kind = "stack_overflow"


class BadModule(SandboxFailure):
    """The file is no module of this ABI, or wants something that no module gets."""

    kind = "bad_module"


class BadAnswer(SandboxFailure):
    """What the module answered cannot be read."""

    kind = "bad_answer"
