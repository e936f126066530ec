"""Budgets through a real engine: told while it runs, stopped at the limit, counted over a kill -9, raised, and as the journal says."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.integration.engines import engine, until
from tests.integration.test_losses import row_of, submit

AGENT = """
import json, sys, threading
out = threading.Lock()
def say(**words):
    with out:
        print(json.dumps(words), flush=True)
say(type="hello", protocol=1, name="spender")
stops = {}
def work(turn, stop, steps):
    for step in range(1, steps + 1):
        say(type="usage", id=turn, usage={"input_tokens": 100 * step, "turns": step}, cost_usd=0.25 * step, model="mock")
        if stop.wait(0.05):
            return say(type="error", id=turn, message="told to stop")
    say(type="result", id=turn, text="done", usage={"input_tokens": 100 * steps, "turns": steps}, cost_usd=0.25 * steps)
for line in sys.stdin:
    told = json.loads(line)
    if told["type"] == "task":
        stops[told["id"]] = threading.Event()
        threading.Thread(target=work, args=(told["id"], stops[told["id"]], int(told["prompt"])), daemon=True).start()
    elif told["type"] == "cancel" and told["id"] in stops:
        stops[told["id"]].set()
    elif told["type"] == "bye":
        break
"""
CONFIG = f"""
[pools.talk]
min = 1
max = 1
kind = "session"
[pools.talk.session]
argv = {json.dumps([sys.executable, "agent.py"])}
[pools.talk.budget]
cost_per_task = 1.0
[budget]
cost_per_day = 100
"""


def test_a_task_is_stopped_at_its_limit_and_goes_on_when_it_is_raised(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "agent.py").write_text(AGENT)
    with engine(tmp_path, CONFIG) as subject:
        cheap, dear = (submit(subject, "talk", "talk", "--prompt", steps) for steps in ("2", "1000"))
        until(lambda: (row := row_of(subject, dear))["state"] == "pending" and "cost of a task is used up" in row["reason"])
        assert (row_of(subject, cheap)["state"], row_of(subject, cheap)["cost"]) == ("succeeded", 0.5)
        before = row_of(subject, dear)
        assert before["cost"] == 0.25 * before["turns"] >= 1.0
        assert before["cost"] < 200, "it was stopped long before its end"
        [limit] = [row for row in subject.get("budgets") if row["kind"] == "task"]
        assert (limit["of"], limit["limit"], limit["level"], limit["used"]) == (dear, "cost_per_task", "hard", before["cost"])
        subject.kill()
        subject.start()
        assert row_of(subject, dear)["cost"] == before["cost"], "the journal counted it"
        until(lambda: "cost of a task is used up" in row_of(subject, dear)["reason"])
        [day] = [row for row in subject.get("budgets") if row["limit"] == "cost_per_day"]
        assert day["used"] == before["cost"] + 0.5
        assert "cost of a task" in subject.run("cost").stdout
        raised = subject.run("budget", "cost_per_task", "none", dear, "--yes")
        assert raised.returncode == 0, raised.stderr
        until(lambda: row_of(subject, dear)["cost"] > before["cost"])
        assert subject.run("cancel", dear, "--yes").returncode == 0
        until(lambda: row_of(subject, dear)["state"] == "cancelled")
        undone = subject.run("undo", "--yes")
        assert undone.returncode == 0, undone.stderr
        checked = subject.run("verify", "--all")
        assert checked.returncode == 0, checked.stdout + checked.stderr
