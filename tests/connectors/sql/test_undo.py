"""What a change did can be taken back, row by row; what cannot, says so."""

from __future__ import annotations

from typing import Any

import pytest

from banksman import Irreversible
from banksman.errors import Conflict, UnknownName

from .shop import Clerk

UPSERT = (
    "INSERT INTO items VALUES (10, 1, 'screw', 5), (12, 7, 'glue', 1) "
    "ON CONFLICT (order_id, line) DO UPDATE SET sku = excluded.sku, quantity = items.quantity + excluded.quantity"
)
STATEMENTS: list[tuple[str, dict[str, Any]]] = [
    ("UPDATE orders SET total = total + 1, payload = NULL, placed = NULL, note = 'x' WHERE customer_id = 1", {}),
    ("UPDATE orders SET payload = :raw, note = NULL WHERE id = 11", {"raw": b"\xff\x00"}),
    ("DELETE FROM orders WHERE id = 12", {}),
    ("DELETE FROM customers WHERE id = 1", {}),
    ("DELETE FROM items WHERE sku = 'bolt'", {}),
    ("INSERT INTO orders (customer_id, total) VALUES (3, 1.5), (3, 2)", {}),
    ("INSERT INTO items VALUES (12, 9, 'tape', 1)", {}),
    (UPSERT, {}),
    ("UPDATE orders SET status = status", {}),
    ("DELETE FROM orders WHERE id = 999", {}),
]


@pytest.mark.parametrize(("statement", "parameters"), STATEMENTS)
async def test_undo_puts_everything_back(clerk: Clerk, statement: str, parameters: dict[str, Any]) -> None:
    before = clerk.shop.everything()
    done = await clerk.execute(statement, **parameters)
    output = await done.send()
    back = await clerk.undo(done, output)
    await back.send()
    assert clerk.shop.everything() == before


@pytest.mark.parametrize(("statement", "parameters"), STATEMENTS[:8])
async def test_an_undo_can_be_undone(clerk: Clerk, statement: str, parameters: dict[str, Any]) -> None:
    done = await clerk.execute(statement, **parameters)
    output = await done.send()
    after = clerk.shop.everything()
    back = await clerk.undo(done, output)
    again = await clerk.undo(back, await back.send())
    await again.send()
    assert clerk.shop.everything() == after


async def test_an_undo_shows_what_it_will_do(clerk: Clerk) -> None:
    done = await clerk.execute("UPDATE orders SET note = 'x' WHERE id = 10")
    output = await done.send()
    clerk.shop.run("UPDATE orders SET note = 'meanwhile' WHERE id = 10")
    back = await clerk.undo(done, output)
    assert back.before == {"rows": {"id=10": {"id": 10, "note": "meanwhile"}}}
    assert back.after == {"rows": {"id=10": {"id": 10, "note": None}}}


async def test_an_undo_of_what_is_undone_already_sends_nothing(clerk: Clerk) -> None:
    done = await clerk.execute("UPDATE orders SET note = 'x' WHERE id = 10")
    output = await done.send()
    clerk.shop.run("UPDATE orders SET note = NULL WHERE id = 10")
    back = await clerk.undo(done, output)
    assert back.change.requests == ()
    assert (await back.send()).count == 0


async def test_a_row_that_somebody_deleted_gets_no_former_values(clerk: Clerk) -> None:
    done = await clerk.execute("UPDATE orders SET note = 'x' WHERE id = 12")
    output = await done.send()
    clerk.shop.run("DELETE FROM orders WHERE id = 12")
    with pytest.raises(Conflict, match="id=12 is gone"):
        await clerk.undo(done, output)


async def test_a_row_that_somebody_put_back_is_made_what_it_was(clerk: Clerk) -> None:
    before = clerk.shop.everything()
    done = await clerk.execute("DELETE FROM items WHERE order_id = 12")
    output = await done.send()
    clerk.shop.run("INSERT INTO items VALUES (12, 1, 'other', 1)")
    back = await clerk.undo(done, output)
    assert back.before["rows"]["order_id=12, line=1"]["sku"] == "other"
    await back.send()
    assert clerk.shop.everything() == before


async def test_computed_columns_are_left_to_the_database(clerk: Clerk) -> None:
    clerk.shop.script(
        "CREATE TABLE sums (id BIGINT PRIMARY KEY, a INT, double INT GENERATED ALWAYS AS (a * 2) STORED);"
        "INSERT INTO sums (id, a) VALUES (1, 5);"
    )
    done = await clerk.execute("DELETE FROM sums WHERE id = 1")
    assert done.before["rows"]["id=1"]["double"] == 10
    await (await clerk.undo(done, await done.send())).send()
    changed = await clerk.execute("UPDATE sums SET a = 6 WHERE id = 1")
    assert changed.after == {"rows": {"id=1": {"id": 1, "a": 6, "double": 12}}}
    await (await clerk.undo(changed, await changed.send())).send()
    assert clerk.shop.run("SELECT a, double FROM sums") == [(5, 10)]


@pytest.mark.peer
async def test_every_type_of_postgres_comes_back_as_it_was(postgres_shop: Any) -> None:
    postgres_shop.script(
        """CREATE TYPE mood AS ENUM ('good', 'bad');
        CREATE TABLE all_types (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n numeric, f float8, r real, b bytea, d date,
            ts timestamp, tz timestamptz, t time, i interval, u uuid, j json, jb jsonb, a int[], ta text[], da date[],
            rg tstzrange, ip inet, c char(5), m mood, big numeric(40, 10), flag bool, deep jsonb, ma int[][]
        );
        INSERT INTO all_types (n, f, r, b, d, ts, tz, t, i, u, j, jb, a, ta, da, rg, ip, c, m, big, flag, deep, ma)
        VALUES ('NaN', 'Infinity', 1.1, '\\x00', 'infinity', '0044-03-15 10:00 BC', '2024-01-01 00:00:00.123456+05',
            '23:59:59.999999', '1 year -3 days 04:05:06.7', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"x": 1.0}',
            '[1, "two", null]', '{1,NULL,3}', '{"a,b","c\\"d",NULL}', '{2024-01-01}', '[2024-01-01, 2024-02-01)',
            '10.0.0.0/8', 'ab', 'bad', 12345678901234567890.0123456789, TRUE, '"text"', '{{1,2},{3,4}}');"""
    )
    clerk = postgres_shop.clerk()
    before = postgres_shop.run("SELECT all_types::text FROM all_types")
    done = await clerk.execute("DELETE FROM all_types WHERE id = 1")
    await (await clerk.undo(done, await done.send())).send()
    assert postgres_shop.run("SELECT all_types::text FROM all_types") == before
    columns = [
        "n",
        "f",
        "r",
        "b",
        "d",
        "ts",
        "tz",
        "t",
        "i",
        "u",
        "j",
        "jb",
        "a",
        "ta",
        "da",
        "rg",
        "ip",
        "c",
        "m",
        "big",
        "flag",
        "deep",
        "ma",
    ]
    nothing = ", ".join(f"{name} = NULL" for name in columns)
    emptied = await clerk.execute(f"UPDATE all_types SET {nothing} WHERE id = 1")
    await (await clerk.undo(emptied, await emptied.send())).send()
    assert postgres_shop.run("SELECT all_types::text FROM all_types") == before
    await clerk.opened.aclose()


async def test_a_definition_cannot_be_undone(clerk: Clerk) -> None:
    assert isinstance((await clerk.action("define")).undo, Irreversible)


async def test_restore_knows_its_tables(clerk: Clerk) -> None:
    with pytest.raises(UnknownName):
        await clerk.prepare("restore", table="nowhere", rows=[], remove=[])
    with pytest.raises(UnknownName):
        await clerk.prepare("restore", table=clerk.shop.name("orders"), rows=[{"id": 10, "nope": 1}], remove=[])
