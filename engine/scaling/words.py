"""Decisions in words: one line that says what was decided, why, and what bounded it; pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from engine.model.scaling import Decision, Reason, Why

Figures = Mapping[str, float]


def explain(decision: Decision) -> str:
    """Return a decision in one line, the recommendation's reason first."""
    parts = [text for reason in decision.reasons if (text := say_reason(reason))]
    return "; ".join(parts)


def evidence(decision: Decision) -> list[str]:
    """Return a decision step by step, each with its figures and whose policy it was."""
    lines = [f"size {decision.size}, recommended {decision.recommended}, target {decision.target}"]
    for policy, size in decision.advised:
        lines.append(f"{policy} recommends {size}")
    lines += [say_reason(reason) + (f" ({reason.policy})" if reason.policy else "") for reason in decision.reasons]
    return lines


def say_reason(reason: Reason) -> str:
    """Return one step of a decision in words."""
    return _WORDS[reason.why](dict(reason.figures))


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"  # noqa: PLR2004


def _triggered(word: str) -> Callable[[Figures], str]:
    def said(figures: Figures) -> str:
        lasting = f" for {_number(figures['sustained_s'])} s" if figures.get("sustained_s") else ""
        return f"{_metric(figures)} {word} {_number(figures['threshold'])}{lasting}"

    return said


def _tracked(figures: Figures) -> str:
    spare = f" and {_number(figures['spare'])} to spare" if figures.get("spare") else ""
    return f"{_metric(figures)} for a goal of {_number(figures['goal'])}{spare}"


def _metric(figures: Figures) -> str:
    """Return the metric that comes first, with its value."""
    name, value = next(iter(figures.items()))
    return f"{name.removesuffix('_ms').removesuffix('_s').replace('_', ' ')} {_number(value)}"


_WORDS: dict[Why, Callable[[Figures], str]] = {
    Why.STEADY: lambda _: "load is steady",
    Why.TARGET: _tracked,
    Why.TOLERATED: lambda f: f"{_tracked(f)} is near enough",
    Why.TRIGGER_UP: _triggered("above"),
    Why.TRIGGER_DOWN: _triggered("below"),
    Why.PANIC: lambda f: f"burst: demand {_number(f['demand'])} for {_number(f['ready'])} ready agents",
    Why.ACTIVATED: lambda f: f"woken by {_number(f['waiting'])} waiting tasks",
    Why.TO_ZERO: lambda f: f"idle for {_number(f['idle_s'])} s",
    Why.FALLBACK: lambda f: f"a metric is missing ({_number(f['missing'])} times): fallback",
    Why.UNKNOWN: lambda f: f"a metric is missing ({_number(f['missing'])} times): size kept",
    Why.PREDICTED: lambda f: f"demand {_number(f['demand'])} foreseen in {_number(f['in_s'])} s (error {f['mape']:.0%})",
    Why.SUSTAINING: lambda _: "a condition holds, not long enough yet",
    Why.STABILIZED_UP: lambda _: "waiting whether the rise lasts",
    Why.STABILIZED_DOWN: lambda _: "waiting whether the fall lasts",
    Why.PANIC_HOLDS: lambda _: "nothing leaves so soon after a burst",
    Why.COOLING: lambda f: f"{_number(f['cooldown_s'])} s between two moves the same way",
    Why.RATE: lambda f: f"rate allows {_number(f['moves_left'])} more moves in this period",
    Why.STEP: lambda f: f"at most {_number(f['step_max'])} at once",
    Why.DISABLED: lambda _: "the policy does not scale this way",
    Why.BUDGET: lambda f: f"budget of {_number(f['cost_per_hour_max'])} an hour",
    Why.MIN: lambda f: f"min is {_number(f['min'])}",
    Why.MAX: lambda f: f"max is {_number(f['max'])}",
    Why.FLEET_FULL: lambda _: "the fleet is full",
    Why.HELD: lambda _: "held by an operator",
    Why.NO_POLICY: lambda _: "no policy",
}
