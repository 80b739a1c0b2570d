"""How a database is reached and logged in to, and what its errors mean."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from banksman import Connection, Environment, OpenConnection, Wiring, auth
from banksman.errors import (
    AccessDenied,
    AuthFailed,
    BanksmanError,
    ConfigError,
    Conflict,
    NotFound,
    Rejected,
    Unavailable,
)
from banksman_connectors.sql import connector
from banksman_connectors.sql.settings import SqlSettings, address_of

from .shop import Shop


def opened(url: str, login: dict[str, str] | None = None) -> OpenConnection:
    connection = Connection(
        "sql:x", "sql", environment=Environment.TEST, settings=SqlSettings(url=url), auth=login or {}
    )
    wiring = Wiring(auth=auth.build(connector.auth, connection.auth))
    return OpenConnection(connector, connection, connector.open(connector, connection, wiring))


async def ask(connection: OpenConnection, statement: str = "SELECT 1 AS n") -> list[dict[str, object]]:
    try:
        found = await connection.read(await connection.action("sql.query"), {"statement": statement})
        return list(found.rows)
    finally:
        await connection.aclose()


async def refusal(connection: OpenConnection, statement: str = "SELECT 1 AS n") -> BanksmanError:
    with pytest.raises(BanksmanError) as refused:
        await ask(connection, statement)
    return refused.value


# Addresses


@pytest.mark.parametrize(
    ("url", "parameters"),
    [
        ("postgresql://db.example.com/orders", {"host": "db.example.com", "dbname": "orders"}),
        ("postgres://ann@db:6543/orders", {"host": "db", "port": "6543", "user": "ann", "dbname": "orders"}),
        ("postgresql:///orders?host=/run/postgresql", {"host": "/run/postgresql", "dbname": "orders"}),
        ("postgresql://[::1]/a%2Fb?sslmode=verify-full", {"host": "::1", "dbname": "a/b", "sslmode": "verify-full"}),
    ],
)
def test_a_postgres_url_says_where_the_database_is(url: str, parameters: dict[str, str]) -> None:
    address = address_of(url)
    assert (address.dialect, dict(address.parameters)) == ("postgres", parameters)


def test_a_sqlite_url_names_a_file_relative_or_absolute() -> None:
    assert address_of("sqlite:///orders.db").path == Path("orders.db")
    assert address_of("sqlite:////srv/my%20orders.db").path == Path("/srv/my orders.db")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql://ann:hunter22@db/orders", "password"),
        ("postgresql://db/orders?password=hunter22", "password"),
        ("postgresql://db/orders?passfile=/hunter22", "passfile"),
        ("postgresql://db/orders?options=-chunter22", "options"),
        ("postgresql://db:hunter22/orders", "port"),
        ("mysql://db/hunter22", "mysql"),
        ("sqlite://orders.db", "slashes"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "memory"),
        ("sqlite:///hunter22.db?mode=rw", "parameters"),
        ("orders.db#hunter22", "fragment"),
        ("hunter22", "scheme"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_without_being_shown(url: str, says: str) -> None:
    with pytest.raises(ConfigError) as refused:
        address_of(url)
    assert says in str(refused.value)
    assert "hunter22" not in str(refused.value)


async def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    missing = tmp_path / "none.db"
    assert isinstance(await refusal(opened(f"sqlite:///{missing}")), ConfigError)
    assert not os.path.exists(missing)  # noqa: ASYNC240, PTH110


async def test_a_file_that_was_replaced_is_opened_anew(sqlite_shop: Shop, tmp_path: Path) -> None:
    clerk = sqlite_shop.clerk()
    assert await clerk.rows("SELECT count(*) AS n FROM orders") == [{"n": 3}]
    other = tmp_path / "other.db"
    connection = sqlite3.connect(other)
    connection.executescript("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
    connection.close()
    os.replace(other, sqlite_shop.url.removeprefix("sqlite:///"))  # noqa: PTH105
    assert await clerk.rows("SELECT count(*) AS n FROM orders") == [{"n": 0}]
    await clerk.opened.aclose()


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("these are not the rows you are looking for" * 50)
    assert isinstance(await refusal(opened(f"sqlite:///{tmp_path / 'text.db'}")), Rejected)


def test_opening_imports_neither_driver_nor_parser() -> None:
    code = (
        "import sys; from banksman_connectors.sql import connector; "
        "print([m for m in ('sqlglot', 'psycopg', 'httpx') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# Logging in


@pytest.fixture
def guarded(postgres_shop: Shop) -> Iterator[Shop]:
    """A server that asks one of its roles for a password."""
    (path,) = postgres_shop.run("SHOW hba_file")[0]
    rules = Path(path).read_text()
    try:
        postgres_shop.script("CREATE ROLE clara LOGIN PASSWORD 'correct horse'; GRANT SELECT ON customers TO clara;")
        Path(path).write_text("local all clara scram-sha-256\n" + rules)
        postgres_shop.run("SELECT pg_reload_conf()")
        yield postgres_shop
    finally:
        Path(path).write_text(rules)
        postgres_shop.run("SELECT pg_reload_conf()")
        postgres_shop.script("DROP OWNED BY clara; DROP ROLE clara;")


def as_clara(shop: Shop, password: str | None) -> OpenConnection:
    url = shop.url.replace("postgres@", "")
    if password is None:
        return opened(shop.url.replace("postgres@", "clara@"))
    return opened(url, {"kind": "basic", "username": "clara", "password": f"literal:{password}"})


@pytest.mark.peer
async def test_the_login_is_the_connections_own(guarded: Shop) -> None:
    assert await ask(as_clara(guarded, "correct horse"), "SELECT current_user::text AS me") == [{"me": "clara"}]


@pytest.mark.peer
async def test_a_wrong_or_missing_password_fails_the_login_and_is_not_shown(guarded: Shop) -> None:
    wrong = await refusal(as_clara(guarded, "battery staple"))
    assert isinstance(wrong, AuthFailed)
    assert "battery staple" not in str(wrong)
    assert isinstance(await refusal(as_clara(guarded, None)), AuthFailed)


@pytest.mark.peer
async def test_what_a_role_may_not_do_is_access_denied(guarded: Shop) -> None:
    denied = await refusal(as_clara(guarded, "correct horse"), "SELECT * FROM orders")
    assert isinstance(denied, AccessDenied)
    clara = as_clara(guarded, "correct horse")
    with pytest.raises(AccessDenied):
        await clara.prepare(
            await clara.action("sql.execute"), {"statement": "UPDATE customers SET vip = TRUE WHERE id = 3"}
        )
    await clara.aclose()


@pytest.mark.peer
async def test_a_database_or_server_that_is_not_there_says_so(postgres_shop: Shop) -> None:
    missing = postgres_shop.url.replace("/shop_", "/nothing_")
    assert isinstance(await refusal(opened(missing)), NotFound)
    assert isinstance(await refusal(opened(postgres_shop.url.replace("postgres@", "nobody@"))), AuthFailed)
    assert isinstance(await refusal(opened("postgresql://127.0.0.1:9/x")), Unavailable)


# What errors mean


@pytest.mark.peer
@pytest.mark.parametrize(
    ("statement", "kind", "code"),
    [
        ("SELECT nothere FROM orders", Rejected, "42703"),
        ("SELECT * FROM nowhere", Rejected, "42P01"),
        ("SELECT 1 / 0", Rejected, "22012"),
        ("SELECT 'x'::int", Rejected, "22P02"),
        ("SELECT nofunction(1)", Rejected, "42883"),
    ],
)
async def test_a_code_of_postgres_has_its_error(
    postgres_shop: Shop, statement: str, kind: type[BanksmanError], code: str
) -> None:
    error = await refusal(opened(postgres_shop.url), statement)
    assert type(error) is kind
    assert error.code == code  # type: ignore[attr-defined]
    assert code in str(error)


@pytest.mark.peer
async def test_a_syntax_error_of_the_server_has_its_place(postgres_shop: Shop) -> None:
    error = await refusal(opened(postgres_shop.url), "SELECT id FROM orders WHERE nothere = 1")
    assert "at character 29" in str(error)


async def test_what_an_error_of_the_database_quotes_is_scrubbed(sqlite_shop: Shop) -> None:
    auth.Secret("swordfish-1234")
    sqlite_shop.script(
        "CREATE TRIGGER blab BEFORE DELETE ON items BEGIN SELECT raise(ABORT, 'token=swordfish-1234 is the key'); END;"
    )
    clerk = sqlite_shop.clerk()
    with pytest.raises(Conflict) as told:
        await clerk.execute("DELETE FROM items WHERE order_id = 12")
    assert "swordfish" not in str(told.value)
    await clerk.opened.aclose()


@pytest.mark.peer
async def test_the_session_reads_texts_as_they_are_judged(postgres_shop: Shop) -> None:
    """Where a server reads backslashes in texts, a quote could end elsewhere than the parser saw."""
    name = psycopg.conninfo.conninfo_to_dict(postgres_shop.url)["dbname"]
    postgres_shop.script(f"ALTER DATABASE {name} SET standard_conforming_strings = off")
    clerk = postgres_shop.clerk()
    assert await clerk.rows("SELECT 'a\\' AS one, '; DELETE FROM orders; --' AS two") == [
        {"one": "a\\", "two": "; DELETE FROM orders; --"}
    ]
    await clerk.opened.aclose()
