"""The edit corpus: cases as data, editors that are scored by them, and the words for what they did.

`python -m tests.integration.edit_corpus` prints the score of ours and of npm's agent-booster, where node and npm are here.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from engine.agents.code import CodeError, run
from engine.booster.build import cache_folder

from tests.tools.programs import Missing, find_program

FOLDER = Path(__file__).parents[1] / "corpus" / "edits"
CLASSES = ("target", "lost", "duplicate", "syntax", "ambiguous", "plain")
PEER = "agent-booster"
PEER_VERSION = "0.2.2"
PEER_SHA256 = "5bc5da51719202050a80ea080983e853dec3a437bea1f1d4609933ddda9322d2"
PEER_S = 120
LANGUAGES = {"python": "python", "js": "javascript", "ts": "typescript", "tsx": "tsx"}
SUFFIXES = {"python": ".py", "javascript": ".js", "typescript": ".ts", "tsx": ".tsx"}


@dataclass(frozen=True, slots=True)
class Case:
    """One edit, and what should come of it."""

    place: str
    """File and line, for people."""
    language: str
    kind: str
    title: str
    before: str
    edit: str
    target: str
    where: str
    expected: str | None
    """None: it should be refused."""


class BadCase(Exception):
    """A case that is not written as it should be."""


# ---- reading


@lru_cache
def load_cases() -> tuple[Case, ...]:
    """Read all cases. Raises BadCase."""
    return tuple(case for path in sorted(FOLDER.glob("*.txt")) for case in read_cases(path.name, path.read_text("utf-8")))


def read_cases(name: str, text: str) -> Iterator[Case]:
    """Read the cases of a file."""
    language, before, fields, start = LANGUAGES[name.split("-")[0]], "", {}, 0
    for line, word, rest, body in _sections(text):
        if word in ("before", "case") and fields:
            yield _make(f"{name}:{start}", language, before, fields)
            fields = {}
        if word == "before":
            before = body
        elif word == "case":
            fields, start = {"case": rest}, line
        elif not fields or word in fields:
            raise BadCase(f"{name}:{line}: %% {word} has no case of its own")
        else:
            fields[word] = body if word in ("edit", "change", "expected") else rest
    if fields:
        yield _make(f"{name}:{start}", language, before, fields)


def _sections(text: str) -> Iterator[tuple[int, str, str, str]]:
    """Give the line, the word, what follows it on the line, and the lines below."""
    lines = text.splitlines(keepends=True)
    starts = [at for at, line in enumerate(lines) if line.startswith("%% ")]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        word, _, rest = lines[start][3:].strip().partition(" ")
        yield start + 1, word, rest, "".join(lines[start + 1 : end])


def _make(place: str, language: str, before: str, fields: dict[str, str]) -> Case:
    kind, _, title = fields["case"].partition(": ")
    known = {"case", "edit", "target", "place", "change", "expected", "unchanged", "refused"}
    results = [word for word in ("change", "expected", "unchanged", "refused") if word in fields]
    if kind not in CLASSES or not title or "edit" not in fields or len(results) != 1 or set(fields) - known:
        raise BadCase(f"{place}: {fields}")
    expected = {
        "change": lambda: change(before, fields["change"], place),
        "expected": lambda: fields["expected"],
        "unchanged": lambda: before,
        "refused": lambda: None,
    }[results[0]]()
    return Case(place, language, kind, title, before, fields["edit"], fields.get("target", ""), fields.get("place", "auto"), expected)


def change(before: str, hunks: str, place: str) -> str:
    """Carry out hunks; each must fit one place only."""
    lines = before.splitlines()
    for hunk in hunks.rstrip("\n").split("\n@@\n"):
        rows = [(row[:1] or " ", row[1:]) for row in hunk.splitlines()]
        if any(sign not in " -+" for sign, _ in rows):
            raise BadCase(f"{place}: a line of a change begins with a blank, - or +")
        old = [row for sign, row in rows if sign != "+"]
        found = [at for at in range(len(lines) - len(old) + 1) if lines[at : at + len(old)] == old]
        if len(found) != 1 or not old:
            raise BadCase(f"{place}: {len(found)} places for the change\n{hunk}")
        lines[found[0] : found[0] + len(old)] = [row for sign, row in rows if sign != "-"]
    return "".join(f"{line}\n" for line in lines)


# ---- scoring

Outcome = str | None
"""What an editor made of a source; None: it refused."""


@dataclass(frozen=True, slots=True)
class Score:
    """What an editor did."""

    outcomes: tuple[tuple[Case, str], ...]
    """Each case with `correct`, `refused` (though it should not be) or `wrong`."""

    @property
    def counts(self) -> Counter[str]:
        return Counter(outcome for _, outcome in self.outcomes)

    @property
    def correct_percent(self) -> float:
        return 100 * self.counts["correct"] / max(1, len(self.outcomes))

    def __str__(self) -> str:
        counts = self.counts
        rows = [f"{len(self.outcomes)} cases: {counts['correct']} correct ({self.correct_percent:.1f} %), {counts['refused']} refused, {counts['wrong']} silently wrong"]
        for kind in CLASSES:
            of_kind = Counter(outcome for case, outcome in self.outcomes if case.kind == kind)
            rows.append(f"  {kind:10} {of_kind['correct']:3} correct {of_kind['refused']:3} refused {of_kind['wrong']:3} wrong")
        return "\n".join(rows)


def judge(case: Case, outcome: Outcome) -> str:
    """Say what an outcome is."""
    if outcome is None:
        return "correct" if case.expected is None else "refused"
    return "correct" if case.expected is not None and bare(outcome) == bare(case.expected) else "wrong"


def bare(text: str) -> list[str]:
    """The lines that count."""
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def score(cases: Sequence[Case], outcomes: Sequence[Outcome]) -> Score:
    """Score what an editor made of cases."""
    return Score(tuple((case, judge(case, outcome)) for case, outcome in zip(cases, outcomes, strict=True)))


# ---- editors


def edit_here(case: Case) -> Outcome:
    """Ours, as a task does it: a file is changed on the disk, or the task fails."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / f"case{SUFFIXES[case.language]}"
        path.write_text(case.before, "utf-8")
        request = {"path": path.name, "workspace": name, "apply": True, "edit": case.edit, "place": case.where, "target": case.target}
        try:
            run("code.apply_edit", request)
        except CodeError:
            assert path.read_text("utf-8") == case.before, f"{case.place}: refused, but the file is another"
            return None
        return path.read_text("utf-8")


_SCRIPT = """
const { AgentBooster } = require(process.argv[1] + "/dist/index.js");
let text = "";
process.stdin.on("data", piece => text += piece).on("end", async () => {
  const booster = new AgentBooster();
  const found = [];
  for (const row of JSON.parse(text)) {
    const answer = await booster.apply(row);
    found.push({ output: answer.output, success: answer.success });
  }
  process.stdout.write(JSON.stringify(found));
});
"""


def edit_by_peer(cases: Sequence[Case]) -> list[Outcome]:
    """npm's agent-booster: it knows no target and no place. Raises Missing without node, npm or the package."""
    node = find_program(("node", "nodejs"), ("nodejs",))
    folder = find_peer()
    rows = [{"code": case.before, "edit": case.edit, "language": case.language.replace("tsx", "typescript")} for case in cases]
    done = subprocess.run(
        [str(node.path), "-e", _SCRIPT, str(folder)], input=json.dumps(rows), capture_output=True, text=True, timeout=PEER_S, check=True
    )
    return [row["output"] if row["success"] else None for row in json.loads(done.stdout)]


def find_peer() -> Path:
    """Give the folder of the peer's package; it is unpacked, not installed: none of its scripts runs. Raises Missing."""
    parent = cache_folder().parent / "packages"
    folder = parent / f"{PEER}-{PEER_VERSION}"
    if folder.is_dir():
        return folder
    npm = find_program(("npm",), ("npm",))
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent) as name:
        command = [str(npm.path), "pack", "--silent", "--ignore-scripts", "--pack-destination", name, f"{PEER}@{PEER_VERSION}"]
        done = subprocess.run(command, cwd=name, capture_output=True, text=True, timeout=PEER_S, check=False)
        archive = Path(name) / f"{PEER}-{PEER_VERSION}.tgz"
        if done.returncode or not archive.is_file():
            raise Missing(f"npm cannot fetch {PEER}: {done.stderr.strip()[-200:]}")
        found = hashlib.sha256(archive.read_bytes()).hexdigest()
        if found != PEER_SHA256:
            raise RuntimeError(f"{archive.name} has the SHA-256 {found}, not {PEER_SHA256}")
        with tarfile.open(archive) as packed:
            packed.extractall(Path(name) / "unpacked", filter="data")
        if not folder.is_dir():
            (Path(name) / "unpacked" / "package").rename(folder)
    return folder


def main(words: Sequence[str]) -> None:
    cases = [case for case in load_cases() if not words or case.place.startswith(tuple(words))]
    scores: list[tuple[str, Callable[[], Score]]] = [
        ("ours", lambda: score(cases, [edit_here(case) for case in cases])),
        (f"{PEER} {PEER_VERSION}", lambda: score(cases, edit_by_peer(cases))),
    ]
    for name, make in scores:
        try:
            made = make()
        except Missing as missing:
            print(f"{name}: absent, {missing}")
            continue
        print(f"{name}: {made}")
        if name.startswith("ours"):
            for case, outcome in made.outcomes:
                if outcome != "correct":
                    print(f"  {outcome}: {case.place} {case.title}")


if __name__ == "__main__":
    main(sys.argv[1:])
