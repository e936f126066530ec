"""The section `memory` of the configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from engine.model.config_tree import ConfigTree, seconds_of


class EncryptionSection(ConfigTree):
    """Whether values are encrypted where they are kept, and by whose keys."""

    enabled: bool = Field(default=True, description="seal what is stored from now on; a section that is not there seals nothing")
    algorithm: Literal["aes-256-gcm"] = Field("aes-256-gcm", description="how")
    keys: Literal["file", "environment", "hsm"] = Field(
        "file", description="where the keys are that wrap all others: a file, ENCRYPTION_KEY, or a hardware module (PKCS#11)"
    )
    key_file: Path | None = Field(None, description="for keys = file; none = wrapping-keys.json in the state directory, which also its backup needs")
    rotation_s: float = Field(90 * 86_400.0, ge=60, description="age at which keys are replaced by new ones")
    hsm_library: Path | None = Field(None, description="for keys = hsm: the module's .so file")
    hsm_token: str = Field("", description="for keys = hsm: label of the token")
    hsm_pin_variable: str = Field("ENCRYPTION_HSM_PIN", min_length=1, description="for keys = hsm: the environment variable that holds the PIN")

    @model_validator(mode="before")
    @classmethod
    def _seed_keys(cls, data: Any) -> Any:  # noqa: ANN401  # raw input
        if isinstance(data, bool):
            return {"enabled": data}
        if isinstance(data, dict) and "keyRotationPeriod" in data:
            rest = {key: value for key, value in data.items() if key != "keyRotationPeriod"}
            return {**rest, "rotation_s": seconds_of("keyRotationPeriod", data["keyRotationPeriod"])}
        return data


class PeerSection(ConfigTree):
    """Another engine whose memory is kept in step with this one's."""

    address: str = Field(min_length=1, description="path of its socket, or wss://host:port; ws:// only to this machine")
    token_file: Path | None = Field(None, description="for ws:// and wss://: the file that holds its token")

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, data: Any) -> Any:  # noqa: ANN401  # raw input
        return {"address": data} if isinstance(data, str) else data

    @model_validator(mode="after")
    def _safe(self) -> Self:
        url = urlsplit(self.address)
        if url.scheme in ("http", "https"):
            raise ValueError(f"{self.address}: write ws{url.scheme[4:]}:// for an engine's address")
        if url.scheme == "ws" and url.hostname not in ("127.0.0.1", "::1", "localhost"):
            raise ValueError(f"{self.address} would send the token in plain sight: write wss://")
        return self


class MemorySection(ConfigTree):
    """What the fleet remembers, where, and for whom."""

    backend: Literal["sqlite", "redis", "hybrid"] | None = Field(
        None, description="sqlite: the engine's database alone; redis or hybrid: with a second cache in Redis; none = hybrid where there is a section redis"
    )
    sqlite_path: Path | None = Field(
        None, description="the engine's database, with memory and the eleven other tables; none = fleet.db in the state directory"
    )
    acl_enabled: bool = Field(default=True, description="ask who may read and change entries; false = everybody may do everything")
    value_max_bytes: int = Field(8 << 20, ge=1_024, le=512 << 20, description="largest value, as JSON")
    cache_max_bytes: int = Field(64 << 20, ge=0, description="values read lately, kept in the process for 30 s; 0 = none")
    working_ttl_s: float = Field(3_600.0, ge=0, description="how long a working entry stays unless it says; 0 = for ever")
    episodic_s: float = Field(30 * 86_400.0, ge=60, description="how long episodes stay before they become a summary")
    tombstone_s: float = Field(7 * 86_400.0, ge=60, description="how long the version of a deleted entry is kept")
    peers: tuple[PeerSection, ...] = Field((), max_length=64, description="engines whose memories are kept in step with this one: addresses, or tables")
    sync_interval_s: float = Field(30.0, ge=1, description="how often entries are exchanged with peers")
    embedder: str = Field("", description="what makes vectors of texts, as module:factory, or PLUGIN.NAME of a plug-in; empty = the built-in one, which knows words, not meaning")
    encryption: EncryptionSection = Field(
        default_factory=lambda: EncryptionSection(enabled=False), description="encrypt values; true = with a key file in the state directory"
    )

    @model_validator(mode="before")
    @classmethod
    def _seed_interval(cls, data: Any) -> Any:  # noqa: ANN401  # raw input
        if isinstance(data, dict) and "syncInterval" in data:
            rest = {key: value for key, value in data.items() if key != "syncInterval"}
            return {**rest, "sync_interval_s": seconds_of("syncInterval", data["syncInterval"])}
        return data

    def notices(self, *, has_redis: bool = False) -> list[str]:
        """Return one sentence for everything that is accepted but has no effect, or opens what is closed by default."""
        notices = []
        if self.backend in ("redis", "hybrid") and not has_redis:
            notices.append(f"memory.backend is {self.backend}, and there is no section redis: memory has no second cache")
        if not self.acl_enabled:
            notices.append("memory.acl_enabled is false: everybody may read and change every entry of memory")
        return notices
