"""The protocols that sessions speak, by the names that the configuration has for them."""

from __future__ import annotations

from engine.agents.sessions.acp import AcpClient
from engine.agents.sessions.claude import ClaudeStream
from engine.agents.sessions.codex import CodexServer
from engine.agents.sessions.json_lines import JsonLines
from engine.agents.sessions.messages import SessionProtocol

PROTOCOLS: dict[str, type[SessionProtocol]] = {"lines": JsonLines, "claude": ClaudeStream, "codex": CodexServer, "acp": AcpClient}
