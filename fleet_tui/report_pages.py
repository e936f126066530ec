"""A performance report as Markdown, as a page of HTML with charts inside, or as text; pure.

Owner: nobody. The page loads nothing from anywhere, and follows the reader's light or dark setting.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from engine.model.metrics import written_value
from engine.model.report_sections import Section, instant, plain_lines, sections_of, title_of

CHARTS = ("succeeded", "response_ms", "error_rate", "load", "utilisation", "agents", "memory", "host_cpu")
"""Of the fleet; besides those every series that changed has one."""
CHARTS_MAX = 40
DOT = 5
"""How wide a value is drawn that stands alone."""
WIDE, HIGH, LEFT, BOTTOM, TOP = 400, 150, 70, 22, 8
"""About as wide as a chart is on a page, so that its words are of the size that they say."""
_MARKDOWN = str.maketrans({"|": "\\|", "\n": " ", "<": "&lt;", "*": "\\*", "_": "\\_", "`": "\\`"})
STYLE = """
:root { color-scheme: light dark; --line: #2563eb; --rule: #9993; --text: #1f2937; --back: #ffffff; --bad: #b91c1c; --good: #15803d; }
@media (prefers-color-scheme: dark) { :root { --line: #7aa2f7; --text: #d1d5db; --back: #111827; --bad: #f87171; --good: #4ade80; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: var(--back); max-width: 76rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .5rem 0 1.5rem; display: block; overflow-x: auto; }
th, td { padding: .2rem .8rem .2rem 0; text-align: right; border-bottom: 1px solid var(--rule); white-space: nowrap; }
.word { text-align: left; }
.regressed { color: var(--bad); font-weight: 600; } .improved { color: var(--good); }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(22rem, 1fr)); gap: 1rem; }
figure { margin: 0; } figcaption { font-size: 13px; } svg { width: 100%; height: auto; }
"""


def text_of(report: Mapping[str, Any]) -> list[str]:
    """Return a report as lines for a terminal."""
    return [title_of(report), "", *plain_lines(sections_of(report))]


def markdown_of(report: Mapping[str, Any]) -> list[str]:
    """Return a report as lines of Markdown, its tables as GitHub writes them."""
    lines = [f"# {_quoted(title_of(report))}", ""]
    for section in sections_of(report):
        lines += [f"## {_quoted(section.title)}", "", *(line for text in section.lines for line in (f"- {_quoted(text)}",))]
        if section.lines:
            lines.append("")
        if section.rows:
            ruler = ["---" if place < section.texts else "---:" for place in range(len(section.header))]
            lines += [_row(section.header), _row(ruler), *(_row([_quoted(word) for word in row]) for row in section.rows), ""]
    return lines


def _row(words: Iterable[str]) -> str:
    return f"| {' | '.join(words)} |"


def _quoted(text: str) -> str:
    return text.translate(_MARKDOWN)


def page_of(report: Mapping[str, Any]) -> list[str]:
    """Return a report as lines of HTML: one file, with its charts as SVG inside."""
    title = escape(title_of(report))
    body = [line for section in sections_of(report) for line in _section(section)]
    return [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{title}</title><style>{STYLE}</style></head><body>",
        f"<h1>{title}</h1>",
        *body,
        "<h2>Charts</h2>",
        '<div class="charts">',
        *charts_of(report),
        "</div>",
        f"<p>Made {escape(instant(report['generated_at']))} UTC from the fleet's stored history. A gap is time in which nothing was measured.</p>",
        "</body></html>",
    ]


def _section(section: Section) -> Iterable[str]:
    yield f"<h2>{escape(section.title)}</h2>"
    if section.lines:
        yield f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in section.lines)}</ul>"
    if section.rows:
        yield "<table><thead>"
        yield _cells(section.header, section.texts, "th")
        yield "</thead><tbody>"
        yield from (_cells(row, section.texts, "td") for row in section.rows)
        yield "</tbody></table>"


def _cells(words: Sequence[str], texts: int, tag: str) -> str:
    return f"<tr>{''.join(f'<{tag}{_class(word, is_text=place < texts)}>{escape(word)}</{tag}>' for place, word in enumerate(words))}</tr>"


def _class(word: str, *, is_text: bool) -> str:
    names = [*(["word"] if is_text else []), *([word] if word in ("regressed", "improved") else [])]
    return f' class="{" ".join(names)}"' if names else ""


def charts_of(report: Mapping[str, Any]) -> Iterable[str]:
    """Give a figure for each chart of a report: the fleet's, and of every series that changed."""
    before = {(one["metric"], one["label"]): one["before"] for one in report["comparisons"] if one["verdict"] not in ("same", "unknown")}
    wanted = [one for one in report["metrics"] if (one["name"], one["label"]) in before or (one["name"] in CHARTS and not one["label"])]
    since, until = report["timeframe"]["since"], report["timeframe"]["until"]
    for one in wanted[:CHARTS_MAX]:
        if any(value is not None for value in one["values"]):
            yield _figure(one, before.get((one["name"], one["label"])), since, until)


def _figure(one: Mapping[str, Any], before: float | None, since: float, until: float) -> str:
    values = one["values"]
    top = max(*(value for value in values if value is not None), before or 0.0, 0.0) or 1.0
    base, width = HIGH - BOTTOM, WIDE - LEFT

    def place(number: float, value: float) -> str:
        return f"{LEFT + width * number / len(values):.1f},{base - (base - TOP) * value / top:.1f}"

    runs = [" ".join(place(number + 0.5, value) for number, value in run) for run in _runs(values)]
    lines = [f'<polyline points="{run}" fill="none" stroke="var(--line)" stroke-width="{2 if len(set(run.split())) > 1 else DOT}" stroke-linecap="round"/>' for run in runs]
    name = f"{one['name']} of {one['label'] or 'the fleet'}"
    if before is not None:
        begin, end = place(0, before).split(","), place(len(values), before).split(",")
        lines.append(f'<line x1="{begin[0]}" x2="{end[0]}" y1="{begin[1]}" y2="{end[1]}" stroke="currentColor" stroke-dasharray="4 4" opacity=".6"/>')
        name += f", before: {written_value(before, one['unit'])} (dashed)"
    return (
        f'<figure><svg viewBox="0 0 {WIDE} {HIGH}" role="img" aria-label="{escape(name)}" font-size="12" fill="currentColor">'
        f'<line x1="{LEFT}" x2="{WIDE}" y1="{base}" y2="{base}" stroke="currentColor" opacity=".3"/>'
        f'<text x="{LEFT - 6}" y="{TOP + 8}" text-anchor="end">{escape(written_value(top, one["unit"]))}</text>'
        f'<text x="{LEFT - 6}" y="{base}" text-anchor="end">0</text>'
        f'<text x="{LEFT}" y="{HIGH - 6}">{instant(since)}</text><text x="{WIDE}" y="{HIGH - 6}" text-anchor="end">{instant(until)} UTC</text>'
        f"{''.join(lines)}</svg><figcaption>{escape(name)}</figcaption></figure>"
    )


def _runs(values: Sequence[float | None]) -> list[list[tuple[int, float]]]:
    """Return the values without gaps between them, each with its place; one that stands alone twice, so that it is seen."""
    runs: list[list[tuple[int, float]]] = []
    for number, value in enumerate(values):
        if value is None:
            continue
        if number and values[number - 1] is not None and runs:
            runs[-1].append((number, value))
        else:
            runs.append([(number, value)])
    return [run * 2 if len(run) == 1 else run for run in runs]
