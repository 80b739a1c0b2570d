"""A change shows what the database does, and does what it showed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from banksman import PENDING, Irreversible
from banksman._canonical import plain
from banksman.errors import Conflict, Denied, NotFound, Rejected, UnknownName, WriteRefused

from .shop import Clerk, Prepared, Shop


def matches(shown: Any, real: Any) -> bool:
    """Whether a value is what was shown, as far as that was known."""
    if shown is PENDING:
        return real is not PENDING
    if isinstance(shown, dict):
        return (
            isinstance(real, dict)
            and shown.keys() == real.keys()
            and all(matches(v, real[k]) for k, v in shown.items())
        )
    if isinstance(shown, list):
        return len(shown) == len(real) and all(map(matches, shown, real))
    return type(shown) is type(real) and bool(shown == real)


async def rows_of(clerk: Clerk, table: str) -> list[dict[str, Any]]:
    return await clerk.rows(f"SELECT * FROM {table} ORDER BY 1, 2")


async def check_outcome(prepared: Prepared, table: str, key: tuple[str, ...]) -> Any:
    """Send a change, and hold each field of its preview against the rows that are there then."""
    output = await prepared.send()
    assert matches(prepared.change.result, plain(output))
    now = {tuple(row[name] for name in key): row for row in await rows_of(prepared.clerk, table)}
    after = (prepared.after or {"rows": {}})["rows"]
    known = {text: row for text, row in after.items() if not any(row[name] is PENDING for name in key)}
    for row in known.values():
        real = now[tuple(row[name] for name in key)]
        assert matches(row, {name: real[name] for name in row})
    for text, row in (prepared.before or {"rows": {}})["rows"].items():
        if text not in after:
            assert tuple(row[name] for name in key) not in now
    return output


STATEMENTS = [
    ("UPDATE orders SET total = total * 2 + :x, note = :n WHERE customer_id = :c", {"x": "0.05", "n": None, "c": 1}),
    ("UPDATE orders SET placed = :when, payload = :bytes WHERE id = 12", {"when": "2024-05-06", "bytes": b"\x00\xfe"}),
    ("UPDATE orders AS o SET note = c.name FROM customers AS c WHERE c.id = o.customer_id AND o.status = 'open'", {}),
    ("UPDATE orders SET changed = CURRENT_TIMESTAMP WHERE id IN (10, 12)", {}),
    ("DELETE FROM orders WHERE status = 'late'", {}),
    ("WITH old AS (SELECT id FROM orders WHERE total < 5) DELETE FROM orders WHERE id IN (SELECT id FROM old)", {}),
    ("INSERT INTO orders (id, customer_id, total) VALUES (20, 2, :t), (21, NULL, 7)", {"t": "19.99"}),
    ("INSERT INTO orders (customer_id, total) SELECT id, 5 FROM customers WHERE vip", {}),
    (
        "INSERT INTO orders (id, note) VALUES (10, 'x'), (30, 'y') ON CONFLICT (id) DO UPDATE SET note = excluded.note",
        {},
    ),
    ("INSERT INTO orders (id, note) VALUES (10, 'x'), (31, 'y') ON CONFLICT DO NOTHING", {}),
    ("UPDATE orders SET (status, note) = ('done', 'by hand') WHERE id = 11 RETURNING *", {}),
    ("UPDATE orders SET status = status WHERE id = 10", {}),
    ("DELETE FROM orders WHERE id = 999", {}),
]


@pytest.mark.parametrize(("statement", "parameters"), STATEMENTS)
async def test_the_preview_of_a_statement_is_its_outcome(
    clerk: Clerk, statement: str, parameters: dict[str, Any]
) -> None:
    before = clerk.shop.everything()
    prepared = await clerk.execute(statement, **parameters)
    assert clerk.shop.everything() == before, "a preview changes nothing"
    await check_outcome(prepared, "orders", ("id",))


async def test_a_statement_shows_the_changed_columns_of_the_rows_it_means(clerk: Clerk) -> None:
    prepared = await clerk.execute("UPDATE orders SET status = 'late' WHERE customer_id = :c", c=1)
    assert prepared.before == {"rows": {"id=10": {"id": 10, "status": "open"}, "id=11": {"id": 11}}}
    assert prepared.after == {"rows": {"id=10": {"id": 10, "status": "late"}, "id=11": {"id": 11}}}
    assert prepared.change.entity == clerk.shop.name("orders")
    assert prepared.change.key == [10, 11]
    assert prepared.change.reach == 2
    assert prepared.change.guarded


async def test_decimals_times_nulls_and_bytes_are_shown_as_they_are(clerk: Clerk) -> None:
    prepared = await clerk.execute("DELETE FROM orders WHERE id = 10")
    row = prepared.before["rows"]["id=10"]
    assert row["total"] == (Decimal("12.50") if clerk.shop.dialect == "postgres" else 12.5)
    assert row["placed"] == (
        "2024-01-02T03:04:05Z" if clerk.shop.dialect == "postgres" else "2024-01-02 03:04:05+00:00"
    )
    assert row["payload"] == b"\x00\xff\x10"
    assert row["note"] is None
    assert prepared.after is None


async def test_what_only_the_database_knows_is_pending(clerk: Clerk) -> None:
    prepared = await clerk.prepare("insert", table=clerk.shop.name("orders"), rows=[{"customer_id": 2, "total": 1}])
    (shown,) = prepared.after["rows"].values()
    assert shown["id"] is PENDING
    assert shown["changed"] is PENDING
    assert shown["status"] == "open", "a constant default is known"
    assert prepared.before is None
    assert prepared.change.key is PENDING
    output = await prepared.send()
    assert output.rows[0]["id"] not in (PENDING, None)
    assert clerk.shop.run("SELECT total FROM orders WHERE id = ?", output.rows[0]["id"])


async def test_two_previews_of_the_same_insert_are_alike(clerk: Clerk) -> None:
    """Sequences move on in a rolled back transaction; what is shown must not."""
    statement = "INSERT INTO orders (customer_id, note) VALUES (1, 'twice'), (2, 'x')"
    first, second = await clerk.execute(statement), await clerk.execute(statement)
    assert first.after == second.after
    assert first.change.requests[0].fingerprint == second.change.requests[0].fingerprint


async def test_a_write_outside_an_approved_run_does_nothing(clerk: Clerk) -> None:
    before = clerk.shop.everything()
    prepared = await clerk.execute("DELETE FROM orders WHERE id = 10")
    with pytest.raises(WriteRefused):
        await clerk.opened.send(prepared.action, prepared.change)
    assert clerk.shop.everything() == before


async def test_the_gate_is_asked_again_at_commit(clerk: Clerk, monkeypatch: pytest.MonkeyPatch) -> None:
    before = clerk.shop.everything()
    prepared = await clerk.execute("DELETE FROM orders WHERE id = 10")
    with pytest.raises(WriteRefused):
        await clerk.api._thread(lambda: clerk.api._commit(prepared.change.requests[0]))
    assert clerk.shop.everything() == before


async def test_approval_covers_statement_and_parameters(clerk: Clerk) -> None:
    one = (await clerk.execute("DELETE FROM orders WHERE id = :id", id=10)).change.requests[0]
    other = (await clerk.execute("DELETE FROM orders WHERE id = :id", id=11)).change.requests[0]
    assert one.fingerprint != other.fingerprint
    assert one.canonical() == {
        "kind": "sql",
        "dialect": clerk.shop.dialect,
        "statement": "DELETE FROM orders WHERE id = :id",
        "parameters": {"id": 10},
        "table": clerk.shop.name("orders"),
        "operation": "delete",
        "key": ["id"],
        "pending": [],
    }
    assert one.summary() == "DELETE FROM orders WHERE id = :id"


async def test_rows_that_foreign_keys_take_along_are_counted_and_shown(clerk: Clerk) -> None:
    shop = clerk.shop
    prepared = await clerk.execute("DELETE FROM customers WHERE id = 1")
    assert prepared.change.reach == 1 + 2 + 3 + 2
    assert set(prepared.change.touches) == {shop.name("orders"), shop.name("items"), shop.name("visits")}
    assert f"2 rows of {shop.name('orders')} go along by foreign keys" in prepared.change.notes
    assert prepared.after == {
        "rows": {},
        "also": {
            shop.name("visits"): {
                "id=100": {"id": 100, "customer_id": None},
                "id=101": {"id": 101, "customer_id": None},
            }
        },
    }
    also = prepared.before["also"]
    assert list(also[shop.name("items")]) == ["order_id=10, line=1", "order_id=10, line=2", "order_id=11, line=1"]
    await prepared.send()
    assert shop.run("SELECT count(*) FROM items") == [(1,)]


async def test_rows_without_a_key_that_go_along_are_named_as_lost(clerk: Clerk) -> None:
    clerk.shop.script(
        "CREATE TABLE scraps (order_id BIGINT REFERENCES orders (id) ON DELETE CASCADE);"
        "INSERT INTO scraps VALUES (10), (10), (11);"
    )
    prepared = await clerk.execute("DELETE FROM orders WHERE id = 10")
    lost = f"2 rows of {clerk.shop.name('scraps')}, which has no primary key"
    assert f"{lost} go along and cannot be put back" in prepared.change.notes
    undo = prepared.undo(await prepared.send())
    assert isinstance(undo, Irreversible)
    assert lost in undo.why


async def test_rows_of_the_table_itself_go_along(clerk: Clerk) -> None:
    clerk.shop.script(
        "CREATE TABLE parts (id BIGINT PRIMARY KEY, part_of BIGINT REFERENCES parts (id) ON DELETE CASCADE);"
        "INSERT INTO parts VALUES (1, NULL), (2, 1), (3, 2), (4, NULL);"
    )
    prepared = await clerk.execute("DELETE FROM parts WHERE id = 1")
    assert list(prepared.before["rows"]) == ["id=1", "id=2", "id=3"]
    assert prepared.change.reach == 3
    output = await prepared.send()
    await (await clerk.undo(prepared, output)).send()
    assert clerk.shop.run("SELECT id, part_of FROM parts ORDER BY id") == [(1, None), (2, 1), (3, 2), (4, None)]


async def test_a_change_of_a_referenced_column_shows_the_rows_that_follow(clerk: Clerk) -> None:
    clerk.shop.script(
        "CREATE TABLE tags (id BIGINT PRIMARY KEY, word VARCHAR(20) UNIQUE);"
        "CREATE TABLE tagged (id BIGINT PRIMARY KEY, word VARCHAR(20) REFERENCES tags (word) ON UPDATE CASCADE);"
        "INSERT INTO tags VALUES (1, 'old'); INSERT INTO tagged VALUES (5, 'old'), (6, NULL);"
    )
    prepared = await clerk.execute("UPDATE tags SET word = 'new' WHERE id = 1")
    assert prepared.after["also"] == {clerk.shop.name("tagged"): {"id=5": {"id": 5, "word": "new"}}}
    await prepared.send()
    assert clerk.shop.run("SELECT word FROM tagged WHERE id = 5") == [("new",)]


async def test_triggers_are_named_and_what_they_fill_is_pending(clerk: Clerk) -> None:
    if clerk.shop.dialect == "sqlite":
        clerk.shop.script(
            "CREATE TRIGGER touch AFTER UPDATE OF status ON orders BEGIN "
            "UPDATE orders SET changed = CURRENT_TIMESTAMP WHERE id = NEW.id; END;"
        )
    else:
        clerk.shop.script(
            "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN NEW.changed = clock_timestamp(); RETURN NEW; END $$;"
            "CREATE TRIGGER touch BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION touch();"
        )
    prepared = await clerk.execute("UPDATE orders SET status = 'done' WHERE id = 10")
    assert prepared.after["rows"]["id=10"] == {"id": 10, "status": "done", "changed": PENDING}
    assert any("triggers" in note and "touch" in note for note in prepared.change.notes)
    output = await prepared.send()
    assert output.rows[0]["changed"] != "2024-01-01"


async def test_a_change_wider_than_allowed_is_denied_with_its_size(shop: Shop) -> None:
    clerk = shop.clerk(max_changed_rows=2)
    with pytest.raises(Denied, match="touches 3 rows; at most 2") as denied:
        await clerk.execute("UPDATE orders SET note = 'x' WHERE total >= 0")
    assert denied.value.rule == "sql.max-changed-rows"
    with pytest.raises(Denied, match="max-changed-rows"):
        await clerk.execute("DELETE FROM customers WHERE id = 1")
    await clerk.opened.aclose()


async def test_production_takes_a_thousand_rows_at_most(careful: Clerk) -> None:
    numbers = ", ".join(f"({number}, 'x')" for number in range(2000, 3001))
    with pytest.raises(Denied, match="touches 1,001 rows; at most 1,000"):
        await careful.execute(f"INSERT INTO orders (id, note) VALUES {numbers}")


async def test_a_change_of_every_row_says_so(clerk: Clerk) -> None:
    prepared = await clerk.execute("UPDATE orders SET note = 'x' WHERE total >= 0")
    assert f"every row of {clerk.shop.name('orders')} is touched" in prepared.change.notes
    some = await clerk.execute("UPDATE orders SET note = 'x' WHERE id <> 10")
    assert not any("every row" in note for note in some.change.notes)


async def test_a_primary_key_is_not_changed(clerk: Clerk) -> None:
    with pytest.raises(Rejected, match="would change the primary key"):
        await clerk.execute("UPDATE orders SET id = id + 100 WHERE id = 10")
    with pytest.raises(Rejected, match="primary key"):
        await clerk.prepare("update", table=clerk.shop.name("orders"), key={"id": 10}, values={"id": 11})


@pytest.mark.peer
@pytest.mark.parametrize("statement", ["DELETE FROM orders WHERE {}", "UPDATE orders SET note = 'x' WHERE {}"])
async def test_a_change_that_means_other_rows_each_time_is_refused(postgres_shop: Shop, statement: str) -> None:
    postgres_shop.script("CREATE SEQUENCE draws")
    clerk = postgres_shop.clerk()
    # Nothing at the first run (1, 2, 3), the second row at the next (4, 5, 6).
    with pytest.raises(Rejected, match=r"other rows of public\.orders each time"):
        await clerk.execute(statement.format("nextval('draws') = 5"))
    await clerk.opened.aclose()


async def test_views_are_not_written_to(clerk: Clerk) -> None:
    with pytest.raises(Rejected, match="it is a view"):
        await clerk.execute("DELETE FROM late WHERE id = 10")


async def test_a_table_without_a_key_is_changed_but_never_in_production(clerk: Clerk, careful: Clerk) -> None:
    prepared = await clerk.execute("UPDATE journal SET level = 2 WHERE line = 'opened'")
    assert prepared.before == {"rows": {"row 1": {"line": "opened", "level": 1}}}
    assert prepared.after == {"rows": {"row 1": {"line": "opened", "level": 2}}}
    assert "it cannot be undone: the table has no primary key" in prepared.change.notes
    undo = prepared.undo(await prepared.send())
    assert isinstance(undo, Irreversible)
    assert clerk.shop.run("SELECT level FROM journal") == [(2,)]
    for statement in ("INSERT INTO journal VALUES ('x', 1)", "DELETE FROM journal WHERE level = 2"):
        with pytest.raises(Denied) as denied:
            await careful.execute(statement)
        assert denied.value.rule == "sql.production-primary-key"
    with pytest.raises(Denied, match="primary key"):
        await careful.prepare("insert", table=clerk.shop.name("journal"), rows=[{"line": "x"}])


# One table's rows by their key


async def test_one_row_is_inserted_updated_and_deleted_by_its_key(clerk: Clerk) -> None:
    items = clerk.shop.name("items")
    rows = [{"order_id": 12, "line": 2, "sku": "oil"}, {"order_id": 12, "line": 3, "sku": "wax", "quantity": 3}]
    inserted = await clerk.prepare("insert", table=items, rows=rows)
    assert list(inserted.after["rows"]) == ["order_id=12, line=2", "order_id=12, line=3"]
    output = await check_outcome(inserted, "items", ("order_id", "line"))
    assert [row["quantity"] for row in output.rows] == [1, 3]

    key = {"order_id": 12, "line": 2}
    updated = await clerk.prepare("update", table=items, key=key, values={"quantity": 9, "sku": "oil"})
    assert updated.after == {"rows": {"order_id=12, line=2": {**key, "quantity": 9}}}
    assert updated.change.key == key
    await check_outcome(updated, "items", ("order_id", "line"))

    deleted = await clerk.prepare("delete", table=items, key=key)
    assert deleted.after is None
    await check_outcome(deleted, "items", ("order_id", "line"))


async def test_a_row_that_is_not_there_is_not_found(clerk: Clerk) -> None:
    table = clerk.shop.name("orders")
    with pytest.raises(NotFound, match="has no row id=999"):
        await clerk.prepare("update", table=table, key={"id": 999}, values={"note": "x"})
    with pytest.raises(NotFound, match="has no row id=999"):
        await clerk.prepare("delete", table=table, key={"id": 999})


async def test_names_that_are_not_there_come_with_near_ones(clerk: Clerk) -> None:
    table = clerk.shop.name("orders")
    with pytest.raises(UnknownName, match="did you mean"):
        await clerk.prepare("delete", table=f"{table[:-1]}", key={"id": 1})
    with pytest.raises(UnknownName, match="did you mean status"):
        await clerk.prepare("update", table=table, key={"id": 10}, values={"statsu": "x"})
    with pytest.raises(UnknownName, match="did you mean total"):
        await clerk.prepare("insert", table=table, rows=[{"totl": 1}])
    with pytest.raises(UnknownName, match="orders"):
        await clerk.execute("UPDATE order_s SET note = 'x' WHERE id = 1")
    with pytest.raises(Rejected, match=r"the key of .* is order_id, line"):
        await clerk.prepare("delete", table=clerk.shop.name("items"), key={"order_id": 10})


async def test_a_name_is_never_a_piece_of_sql(clerk: Clerk) -> None:
    before = clerk.shop.everything()
    hostile = "note\" = 'x'; DROP TABLE items; --"
    with pytest.raises(UnknownName):
        await clerk.prepare("update", table=clerk.shop.name("orders"), key={"id": 10}, values={hostile: 1})
    with pytest.raises(UnknownName):
        await clerk.prepare("delete", table='orders"; DROP TABLE items; --', key={"id": 10})
    quoted = hostile.replace('"', '""')
    clerk.shop.run(f'CREATE TABLE odd (id BIGINT PRIMARY KEY, "{quoted}" VARCHAR(20))')
    prepared = await clerk.prepare("insert", table=clerk.shop.name("odd"), rows=[{"id": 1, hostile: "fine"}])
    await prepared.send()
    assert clerk.shop.run("SELECT * FROM odd") == [(1, "fine")]
    assert clerk.shop.everything() == before


async def test_a_broken_constraint_is_a_conflict_that_changes_nothing(clerk: Clerk) -> None:
    before = clerk.shop.everything()
    with pytest.raises(Conflict):
        await clerk.prepare("insert", table=clerk.shop.name("customers"), rows=[{"id": 9, "name": "Ann"}])
    with pytest.raises(Conflict):
        await clerk.execute("UPDATE orders SET total = -1 WHERE id = 10")
    with pytest.raises(Conflict):
        await clerk.execute("UPDATE orders SET customer_id = 77 WHERE id = 10")
    assert clerk.shop.everything() == before


async def test_parameters_are_all_there_and_none_is_left_over(clerk: Clerk) -> None:
    with pytest.raises(Rejected, match="without a value: id"):
        await clerk.execute("DELETE FROM orders WHERE id = :id")
    with pytest.raises(Rejected, match="does not have: other"):
        await clerk.execute("DELETE FROM orders WHERE id = 10", other=1)


async def test_any_word_can_name_a_parameter(clerk: Clerk) -> None:
    found = await clerk.rows(
        "SELECT id FROM orders WHERE status = :from AND total >= :select ORDER BY id LIMIT :limit",
        **{"from": "open", "select": 0, "limit": 1},
    )
    assert found == [{"id": 10}]


@pytest.mark.peer
async def test_a_merge_is_shown_row_by_row_and_taken_back(postgres_shop: Shop) -> None:
    clerk = postgres_shop.clerk("production")
    before = postgres_shop.everything()
    merge = (
        "MERGE INTO items AS i "
        "USING (VALUES (10::bigint, 1, 'bolt', 9), (12, 5, 'saw', 1), (11, 1, '', 0)) AS n (o, l, s, q) "
        "ON i.order_id = n.o AND i.line = n.l "
        "WHEN MATCHED AND n.q = 0 THEN DELETE "
        "WHEN MATCHED THEN UPDATE SET quantity = n.q "
        "WHEN NOT MATCHED THEN INSERT (order_id, line, sku, quantity) VALUES (n.o, n.l, n.s, n.q)"
    )
    done = await clerk.execute(merge)
    assert list(done.before["rows"]) == ["order_id=10, line=1", "order_id=11, line=1"]
    assert done.before["rows"]["order_id=10, line=1"] == {"order_id": 10, "line": 1, "quantity": 4}
    assert set(done.after["rows"]) == {"order_id=10, line=1", "order_id=12, line=5"}
    await (await clerk.undo(done, await done.send())).send()
    assert postgres_shop.everything() == before
    await clerk.opened.aclose()


@pytest.mark.peer
async def test_rows_of_a_partitioned_table_are_followed(postgres_shop: Shop) -> None:
    postgres_shop.script(
        "CREATE TABLE events (id int, year int, note text, PRIMARY KEY (id, year)) PARTITION BY LIST (year);"
        "CREATE TABLE events_24 PARTITION OF events FOR VALUES IN (2024);"
        "CREATE TABLE events_25 PARTITION OF events FOR VALUES IN (2025);"
        "INSERT INTO events VALUES (1, 2024, 'a'), (2, 2025, 'b');"
    )
    clerk = postgres_shop.clerk()
    done = await clerk.execute("UPDATE events SET note = 'x' WHERE id > 0")
    assert list(done.after["rows"]) == ["id=1, year=2024", "id=2, year=2025"]
    await (await clerk.undo(done, await done.send())).send()
    assert postgres_shop.run("SELECT note FROM events ORDER BY id") == [("a",), ("b",)]
    await clerk.opened.aclose()
