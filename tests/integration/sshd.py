"""A real sshd on a loopback port for tests: own host key, keys of test operators, and a line to it that can be bad.

Owner: `SshServer` owns its process and its folder; `Line` owns its thread and its sockets. Both end with their context.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import select
import shlex
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.integration.engines import EngineProcess, until
from tests.integration.ports import free_port
from tests.tools.programs import Missing, Program, fetch_packages, find_program
from tests.ui.pty_screen import PtyScreen

SERVER_PACKAGES = ("openssh-server", "libnss-wrapper")
SSHD_FOLDER = Path("/run/sshd")
"""Where sshd of root locks its unprivileged half in; the name is compiled in."""

CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {root}/host
PidFile none
AuthorizedKeysFile {root}/authorized_keys
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PubkeyAuthentication yes
PermitRootLogin prohibit-password
UsePAM no
PrintMotd no
PrintLastLog no
PermitUserRC no
AllowTcpForwarding no
X11Forwarding no
"""


def need_sshd() -> Program:
    """Return sshd, or skip: README says when."""
    try:
        return find_program(("sshd",), SERVER_PACKAGES)
    except Missing as missing:
        pytest.skip(f"no sshd: {missing}")


def need_client(name: str) -> str:
    """Return a program of OpenSSH's client side, or skip."""
    try:
        return str(find_program((name,), ("openssh-client",)).path)
    except Missing as missing:
        pytest.skip(f"no {name}: {missing}")


class SshServer:
    """sshd for the user of this process; every key runs one command, as `authorized_keys` says."""

    def __init__(self, root: Path, config: str = "") -> None:
        self.root = root
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._program = need_sshd()
        self._ssh, self._keygen = need_client("ssh"), need_client("ssh-keygen")
        self._config = config
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0
        self.user = pwd.getpwuid(os.getuid()).pw_name if _has_account() else f"user{os.getuid()}"
        (root / "authorized_keys").write_text("")
        self._make_key("host")

    def _make_key(self, name: str) -> str:
        path = self.root / name
        subprocess.run([self._keygen, "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path)], check=True)
        return path.with_suffix(".pub").read_text().strip()

    def admit(self, name: str, options: str) -> None:
        """Make a key and let it in with options of authorized_keys, such as `restrict,pty,command="…"`."""
        public = self._make_key(name)
        with (self.root / "authorized_keys").open("a") as file:
            file.write(f"{options} {public}\n")

    def start(self) -> SshServer:
        """Start sshd and wait until it takes connections."""
        for _ in range(5):
            self.port = free_port()
            config = CONFIG.format(port=self.port, root=self.root) + self._own_parts() + self._config
            (self.root / "sshd_config").write_text(config)
            # sshd wants to be called by its full path: it runs itself again for each connection.
            argv = [str(self._program.path), "-D", "-e", "-f", str(self.root / "sshd_config")]
            log = (self.root / "sshd.log").open("ab")
            self._process = subprocess.Popen(argv, env=self._environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            log.close()
            until(lambda: self._process.poll() is not None or self._is_listening(), 10.0)
            if self._process.poll() is None:
                # A user of these sessions knows the server already.
                key = (self.root / "host.pub").read_text()
                (self.root / "known_hosts").write_text(f"* {key}")
                return self
        raise AssertionError(f"sshd does not start:\n{self.log}")

    @property
    def log(self) -> str:
        """What sshd said."""
        return (self.root / "sshd.log").read_text(errors="replace")

    def _is_listening(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _own_parts(self) -> str:
        """Return where sshd of unpacked packages has its other halves (OpenSSH 9.8 and later)."""
        found = {
            "SshdSessionPath": self._program.root / "usr/lib/openssh/sshd-session",
            "SshdAuthPath": self._program.root / "usr/lib/openssh/sshd-auth",
        }
        is_ours = self._program.root != Path("/")
        return "".join(f'{name} "{path}"\n' for name, path in found.items() if is_ours and path.exists())

    def _environment(self) -> dict[str, str]:
        """Return sshd's environment: with accounts of its own where the machine lacks those that it needs."""
        environment = {"PATH": os.environ.get("PATH", ""), **self._program.environment}
        if os.getuid() == 0:
            SSHD_FOLDER.mkdir(mode=0o755, exist_ok=True)
        if _has_account() and (os.getuid() != 0 or _has_user("sshd")):
            return environment
        library = next(_wrapper_folder().glob("usr/lib/*/libnss_wrapper.so"))
        accounts = [line for line in Path("/etc/passwd").read_text().splitlines() if line.split(":")[2] != str(os.getuid())]
        accounts += [
            f"{self.user}:x:{os.getuid()}:{os.getgid()}::{self.root}:/bin/sh",
            "sshd:x:65533:65534::/run/sshd:/usr/sbin/nologin",
        ]
        (self.root / "passwd").write_text("\n".join(accounts) + "\n")
        shutil.copy("/etc/group", self.root / "group")
        # The loader takes a list, in which a blank ends a path.
        preloaded = self.root / library.name
        preloaded.symlink_to(library)
        return environment | {
            "LD_PRELOAD": str(preloaded),
            "NSS_WRAPPER_PASSWD": str(self.root / "passwd"),
            "NSS_WRAPPER_GROUP": str(self.root / "group"),
        }

    def ssh(self, key: str, *words: str, port: int = 0, options: Sequence[str] = ()) -> list[str]:
        """Return the command line of a login with a key; nothing of the user's own ssh takes part."""
        return [
            self._ssh, "-F", "none", "-i", str(self.root / key), "-p", str(port or self.port),
            "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "EscapeChar=none",
            "-o", f"UserKnownHostsFile={self.root / 'known_hosts'}", "-o", "GlobalKnownHostsFile=none",
            "-o", "LogLevel=ERROR", *options, f"{self.user}@127.0.0.1", *words,
        ]  # fmt: skip

    def run(self, key: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Log in without a terminal, to the end."""
        return subprocess.run(
            self.ssh(key, *words), capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, check=False
        )

    def terminal(
        self, key: str, *, port: int = 0, columns: int = 120, rows: int = 40, term: str = "xterm-256color"
    ) -> PtyScreen:
        """Log in from a terminal and see what it shows."""
        argv = self.ssh(key, port=port, options=("-tt",))
        return PtyScreen(argv, columns=columns, rows=rows, env={"TERM": term, "SSH_AUTH_SOCK": ""})

    def close(self) -> None:
        """End sshd and the sessions that are left."""
        if self._process is None:
            return
        import psutil

        with contextlib.suppress(psutil.NoSuchProcess):
            left = psutil.Process(self._process.pid).children(recursive=True)
            self._process.terminate()
            self._process.wait(10)
            for child in left:
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()


@contextlib.contextmanager
def ssh_server(root: Path, keys: dict[str, str], config: str = "") -> Iterator[SshServer]:
    """A running sshd that admits keys by name, each with its options of authorized_keys."""
    server = SshServer(root, config)
    for name, options in keys.items():
        server.admit(name, options)
    try:
        yield server.start()
    finally:
        server.close()


def forced(engine: EngineProcess, *words: str) -> str:
    """Return options of authorized_keys that hold a key to the console of an engine."""
    # What a login shell's profile would set; sshd gives a session little environment.
    variables = engine.environment | {"LANG": "C.UTF-8", "PYTHONWARNINGS": "error"}
    kept = [f"{name}={value}" for name, value in variables.items()]
    command = shlex.join(["exec", "env", *kept, sys.executable, "-m", "fleet_tui", "-C", str(engine.directory), *words])
    return f'restrict,pty,command="{command}"'


def _has_account() -> bool:
    """Tell whether this process's user can log in here."""
    try:
        shell = pwd.getpwuid(os.getuid()).pw_shell
    except KeyError:
        return False
    return os.access(shell, os.X_OK) and Path(shell).name not in ("nologin", "false")


def _has_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _wrapper_folder() -> Path:
    try:
        return fetch_packages(SERVER_PACKAGES)
    except Missing as missing:
        pytest.skip(f"sshd needs accounts that this machine lacks, and a library that gives them: {missing}")


@dataclass(slots=True)
class _Way:
    """One direction of a connection: every byte waits for those before it, then for the latency."""

    source: socket.socket
    sink: socket.socket
    to_client: bool
    under_way: deque[tuple[float, bytes]] = field(default_factory=deque)
    free_at: float = 0.0
    is_ended: bool = False
    """The source will send no more."""
    is_over: bool = False


class Line:
    """A line to a port that carries so many bytes a second, so much later; it can stall, and be cut."""

    CHUNK = 256
    SOCKET_BYTES = 4096
    """What the kernel may hold back at our end of a connection: a long queue there would be a second slow line."""
    LOOK_S = 0.02

    def __init__(self, port: int, *, bytes_per_s: float = 8000.0, latency_s: float = 0.2) -> None:
        self._target = port
        self._bytes_per_s = bytes_per_s
        self._latency_s = latency_s
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._wishes: deque[str] = deque()
        self._is_stalled = False
        self._links: list[tuple[_Way, _Way]] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.carried = 0
        """Bytes that came out at the client's end."""

    def __enter__(self) -> Line:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._wishes.append("end")
        self._thread.join(10)

    def stall(self) -> None:
        """Carry nothing more, and say nothing about it: a radio link that is lost."""
        self._wishes.append("stall")

    def resume(self) -> None:
        """Carry again."""
        self._wishes.append("resume")

    def cut(self) -> None:
        """End every connection at both ends."""
        self._wishes.append("cut")

    def _run(self) -> None:
        while (wish := self._wishes.popleft() if self._wishes else "") != "end":
            if wish in ("stall", "resume"):
                self._is_stalled = wish == "stall"
            if wish == "cut":
                self._close_all()
            self._carry()
        self._close_all()
        self._listener.close()

    def _close_all(self) -> None:
        for way in self._ways():
            way.source.close()
        self._links.clear()

    def _ways(self) -> list[_Way]:
        return [way for link in self._links for way in link]

    def _carry(self) -> None:
        """Wait a moment for what can be taken, take it, and give out what has come through."""
        now = time.monotonic()
        ready = [] if self._is_stalled else [way for way in self._ways() if way.free_at <= now and not way.is_ended]
        readable, _, _ = select.select([self._listener, *(way.source for way in ready)], [], [], self.LOOK_S)
        now = time.monotonic()
        if self._listener in readable:
            self._connect(now)
        for way in ready:
            if way.source in readable:
                self._take(way, now)
        for way in [] if self._is_stalled else self._ways():
            self._give(way, now)
        for link in [link for link in self._links if all(way.is_over for way in link)]:
            self._links.remove(link)
            for way in link:
                way.source.close()

    def _connect(self, now: float) -> None:
        near, _ = self._listener.accept()
        far = socket.socket()
        for end in (near, far):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.SOCKET_BYTES)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self.SOCKET_BYTES)
        far.connect(("127.0.0.1", self._target))
        near.setblocking(False)
        far.setblocking(False)
        self._links.append((_Way(near, far, to_client=False, free_at=now), _Way(far, near, to_client=True, free_at=now)))

    def _take(self, way: _Way, now: float) -> None:
        try:
            data = way.source.recv(self.CHUNK)
        except OSError:
            data = b""
        way.is_ended = not data
        way.free_at = max(way.free_at, now - self.LOOK_S) + len(data) / self._bytes_per_s
        if data:
            way.under_way.append((way.free_at + self._latency_s, data))

    def _give(self, way: _Way, now: float) -> None:
        try:
            while way.under_way and way.under_way[0][0] <= now:
                due, data = way.under_way.popleft()
                sent = way.sink.send(data)
                self.carried += sent * way.to_client
                if sent < len(data):
                    way.under_way.appendleft((due, data[sent:]))
                    return
            if way.is_ended and not way.under_way and not way.is_over:
                way.is_over = True
                way.sink.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            way.under_way.appendleft((due, data))
        except OSError:
            way.is_ended = way.is_over = True
            way.under_way.clear()
