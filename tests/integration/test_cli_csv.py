"""`fleet-tui get -o csv` on a real engine: the rows of `-o json`, as a spreadsheet may have them."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from engine.model.rows import TaskRow

from tests.integration.engines import engine


def test_rows_as_csv(tmp_path: Path) -> None:
    with engine(tmp_path) as subject:
        title = "=HYPERLINK(\"http://x\"), 'quoted'\nand more"
        assert subject.run("submit", "noop", "coder", "--title", title, "--wait").returncode == 0
        done = subject.run("get", "tasks", "-o", "csv")
        assert done.returncode == 0, done.stderr
        head, row = csv.reader(io.StringIO(done.stdout))
        (task,) = subject.get("tasks")
        assert head == list(TaskRow._fields)
        assert row[0] == task["id"]
        assert row[head.index("title")] == f"'{task['title']}"
        assert row[head.index("finished_at")].endswith("Z")
        assert subject.run("get", "task", task["id"], "-o", "csv").stdout == done.stdout
        assert subject.run("get", "hosts", "-o", "csv").stdout.startswith("id,kind,pid,")
        refused = subject.run("get", "status", "-o", "csv")
        assert refused.returncode == 2 and "no rows" in refused.stderr
