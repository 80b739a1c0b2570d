"""Ledgers in a file, and again in PostgreSQL."""

from __future__ import annotations

import psycopg
import pytest

from banksman.ledger import Ledger

DATABASE = "ledgers"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.peer)])
def where(request, tmp_path):
    """Where an empty ledger can be opened."""
    if request.param == "sqlite":
        return tmp_path / "ledger.db"
    url = request.getfixturevalue("postgres").url
    with psycopg.connect(url, autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone():
            connection.execute(f"CREATE DATABASE {DATABASE}")
    address = url.replace("/postgres?", f"/{DATABASE}?")
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS banksman CASCADE")
    return address


@pytest.fixture
def ledger(where):
    ledger = Ledger.open(where)
    yield ledger
    ledger.close()
