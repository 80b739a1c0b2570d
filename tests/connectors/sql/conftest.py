"""One shop for each test, in SQLite and in PostgreSQL."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest
from tests.peers.servers import Postgres

from .shop import Clerk, Shop, open_postgres, open_sqlite

_numbers = itertools.count(1)
BOTH = ["sqlite", pytest.param("postgres", marks=pytest.mark.peer)]


@pytest.fixture
def sqlite_shop(tmp_path: Path) -> Shop:
    return open_sqlite(tmp_path)


@pytest.fixture
def postgres_shop(postgres: Postgres) -> Iterator[Shop]:
    name = f"shop_{next(_numbers)}"
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield open_postgres(postgres.url.replace("/postgres?", f"/{name}?"))
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=BOTH)
def shop(request: pytest.FixtureRequest) -> Shop:
    """The shop, once for each kind of database."""
    found: Shop = request.getfixturevalue(f"{request.param}_shop")
    return found


@pytest.fixture
async def clerk(shop: Shop) -> AsyncIterator[Clerk]:
    """Works in a test environment."""
    clerk = shop.clerk()
    yield clerk
    await clerk.opened.aclose()


@pytest.fixture
async def careful(shop: Shop) -> AsyncIterator[Clerk]:
    """Works in production."""
    clerk = shop.clerk("production")
    yield clerk
    await clerk.opened.aclose()
