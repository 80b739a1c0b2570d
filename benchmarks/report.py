"""How every benchmark reports: tables for people, and one JSON object as its last line."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from typing import Any


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print rows under a title, texts to the left and numbers to the right."""
    shown = [[_text(cell) for cell in row] for row in rows]
    widths = [max(len(line[place]) for line in [list(head), *shown]) for place in range(len(head))]
    numeric = [all(isinstance(row[place], int | float) for row in rows) for place in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        aligned = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(cells, widths, numeric, strict=True)
        ]
        return "  ".join(aligned).rstrip()

    print(f"\n{title}")
    print(line(list(head)))
    print("  ".join("-" * width for width in widths))
    for cells in shown:
        print(line(cells))


def _text(cell: Any) -> str:
    if isinstance(cell, float):
        return f"{cell:,.2f}" if abs(cell) < 1000 else f"{cell:,.0f}"
    return f"{cell:,}" if isinstance(cell, int) else str(cell)


def finish(figures: dict[str, Any]) -> None:
    """Print the figures for machines."""
    rounded = {name: round(value, 4) if isinstance(value, float) else value for name, value in figures.items()}
    print(f"\nPython {platform.python_version()} on {platform.system()} with {os.cpu_count()} processors")
    print(json.dumps(rounded))
