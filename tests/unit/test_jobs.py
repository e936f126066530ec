"""A process that is stopped needs a shell to continue it."""

from __future__ import annotations

import subprocess
import sys

import pytest
from fleet_tui.jobs import can_be_continued

LOOK = "from fleet_tui.jobs import can_be_continued; print(can_be_continued())"


@pytest.mark.parametrize(
    ("words", "session", "group", "expected"),
    [
        ([sys.executable, "-c", LOOK], True, None, "False"),  # the whole session, as a key of ssh has it
        (["sh", "-c", f'"{sys.executable}" -c "{LOOK}"; true'], True, None, "False"),  # below a shell without job control
        ([sys.executable, "-c", LOOK], False, 0, "True"),  # a job of its own, as an interactive shell makes one
        (["sh", "-c", f'"{sys.executable}" -c "{LOOK}"; true'], False, 0, "True"),  # a script in such a job
    ],
)
def test_a_job_of_a_shell_can_be_continued(words: list[str], session: bool, group: int | None, expected: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, start_new_session=session, process_group=group, check=True)
    assert done.stdout.strip() == expected


def test_what_cannot_be_seen_is_assumed() -> None:
    assert can_be_continued(2**22 + 1)
