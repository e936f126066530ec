"""Command lines of agents, pinned with their hashes in `agents/package-lock.json`: npm fetches them once, about 770 MB.

Owner: `.tools/agents`, one folder for each lock file; `make clean` removes it. Nothing is installed on the machine, and no
script of a package is run: both programs are binaries, which need no node. `agents_acp/` has the agent of the slow tests, which does; `agent_clients/`
the programs that speak to the fleet in them, and the GitHub that it speaks to (300 MB), with the node that they need.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pytest

from tests.tools.programs import Missing, find_program, locked

SOURCE = Path(__file__).parent / "agents"
ACP_SOURCE = Path(__file__).parent / "agents_acp"
CLIENTS_SOURCE = Path(__file__).parent / "agent_clients"
INSPECTOR = "node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js"
ACP_AGENT = "node_modules/@agentclientprotocol/claude-agent-acp/dist/index.js"
FOLDER = Path(__file__).resolve().parents[2] / ".tools" / "agents"
FETCH_S = 500
"""Longest that npm may take for both."""
PATTERNS = {
    "claude": "node_modules/@anthropic-ai/claude-code-*/claude",
    "codex": "node_modules/@openai/codex-*/vendor/*/bin/codex",
}
"""Where npm puts the binary for this machine."""


@dataclass(frozen=True, slots=True)
class AgentPrograms:
    """Both programs."""

    claude: Path
    codex: Path


def need_agents() -> AgentPrograms:
    """Return the programs, or skip where they cannot be had."""
    try:
        return find_agents()
    except Missing as missing:
        pytest.skip(f"no Claude Code and Codex: {missing}")


@lru_cache
def find_agents() -> AgentPrograms:
    """Return the programs, fetched if need be. Raises Missing."""
    root = _fetched()
    found = {name: [path for path in root.glob(pattern) if os.access(path, os.X_OK)] for name, pattern in PATTERNS.items()}
    for name, paths in found.items():
        if len(paths) != 1:
            raise Missing(f"the package of {name} has no program for this machine")
    return AgentPrograms(found["claude"][0], found["codex"][0])


def need_acp_agent() -> list[str]:
    """Return how an agent of the Agent Client Protocol is run (390 MB, a program of node), or skip where it cannot be had."""
    try:
        return [str(find_program(("node",), ("nodejs",)).path), str(_fetched(ACP_SOURCE) / ACP_AGENT)]
    except Missing as missing:
        pytest.skip(f"no agent of the Agent Client Protocol: {missing}")


@dataclass(frozen=True, slots=True)
class ClientPrograms:
    """Programs of others that speak to the fleet, below one folder."""

    root: Path
    node: Path

    @property
    def inspector(self) -> list[str]:
        """Return how the inspector of the Model Context Protocol is run."""
        return [str(self.node), str(self.root / INSPECTOR), "--cli"]


def need_clients() -> ClientPrograms:
    """Return the clients and their node, or skip where they cannot be had."""
    try:
        root = _fetched(CLIENTS_SOURCE)
    except Missing as missing:
        pytest.skip(f"no clients of others: {missing}")
    found = [path for path in root.glob("node_modules/node-linux-*/bin/node") if os.access(path, os.X_OK)]
    if len(found) != 1:
        pytest.skip("no clients of others: their node is not made for this machine")
    return ClientPrograms(root, found[0])


def _fetched(source: Path = SOURCE) -> Path:
    lock = source / "package-lock.json"
    root = FOLDER / hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    if root.is_dir():
        return root
    npm = find_program(("npm",), ("npm",))
    FOLDER.mkdir(parents=True, exist_ok=True)
    with locked(FOLDER / "lock"):
        if root.is_dir():
            return root
        half = root.with_name(f"{root.name}.half")
        shutil.rmtree(half, ignore_errors=True)
        shutil.copytree(source, half)
        command = [str(npm.path), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error"]
        try:
            done = subprocess.run(command, cwd=half, capture_output=True, text=True, timeout=FETCH_S, check=False, stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired as error:
            raise Missing(f"npm did not fetch them within {FETCH_S} s") from error
        if done.returncode:
            raise Missing(f"npm cannot fetch them: {done.stderr.strip()[-300:]}")
        half.rename(root)
    return root
