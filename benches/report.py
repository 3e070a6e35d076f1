"""Rounds in, medians out: the table that people read and the rows that go into the JSON file. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from statistics import median

from measure import Round


@dataclass
class Row:
    """All rounds of one peer in one scenario; `fault` is why there are none, or no more."""

    peer: str
    version: str
    rounds: list[Round] = field(default_factory=list)
    fault: str = ""

    def faults(self) -> list[str]:
        """Everything that went wrong, each thing once, in the order of the rounds."""
        every = [text for done in self.rounds for text in done.faults]
        return list(dict.fromkeys([*every, *([self.fault] if self.fault else [])]))

    def valid(self) -> bool:
        return bool(self.rounds) and not self.faults()

    def cpu_us(self) -> float:
        return median(done.cpu_us_per_request for done in self.rounds)

    def least_cpu_us(self) -> float:
        return min(done.cpu_us_per_request for done in self.rounds)

    def as_json(self) -> dict:
        figures = {}
        if self.rounds:
            figures = {
                "cpu_us_per_request": round(self.cpu_us(), 3),
                "least_cpu_us_per_request": round(self.least_cpu_us(), 3),
                "requests_per_second": round(median(done.requests_per_second for done in self.rounds), 1),
                "p50_ms": round(median(done.p50_ms for done in self.rounds), 3),
                "p99_ms": round(median(done.p99_ms for done in self.rounds), 3),
                "busy": round(median(done.busy for done in self.rounds), 3),
                "others": round(median(done.others for done in self.rounds), 3),
            }
        return {
            "peer": self.peer,
            "version": self.version,
            "valid": self.valid(),
            "faults": self.faults(),
            "median": figures,
            "rounds": [asdict(done) for done in self.rounds],
        }


HEAD = ("server", "version", "CPU us/req", "least", "indrik/it", "req/s", "p50 ms", "p99 ms", "busy", "others", "")


def table(rows: list[Row]) -> str:
    """Aligned text, the cheapest valid row first, rows that do not count last."""
    ours = next((row.cpu_us() for row in rows if row.peer == "indrik" and row.valid()), None)
    valid = sorted((row for row in rows if row.valid()), key=Row.cpu_us)
    lines = [HEAD, *(cells(row, ours) for row in valid)]
    for row in rows:
        if not row.valid():
            faults = "; ".join(row.faults()) or "no round was run"
            figures = cells(row, None)[2:-1] if row.rounds else ("-",) * (len(HEAD) - 3)
            lines.append((row.peer, row.version, *figures, f"INVALID: {faults}"))
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    return "\n".join(aligned(line, widths) for line in lines)


def cells(row: Row, ours: float | None) -> tuple[str, ...]:
    figures = row.as_json()["median"]
    return (
        row.peer,
        row.version,
        f"{row.cpu_us():.2f}",
        f"{row.least_cpu_us():.2f}",
        f"{ours / row.cpu_us():.2f}" if ours else "-",
        f"{figures['requests_per_second']:,.0f}",
        f"{figures['p50_ms']:.2f}",
        f"{figures['p99_ms']:.2f}",
        f"{figures['busy']:.0%}",
        f"{figures['others']:.0%}",
        "",
    )


def aligned(line: tuple[str, ...], widths: list[int]) -> str:
    """Names to the left, figures to the right, the remark as it is."""
    last = len(line) - 1
    padded = [
        text if column == last else text.ljust(width) if column < 2 else text.rjust(width)
        for column, (text, width) in enumerate(zip(line, widths, strict=True))
    ]
    return "  ".join(padded).rstrip()
