"""Benchmarks, run by `fleet-tui bench [NAME …] --json`."""
