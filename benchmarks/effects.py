"""How often the inferred effect is the one a person gave: `make bench-effects`, or with other labels as argument.

Labels are JSON lines: source, file_or_service, method, path_or_operation, operation_id, effect, second_choice. The
last line of the output has the figures: `accuracy` (exactly the label), `with_second_choice`, `changes_called_read`
(labelled write, send or destroy, inferred read or egress) and `dangerous_called_read` (the same of send and destroy).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from banksman.catalog.compile import compiler_for
from banksman.catalog.entry import Entry
from banksman.catalog.sources import Description, descriptions
from described import places
from report import finish, table

LABELS = Path(__file__).parent / "labels" / "effects.jsonl"
EFFECTS = ("read", "egress", "write", "send", "destroy")
CHANGES = frozenset({"write", "send", "destroy"})


def nearness(description: Description, wanted: str) -> int:
    """How well a label's file or service names this description; 0 where it does not."""
    plain = description.source.partition(":")[2]
    name = wanted.strip("/").removesuffix(".gz").removesuffix(".json")
    if plain.endswith((f"/{name}.json", f"/{name}")):
        return 3
    if f"/{name}/" in plain:
        return 2
    return int(f"/{name}." in plain)


def keys(method: str, path: str, operation: str) -> Iterator[tuple[str, ...]]:
    """What an operation is found by, the surest first."""
    plain = path.strip("/")
    if operation:
        yield (method, plain, operation)
        yield ("id", operation)
    yield (method, plain)


def entries(labels: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], Entry | None]]:
    """Each label with its entry."""
    by_source: dict[str, list[dict[str, Any]]] = {}
    for label in labels:
        by_source.setdefault(label["source"], []).append(label)
    for source, held in by_source.items():
        offered = list(descriptions(source, places=places()))
        by_file: dict[str, list[dict[str, Any]]] = {}
        for label in held:
            by_file.setdefault(label["file_or_service"], []).append(label)
        for file, of_file in by_file.items():
            near = max(offered, key=lambda one: nearness(one, file))
            description = near if nearness(near, file) or len(offered) == 1 else None
            known: dict[tuple[str, ...], Entry] = {}
            if description is not None:
                compiler = compiler_for(description.content(), description.system, description.source)
                for entry in compiler.entries():
                    for path in {entry.described or entry.path, entry.path}:
                        for key in keys(entry.method, path, entry.operation):
                            known.setdefault(key, entry)
            for label in of_file:
                sought = keys(label["method"].upper(), label["path_or_operation"], label.get("operation_id") or "")
                also = (("id", label["path_or_operation"]),)
                yield label, next((known[key] for key in (*sought, *also) if key in known), None)


def main() -> None:
    """Compare, and print the confusion matrix."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("labels", nargs="?", type=Path, default=LABELS)
    parser.add_argument("--half", type=int, choices=(0, 1), help="only every second label: 0 to work on, 1 kept apart")
    parser.add_argument("--show", action="store_true", help="list what differs")
    options = parser.parse_args()
    labels = [json.loads(line) for line in options.labels.read_text(encoding="utf-8").splitlines() if line.strip()]
    if options.half is not None:
        labels = labels[options.half :: 2]
    matrix: Counter[tuple[str, str]] = Counter()
    second = missing = 0
    differing = []
    for label, entry in entries(labels):
        if entry is None:
            missing += 1
            continue
        inferred = entry.effect.value
        matrix[label["effect"], inferred] += 1
        second += inferred in (label["effect"], label.get("second_choice"))
        if inferred != label["effect"]:
            told = f"{label['effect']}/{label.get('second_choice') or '-'} -> {inferred}"
            differing.append((told, entry.method, f"{entry.name} {entry.summary[:70]}", entry.reason))
    count = sum(matrix.values())
    if options.show:
        for row in sorted(differing):
            print(*row, sep=" | ")
    rows = [[label, *(matrix[label, inferred] for inferred in EFFECTS)] for label in EFFECTS]
    table("labelled (down), inferred (across)", ["", *EFFECTS], rows)
    quiet = ("read", "egress")
    dangerous = sum(matrix[label, inferred] for label in ("send", "destroy") for inferred in quiet)
    finish(
        {
            "labels": count,
            "not_found": missing,
            "accuracy": sum(matrix[effect, effect] for effect in EFFECTS) / max(count, 1),
            "with_second_choice": second / max(count, 1),
            "changes_called_read": sum(matrix[label, inferred] for label in CHANGES for inferred in quiet),
            "dangerous_called_read": dangerous,
        }
    )


if __name__ == "__main__":
    main()
