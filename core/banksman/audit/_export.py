"""The file: a header, then the ledger's entries exactly as they were hashed, one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any

from banksman.errors import UnknownName
from banksman.ledger import Entry

FORMAT = "banksman.audit"
VERSION = 1

#: What a run's last entry is while nothing goes on. What another run's undo adds behind it changes nothing.
_ENDS = ("run.ended", "run.paused")
_BEHIND = ("run.undone",)


def export(run: str, entries: Sequence[Entry]) -> Iterator[str]:
    """The lines of a run's file, without line ends.

    Raises:
        UnknownName: there are no entries.
    """
    if not entries:
        raise UnknownName("run", run, ())
    yield _dump(header(run, entries))
    for entry in entries:
        yield line(entry)


def header(run: str, entries: Sequence[Entry]) -> dict[str, Any]:
    """What the first line says of the rest. `head` is the last hash; noted elsewhere it shows what was cut off."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "run": run,
        "count": len(entries),
        "head": entries[-1].hash if entries else "",
        "finished": is_finished(entries),
    }


def line(entry: Entry) -> str:
    """One entry. `text` is the body as it was hashed, a JSON text inside the JSON."""
    return _dump({field.name: getattr(entry, field.name) for field in fields(entry)})


def is_finished(entries: Sequence[Entry]) -> bool:
    """Whether nothing is going on any more: the run has ended, or is paused for a person."""
    kinds = [entry.kind for entry in entries if entry.kind not in _BEHIND]
    return bool(kinds) and kinds[-1] in _ENDS


def _dump(value: dict[str, Any]) -> str:
    # ASCII: nothing that a system wrote can break a line, or show differently than it is.
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"))
