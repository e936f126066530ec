"""Large payloads, kept once each by their hash."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StoredArtifact:
    """A large payload as it is stored."""

    id: str
    media: str
    data: bytes
    task: str
