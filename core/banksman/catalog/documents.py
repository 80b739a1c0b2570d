"""What the search index is told of each entry."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from banksman.catalog.entry import Entry
from banksman.catalog.store import Catalog

_LONGEST_TEXT = 1000


def index_entries(connection: sqlite3.Connection) -> None:
    """Make the search index over all entries, inside the connection's transaction."""
    try:
        search = import_module("banksman.catalog.search")
    except ModuleNotFoundError:
        return
    if hasattr(search, "build"):
        search.build(connection, _documents(connection, search.SearchDocument))


def _documents(connection: sqlite3.Connection, document: Any) -> Iterator[Any]:
    catalog = Catalog.over(connection)
    titles = dict(connection.execute("SELECT name, title FROM systems").fetchall())
    for entry in catalog.entries():
        yield document(
            id=entry.name,
            system=entry.system,
            name=entry.operation or entry.name.partition(".")[2],
            summary=entry.summary,
            description=entry.description[:_LONGEST_TEXT],
            arguments=tuple(_described(entry)),
            effect=entry.effect.value,
            title=titles[entry.system],
        )


def _described(entry: Entry) -> Iterator[tuple[str, str]]:
    """The arguments' names, with what is said of them."""
    properties = entry.input.get("properties", {})
    for argument in entry.arguments:
        text = properties.get(argument.name, {}).get("description", "")
        yield argument.name, text[:200] if isinstance(text, str) else ""
