"""How many examples a property is tried with: some in each run, all with `--hypothesis-profile long`, as `make test-long` has it."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

EVERY_RUN, LONG = 25, 100
"""Examples of a property that does not say how many, by profile."""


def register_profiles() -> None:
    """Make the profiles known and take that of every run."""
    # A loaded machine is no failure: how long an example may take is a matter for benchmarks.
    for name, most in (("fleet", EVERY_RUN), ("long", LONG)):
        settings.register_profile(name, deadline=None, max_examples=most, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("fleet")


def examples(most: int) -> int:
    """Return how many examples to try of `most`, the number of a long run; at least 1."""
    return max(1, most * settings().max_examples // LONG)
