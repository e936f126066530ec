"""Frames between the engine and its spawner: a length, a JSON object, and file descriptors beside it.

Owner: each end owns its socket; a `FrameDecoder` keeps at most one unfinished frame (`FRAME_MAX_BYTES`).
Light, like `process_table`. JSON in ASCII with surrogates, so that argv and names in any encoding pass unchanged.
"""

from __future__ import annotations

import array
import json
import os
import socket

FRAME_MAX_BYTES = 16 << 20
READ_BYTES = 1 << 16
FDS_PER_FRAME = 3  # stdin, stdout, stderr
_LENGTH_BYTES = 4
_CLOSE_ON_EXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)


def encode_frame(message: dict[str, object]) -> bytes:
    """Return the bytes of one frame; raise ValueError if it is larger than a frame may be."""
    body = json.dumps(message, separators=(",", ":")).encode("ascii")
    if len(body) > FRAME_MAX_BYTES:
        raise ValueError(
            f"{len(body)} bytes of arguments and environment; at most {FRAME_MAX_BYTES} can be passed"
        )
    return len(body).to_bytes(_LENGTH_BYTES, "big") + body


def send_some(sock: socket.socket, data: memoryview, fds: tuple[int, ...]) -> int:
    """Send as much as fits now, the descriptors with the first byte; return how many bytes went."""
    if not fds:
        return sock.send(data)
    return sock.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))])


class FrameDecoder:
    """Bytes and descriptors in, whole frames out."""

    def __init__(self) -> None:
        self._data = bytearray()
        # One bundle a frame that carries descriptors, in order; short if this process had no descriptor left.
        self._bundles: list[tuple[int, ...]] = []

    def receive(self, sock: socket.socket) -> bool:
        """Read once what is there; return False at the end of the stream."""
        space = socket.CMSG_SPACE(FDS_PER_FRAME * array.array("i").itemsize)
        data, ancillary, flags, _ = sock.recvmsg(READ_BYTES, space, _CLOSE_ON_EXEC)
        fds = array.array("i")
        for level, kind, payload in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds.frombytes(payload[: len(payload) - len(payload) % fds.itemsize])
        if fds or flags & socket.MSG_CTRUNC:
            self._bundles.append(tuple(fds))
        self._data += data
        return bool(data)

    def next_frame(self) -> dict[str, object] | None:
        """Return the next whole frame, or None until more has been received."""
        if len(self._data) < _LENGTH_BYTES:
            return None
        end = _LENGTH_BYTES + int.from_bytes(self._data[:_LENGTH_BYTES], "big")
        if len(self._data) < end:
            return None
        message = json.loads(self._data[_LENGTH_BYTES:end])
        del self._data[:end]
        assert isinstance(message, dict), "both ends send objects only"
        return message

    def take_fds(self) -> tuple[int, ...]:
        """Return the descriptors of the frame just read, which the caller now owns."""
        return self._bundles.pop(0) if self._bundles else ()

    def close(self) -> None:
        """Close descriptors nobody has taken."""
        for fd in (fd for bundle in self._bundles for fd in bundle):
            os.close(fd)
        self._bundles.clear()
