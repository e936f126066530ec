"""`python -m fleet_tui`: the same as the program fleet-tui."""

from __future__ import annotations

from fleet_tui.cli import main

main()
