"""What every compiler is: a provider, entries one at a time, and the shared schemas these refer to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from banksman.catalog.entry import Entry, Provider, Report
from banksman.catalog.schemas import Json


class Compiler(Protocol):
    """Compiles one description. Read `entries` to their end, then `definitions`.

    Attributes:
        provider: what holds for the system as a whole.
        report: filled while entries are read.
    """

    provider: Provider
    report: Report

    def entries(self) -> Iterator[Entry]:
        """The operations that can be compiled; those that cannot go into the report."""

    def definitions(self) -> Iterator[tuple[str, Json]]:
        """The shared schemas that the entries read so far refer to, by name, each once."""


def first_sentence(text: str) -> str:
    """A summary for an operation that has none: the first sentence of its first line, cut at 200."""
    line = text.strip().partition("\n")[0].strip()
    end = line.find(". ")
    return (line[: end + 1] if 0 < end < 200 else line)[:200]
