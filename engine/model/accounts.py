"""Names of this machine's accounts."""

from __future__ import annotations

import pwd


def user_name(uid: int) -> str:
    """Return the name of a user, or `uid 1234` if it has none. May ask a directory service: not for the event loop."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
