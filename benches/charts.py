"""Puts the figures of the last runs into docs/performance.md, as tables and charts: `charts.py RESULTS DOCS`.

Of each scenario the newest run counts in which indrik's row is valid, whichever file of the folder RESULTS it is in, so
scenarios may be run one by one. One SVG each: CPU time per request of each server, the cheapest first. Needs
matplotlib; `make charts` has it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import matplotlib
import scenarios

matplotlib.use("svg")
from matplotlib import pyplot

OURS, FLOOR, OTHERS = "#2b6cb0", "#a0aec0", "#cbd5e0"
BEGIN, END = "<!-- figures: from here on made by make charts -->", "<!-- end of figures -->"


def main() -> int:
    results, docs = Path(sys.argv[1]), Path(sys.argv[2])
    folder = docs / "performance"
    folder.mkdir(parents=True, exist_ok=True)
    matplotlib.rcParams["svg.hashsalt"] = "indrik"
    sections = []
    for scenario in newest(results):
        rows = sorted(valid(scenario), key=cost)
        if len(rows) > 1:
            draw(scenario["title"], rows, folder / f"{scenario['name']}.svg")
        sections.append(section(scenario, rows))
    if (mixed := mixed_section(results)) is not None:
        sections.append(mixed)
    page = docs / "performance.md"
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(before + "\n\n".join([BEGIN, *sections, END]) + after, encoding="utf-8")
    return 0


def newest(results: Path) -> list[dict]:
    """The last valid run of each scenario, in the order of their table, with its `method` and `machine`."""
    found = {}
    for path in sorted(results.glob("2*.json")):
        outcome = json.loads(path.read_text())
        # The crowd's files have no scenarios.
        for scenario in outcome.get("scenarios", []):
            if any(row["peer"] == "indrik" for row in valid(scenario)):
                found[scenario["name"]] = scenario | {"method": outcome["method"], "machine": outcome["machine"]}
    return [found[known.name] for known in scenarios.SCENARIOS if known.name in found]


def valid(scenario: dict) -> list[dict]:
    return [row for row in scenario["rows"] if row["valid"]]


def cost(row: dict) -> float:
    return row["median"]["cpu_us_per_request"]


def section(scenario: dict, rows: list[dict]) -> str:
    method = scenario["method"]
    ours = next(cost(row) for row in rows if row["peer"] == "indrik")
    lines = [
        f"### {scenario['title']}",
        "",
        f"Medians of {method['rounds']} rounds of {method['seconds']} s, CPython {scenario['machine']['python']}.",
        "",
    ]
    if len(rows) > 1:
        lines += [f"![CPU time per request of each server](performance/{scenario['name']}.svg)", ""]
    lines += [
        "| server | version | CPU µs/request | indrik/it | requests/s | p50 ms | p99 ms | busy | others |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        median = row["median"]
        lines.append(
            f"| {row['peer']} | {row['version']} | {cost(row):,.2f} | {ours / cost(row):.2f} "
            f"| {median['requests_per_second']:,.0f} | {median['p50_ms']:.2f} | {median['p99_ms']:.2f} "
            f"| {median['busy']:.0%} | {median['others']:.0%} |"
        )
    return "\n".join(lines)


def mixed_section(results: Path) -> str | None:
    """Latencies of the last run of mixed.py."""
    runs = sorted(results.glob("mixed-*.json"))
    if not runs:
        return None
    lines = [
        "### Fast and slow requests mixed, four workers with one thread",
        "",
        "5 % of the requests sleep 200 ms; latency of the others.",
        "",
        "| requests/s | server | mean ms | p50 ms | p95 ms | p99 ms |",
        "|--:|---|--:|--:|--:|--:|",
    ]
    for row in json.loads(runs[-1].read_text()):
        figures = " | ".join(f"{row[key]:.2f}" for key in ("mean_ms", "p50_ms", "p95_ms", "p99_ms"))
        lines.append(f"| {row['rate']} | {row['server']} | {figures} |")
    return "\n".join(lines)


def draw(title: str, rows: list[dict], path: Path) -> None:
    rows = rows[::-1]
    names = [row["peer"] for row in rows]
    costs = [cost(row) for row in rows]
    colours = [OURS if name == "indrik" else FLOOR if name in ("nginx", "transport") else OTHERS for name in names]
    figure, axes = pyplot.subplots(figsize=(7, 0.36 * len(rows) + 1.1))
    bars = axes.barh(names, costs, color=colours)
    axes.bar_label(bars, labels=[f"{cost:,.1f}" for cost in costs], padding=4, fontsize=8)
    axes.set_title(title, fontsize=10, loc="left")
    axes.set_xlabel("CPU microseconds per request", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.margins(x=0.14)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


if __name__ == "__main__":
    sys.exit(main())
