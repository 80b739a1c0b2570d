"""The carriers' feed of the example: one table of shipments, made in SQLite or PostgreSQL."""

from __future__ import annotations

import sqlite3
from pathlib import Path

TABLE = """
CREATE TABLE shipments (
    id TEXT PRIMARY KEY,
    purchase_order TEXT NOT NULL,
    carrier TEXT NOT NULL,
    status TEXT NOT NULL,
    days_late INTEGER NOT NULL,
    expected_arrival DATE NOT NULL,
    rescheduled_to DATE
)
"""

#: id, purchase order, carrier, status, days late, expected arrival. 4500000005 is closed in the sandbox's SAP.
SHIPMENTS = (
    ("SHP-0041", "4500000003", "northfreight", "delayed", 7, "2026-03-18"),
    ("SHP-0042", "4500000003", "quickvan", "delayed", 4, "2026-03-15"),
    ("SHP-0043", "4500000004", "harbourline", "moving", 0, "2026-03-14"),
    ("SHP-0044", "4500000005", "northfreight", "delayed", 9, "2026-03-26"),
    ("SHP-0045", "4500000007", "quickvan", "delayed", 5, "2026-03-28"),
    ("SHP-0046", "4500000009", "harbourline", "delayed", 1, "2026-03-30"),
    ("SHP-0047", "4500000012", "northfreight", "delayed", 3, "2026-04-10"),
)
INSERT = """
INSERT INTO shipments (id, purchase_order, carrier, status, days_late, expected_arrival)
VALUES ({0}, {0}, {0}, {0}, {0}, {0})
"""


def make_sqlite(path: Path) -> None:
    """Make the feed in a new SQLite file."""
    with sqlite3.connect(path) as database:
        database.execute(TABLE)
        database.executemany(INSERT.format("?"), SHIPMENTS)
    database.close()


def make_postgres(url: str) -> None:
    """Make the feed in a PostgreSQL database, in place of one that is there."""
    import psycopg

    with psycopg.connect(url) as database:
        database.execute("DROP TABLE IF EXISTS shipments")
        database.execute(TABLE)
        with database.cursor() as cursor:
            cursor.executemany(INSERT.format("%s"), SHIPMENTS)
