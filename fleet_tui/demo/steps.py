"""Which tasks a code base gives: a first wave for every file, a second one chosen from what the first found.

Owner: nobody; pure functions. The second wave is bounded by REFERENCE_TASKS_MAX and DOCUMENTED_FILES_MAX.
"""

from __future__ import annotations

import builtins
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from engine.model.task_commands import SubmitTask
from fleet_tui.demo.discovery import SourceFile
from fleet_tui.demo.words import Calls

CHECK = "code.syntax_check"
OUTLINE = "code.outline"
METRICS = "code.metrics"
REFERENCES = "code.find_references"
REMOVE = "code.remove_calls"
DOCUMENT = "code.add_docstrings"

WORDS = {
    CHECK: "check {file}",
    OUTLINE: "outline {file}",
    METRICS: "measure {file}",
    REFERENCES: "find {subject} in {file}",
    REMOVE: "remove {subject}() from {file}",
    DOCUMENT: "document {file}",
}
"""Titles, as people read them."""

REMOVABLE = ("print", "breakpoint", "pdb.set_trace", "eval")
"""Calls that are left over when they stand as statements; the security pool proposes to remove them."""
STEPS_OF_FILE_MAX = 3 + len(REMOVABLE)
"""Steps that one file can have in the first wave."""

NAMES_MAX = 10
FILES_OF_NAME_MAX = 48
"""A name that stands in more files is passed over: mostly a common word, or a method of many classes."""
REFERENCE_TASKS_MAX = 200
DOCUMENTED_FILES_MAX = 40

TASK_TIMEOUT_S = 120.0
"""Of one attempt. Many light agents share a process, so an attempt may wait for its neighbours."""


@dataclass(frozen=True, slots=True)
class Step:
    """A task to be."""

    operation: str
    pool: str
    file: SourceFile
    subject: str = ""
    """The name looked for or the function removed."""
    after: tuple[str, ...] = ()
    """Keys of steps that must succeed before."""

    @property
    def key(self) -> str:
        """What tells it from the other steps of its round."""
        return f"{self.operation} {self.subject} {self.file.name}"

    @property
    def title(self) -> str:
        """What people call it."""
        return WORDS[self.operation].format(file=self.file.name, subject=self.subject)


@dataclass(frozen=True, slots=True)
class Named:
    """A name that is defined once in the code base."""

    name: str
    is_class: bool


def command_of(step: Step, label: str, depends_on: Sequence[str]) -> SubmitTask:
    """Return the verb for a step; the same step, label and version of the file have the same idempotency key."""
    payload: dict[str, object] = {"path": step.file.path}
    if step.operation == REFERENCES:
        payload["name"] = step.subject
    elif step.operation == REMOVE:
        payload["function"] = step.subject
    identity = f"{step.operation}\n{step.subject}\n{step.file.path}\n{step.file.version}"
    return SubmitTask(
        type=step.operation,
        pool=step.pool,
        payload=payload,
        title=step.title,
        fairness_key=step.file.package,
        idempotency_key=f"demo/{label}/{hashlib.sha256(identity.encode()).hexdigest()[:24]}",
        depends_on=tuple(depends_on),
        timeout_s=TASK_TIMEOUT_S,
        backoff_s=0.2,
    )


def first_wave(files: Sequence[SourceFile], calls: Calls) -> list[list[Step]]:
    """Return the steps of some files in two lists: the checks, then what waits for them.

    What belongs to one file stands together, because a worker keeps the trees it parsed last.
    """
    checks = [Step(CHECK, "tester", file) for file in files]
    others: list[Step] = []
    for file, check in zip(files, checks, strict=True):
        after = (check.key,)
        others.append(Step(OUTLINE, "coder", file, after=after))
        others.append(Step(METRICS, "analyst", file, after=after))
        wanted = calls.by_file.get(file.name, frozenset())
        others += (Step(REMOVE, "security", file, name, after) for name in REMOVABLE if name in wanted)
    return [checks, others]


def choose_names(defined: Mapping[str, bool | None], calls: Calls) -> list[Named]:
    """Return the names worth a search, at most six times NAMES_MAX: those that most files call come first.

    `defined`: name -> whether it is a class, None when it is defined more than once: then nobody can tell which is
    meant, and it is none. Nor is the name of a built-in function.
    """
    called = [
        name
        for name, is_class in defined.items()
        # Its own `def name(` looks like one call.
        if is_class is not None and calls.totals[name] > 1 and not hasattr(builtins, name)
    ]
    called.sort(key=lambda name: (-calls.files[name], -calls.totals[name], name))
    return [Named(name, bool(defined[name])) for name in called[: 6 * NAMES_MAX]]


def reference_steps(
    names: Iterable[Named], files: Mapping[str, SourceFile], places: Mapping[str, Sequence[str]]
) -> list[Step]:
    """Return the searches for the first NAMES_MAX names that fit into the limits, each in every file that has it.

    `places`: name -> names of the files. A name that does not fit is passed over: half a count is no count.
    """
    steps: list[Step] = []
    chosen = 0
    for named in names:
        found = places.get(named.name, ())
        room = min(FILES_OF_NAME_MAX, REFERENCE_TASKS_MAX - len(steps))
        if chosen == NAMES_MAX or not 0 < len(found) <= room:
            continue
        chosen += 1
        pool = "architect" if named.is_class else "reviewer"
        for name in found:
            file = files[name]
            steps.append(Step(REFERENCES, pool, file, named.name, (Step(OUTLINE, "coder", file).key,)))
    return steps


def document_steps(undocumented: Mapping[str, int], files: Mapping[str, SourceFile]) -> list[Step]:
    """Return the proposals for the files with the most public definitions without a docstring."""
    worst = sorted(undocumented, key=lambda name: (-undocumented[name], name))[:DOCUMENTED_FILES_MAX]
    return [
        Step(DOCUMENT, "researcher", files[name], after=(Step(OUTLINE, "coder", files[name]).key,)) for name in worst
    ]
