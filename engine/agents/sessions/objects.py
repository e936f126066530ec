"""Lines of a protocol whose messages are JSON objects, as the protocols of other people's agents have them.

Owner: nobody; a function only. Limits: LINE_MAX_BYTES a message.
"""

from __future__ import annotations

from typing import Any

import msgspec

from engine.agents.sessions.lines import Line, cut
from engine.agents.sessions.messages import Failure, Noise
from engine.model.plain import NOT_JSON, require_shallow
from engine.model.shielding import clean

LINE_MAX_BYTES = 16 << 20
SHOWN_MAX = 200

_object = msgspec.json.Decoder(dict[str, Any])


def read_object(line: Line) -> dict[str, Any] | Failure | Noise:
    """Return the object of a line; Noise for one that is none, Failure for one that was too long: had it been the result, nothing else would end the turn."""
    if line.left_out:
        return Failure("", f"a message of {len(line.data) + line.left_out:,} bytes; the most is {LINE_MAX_BYTES:,}", "protocol")
    try:
        require_shallow(line.data)
        return _object.decode(line.data.decode("utf-8", "replace").strip())
    except NOT_JSON as error:
        return Noise(cut(clean(line.data[: 4 * SHOWN_MAX].decode("utf-8", "replace")), SHOWN_MAX), cut(clean(str(error)), SHOWN_MAX))
