"""The section `github` of the configuration: whose issues become tasks, and where results go (docs/github.md). It holds no secret."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from engine.model.config_tree import ConfigTree
from engine.model.secrets import ENGINE_SECRETS

Variable = Annotated[str, StringConstraints(pattern=r"^([A-Za-z][A-Za-z0-9_]*)?$")]


class RepositoryConfig(ConfigTree):
    """A repository whose issues and pull requests become tasks."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}$", description="owner/name")
    labels: dict[str, str] = Field(min_length=1, max_length=20, description="label -> the pool that does what has it")
    result: Literal["comment", "pull_request"] = Field("comment", description="what a result becomes; a pull request needs a pool with workspace = \"worktree\"")
    base: str = Field("", max_length=250, description="branch that pull requests are for; empty = the repository's default branch")
    remote: str = Field("origin", pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,99}$", description="git remote that branches are pushed to")


class GitHubSection(ConfigTree):
    """Issues and pull requests with a label become tasks; results become comments or pull requests."""

    api_url: str = Field("https://api.github.com", pattern=r"^https?://[^\s?#@]+$", description="where the REST API is; of GitHub Enterprise https://HOST/api/v3")
    token_env: Variable = Field("GITHUB_TOKEN", description="variable of the engine's environment that has the token")
    token_file: Path | None = Field(None, description="in place of the variable: the file that has it, read anew for each connection")
    webhook_secret_env: Variable = Field("", description="variable that has the secret of the webhook; empty = there is none, unless it is in a file")
    webhook_secret_file: Path | None = Field(None, description="in place of the variable: the file that has it")
    poll_s: float = Field(60.0, ge=1, le=86_400, description="between two looks at each label; with a webhook it looks once, at the start")
    timeout_s: float = Field(30.0, ge=0.1, le=600, description="longest that one request may take, and one push of a branch ten times that")
    repositories: tuple[RepositoryConfig, ...] = Field(min_length=1, max_length=100, description="[[github.repositories]]")

    @field_validator("token_env", "webhook_secret_env")
    @classmethod
    def _is_no_secret_of_the_engine(cls, name: str) -> str:
        if name in ENGINE_SECRETS or name.startswith("FLEET_"):
            raise ValueError(f"{name} is the engine's own")
        return name

    @model_validator(mode="after")
    def _names_differ(self) -> GitHubSection:
        names = [repository.name.lower() for repository in self.repositories]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"repositories: {', '.join(twice)} is there twice; put all its labels into one table")
        return self

    @property
    def has_webhook(self) -> bool:
        """Answer whether GitHub is expected to tell of news."""
        return bool(self.webhook_secret_env or self.webhook_secret_file)

    @property
    def variables(self) -> tuple[str, ...]:
        """Return the variables that hold secrets: they are for the engine alone."""
        return tuple(filter(None, (self.token_env, self.webhook_secret_env)))

    def notices(self, pools: frozenset[str], port: int) -> list[str]:
        """Return one sentence for everything that is accepted but has no effect as it stands."""
        unknown = [(repository.name, label, pool) for repository in self.repositories for label, pool in repository.labels.items() if pool not in pools]
        told = [f"github: {name} gives {label!r} to the pool {pool!r}, which there is not" for name, label, pool in unknown]
        if self.has_webhook and not port:
            told.append("github: a webhook comes in at access.port, which is 0; set it, and lead /github/webhook there")
        return told
