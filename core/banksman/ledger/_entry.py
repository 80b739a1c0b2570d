"""One line of the ledger, and the chain that binds it to the lines before."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any

from banksman._canonical import Plain, decode, encode


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be recorded. The store gives it its number, and the chain its hash.

    `text` is the encoded body, where somebody has encoded it already.
    """

    run: str
    kind: str
    call: str = ""
    body: Mapping[str, Plain] | None = None
    text: str | None = None

    def encoded(self) -> Draft:
        """The same with its text.

        Raises:
            TypeError, ValueError: the body cannot be recorded.
        """
        return self if self.text is not None else replace(self, text=encode(dict(self.body or {})))


@dataclass(frozen=True, slots=True)
class Entry:
    """One recorded event of a run.

    Attributes:
        number: 1 for the first of the run, without holes.
        at: when it was recorded, ISO 8601 in UTC.
        kind: `call.intended`, `call.confirmed`, `approval.given` ...; see `banksman.runtime.state`.
        call: the id of the call it is about; empty for the run as a whole.
        text: the body as canonical JSON: exactly the bytes that were hashed.
        previous: the hash of the entry before; for the first one, the hash of the run's id.
        hash: SHA-256 over all of the above.
    """

    run: str
    number: int
    at: str
    kind: str
    call: str
    text: str
    previous: str
    hash: str

    @property
    def body(self) -> dict[str, Any]:
        """The decoded body."""
        found = decode(self.text)
        assert isinstance(found, dict)
        return found


def origin(run: str) -> str:
    """What the first entry of a run is chained to."""
    return hashlib.sha256(f"banksman.ledger.v1\n{run}".encode()).hexdigest()


def chained(draft: Draft, number: int, previous: str, at: str | None = None) -> Entry:
    """The entry that a draft becomes."""
    at = at or datetime.now(timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")
    text = draft.text if draft.text is not None else encode(dict(draft.body or {}))
    return Entry(
        draft.run,
        number,
        at,
        draft.kind,
        draft.call,
        text,
        previous,
        link(draft.run, number, at, draft.kind, draft.call, text, previous),
    )


def link(run: str, number: int, at: str, kind: str, call: str, text: str, previous: str) -> str:
    """The hash of an entry. Lengths stand before the parts, so that no two entries share one text."""
    parts = (run, str(number), at, kind, call, text, previous)
    data = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(data.encode("utf-8", "surrogatepass")).hexdigest()


def broken_links(run: str, entries: Iterable[Entry]) -> list[str]:
    """What is wrong with a run's chain, one line each; empty where it holds."""
    problems: list[str] = []
    previous, expected = origin(run), 1
    for entry in entries:
        where = f"entry {entry.number} ({entry.kind})"
        if entry.run != run:
            problems.append(f"{where}: belongs to run {entry.run}")
        if entry.number != expected:
            problems.append(f"{where}: number {expected} was expected; entries are missing or out of order")
        if entry.previous != previous:
            problems.append(f"{where}: does not follow the entry before it")
        actual = link(entry.run, entry.number, entry.at, entry.kind, entry.call, entry.text, entry.previous)
        if actual != entry.hash:
            problems.append(f"{where}: its content does not match its hash")
        previous, expected = entry.hash, entry.number + 1
    return problems
