"""A disk that is full, or fails under the engine: read-only with a reason, nothing acknowledged is lost, and it recovers by itself.

The full disk is a small tmpfs, which needs root; the failing one is a shim under the C library, which needs a C compiler.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from engine.memory.checking import verify

from tests.integration.engines import EngineProcess, until
from tests.integration.test_must_hold import unfinished

DISK_BYTES = 6 * 1024 * 1024
SUBMISSIONS_MAX = 150

SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

/* Whether calls of a kind on the database shall fail now: the file $TROUBLE exists and names the kind. */
static int fails(int fd, const char *kind) {
    char link[64], path[4096], word[32] = "";
    const char *trouble = getenv("TROUBLE");
    if (trouble == NULL || access(trouble, F_OK) != 0) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    if (strstr(path, "fleet.db") == NULL || strstr(path, "-shm") != NULL) return 0;
    FILE *file = fopen(trouble, "r");
    if (file == NULL) return 0;
    int found = fscanf(file, "%31s", word);
    fclose(file);
    return found == 1 && strcmp(word, kind) == 0;
}

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    REAL(pwrite);
    if (fails(fd, "write")) { errno = EIO; return -1; }
    return real(fd, data, size, at);
}
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    REAL(pwrite64);
    if (fails(fd, "write")) { errno = EIO; return -1; }
    return real(fd, data, size, at);
}
ssize_t write(int fd, const void *data, size_t size) {
    REAL(write);
    if (fails(fd, "write")) { errno = EIO; return -1; }
    return real(fd, data, size);
}
int fsync(int fd) {
    REAL(fsync);
    if (fails(fd, "sync")) { errno = EIO; return -1; }
    return real(fd);
}
int fdatasync(int fd) {
    REAL(fdatasync);
    if (fails(fd, "sync")) { errno = EIO; return -1; }
    return real(fd);
}
"""


class Troubled(EngineProcess):
    """An engine whose disk fails as long as `trouble` says so."""

    from_nothing = True

    def __init__(self, root: Path, shim: Path) -> None:
        super().__init__(root)
        self.shim = shim
        self.trouble = root / "trouble"

    @property
    def environment(self) -> dict[str, str]:
        """The environment with the shim."""
        return {**super().environment, "LD_PRELOAD": str(self.shim), "TROUBLE": str(self.trouble)}


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    folder = tmp_path_factory.mktemp("shim")
    (folder / "shim.c").write_text(SHIM)
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", folder / "shim.so", folder / "shim.c", "-ldl"], check=True, timeout=60)
    return folder / "shim.so"


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A file system of DISK_BYTES at a folder; skips the test where it may not be made."""
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=700", "tmpfs", folder], capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no small disk here: {mounted.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def submit(subject: EngineProcess, text: str = "") -> subprocess.CompletedProcess[str]:
    return subject.run("submit", "noop", "coder", "--payload", json.dumps({"filler": text}), "-o", "json")


def submit_until_refused(subject: EngineProcess, text: str) -> tuple[list[str], str]:
    """Submit until the engine refuses; return what it accepted, and why it refuses."""
    accepted: list[str] = []
    for _ in range(SUBMISSIONS_MAX):
        done = submit(subject, text)
        if done.returncode:
            assert done.returncode == 4, done.stderr
            return accepted, done.stderr
        accepted.append(json.loads(done.stdout)["values"][0])
    raise AssertionError(f"{SUBMISSIONS_MAX} were accepted")


def assert_recovers(subject: EngineProcess, accepted: list[str]) -> None:
    """Check that the engine takes verbs again by itself, and that everything that it had accepted is there and done."""
    until(lambda: not subject.get("status")["read_only"])
    accepted.append(json.loads(submit(subject).stdout)["values"][0])
    until(lambda: unfinished(subject) == 0)
    assert {row["id"] for row in subject.get("tasks")} == set(accepted)
    path = next((subject.root / "state").rglob("fleet.db"))
    assert verify(path).problems == ()
    subject.kill()
    assert verify(path).contents.rows["tasks"] == len(accepted)
    subject.start()
    assert {row["id"] for row in subject.get("tasks")} == set(accepted)


@pytest.mark.skipif(os.getuid() != 0, reason="only root may mount a small disk")
def test_a_full_disk_is_said_backed_up_and_survived(tmp_path: Path) -> None:
    with small_disk(tmp_path / "state"):
        subject = EngineProcess(tmp_path)
        try:
            subject.start()
            accepted = [json.loads(submit(subject, "x").stdout)["values"][0]]
            ballast = tmp_path / "state" / "ballast"
            status = os.statvfs(tmp_path / "state")
            ballast.write_bytes(b"\0" * max(0, status.f_bavail * status.f_frsize - 1_000_000))
            for size in (60_000, 10_000):  # what is left for the second is too little for the engine's own trial, so it stays read-only
                more, why = submit_until_refused(subject, "x" * size)
                accepted += more
            assert "no room left" in why
            assert "free space on that disk" in why
            assert "no room left" in subject.get("status")["read_only"]
            assert "make room there" in subject.run("backup").stderr
            elsewhere = tmp_path / "elsewhere.db"
            assert subject.run("backup", str(elsewhere)).returncode == 0
            assert verify(elsewhere).contents.rows["tasks"] == len(accepted)
            ballast.unlink()
            assert_recovers(subject, accepted)
        finally:
            subject.close()


@pytest.mark.parametrize("kind", ["write", "sync"])
def test_a_disk_that_fails_under_the_engine(tmp_path: Path, shim: Path, kind: str) -> None:
    subject = Troubled(tmp_path, shim)
    try:
        subject.start()
        accepted = [json.loads(submit(subject, "x").stdout)["values"][0]]
        until(lambda: unfinished(subject) == 0)
        subject.trouble.write_text(kind)
        more, why = submit_until_refused(subject, "x" * 1_000)
        accepted += more
        assert "input or output error" in why
        assert "dmesg" in why
        assert "input or output error" in subject.get("status")["read_only"]
        subject.trouble.unlink()
        assert_recovers(subject, accepted)
    finally:
        subject.close()
