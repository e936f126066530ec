"""Find inputs that break a target, guided by what code they reach: `python -m tests.fuzz.guided TARGET FOLDER [libFuzzer's options]`.

Needs atheris, which `make fuzz` installs. Inputs that reach something new stay in the folder, which begins with what is said in truth; one that
breaks the target is written there as `crash-…`, and is tried again alone when it is given in place of the folder.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["engine.agents", "engine.model"]):
    from tests.fuzz.targets import SEEDS, TARGETS

WORD = re.compile(rb'"[^"\\]*"')


def prepared(name: str, folder: Path) -> list[str]:
    """Put what is said in truth into a folder, with the words of it as libFuzzer's dictionary; return the options that name both."""
    corpus, words = folder / "corpus", folder / "words"
    corpus.mkdir(parents=True, exist_ok=True)
    for place, seed in enumerate(SEEDS.get(name, ())):
        (corpus / f"seed-{place}").write_bytes(seed)
    found = {match.replace(b'"', b'\\"') for seed in SEEDS.get(name, ()) for match in WORD.findall(seed)} | {b"\\x1b[", b"\\x0d", b"\\xc2\\x9b"}
    words.write_bytes(b"".join(b'"%s"\n' % word for word in sorted(found)))
    return [str(corpus), f"-dict={words}", f"-artifact_prefix={folder}/", "-max_len=4096"]


def main() -> None:
    """Fuzz one target, or try one input again; ends the process."""
    if len(sys.argv) < 3 or sys.argv[1] not in TARGETS:
        raise SystemExit(f"python -m tests.fuzz.guided TARGET FOLDER-OR-INPUT; there are {', '.join(TARGETS)}")
    name, place = sys.argv[1], Path(sys.argv[2])
    options = [str(place)] if place.is_file() else prepared(name, place)
    atheris.enabled_hooks.add("str")
    atheris.Setup([sys.argv[0], *options, *sys.argv[3:]], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
