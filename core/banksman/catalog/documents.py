"""What the search index is told of each entry."""

from __future__ import annotations

import sqlite3


def index_entries(connection: sqlite3.Connection) -> None:
    """Make the search index over all entries."""
