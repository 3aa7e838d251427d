"""Draws the kept results: how many times faster than TensorFlow each program is, now and in earlier commits.

    python benchmarks/plot.py        # benchmarks/results/*.json -> benchmarks/results/ratios.svg

An SVG written by hand: one row a program on a logarithmic scale, a faint dot for each earlier result.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

ROW, LEFT, WIDTH, TOP = 18, 240, 520, 46


def draw(folder: Path) -> Path:
    """Writes ratios.svg into the folder of the results and returns its path."""
    results = sorted((json.loads(path.read_text()) for path in folder.glob("*.json")), key=lambda found: found["date"])
    latest: dict[str, float] = {}
    earlier: dict[str, list[float]] = {}
    for result in results:
        for name, figures in result["figures"].items():
            if figures["ratio"] is not None:
                if name in latest:
                    earlier.setdefault(name, []).append(latest[name])
                latest[name] = figures["ratio"]
    path = folder / "ratios.svg"
    path.write_text(_svg(latest, earlier, results[-1] if results else None), encoding="utf-8")
    return path


def _svg(latest: dict[str, float], earlier: dict[str, list[float]], last: Any) -> str:
    low = min([0.5, *latest.values()])
    high = max([2.0, *latest.values()])

    def x(ratio: float) -> float:
        return LEFT + WIDTH * math.log(ratio / low) / math.log(high / low)

    height = TOP + ROW * len(latest) + 20
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 80}" height="{height}" '
        'font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    if last is not None:
        title = f"times faster than TensorFlow {last['versions']['tensorflow']}"
        text = escape(f"{title}, commit {last['commit']}, {last['date'][:10]}")
        parts.append(f'<text x="{LEFT}" y="16">{text}</text>')
    for mark in (0.5, 1, 2, 5, 10, 20, 50, 100):
        if low <= mark <= high:
            colour = "#888" if mark == 1 else "#ddd"
            parts.append(f'<path d="M{x(mark):.1f} {TOP - 12}V{height - 20}" stroke="{colour}"/>')
            parts.append(f'<text x="{x(mark):.1f}" y="{TOP - 16}" text-anchor="middle" fill="#666">{mark}x</text>')
    for row, (name, ratio) in enumerate(latest.items()):
        y = TOP + ROW * row + 5
        start, end = sorted((x(1.0), x(ratio)))
        colour = "#2a7" if ratio >= 1 else "#c43"
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{escape(name)}</text>')
        parts.append(
            f'<rect x="{start:.1f}" y="{y - 5}" width="{max(end - start, 1):.1f}" height="10" fill="{colour}"/>'
        )
        parts += [
            f'<circle cx="{x(r):.1f}" cy="{y}" r="2" fill="#000" fill-opacity=".3"/>' for r in earlier.get(name, ())
        ]
        parts.append(f'<text x="{x(max(ratio, 1.0)) + 6:.1f}" y="{y + 4}" fill="#333">{ratio:.1f}x</text>')
    return "\n".join([*parts, "</svg>", ""])


if __name__ == "__main__":
    print(draw(Path(__file__).parent / "results"))
