"""The plug-in `security-scanner`: an agent that looks for secrets, open permissions and dangerous calls in files.

Owner: nobody; pure but for reading. A finding never holds the secret itself. Limits: FILES_MAX files, FILE_BYTES_MAX of each,
FINDINGS_MAX findings; what was left out is counted.
"""

from __future__ import annotations

import ast
import asyncio
import os
import stat
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from engine.model.secrets import find_secrets
from engine.model.version import version
from engine.plugins.api import PluginContext, PluginRequest, PluginResponse, hookimpl

FILES_MAX = 20_000
FILE_BYTES_MAX = 1 << 20
FINDINGS_MAX = 1_000
NOT_OURS = frozenset({".git", ".hg", ".venv", "venv", "node_modules", "__pycache__"})
DANGEROUS = {
    "eval": "runs text as code",
    "exec": "runs text as code",
    "os.system": "runs text in a shell",
    "os.popen": "runs text in a shell",
    "pickle.load": "runs code of whoever wrote the data",
    "pickle.loads": "runs code of whoever wrote the data",
    "marshal.loads": "runs code of whoever wrote the data",
    "yaml.load": "makes any object that the data names",
    "yaml.unsafe_load": "makes any object that the data names",
    "tempfile.mktemp": "gives a name that somebody else can take first",
    "hashlib.md5": "is no protection any more",
    "hashlib.sha1": "is no protection any more",
}
"""Calls by name, and what is wrong with each."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that somebody should look at."""

    path: str
    line: int
    """0 = the file as a whole."""
    rule: str
    """secret, permission or call."""
    text: str


class SecurityScannerPlugin:
    """Scans the file or folder `path` of a task's payload, its workspace without one."""

    name = "security-scanner"
    version = version()

    def __init__(self) -> None:
        self._directory = Path()

    async def initialize(self, context: PluginContext) -> None:
        """Take note of where relative paths begin."""
        self._directory = context.directory

    async def execute(self, request: PluginRequest) -> PluginResponse:
        """Scan in a thread, so that a cancelled task is answered."""
        root = self._directory / request.workspace / str(request.payload.get("path", ""))
        if not root.exists():
            return PluginResponse(error=f"{root} is not there", retryable=False)
        return await asyncio.to_thread(scan, root)

    async def cleanup(self) -> None:
        """Nothing is held."""


def scan(root: Path) -> PluginResponse:
    """Return what is found in a file or below a folder."""
    findings: list[Finding] = []
    files = left_out = 0
    for path in _files(root):
        if files >= FILES_MAX:
            left_out += 1
            continue
        files += 1
        name = str(path.relative_to(root)) if path != root else path.name
        try:
            findings += findings_in(path, name)
        except OSError:
            left_out += 1
    data = {"files": files, "left_out": left_out, "found": len(findings), "findings": [asdict(finding) for finding in findings[:FINDINGS_MAX]]}
    return PluginResponse(data, f"{len(findings)} findings in {files} files")


def _files(root: Path) -> Iterator[Path]:
    if root.is_file():
        yield root
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(set(folders) - NOT_OURS)
        yield from (path for name in sorted(names) if (path := Path(folder, name)).is_file() and not path.is_symlink())


def findings_in(path: Path, name: str) -> list[Finding]:
    """Return what is found in one file. Raises OSError."""
    found = []
    mode = path.stat().st_mode
    if mode & stat.S_IWOTH:
        found.append(Finding(name, 0, "permission", "everybody on this machine may write to it"))
    with path.open("rb") as file:
        data = file.read(FILE_BYTES_MAX)
    if b"\0" in data:
        return found
    text = data.decode("utf-8", "replace")
    secrets = [Finding(name, text.count("\n", 0, at) + 1, "secret", "looks like a secret; a variable or a file of its own is the place for it") for at, _ in find_secrets(text)]
    if secrets and mode & stat.S_IROTH:
        found.append(Finding(name, 0, "permission", "it holds what looks like a secret, and everybody on this machine may read it"))
    return [*found, *secrets, *(_calls(text, name) if path.suffix == ".py" else ())]


def _calls(text: str, name: str) -> Iterator[Finding]:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func) if isinstance(node.func, ast.Name | ast.Attribute) else ""
        given = {keyword.arg: keyword.value for keyword in node.keywords}
        if called in DANGEROUS and not _is_safe(called, given):
            yield Finding(name, node.lineno, "call", f"{called} {DANGEROUS[called]}")
        if called.startswith("subprocess.") and _is(given.get("shell"), value=True):
            yield Finding(name, node.lineno, "call", f"{called} with shell=True runs text in a shell")
        if _is(given.get("verify"), value=False):
            yield Finding(name, node.lineno, "call", f"{called} with verify=False trusts any certificate")


def _is(node: ast.expr | None, *, value: bool) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def _is_safe(called: str, given: dict[str | None, ast.expr]) -> bool:
    """Tell whether the arguments of a call say that it is no danger."""
    if called == "yaml.load":
        return "Loader" in given and "Safe" in ast.unparse(given["Loader"])
    return called.startswith("hashlib.") and _is(given.get("usedforsecurity"), value=False)


@hookimpl
def fleet_agent() -> SecurityScannerPlugin:
    """Return the agent."""
    return SecurityScannerPlugin()
