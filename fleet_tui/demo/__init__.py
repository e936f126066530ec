"""The demo: real work over a code base, planned, handed to the fleet, followed and reported."""

from fleet_tui.demo.report import DemoReport
from fleet_tui.demo.runs import keep_busy, run_demo

__all__ = ["DemoReport", "keep_busy", "run_demo"]
