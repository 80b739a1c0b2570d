"""Queries and the tables there are."""

from __future__ import annotations

from decimal import Decimal

import pytest

from banksman.errors import Denied, Rejected, Unavailable, UnknownName

from .shop import Clerk, Shop


async def test_a_query_returns_rows_as_objects(clerk: Clerk) -> None:
    found = await clerk.read(
        "query", statement="SELECT id, note FROM orders WHERE customer_id = :c ORDER BY id", parameters={"c": 1}
    )
    assert found.columns == ["id", "note"]
    assert found.rows == [{"id": 10, "note": None}, {"id": 11, "note": "fragile"}]
    assert not found.truncated


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT count(*) AS n FROM orders",
        "WITH a AS (SELECT 3 AS n) SELECT n FROM a",
        "SELECT 1 AS n UNION SELECT 2 ORDER BY n DESC",
        "SELECT 3 AS n /* ; DELETE FROM orders */ -- ; DELETE FROM orders",
        "WITH RECURSIVE up (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM up WHERE n < 3) SELECT max(n) AS n FROM up;",
    ],
)
async def test_whatever_only_reads_is_a_query(clerk: Clerk, statement: str) -> None:
    assert (await clerk.rows(statement))[0]["n"] in (2, 3)


async def test_values_and_explain_are_queries(clerk: Clerk) -> None:
    assert len(await clerk.rows("VALUES (1), (2)")) == 2
    if clerk.shop.dialect == "postgres":
        assert len(await clerk.rows("(SELECT 1) UNION ALL (SELECT id FROM late)")) == 2
    plan = "QUERY PLAN " if clerk.shop.dialect == "sqlite" else "ANALYZE "
    assert await clerk.rows(f"EXPLAIN {plan}SELECT * FROM orders WHERE id = :id", id=10)
    assert await clerk.rows("EXPLAIN WITH a AS (SELECT 1 AS n) SELECT n FROM a")


async def test_a_long_answer_is_cut_and_says_so(shop: Shop) -> None:
    clerk = shop.clerk(max_rows=2)
    found = await clerk.read("query", statement="SELECT id FROM orders ORDER BY id")
    assert found.truncated
    assert len(found.rows) == 2
    one = await clerk.read("query", statement="SELECT id FROM orders ORDER BY id", limit=1)
    assert one.truncated
    assert one.rows == [{"id": 10}]
    all_of_them = await clerk.read("query", statement="SELECT id FROM customers WHERE id < 3", limit=2)
    assert not all_of_them.truncated
    with pytest.raises(Rejected, match="at least 1"):
        await clerk.read("query", statement="SELECT 1", limit=0)
    # The connection is good for more after an answer that was cut.
    assert await clerk.rows("SELECT 1 AS one") == [{"one": 1}]
    await clerk.opened.aclose()


async def test_columns_of_one_name_are_told_apart(clerk: Clerk) -> None:
    found = await clerk.read("query", statement="SELECT id, id FROM orders WHERE id = 10")
    assert found.columns == ["id", "id_2"]
    assert found.rows == [{"id": 10, "id_2": 10}]


async def test_a_query_without_rows_has_columns(clerk: Clerk) -> None:
    found = await clerk.read("query", statement="SELECT id, note FROM orders WHERE id = 0")
    assert (found.columns, found.rows) == (["id", "note"], [])


async def test_a_syntax_error_says_where(clerk: Clerk) -> None:
    with pytest.raises(Rejected, match="near") as refused:
        await clerk.rows("SELECT * FROM orders WHERE id = = 10")
    assert "line 1" in str(refused.value)
    with pytest.raises(Rejected, match="nothere"):
        await clerk.rows("SELECT nothere FROM orders")


async def test_a_query_that_takes_too_long_is_ended(shop: Shop) -> None:
    clerk = shop.clerk(statement_timeout=0.2)
    endless = "WITH RECURSIVE up (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM up) SELECT count(*) FROM up"
    with pytest.raises(Unavailable, match="statement_timeout"):
        await clerk.rows(endless)
    assert await clerk.rows("SELECT 1 AS one") == [{"one": 1}]
    await clerk.opened.aclose()


async def test_an_answer_that_is_too_large_is_refused(shop: Shop) -> None:
    clerk = shop.clerk()
    text = "printf('%.*c', 1000000, 'x')" if shop.dialect == "sqlite" else "repeat('x', 1000000)"
    await clerk.rows("SELECT 1 AS n")
    many = " UNION ALL ".join([f"SELECT {text} AS t"] * 10)
    with pytest.raises(Rejected, match="larger than"):
        await clerk.rows(many)
    assert await clerk.rows("SELECT 1 AS one") == [{"one": 1}]
    await clerk.opened.aclose()


@pytest.mark.peer
async def test_a_volatile_function_runs_only_where_the_connection_allows_it(postgres_shop: Shop) -> None:
    postgres_shop.script("CREATE FUNCTION dice() RETURNS int LANGUAGE sql AS 'SELECT 4'")
    clerk = postgres_shop.clerk()
    with pytest.raises(Denied, match="dice: it is VOLATILE"):
        await clerk.rows("SELECT dice() AS n")
    allowing = postgres_shop.clerk(functions=("dice",))
    assert await allowing.rows("SELECT dice() AS n") == [{"n": 4}]
    assert (await allowing.rows("SELECT random() < 2 AS ok, now() IS NOT NULL AS there"))[0] == {
        "ok": True,
        "there": True,
    }
    postgres_shop.script("CREATE FUNCTION wipe() RETURNS int LANGUAGE sql AS 'DELETE FROM orders; SELECT 1'")
    trusting = postgres_shop.clerk(functions=("wipe",))
    with pytest.raises(Rejected, match="read-only transaction"):
        await trusting.rows("SELECT wipe()")
    for one in (clerk, allowing, trusting):
        await one.opened.aclose()


@pytest.mark.peer
async def test_values_of_postgres_have_a_plain_form(postgres_shop: Shop) -> None:
    clerk = postgres_shop.clerk()
    (row,) = await clerk.rows(
        """SELECT 12.50::numeric(6, 2) AS price, 9007199254740993::bigint AS big, 0.5::float8 AS half,
        date '2024-02-29' AS day, timestamp '2024-01-01 10:00' AS local, timestamptz '2024-01-01 10:00+02' AS moment,
        time '10:00:30' AS clock, interval '1 month 2 days' AS span, 'infinity'::date AS never, 'NaN'::float8 AS none,
        'NaN'::numeric AS no_number, gen_random_uuid()::text <> '' AS id, '\\x00ff'::bytea AS raw,
        '{"a": 1.10, "b": [null]}'::jsonb AS doc, ARRAY[1, 2] AS numbers, ARRAY[date '2024-01-01'] AS days,
        int4range(1, 5) AS range, '10.0.0.1'::inet AS address, TRUE AS yes, NULL AS nothing"""
    )
    assert row == {
        "price": Decimal("12.50"),
        "big": 9007199254740993,
        "half": 0.5,
        "day": "2024-02-29",
        "local": "2024-01-01T10:00:00",
        "moment": "2024-01-01T08:00:00Z",
        "clock": "10:00:30",
        "span": "1 mon 2 days",
        "never": "infinity",
        "none": "NaN",
        "no_number": "NaN",
        "id": True,
        "raw": b"\x00\xff",
        "doc": {"a": Decimal("1.10"), "b": [None]},
        "numbers": [1, 2],
        "days": ["2024-01-01"],
        "range": "[1,5)",
        "address": "10.0.0.1",
        "yes": True,
        "nothing": None,
    }
    found = await clerk.rows("SELECT id FROM orders WHERE id = ANY(:ids) ORDER BY id", ids=[10, 12, 99])
    assert [row["id"] for row in found] == [10, 12]
    await clerk.opened.aclose()


async def test_tables_and_views_are_listed(clerk: Clerk) -> None:
    found = await clerk.read("tables.list")
    kinds = {item.name: item.kind for item in found}
    assert kinds == {
        **{clerk.shop.name(name): "table" for name in ("customers", "orders", "items", "visits", "journal")},
        clerk.shop.name("late"): "view",
    }


async def test_a_table_is_described(clerk: Clerk) -> None:
    found = await clerk.read("tables.describe", table=clerk.shop.name("orders"))
    columns = {column.name: column for column in found.columns}
    assert found.primary_key == ["id"]
    assert not columns["status"].nullable
    assert "open" in columns["status"].default
    assert columns["note"].nullable
    (reference,) = found.referred_by
    assert (reference.table, reference.columns, reference.referred) == (clerk.shop.name("items"), ["order_id"], ["id"])
    assert reference.on_delete == "CASCADE"
    assert (await clerk.read("tables.describe", table="items")).primary_key == ["order_id", "line"]
    with pytest.raises(UnknownName, match="did you mean"):
        await clerk.read("tables.describe", table=clerk.shop.name("order"))


async def test_the_probe_says_what_answers(clerk: Clerk) -> None:
    said = await clerk.opened.connector.probe(clerk.api)  # type: ignore[misc]
    assert said.startswith("SQLite" if clerk.shop.dialect == "sqlite" else "PostgreSQL")
    assert said.endswith("6 tables and views")


@pytest.mark.peer
async def test_the_search_path_decides_what_a_bare_name_means(postgres_shop: Shop) -> None:
    postgres_shop.script(
        "CREATE SCHEMA spare; CREATE TABLE spare.orders (id int PRIMARY KEY); INSERT INTO spare.orders VALUES (5);"
    )
    clerk = postgres_shop.clerk(search_path=("spare", "public"))
    assert await clerk.rows("SELECT * FROM orders") == [{"id": 5}]
    assert (await clerk.read("tables.describe", table="orders")).name == "spare.orders"
    prepared = await clerk.execute("DELETE FROM orders WHERE id = 5")
    assert prepared.change.entity == "spare.orders"
    await clerk.opened.aclose()
