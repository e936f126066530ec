"""The FleetError tree: what the fleet refuses or fails to do, each with an exit code and a remedy in its text.

FleetError
  UsageError          the request itself is wrong (exit code 2)
    ConfigError       a configuration file or variable is wrong
  CommandRefused      understood, but not allowed now (exit code 4)
    NotFound          the thing named is not there
    Conflict          the thing has another version than the one expected; nothing was changed
    Ambiguous         the name fits several things
    TooLarge          a value is larger than what may be kept
    ReadOnly          the engine cannot write its journal; nothing was changed
  EngineUnavailable   no engine answers (exit code 3)
    Unanswered        it was asked and gave no answer: whether it is done is not known
  EngineStartError    the engine cannot start here
  JournalError        the journal could not be read or written
    JournalUncertain  a batch may be written, or not: nobody answered
    JournalGap        the journal ends before the record ahead of the batch
    JournalTrimmed    the records asked for were removed; the snapshot has what they made
    JournalDiverged   the journal has other records under these numbers
    Fenced            another engine leads; nothing was written
  RedisAway           Redis cannot be reached, or does not answer in time; it may come back by itself
  RedisRefused        Redis answers and refuses; somebody has to change something
  EncryptionError     something sealed cannot be made or opened
    Tampered          its bytes, or the row they stand in, are not those that were sealed
    KeyMissing        the key it was sealed with is not here
    KeyWrong          the key that is here is not the one that wrapped it
    Erased            its key was destroyed on purpose
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, TypeVar

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_NO_ENGINE = 3
EXIT_REFUSED = 4
EXIT_VOTED_ON = 5
"""Put to the vote: nothing is done yet."""


class FleetError(Exception):
    """Anything the fleet itself refuses or fails to do; the message says what to do next."""

    code: ClassVar[str] = "failed"
    exit_code: ClassVar[int] = EXIT_FAILED


class UsageError(FleetError):
    """The request is malformed."""

    code = "usage"
    exit_code = EXIT_USAGE


class ConfigError(UsageError):
    """A configuration file or environment variable is wrong."""

    code = "config"


class CommandRefused(FleetError):
    """The command was understood but may not run now; nothing was changed."""

    code = "refused"
    exit_code = EXIT_REFUSED


class NotFound(CommandRefused):
    """No such pool, agent, task, plan, artifact or entry."""

    code = "not_found"


class Conflict(CommandRefused):
    """Somebody else changed the thing first: its version is not the one expected."""

    code = "conflict"


class Ambiguous(CommandRefused):
    """Several things answer to this name; say which."""

    code = "ambiguous"


class TooLarge(CommandRefused):
    """A value is larger than what may be kept; nothing was changed."""

    code = "too_large"


class Denied(CommandRefused):
    """Whoever asked may not do this, now or ever; nothing was changed."""

    code = "denied"


class Unconfirmed(CommandRefused):
    """A rule demands a typed name or a reason, which was not given; nothing was changed."""

    code = "unconfirmed"


class PlanChanged(CommandRefused):
    """What the plan would do is not what it said any more; nothing was changed."""

    code = "plan_changed"


class ReadOnly(CommandRefused):
    """The engine cannot write its journal and takes no commands; nothing was changed."""

    code = "read_only"


class OutcomeUnknown(ReadOnly):
    """The journal failed while it was written: whether it is done is not known, the audit will tell."""

    code = "outcome_unknown"


class EngineUnavailable(FleetError):
    """No engine answers at the address."""

    code = "no_engine"
    exit_code = EXIT_NO_ENGINE


class JoinRefused(FleetError):
    """A fleet does not take a host in; the message says what to do."""

    code = "join_refused"
    exit_code = EXIT_REFUSED


class Unanswered(EngineUnavailable):
    """An engine was asked for something and gave no answer: whether it is done is not known."""

    code = "unanswered"


class EngineStartError(FleetError):
    """The engine cannot start here: the state directory, socket or database is unusable."""

    code = "start"


class JournalError(FleetError):
    """The journal could not be read or written."""

    code = "journal"


class JournalUncertain(JournalError):
    """A batch may be written or not: no answer came in time. What is in the journal tells."""

    code = "journal_uncertain"


class JournalGap(JournalError):
    """The journal ends at `last`, before the record ahead of the batch; nothing was written."""

    code = "journal_gap"

    def __init__(self, message: str, last: int = 0) -> None:
        super().__init__(message)
        self.last = last


class JournalTrimmed(JournalError):
    """The journal begins at `first`, after the records that were asked for: load the snapshot."""

    code = "journal_trimmed"

    def __init__(self, message: str, first: int = 0) -> None:
        super().__init__(message)
        self.first = first


class JournalDiverged(JournalError):
    """The journal has other records than this engine under the same numbers."""

    code = "journal_diverged"


class Fenced(JournalError):
    """Another engine leads, or nobody does (`engine` is empty); nothing was written."""

    code = "fenced"

    def __init__(self, message: str, epoch: int = 0, engine: str = "") -> None:
        super().__init__(message)
        self.epoch, self.engine = epoch, engine


class RedisAway(FleetError):
    """Redis cannot be reached or does not answer in time; the same may succeed later."""

    code = "redis_away"


class RedisRefused(FleetError):
    """Redis answers and refuses: a wrong password, a missing permission, a full memory, a version that is too old."""

    code = "redis_refused"


class EncryptionError(FleetError):
    """Something sealed cannot be made or opened."""

    code = "encryption"


class Tampered(EncryptionError):
    """What is sealed was changed, or moved to another row, since it was sealed."""

    code = "tampered"


class KeyMissing(EncryptionError):
    """The key that this was sealed with is not here."""

    code = "key_missing"


class KeyWrong(EncryptionError):
    """The key that is here is not the one that this was sealed with."""

    code = "key_wrong"


class Erased(EncryptionError):
    """The key that this was sealed with was destroyed on purpose: nobody can read it any more."""

    code = "erased"


E = TypeVar("E", bound=BaseException)


def errors_in(group: BaseExceptionGroup[BaseException], kind: type[E]) -> Iterator[E]:
    """Give the errors of a kind in a group and in the groups in it, in their order."""
    for error in group.exceptions:
        if isinstance(error, kind):
            yield error
        elif isinstance(error, BaseExceptionGroup):
            yield from errors_in(error, kind)


def error_from_code(code: str, message: str) -> FleetError:
    """Rebuild the error that an engine sent as code and text; an unknown code gives FleetError."""
    return _BY_CODE.get(code, FleetError)(message)


_BY_CODE: dict[str, type[FleetError]] = {
    kind.code: kind
    for kind in (
        FleetError,
        UsageError,
        ConfigError,
        CommandRefused,
        NotFound,
        Conflict,
        Ambiguous,
        TooLarge,
        Denied,
        Unconfirmed,
        PlanChanged,
        ReadOnly,
        OutcomeUnknown,
        EngineUnavailable,
        Unanswered,
        EngineStartError,
        JournalError,
        JournalUncertain,
        JournalGap,
        JournalTrimmed,
        JournalDiverged,
        Fenced,
        EncryptionError,
        Tampered,
        KeyMissing,
        KeyWrong,
        Erased,
    )
}
