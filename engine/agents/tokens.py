"""What the programs and handlers of agents show to act as themselves: a token for each attempt, which says whose it is and ends with it.

Owner: `AgentTokens`, of the secret that signs them. A token is good as long as its attempt runs: whoever asks looks at the state.
"""

from __future__ import annotations

import hmac


class AgentTokens:
    """Makes and reads tokens."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def make(self, agent: str, task: str, attempt: int) -> str:
        """Return the token of an attempt."""
        said = f"{agent}/{task}/{attempt}"
        return f"{said}/{self._sign(said)}"

    def read(self, token: str) -> str:
        """Return `agent/task/attempt` of a token of this engine, empty for any other text."""
        said, _, signature = token.rpartition("/")
        return said if said.count("/") == 2 and hmac.compare_digest(signature.encode(errors="replace"), self._sign(said).encode()) else ""  # noqa: PLR2004  # three parts

    def _sign(self, said: str) -> str:
        return hmac.digest(self._secret, said.encode(errors="replace"), "sha256").hex()
