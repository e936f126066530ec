"""The network of a throwaway fleet: every server is reached by a wire that knows which process connects, so that any part can be cut off.

Who connects is asked of the kernel (sock_diag), and /proc: Sentinels and clusters tell everybody the same address of a server, so the address tells nothing.

Owner: `Network`, of its wires and of what is cut.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from collections.abc import Collection

from engine.model.errors import EngineStartError
from fleet_tui.chaos.processes import Process, until
from fleet_tui.chaos.proxy import Line, Proxy

ASK_S = 1.0
_SOCK_DIAG, _BY_FAMILY, _REQUEST = 4, 20, 1
"""Of linux/netlink.h and linux/sock_diag.h."""
_ALL_STATES, _ANY_COOKIE = 0xFFFF_FFFF, 0xFFFF_FFFF
_HEADER = struct.Struct("=IHHII")
"""struct nlmsghdr: length, type, flags, number, port."""
_WANTED = struct.Struct("!BBBBIHH4s12x4s12xIII")
"""struct inet_diag_req_v2: family, protocol, extensions, padding, states, both ports and addresses, interface, cookie."""
_INODE_AT = _HEADER.size + 68
"""In struct inet_diag_msg."""


class Network:
    """Wires between processes that it knows."""

    def __init__(self) -> None:
        """Begin without any. Raises EngineStartError on another system than Linux."""
        if sys.platform != "linux":
            raise EngineStartError("fleets are broken on Linux only: who uses which connection is asked of its kernel")
        self._members: dict[str, Process] = {}
        self._wires: list[Wire] = []
        self._lines: dict[frozenset[str], Line] = {}
        self._apart: frozenset[str] = frozenset()
        self._slow: tuple[frozenset[str], float] = frozenset(), 0.0

    def add(self, process: Process) -> None:
        """Know a process, by its name."""
        self._members[process.name] = process

    async def wire(self, port: int, process: Process) -> int:
        """Return the port by which all others reach one of a process."""
        self.add(process)
        self._wires.append(Wire(port, process.name, self))
        await self._wires[-1].start()
        return self._wires[-1].port

    def cut_off(self, names: Collection[str]) -> None:
        """Cut some off from all others; among each other they are connected."""
        self._apart = frozenset(names)
        self._apply()

    def mend(self) -> None:
        """Connect all again."""
        self.cut_off(())

    def slow(self, names: Collection[str], delay_s: float) -> None:
        """Have each piece to and from some take longer."""
        self._slow = frozenset(names), delay_s
        self._apply()

    async def close(self) -> None:
        """Listen no more, and wait until the connections have ended: those who used them are to be gone. Raises Broken."""
        for wire in self._wires:
            wire.close()
        await until(lambda: not any(wire.open for wire in self._wires), "connections do not end")

    def line(self, one: str, other: str) -> Line:
        """Return the line between two."""
        ends = frozenset((one, other))
        if ends not in self._lines:
            self._lines[ends] = Line()
            self._apply()
        return self._lines[ends]

    def who(self, port: int, to: int) -> str:
        """Return the name of the process that is connected from a port of loopback to another; empty for one that is not known."""
        inode = _inode(port, to)
        return next((name for name, process in self._members.items() if inode and not process.has_ended and _has_socket(process.pid, inode)), "")

    def _apply(self) -> None:
        slow, delay_s = self._slow
        for ends, line in self._lines.items():
            line.delay_s = delay_s if ends & slow else 0.0
            if len(ends & self._apart) == 1:
                line.cut()
            else:
                line.mend()


class Wire(Proxy):
    """The way to a port of a process."""

    def __init__(self, target: int, name: str, network: Network) -> None:
        super().__init__(target)
        self._name, self._network = name, network

    def line_of(self, port: int) -> Line:
        """Return the line between who connected and the process."""
        return self._network.line(self._network.who(port, self.port), self._name)


def _inode(port: int, to: int) -> int:
    """Return the inode of the connection that a port of loopback has to another, 0 for none; asks the kernel for this one alone."""
    address = socket.inet_aton("127.0.0.1")
    body = _WANTED.pack(socket.AF_INET, socket.IPPROTO_TCP, 0, 0, _ALL_STATES, port, to, address, address, 0, _ANY_COOKIE, _ANY_COOKIE)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as kernel:
        kernel.settimeout(ASK_S)
        kernel.send(_HEADER.pack(_HEADER.size + len(body), _BY_FAMILY, _REQUEST, 1, 0) + body)
        answer = kernel.recv(4096)
    _, kind, *_ = _HEADER.unpack_from(answer)
    return int.from_bytes(answer[_INODE_AT : _INODE_AT + 4], sys.byteorder) if kind == _BY_FAMILY else 0


def _has_socket(pid: int, inode: int) -> bool:
    try:
        with os.scandir(f"/proc/{pid}/fd") as entries:
            return any(_read_link(entry.path) == f"socket:[{inode}]" for entry in entries)
    except OSError:
        return False


def _read_link(path: str) -> str:
    try:
        return os.readlink(path)  # noqa: PTH115  # of many, and only as text
    except OSError:
        return ""
