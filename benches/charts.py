"""Draws the figures of a run as charts for docs/performance.md: `python3 benches/charts.py RESULTS.json FOLDER`.

One SVG per scenario: CPU time per request of each server, the cheapest first. Needs matplotlib; `make charts` has it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot

OURS, FLOOR, OTHERS = "#2b6cb0", "#a0aec0", "#cbd5e0"


def main() -> int:
    results, folder = Path(sys.argv[1]), Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    matplotlib.rcParams["svg.hashsalt"] = "indrik"
    for scenario in json.loads(results.read_text())["scenarios"]:
        rows = [row for row in scenario["rows"] if row["valid"]]
        if len(rows) > 1:
            draw(scenario["title"], rows, folder / f"{scenario['name']}.svg")
    return 0


def draw(title: str, rows: list[dict], path: Path) -> None:
    rows = sorted(rows, key=lambda row: row["median"]["cpu_us_per_request"], reverse=True)
    names = [row["peer"] for row in rows]
    costs = [row["median"]["cpu_us_per_request"] for row in rows]
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
