"""Asks the few tests that failed among all the others once more, alone: `make test` ends with it.

Among nine thousand tests of real processes, terminals and servers, six at a time on two cores, one or two may find the
machine too busy. A test that then passes alone is unsteady: it is named, with its failure above, and is to be mended. The run
fails by a test that fails again, and by more than MOST that are unsteady. What is drawn at random comes from fixed seeds, and
Hypothesis tries the example first by which a test failed: what failed by its data fails again.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

KEPT = Path(".pytest_cache/v/cache/lastfailed")
"""Where pytest keeps the names of what failed, below the folder of the run."""
MOST = 3


def main() -> int:
    """Return 0 if all that failed is unsteady."""
    # xdist adds the group of a test to its name.
    failed = [re.sub(r"@[^\]]*$", "", name) for name in json.loads(KEPT.read_text())] if KEPT.exists() else []
    if not 0 < len(failed) <= MOST or not all("::" in name for name in failed):
        return 1
    print(f"\nOnce more, alone: {', '.join(failed)}", flush=True)
    if ended := subprocess.run((sys.executable, "-m", "pytest", *failed)).returncode:
        return ended
    print(f"UNSTEADY, to be mended: failed among the others (see above), and passed alone: {', '.join(failed)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
