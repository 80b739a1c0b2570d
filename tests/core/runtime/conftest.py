"""Where runs are kept in these tests: a SQLite folder, and where it matters a PostgreSQL database as well."""

from __future__ import annotations

import psycopg
import pytest

from .toy import Desk

DATABASE = "runs"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.peer)])
def database(request):
    """The address of an empty database; None: SQLite."""
    if request.param == "sqlite":
        return None
    url = request.getfixturevalue("postgres").url
    with psycopg.connect(url, autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone():
            connection.execute(f"CREATE DATABASE {DATABASE}")
    address = url.replace("/postgres?", f"/{DATABASE}?")
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS banksman, dbos CASCADE")
    return address


@pytest.fixture
def desk(tmp_path):
    """Hubs on SQLite."""
    return Desk(tmp_path)


@pytest.fixture
def any_desk(tmp_path, database):
    """Hubs on SQLite, and again on PostgreSQL."""
    return Desk(tmp_path, database)
