"""No file of the project knows the machine or the package index that it was written on, or holds a key."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LOCK_FILE = "uv.lock"
LOCK_HOSTS = {"pypi.org", "files.pythonhosted.org"}
GUARDS = {
    "a path of one machine": re.compile(r"(?<![\w.~)}*-])/(?:work|root|opt)/"),
    "a package index": re.compile(r"https?://[\w.-]*(?:pypi\.org/simple|pythonhosted\.org|registry\.npmjs\.org)"),
    "a package index chosen": re.compile(r"--(?:extra-index|index|find)-(?:url|links)\b"),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/]"),
    "an access token": re.compile(r"\b(?:AKIA[0-9A-Z]{16}|gh[pousr]_\w{36}|sk-ant-[\w-]{20,}|xox[bp]-\w{10,})"),
}


def list_files() -> list[str]:
    """Return the tracked files and those about to be."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, timeout=60)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not in a git checkout")
    return [name for name in done.stdout.split("\0") if name]


def read_text(name: str) -> str:
    """Return the text of a file; nothing of one that is binary or was just removed."""
    try:
        return (ROOT / name).read_text(encoding="utf-8")
    except (FileNotFoundError, IsADirectoryError, UnicodeDecodeError):
        return ""


def find_leaks(text: str) -> list[str]:
    """Return what a text gives away, each with the place."""
    return [
        f"line {text.count(chr(10), 0, match.start()) + 1}: {what}: {match.group()!r}"
        for what, pattern in GUARDS.items()
        for match in pattern.finditer(text)
    ]


def test_files_give_nothing_away() -> None:
    leaks = {name: found for name in list_files() if name != LOCK_FILE and (found := find_leaks(read_text(name)))}
    assert not leaks


def test_lock_file_names_public_hosts_only() -> None:
    hosts = set(re.findall(r"https?://([^/\"]+)", (ROOT / LOCK_FILE).read_text(encoding="utf-8")))
    assert hosts <= LOCK_HOSTS


@pytest.mark.parametrize(
    "text",
    [
        "cd /{}/main".format("work"),
        '"/{}/.cache"'.format("root"),
        "https://{}/simple".format("pypi.org"),
        "ghp" + "_" + "a" * 36,
        "-----BEGIN {} KEY-----\nMC4C".format("PRIVATE"),
    ],
)
def test_guard_sees(text: str) -> None:
    assert find_leaks(text)


@pytest.mark.parametrize("text", ["https://host/work/x", "~/work/x", "src/root/x", "{root}/opt/x", "the /options"])
def test_guard_lets_pass(text: str) -> None:
    assert not find_leaks(text)
