"""`kill -9` of the engine inside `accept`, `discard` and `reopen`: the next one finds a review open or decided, a repository that is whole, and can go on."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
WORDS = ("merge", "squash", "cherry-pick", "patch", "discard", "reopen")
CHANGES_MOST = 5
"""Of a repository in any of these, and one more: a kill that has no place any more lets the verb end."""


def outcomes(folder: Path, kills: list[str]) -> dict[str, str]:
    done = subprocess.run([sys.executable, "-m", "tests.integration.review_kills", folder, *kills], cwd=ROOT, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, f"kills: {' '.join(kills)}\n{done.stdout}{done.stderr}"
    found: dict[str, str] = json.loads(done.stdout)
    return found


def test_a_kill_between_and_within_changes_leaves_nothing_half(tmp_path: Path) -> None:
    """In the middle of git's writing of files, when all is done but for the journal, and when a branch went back but the work's did not come back yet."""
    found = outcomes(tmp_path, ["merge:1.within", "merge:4.after", "reopen:2.after"])
    assert found == {"merge:1.within": "killed, waiting", "merge:4.after": "killed, waiting", "reopen:2.after": "killed, accepted"}


@pytest.mark.slow
def test_a_kill_at_any_change_leaves_nothing_half(tmp_path: Path) -> None:
    kills = [f"{word}:{step}.{where}" for word in WORDS for step in range(1, CHANGES_MOST + 1) for where in ("before", "after")]
    found = outcomes(tmp_path, [*kills, *(f"{word}:1.within" for word in WORDS[:4])])
    for word in WORDS:
        assert [found[kill].partition(",")[0] for kill in kills if kill.startswith(word)][::9] == ["killed", "ended"], "each change was met"


@pytest.mark.slow
def test_a_kill_at_any_instant_leaves_nothing_half(tmp_path: Path) -> None:
    seed = int(os.environ.get("KILL_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"KILL_SEED={seed} make test-long ARGS=tests/integration/test_review_kills.py")
    chance = random.Random(seed)
    kills = [f"{chance.choice(WORDS)}:{chance.uniform(0, 1.2):.3f}" for _ in range(60)]
    found = outcomes(tmp_path, kills)
    assert {how.partition(",")[0] for how in found.values()} == {"killed", "ended"}, f"seed {seed}: all kills came too early or too late"
