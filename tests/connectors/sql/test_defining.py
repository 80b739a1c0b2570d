"""Definitions: shown by what they change, and by what is lost."""

from __future__ import annotations

import pytest

from banksman import Effect
from banksman.errors import Conflict, Denied, Rejected

from .shop import Clerk, Shop


async def test_a_dropped_table_is_shown_with_its_rows(clerk: Clerk) -> None:
    before = clerk.shop.everything()
    prepared = await clerk.prepare("define", statement="DROP TABLE items")
    name = clerk.shop.name("items")
    assert prepared.action.effect is Effect.DESTROY
    assert prepared.before["tables"][name]["rows"] == 4
    assert list(prepared.before["tables"][name]["columns"]) == ["order_id", "line", "sku", "quantity"]
    assert prepared.after is None
    assert f"4 rows of {name} are lost" in prepared.change.notes
    assert prepared.change.reach == 4
    assert clerk.shop.everything() == before
    await prepared.send()
    assert name not in {item.name for item in await clerk.read("tables.list")}


async def test_a_new_table_and_an_index_are_shown(clerk: Clerk) -> None:
    table = await clerk.prepare("define", statement="CREATE TABLE parts (id BIGINT PRIMARY KEY, name VARCHAR(30))")
    name = clerk.shop.name("parts")
    assert table.before is None
    assert list(table.after["tables"][name]["columns"]) == ["id", "name"]
    assert (await table.send()).tables == [name]
    index = await clerk.prepare("define", statement="CREATE INDEX by_name ON parts (name)")
    assert index.before["tables"][name]["indexes"].keys() < index.after["tables"][name]["indexes"].keys()
    await index.send()


async def test_a_dropped_column_says_how_many_values_are_lost(clerk: Clerk) -> None:
    prepared = await clerk.prepare("define", statement="ALTER TABLE orders DROP COLUMN note")
    name = clerk.shop.name("orders")
    assert any(note.startswith(f"1 values of {name}.note are lost") for note in prepared.change.notes)
    assert "note" in prepared.before["tables"][name]["columns"]
    assert "note" not in prepared.after["tables"][name]["columns"]
    await prepared.send()


async def test_a_new_column_is_shown(clerk: Clerk) -> None:
    prepared = await clerk.prepare("define", statement="ALTER TABLE orders ADD COLUMN weight NUMERIC(6, 3)")
    columns = prepared.after["tables"][clerk.shop.name("orders")]["columns"]
    assert columns["weight"].lower() == ("numeric(6, 3)" if clerk.shop.dialect == "sqlite" else "numeric(6,3)")
    await prepared.send()


@pytest.mark.peer
async def test_truncate_counts_what_it_takes_along(postgres_shop: Shop) -> None:
    clerk = postgres_shop.clerk()
    with pytest.raises(Rejected):
        await clerk.prepare("define", statement="TRUNCATE orders")
    prepared = await clerk.prepare("define", statement="TRUNCATE orders CASCADE")
    assert set(prepared.change.notes) == {"3 rows of public.orders are lost", "4 rows of public.items are lost"}
    await prepared.send()
    assert postgres_shop.run("SELECT count(*) FROM items") == [(0,)]
    await clerk.opened.aclose()


@pytest.mark.peer
async def test_a_dropped_schema_shows_all_that_is_in_it(postgres_shop: Shop) -> None:
    postgres_shop.script("CREATE SCHEMA old; CREATE TABLE old.a (id int); INSERT INTO old.a VALUES (1), (2);")
    clerk = postgres_shop.clerk()
    prepared = await clerk.prepare("define", statement="DROP SCHEMA old CASCADE")
    assert set(prepared.before["tables"]) == {"schema old", "old.a"}
    assert "2 rows of old.a are lost" in prepared.change.notes
    await clerk.opened.aclose()


@pytest.mark.peer
async def test_a_constraint_that_goes_with_a_table_is_shown(postgres_shop: Shop) -> None:
    clerk = postgres_shop.clerk()
    prepared = await clerk.prepare("define", statement="DROP TABLE customers CASCADE")
    orders = prepared.before["tables"]["public.orders"]["constraints"]
    assert orders.keys() - prepared.after["tables"]["public.orders"]["constraints"].keys() == {
        "orders_customer_id_fkey"
    }
    await clerk.opened.aclose()


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        ("DROP TABLE items", "sql.production-drop"),
        ("DROP VIEW late", "sql.production-drop"),
        ("DROP INDEX IF EXISTS nothing", "sql.production-drop"),
        ("TRUNCATE TABLE items", "sql.production-truncate"),
        ("ALTER TABLE orders DROP COLUMN note", "sql.production-alter-drop"),
        ('ALTER TABLE "orders" /* add */ DROP "note"', "sql.production-alter-drop"),
        ("CREATE OR REPLACE VIEW late AS SELECT 1 AS id", "sql.production-replace"),
    ],
)
async def test_nothing_is_dropped_in_production(careful: Clerk, statement: str, rule: str) -> None:
    with pytest.raises(Denied) as denied:
        await careful.prepare("define", statement=statement)
    assert denied.value.rule == rule


async def test_production_may_still_grow(careful: Clerk) -> None:
    await (await careful.prepare("define", statement="ALTER TABLE orders ADD COLUMN weight INT")).send()
    await (await careful.prepare("define", statement="CREATE INDEX by_status ON orders (status)")).send()


async def test_a_definition_that_cannot_be_is_refused(clerk: Clerk) -> None:
    with pytest.raises((Rejected, Conflict)):
        await clerk.prepare("define", statement="CREATE TABLE orders (id INT)")
    with pytest.raises(Rejected, match="no parameters"):
        await clerk.prepare("define", statement="CREATE TABLE fresh (id INT DEFAULT :n)")
    with pytest.raises(Rejected, match=r"sql\.execute is for DELETE"):
        await clerk.prepare("define", statement="DELETE FROM orders WHERE id = 1")


async def test_a_definition_of_nothing_says_so(clerk: Clerk) -> None:
    prepared = await clerk.prepare("define", statement="CREATE TABLE IF NOT EXISTS orders (id INT)")
    assert prepared.change.notes == ("nothing in the schema changes",)
    assert prepared.before == prepared.after == {"tables": {}}
