"""Whether a run's file is whole and unchanged. Needs the file alone: no ledger, no configuration, no system."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from banksman._canonical import digest
from banksman.audit._export import FORMAT, VERSION, is_finished, line
from banksman.errors import UsageError
from banksman.ledger import Entry, broken_links

_FIELDS = {one.name: int if one.name == "number" else str for one in fields(Entry)}


@dataclass(frozen=True)
class Report:
    """What a file shows.

    Attributes:
        run: whose entries these are, as the header says.
        count: how many entries there are.
        head: the hash of the last one. Compare it with one noted elsewhere: whoever can write the whole file anew can
            cut off its end or make up all of it, and no file by itself can show that.
        finished: whether the run had ended, or was paused, when it was exported.
        writes: how many writes were sent.
        problems: what is wrong, one line each; empty where the file holds.
    """

    run: str
    count: int
    head: str
    finished: bool
    writes: int
    problems: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong. It may be unfinished all the same."""
        return not self.problems


def verify(path: str | Path) -> Report:
    """Check a file that `export` wrote.

    Raises:
        UsageError: it cannot be read, or is no such file.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageError(f"{path} cannot be read: {reason}") from None
    return verify_text(text, source=str(path))


def verify_text(text: str, *, source: str = "the file") -> Report:
    """Check the content of a file.

    Raises:
        UsageError: it is no audit file of a version that is known here.
    """
    lines = text.split("\n")
    head = _object(lines[0])
    if head is None or head.get("format") != FORMAT:
        raise UsageError(f"{source} is no audit file", hint="`banksman audit export RUN FILE` writes one.")
    if head.get("version") != VERSION:
        raise UsageError(f"{source} has version {head.get('version')!r} of the format; {VERSION} is known here")
    run = str(head.get("run", ""))
    problems: list[str] = []
    if lines[-1]:
        problems.append("the last line is cut off: it has no end")
    entries = list(_entries(lines[1 : len(lines) if lines[-1] else -1], problems))
    problems += broken_links(run, entries)
    problems += _against_header(head, entries)
    problems += _unapproved(entries)
    return Report(
        run=run,
        count=len(entries),
        head=entries[-1].hash if entries else "",
        finished=is_finished(entries),
        writes=sum(entry.kind == "call.intended" for entry in entries),
        problems=tuple(problems),
    )


def _object(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _entries(lines: Sequence[str], problems: list[str]) -> Iterator[Entry]:
    for number, text in enumerate(lines, start=2):
        found = _object(text)
        if found is None:
            problems.append(f"line {number}: not a JSON object")
        elif {name: type(value) for name, value in found.items()} != _FIELDS:
            problems.append(f"line {number}: not an entry; its fields are {', '.join(_FIELDS)}")
        else:
            entry = Entry(**found)
            # A field given twice, or written differently, would show a reader something else than was hashed.
            if line(entry) != text:
                problems.append(f"line {number}: not written as an export writes it")
            yield entry


def _against_header(head: Mapping[str, Any], entries: Sequence[Entry]) -> Iterator[str]:
    count, missing = len(entries), head.get("count") if isinstance(head.get("count"), int) else None
    last = entries[-1].hash if entries else ""
    if missing is None:
        yield "the header does not say how many entries there are"
    elif missing > count:
        yield f"{missing - count} of {missing} entries are missing"
    elif missing < count:
        yield f"there are {count - missing} entries more than the {missing} that the header counts"
    if head.get("head") != last:
        yield "the last entry is not the one that the header names"
    if head.get("finished") is not is_finished(entries):
        says = "finished" if head.get("finished") else "not finished"
        yield f"the header says that the run is {says}; its last entry says otherwise"


@dataclass
class _Seen:
    """What a run's entries have shown so far."""

    previews: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    approved: set[str] = field(default_factory=set)
    #: What stages that have begun may send: call -> action and connection.
    allowed: dict[str, tuple[Any, Any]] = field(default_factory=dict)


def _unapproved(entries: Sequence[Entry]) -> Iterator[str]:
    """Writes that were sent without an approved preview that shows them."""
    seen = _Seen()
    for entry in entries:
        try:
            yield from _judge(seen, entry)
        except (ValueError, TypeError, KeyError, AttributeError, AssertionError, RecursionError):
            yield f"entry {entry.number} ({entry.kind}): its body cannot be read"


def _judge(seen: _Seen, entry: Entry) -> Iterator[str]:
    where = f"entry {entry.number} ({entry.kind}{' ' + entry.call if entry.call else ''})"
    if entry.kind == "run.previewed":
        body = entry.body
        if digest(body["preview"], purpose="banksman.approval.v1") != body["digest"]:
            yield f"{where}: the digest is not that of the preview"
        seen.previews[body["digest"]] = body["preview"]
    elif entry.kind == "approval.given":
        seen.approved.add(entry.body["digest"])
    elif entry.kind == "stage.begun":
        begun = entry.body["digest"]
        shown = seen.previews.get(begun)
        if shown is None:
            yield f"{where}: there is no preview of that digest"
            return
        items = [*shown["items"], *shown["alternatives"]]
        if items and begun not in seen.approved:
            yield f"{where}: nobody approved that preview"
            return
        seen.allowed |= {item["call"]: (item["action"], item["connection"]) for item in items}
    elif entry.kind == "call.intended":
        body = entry.body
        if seen.allowed.get(entry.call) != (body["action"], body["connection"]):
            yield f"{where}: no approved preview shows that write"
