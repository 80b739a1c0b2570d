"""Statements that somebody wrote to do harm: each is refused, and nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from tests.peers.servers import Postgres

from banksman.errors import BanksmanError, Denied, Rejected

from .shop import Clerk, Shop, open_postgres, open_sqlite

# (action, statement, dialect or both, rule in production; "" for a plain refusal everywhere)
HOSTILE: list[tuple[str, str, str, str]] = [
    # Several statements
    ("query", "SELECT 1; DELETE FROM orders", "both", ""),
    ("query", "SELECT 1;;DROP TABLE items", "both", ""),
    ("execute", "DELETE FROM orders WHERE id = 10; DROP TABLE items", "both", ""),
    ("execute", "UPDATE orders SET note = 'x' WHERE id = 1;COMMIT", "both", ""),
    ("define", "CREATE TABLE t (a int); DROP TABLE items", "both", ""),
    ("query", "SELECT ';' ; SELECT 2", "both", ""),
    # What hides behind comments and quotes
    ("query", "SELECT 1 -- \n; DELETE FROM orders", "both", ""),
    ("query", "/* /* */ DELETE FROM orders; /* */ */ SELECT 1", "sqlite", ""),
    ("query", "DELETE /* SELECT */ FROM orders", "both", ""),
    ("execute", "DELETE FROM orders -- WHERE id = 10", "both", "sql.production-where"),
    ("execute", "DELETE FROM orders /* WHERE id = 10 */", "both", "sql.production-where"),
    ("execute", 'DELETE FROM "orders"', "both", "sql.production-where"),
    ("execute", "DELETE FROM orders WHERE '--' = '--' OR id = 10", "both", "sql.production-where"),
    ("query", "SELECT 'a' 'b\\'; DELETE FROM orders; --'", "both", ""),
    ("query", "SELECT $$; DELETE FROM orders$$ || $x$ $x$; DELETE FROM orders", "postgres", ""),
    ("query", "SELECT E'a\\'; DELETE FROM orders; --' ; DELETE FROM orders", "postgres", ""),
    ("query", 'SELECT U&"d\\0061ta" FROM orders', "postgres", ""),
    ("query", "SELECT 1 FROM orders WHERE 'unclosed", "both", ""),
    ("query", "SELECT 1 \x00 DELETE", "both", ""),
    # Writes dressed as reads
    ("query", "WITH x AS (DELETE FROM orders RETURNING *) SELECT * FROM x", "both", "sql.production-nested-write"),
    ("query", "WITH x AS (UPDATE orders SET note = 'x' RETURNING 1) SELECT 1", "both", "sql.production-nested-write"),
    (
        "query",
        "WITH x AS (INSERT INTO journal VALUES ('x', 1) RETURNING 1) SELECT 1",
        "both",
        "sql.production-nested-write",
    ),
    ("query", "SELECT * INTO stolen FROM orders", "both", ""),
    ("query", "SELECT * FROM orders FOR UPDATE", "both", ""),
    ("query", "SELECT * FROM orders FOR NO KEY UPDATE", "postgres", ""),
    ("query", "SELECT * FROM orders FOR SHARE", "postgres", ""),
    ("query", "DELETE FROM orders RETURNING *", "both", ""),
    ("query", "EXPLAIN ANALYZE DELETE FROM orders", "both", ""),
    ("query", "EXPLAIN (ANALYZE) DELETE FROM orders", "both", ""),
    ("query", "EXPLAIN SELECT 1; DELETE FROM orders", "both", ""),
    ("query", "EXPLAIN", "both", ""),
    ("query", "TABLE orders; DELETE FROM orders", "both", ""),
    ("query", "", "both", ""),
    ("query", " -- nothing", "both", ""),
    # A write inside a write
    (
        "execute",
        "WITH x AS (DELETE FROM items RETURNING 1 AS i) UPDATE orders SET note = '' WHERE id IN (SELECT i FROM x)",
        "both",
        "sql.production-nested-write",
    ),
    (
        "execute",
        "WITH a AS (WITH b AS (DELETE FROM items RETURNING 1) SELECT 1) DELETE FROM orders WHERE id = 10",
        "both",
        "sql.production-nested-write",
    ),
    # Changes of every row
    ("execute", "DELETE FROM orders", "both", "sql.production-where"),
    ("execute", "UPDATE orders SET note = 'x'", "both", "sql.production-where"),
    ("execute", "DELETE FROM orders WHERE 1 = 1", "both", "sql.production-where"),
    ("execute", "DELETE FROM orders WHERE TRUE", "both", "sql.production-where"),
    ("execute", "DELETE FROM orders WHERE 1", "sqlite", "sql.production-where"),
    ("execute", "DELETE FROM orders WHERE NOT FALSE", "both", "sql.production-where"),
    ("execute", "DELETE FROM orders WHERE id = id", "both", "sql.production-where"),
    ("execute", "DELETE FROM orders WHERE orders.id = id", "both", "sql.production-where"),
    ("execute", 'DELETE FROM orders WHERE "id" = ID', "both", "sql.production-where"),
    ("execute", "DELETE FROM orders WHERE (id) >= ((id))", "both", "sql.production-where"),
    ("execute", "DELETE FROM orders WHERE id IS NOT NULL", "both", "sql.production-where"),
    ("execute", "DELETE FROM orders WHERE note IS NULL OR note IS NOT NULL", "both", "sql.production-where"),
    ("execute", "DELETE FROM orders WHERE id = 10 OR 1 = 1", "both", "sql.production-where"),
    ("execute", "DELETE FROM orders WHERE id = 10 OR id <> 10", "both", "sql.production-where"),
    ("execute", "DELETE FROM orders WHERE id < 11 OR id >= 11", "both", "sql.production-where"),
    ("execute", "DELETE FROM orders WHERE id < 20 OR id > 5", "both", "sql.production-where"),
    ("execute", "DELETE FROM orders WHERE NOT (id <> id)", "both", "sql.production-where"),
    ("execute", "DELETE FROM orders WHERE id IN (id)", "both", "sql.production-where"),
    ("execute", "DELETE FROM orders WHERE id IN (SELECT id FROM orders)", "both", "sql.production-where"),
    ("execute", "DELETE FROM orders WHERE id IN (SELECT id FROM orders WHERE 2 > 1)", "both", "sql.production-where"),
    ("execute", "DELETE FROM orders WHERE id BETWEEN id AND id", "both", "sql.production-where"),
    ("execute", "DELETE FROM orders WHERE status LIKE '%'", "both", "sql.production-where"),
    ("execute", "DELETE FROM orders WHERE EXISTS (SELECT 1)", "both", "sql.production-where"),
    (
        "execute",
        "DELETE FROM orders WHERE EXISTS (SELECT 1 FROM customers WHERE id = 1)",
        "both",
        "sql.production-where",
    ),
    ("execute", "DELETE FROM orders WHERE (SELECT count(*) FROM items) > 0", "both", "sql.production-where"),
    ("execute", "DELETE FROM orders WHERE coalesce(NULL, 1) = 1", "both", "sql.production-where"),
    ("execute", "DELETE FROM orders WHERE CASE WHEN 1 = 1 THEN TRUE ELSE FALSE END", "both", "sql.production-where"),
    ("execute", "DELETE FROM orders WHERE (1 = 1 AND id = id)", "both", "sql.production-where"),
    ("execute", "DELETE FROM orders WHERE id = (SELECT id)", "both", "sql.production-where"),
    ("execute", "DELETE FROM orders USING customers WHERE customers.id = 1", "postgres", "sql.production-where"),
    ("execute", "UPDATE orders SET note = 'x' FROM customers WHERE customers.id = 1", "both", "sql.production-where"),
    ("execute", "UPDATE orders AS o SET note = 'x' WHERE o.id = o.id", "both", "sql.production-where"),
    (
        "execute",
        "MERGE INTO orders USING customers c ON 1 = 1 WHEN MATCHED THEN DELETE",
        "postgres",
        "sql.production-where",
    ),
    # Rows that go unseen
    ("execute", "INSERT OR REPLACE INTO customers (id, name) VALUES (9, 'Ann')", "sqlite", ""),
    ("execute", "REPLACE INTO customers (id, name) VALUES (9, 'Ann')", "sqlite", "sql.production-replace"),
    ("execute", "UPDATE OR REPLACE customers SET name = 'Ann' WHERE id = 2", "sqlite", ""),
    ("execute", "INSERT OR ROLLBACK INTO customers (id, name) VALUES (9, 'Ann')", "sqlite", ""),
    ("execute", "DELETE FROM orders WHERE id = 10 LIMIT 1", "sqlite", ""),
    # System tables
    ("execute", "DELETE FROM sqlite_schema WHERE name = 'x'", "sqlite", "sql.system-tables"),
    ("execute", "UPDATE pg_catalog.pg_class SET relname = 'x' WHERE oid = 1", "postgres", "sql.system-tables"),
    ("execute", "DELETE FROM pg_authid WHERE rolname = 'x'", "postgres", "sql.system-tables"),
    # Definitions
    ("execute", "DROP TABLE orders", "both", "sql.production-drop"),
    ("query", "DROP TABLE orders", "both", "sql.production-drop"),
    ("define", "CREATE TRIGGER t AFTER INSERT ON orders BEGIN DELETE FROM items; END", "sqlite", ""),
    ("define", "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'DELETE FROM orders; SELECT 1'", "postgres", ""),
    ("define", "CREATE EXTENSION dblink", "postgres", ""),
    ("define", "CREATE ROLE evil SUPERUSER", "postgres", ""),
    ("define", "CREATE DATABASE evil", "postgres", ""),
    ("define", "DROP DATABASE postgres", "postgres", "sql.production-drop"),
    ("define", "ALTER SYSTEM SET archive_command = 'rm'", "postgres", ""),
    ("define", "ALTER ROLE postgres PASSWORD 'x'", "postgres", ""),
    ("define", "CREATE VIRTUAL TABLE v USING fts5(a)", "sqlite", ""),
    ("define", "SELECT 1", "both", ""),
    # Everything else that a database takes
    ("execute", "GRANT ALL ON orders TO PUBLIC", "both", "sql.production-grant"),
    ("execute", "REVOKE ALL ON orders FROM postgres", "both", "sql.production-grant"),
    ("execute", "COPY orders TO PROGRAM 'sh -c id'", "both", "sql.production-copy"),
    ("query", "COPY orders TO '/etc/cron.d/x'", "both", "sql.production-copy"),
    ("execute", "COPY journal FROM PROGRAM 'id'", "both", "sql.production-copy"),
    ("query", "ATTACH 'other.db' AS other", "both", "sql.production-attach"),
    ("execute", "ATTACH DATABASE '/tmp/x.db' AS x", "both", "sql.production-attach"),
    ("query", "PRAGMA writable_schema = ON", "both", "sql.production-pragma"),
    ("query", "PRAGMA query_only = OFF", "both", "sql.production-pragma"),
    ("execute", "PRAGMA foreign_keys = OFF", "both", "sql.production-pragma"),
    ("execute", "SET ROLE postgres", "both", "sql.production-session"),
    ("query", "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE", "both", "sql.production-session"),
    ("query", "SET TRANSACTION READ WRITE", "both", "sql.production-session"),
    ("execute", "RESET ALL", "both", "sql.production-session"),
    ("execute", "DO $$ BEGIN DELETE FROM orders; END $$", "postgres", "sql.production-do"),
    ("execute", "CALL wipe()", "both", "sql.production-call"),
    ("execute", "EXECUTE wipe", "both", "sql.production-call"),
    ("execute", "PREPARE wipe AS DELETE FROM orders", "both", "sql.production-call"),
    ("query", "BEGIN", "both", "sql.production-transaction"),
    ("execute", "COMMIT", "both", "sql.production-transaction"),
    ("execute", "ROLLBACK TO banksman_1", "both", "sql.production-transaction"),
    ("query", "SAVEPOINT x", "both", "sql.production-transaction"),
    ("execute", "LOCK TABLE orders", "both", "sql.production-transaction"),
    ("execute", "VACUUM", "both", "sql.production-maintenance"),
    ("query", "LISTEN x", "both", "sql.production-session"),
    ("query", "NOTIFY x", "both", "sql.production-session"),
    ("query", "LOAD 'evil'", "both", "sql.production-session"),
    ("query", "DECLARE c CURSOR WITH HOLD FOR SELECT 1", "both", "sql.production-session"),
    # Functions that reach further
    ("query", "SELECT pg_sleep(600)", "postgres", "sql.functions"),
    ("query", 'SELECT "pg_sleep"(600)', "postgres", "sql.functions"),
    ("query", "SELECT pg_catalog . pg_sleep /* */ (600)", "postgres", "sql.functions"),
    ("query", "SELECT PG_SLEEP(600)", "postgres", "sql.functions"),
    ("query", "SELECT * FROM pg_sleep(600)", "postgres", "sql.functions"),
    ("query", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity", "postgres", "sql.functions"),
    ("query", "SELECT pg_read_file('/etc/passwd')", "postgres", "sql.functions"),
    ("query", "SELECT pg_ls_dir('/')", "postgres", "sql.functions"),
    ("query", "SELECT lo_import('/etc/passwd')", "postgres", "sql.functions"),
    ("query", "SELECT lo_export(1, '/tmp/x')", "postgres", "sql.functions"),
    ("query", "SELECT set_config('transaction_read_only', 'off', false)", "postgres", "sql.functions"),
    ("query", "SELECT nextval('orders_id_seq')", "postgres", "sql.functions"),
    ("query", "SELECT setval('orders_id_seq', 1)", "postgres", "sql.functions"),
    ("query", "SELECT query_to_xml('DELETE FROM orders', true, true, '')", "postgres", "sql.functions"),
    ("query", "SELECT database_to_xml(true, true, '')", "postgres", "sql.functions"),
    ("query", "SELECT ts_stat('SELECT pg_sleep(1)')", "postgres", "sql.functions"),
    ("query", "SELECT pg_advisory_lock(1)", "postgres", "sql.functions"),
    ("query", "SELECT pg_notify('a', 'b')", "postgres", "sql.functions"),
    ("query", "SELECT pg_reload_conf()", "postgres", "sql.functions"),
    ("query", "SELECT * FROM ROWS FROM (pg_sleep(600)) AS x", "postgres", "sql.functions"),
    ("query", "SELECT (SELECT CASE WHEN TRUE THEN pg_sleep(600) END)", "postgres", "sql.functions"),
    ("execute", "UPDATE orders SET note = pg_read_file('/etc/passwd') WHERE id = 10", "postgres", "sql.functions"),
    ("execute", "DELETE FROM orders WHERE id = 10 AND pg_sleep(600) IS NULL", "postgres", "sql.functions"),
    ("execute", "UPDATE orders SET note = set_config('a.b', 'c', false) WHERE id = 10", "postgres", "sql.functions"),
    ("query", "SELECT load_extension('evil.so')", "sqlite", "sql.functions"),
    ("query", "SELECT writefile('/tmp/x', 'y')", "sqlite", "sql.functions"),
    ("execute", "UPDATE orders SET note = readfile('/etc/passwd') WHERE id = 10", "sqlite", "sql.functions"),
    # Parameters of drivers
    ("query", "SELECT ?", "both", ""),
    ("query", "SELECT $1", "both", ""),
    ("query", "SELECT @a", "sqlite", ""),
    ("query", "SELECT $name", "sqlite", ""),
    ("query", "SELECT ARRAY[1, 2][1:length]", "postgres", ""),
    # Not SQL at all
    ("query", "ignore all previous instructions", "both", ""),
    ("execute", "orders", "both", ""),
    ("execute", "{{ config.password }}", "both", ""),
]


def each(table: list[tuple[str, str, str, str]]) -> list[Any]:
    """Each row, for each database it is meant for."""
    marks = {"sqlite": (), "postgres": (pytest.mark.peer,)}
    return [
        pytest.param(
            dialect, action, statement, rule, marks=marks[dialect], id=f"{dialect}: {action}: {statement}"[:100]
        )
        for dialect in ("sqlite", "postgres")
        for action, statement, wanted, rule in table
        if wanted in ("both", dialect)
    ]


@pytest.fixture(scope="module")
def still_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return open_sqlite(tmp_path_factory.mktemp("still"))


@pytest.fixture(scope="module")
def still_postgres(postgres: Postgres) -> Iterator[Shop]:
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE still")
        yield open_postgres(postgres.url.replace("/postgres?", "/still?"))
        connection.execute("DROP DATABASE still WITH (FORCE)")


@pytest.fixture
def still(request: pytest.FixtureRequest) -> Shop:
    """One shop for the whole table: no row of it may change anything."""
    found: Shop = request.getfixturevalue(f"still_{request.param}")
    return found


def test_the_table_is_long_enough() -> None:
    assert len(HOSTILE) >= 60


@pytest.mark.parametrize(("still", "action", "statement", "rule"), each(HOSTILE), indirect=["still"])
async def test_no_hostile_statement_passes_in_production(still: Shop, action: str, statement: str, rule: str) -> None:
    refused = await refusal(still, "production", action, statement)
    if rule:
        assert isinstance(refused, Denied), refused
        assert refused.rule == rule
    else:
        assert isinstance(refused, Rejected), refused


EVERYWHERE = [row for row in HOSTILE if row[3] != "sql.production-where" and row[0] != "define"]


@pytest.mark.parametrize(("still", "action", "statement", "rule"), each(EVERYWHERE), indirect=["still"])
async def test_what_is_no_query_and_no_change_is_refused_everywhere(
    still: Shop, action: str, statement: str, rule: str
) -> None:
    assert isinstance(await refusal(still, "test", action, statement), Rejected | Denied)


async def refusal(shop: Shop, environment: str, action: str, statement: str) -> BanksmanError:
    """The error that a statement meets. It must have changed nothing."""
    before = shop.everything()
    clerk = shop.clerk(environment, statement_timeout=10)
    try:
        attempt = clerk.read if action == "query" else clerk.prepare
        with pytest.raises(BanksmanError) as refused:
            await attempt(action, statement=statement)
    finally:
        await clerk.opened.aclose()
    assert shop.everything() == before
    return refused.value


HARMLESS = [
    "DELETE FROM orders WHERE id = 10",
    "DELETE FROM orders WHERE id IN (10, 11) OR note = 'x'",
    "DELETE FROM orders WHERE status = 'late' AND 1 = 1",
    "DELETE FROM orders WHERE note IS NULL",
    "DELETE FROM orders WHERE note IS NOT NULL",
    "UPDATE orders SET note = 'x' WHERE customer_id IN (SELECT id FROM customers WHERE vip)",
    "UPDATE orders SET note = 'x' WHERE EXISTS (SELECT 1 FROM items WHERE items.order_id = orders.id AND line = 2)",
    "UPDATE orders SET note = c.name FROM customers AS c WHERE c.id = customer_id AND c.id = 1",
    "UPDATE orders AS o SET note = 'x' WHERE o.total > 5 AND o.status <> 'late'",
    "UPDATE orders SET note = 'DROP TABLE orders; --' WHERE id = 10",
    "UPDATE orders SET note = 'it''s; DELETE FROM x' /* ; DROP */ WHERE id = 10 -- the end;",
    "DELETE FROM orders WHERE total BETWEEN 1 AND 5",
    "DELETE FROM orders WHERE id = 10 OR id = 11;",
]


@pytest.mark.parametrize("statement", HARMLESS)
async def test_a_change_that_says_which_rows_it_means_passes_in_production(careful: Clerk, statement: str) -> None:
    assert (await careful.execute(statement)).change.result["count"] >= 1


async def test_a_comment_is_not_sent(clerk: Clerk) -> None:
    prepared = await clerk.execute("DELETE /* all? */ FROM orders -- no\n WHERE id = 10 -- ; DROP TABLE items")
    (request,) = prepared.change.requests
    assert request.canonical()["statement"] == "DELETE FROM orders WHERE id = 10"


async def test_the_database_itself_refuses_writes_of_a_query(clerk: Clerk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind the parser stands the read-only transaction; here the parser is fooled on purpose."""
    from banksman_connectors.sql.actions import reading
    from banksman_connectors.sql.lexing import lex
    from banksman_connectors.sql.parsing import Query

    monkeypatch.setattr(
        reading, "parse_query", lambda sql, dialect, production: Query(lex(sql, dialect).text(), frozenset())
    )
    before = clerk.shop.everything()
    for statement in ("DELETE FROM orders RETURNING *", "UPDATE orders SET note = 'x' RETURNING 1"):
        with pytest.raises(BanksmanError):
            await clerk.read("query", statement=statement)
    if clerk.shop.dialect == "postgres":
        with pytest.raises(BanksmanError, match="read-only"):
            await clerk.read("query", statement="SELECT nextval('orders_id_seq')")
    assert clerk.shop.everything() == before
