"""What is sent is what was approved, or nothing; and what became of it can be found out."""

from __future__ import annotations

import sqlite3
import threading
import time
from datetime import datetime, timezone
from typing import Any

import psycopg
import pytest

from banksman import ABSENT, UNSURE
from banksman._canonical import plain
from banksman.errors import Conflict, Drifted, OutcomeUnknown, Unavailable

from .cutting import wire
from .shop import Clerk, Prepared, Shop

NOW = datetime.now(timezone.utc)


# Drift


async def drifted(prepared: Prepared) -> Drifted:
    """The error of a change whose rows are no longer what was shown. It must have changed nothing."""
    before = prepared.clerk.shop.everything()
    with pytest.raises(Drifted) as found:
        await prepared.send()
    assert prepared.clerk.shop.everything() == before
    return found.value


async def test_a_row_that_changed_since_the_preview_stops_the_change(clerk: Clerk) -> None:
    prepared = await clerk.execute("UPDATE orders SET note = 'mine' WHERE id = 11")
    clerk.shop.run("UPDATE orders SET note = 'theirs' WHERE id = 11")
    error = await drifted(prepared)
    assert error.changes == (("before.rows.id=11.note", "fragile", "theirs"),)


async def test_another_row_that_would_be_touched_stops_the_change(clerk: Clerk) -> None:
    prepared = await clerk.execute("DELETE FROM orders WHERE status = 'late'")
    clerk.shop.run("UPDATE orders SET status = 'late' WHERE id = 12")
    assert "id=12" in str(await drifted(prepared))


async def test_a_row_that_is_gone_stops_the_change(clerk: Clerk) -> None:
    prepared = await clerk.execute("UPDATE orders SET note = 'x' WHERE customer_id = 1")
    clerk.shop.run("DELETE FROM orders WHERE id = 10")
    assert "id=10" in str(await drifted(prepared))


async def test_a_row_more_that_would_go_along_stops_the_change(clerk: Clerk) -> None:
    prepared = await clerk.execute("DELETE FROM orders WHERE id = 12")
    clerk.shop.run("INSERT INTO items VALUES (12, 2, 'saw', 1)")
    assert "order_id=12, line=2" in str(await drifted(prepared))


async def test_an_outcome_that_differs_stops_the_change(clerk: Clerk) -> None:
    prepared = await clerk.execute("INSERT INTO orders (id, note) SELECT 40, name FROM customers WHERE id = 1")
    clerk.shop.run("UPDATE customers SET name = 'Anna' WHERE id = 1")
    assert ("after.rows.id=40.note", "Ann", "Anna") in (await drifted(prepared)).changes


async def test_an_upsert_that_would_now_overwrite_stops(clerk: Clerk) -> None:
    statement = (
        "INSERT INTO items VALUES (12, 5, 'new', 1) ON CONFLICT (order_id, line) DO UPDATE SET sku = excluded.sku"
    )
    prepared = await clerk.execute(statement)
    clerk.shop.run("INSERT INTO items VALUES (12, 5, 'theirs', 7)")
    await drifted(prepared)


async def test_columns_that_were_not_shown_may_change(clerk: Clerk) -> None:
    prepared = await clerk.execute("UPDATE orders SET note = 'x' WHERE id = 10")
    clerk.shop.run("UPDATE orders SET status = 'late' WHERE id = 10")
    await prepared.send()
    assert clerk.shop.run("SELECT status, note FROM orders WHERE id = 10") == [("late", "x")]


async def test_rows_without_a_key_are_compared_too(clerk: Clerk) -> None:
    prepared = await clerk.execute("DELETE FROM journal WHERE level = 1")
    clerk.shop.run("INSERT INTO journal VALUES ('one more', 1)")
    await drifted(prepared)


async def test_a_definition_is_compared_too(clerk: Clerk) -> None:
    prepared = await clerk.prepare("define", statement="DROP TABLE journal")
    clerk.shop.run("INSERT INTO journal VALUES ('one more', 1)")
    assert "rows" in str(await drifted(prepared))


async def test_a_constraint_that_stands_against_it_only_now_is_a_conflict(clerk: Clerk) -> None:
    prepared = await clerk.prepare("insert", table=clerk.shop.name("customers"), rows=[{"id": 9, "name": "Dee"}])
    clerk.shop.run("INSERT INTO customers (id, name) VALUES (8, 'Dee')")
    before = clerk.shop.everything()
    with pytest.raises(Conflict):
        await prepared.send()
    assert clerk.shop.everything() == before


# Others at the same time


@pytest.mark.peer
async def test_a_row_that_somebody_changes_at_the_same_moment_is_a_conflict(postgres_shop: Shop) -> None:
    clerk = postgres_shop.clerk()
    prepared = await clerk.execute("UPDATE orders SET note = 'mine' WHERE id = 10")
    other = psycopg.connect(postgres_shop.url)
    other.execute("UPDATE orders SET status = 'late' WHERE id = 10")

    def commit_once_it_waits() -> None:
        with psycopg.connect(postgres_shop.url, autocommit=True) as watch:
            waiting = (
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'banksman' AND wait_event_type = 'Lock'"
            )
            until = time.monotonic() + 4
            while watch.execute(waiting).fetchone() == (0,) and time.monotonic() < until:
                time.sleep(0.02)
        other.commit()

    thread = threading.Thread(target=commit_once_it_waits)
    thread.start()
    with pytest.raises(Conflict, match="40001"):
        await prepared.send()
    thread.join()
    other.close()
    assert postgres_shop.run("SELECT note, status FROM orders WHERE id = 10") == [(None, "late")]
    await clerk.opened.aclose()


async def test_a_lock_of_somebody_else_means_try_later(shop: Shop) -> None:
    clerk = shop.clerk(statement_timeout=0.3)
    prepared = await clerk.execute("UPDATE orders SET note = 'mine' WHERE id = 10")
    other: Any
    if shop.dialect == "sqlite":
        other = sqlite3.connect(shop.url.removeprefix("sqlite:///"), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
    else:
        other = psycopg.connect(shop.url)
    other.execute("UPDATE orders SET note = 'theirs' WHERE id = 10")
    with pytest.raises(Unavailable, match="nothing was changed"):
        await prepared.send()
    other.rollback()
    other.close()
    await prepared.send()
    assert shop.run("SELECT note FROM orders WHERE id = 10") == [("mine",)]
    await clerk.opened.aclose()


async def test_a_preview_in_sqlite_leaves_its_journal_mode_alone(sqlite_shop: Shop) -> None:
    clerk = sqlite_shop.clerk()
    await (await clerk.execute("UPDATE orders SET note = 'x' WHERE id = 10")).send()
    assert sqlite_shop.run("PRAGMA journal_mode") == [("delete",)]
    await clerk.opened.aclose()


# A wire that breaks


@pytest.mark.peer
async def test_a_commit_without_an_answer_is_asked_for(postgres_shop: Shop) -> None:
    """The server knows what became of a transaction, so nobody else has to find out."""
    with wire(postgres_shop.url) as (cable, url):
        clerk = Shop("postgres", url).clerk()
        prepared = await clerk.execute("UPDATE orders SET note = 'x' WHERE id = 10")
        cable.cut = "after"
        output = await prepared.send()
        assert output.count == 1
        await clerk.opened.aclose()
    assert postgres_shop.run("SELECT note FROM orders WHERE id = 10") == [("x",)]


@pytest.mark.peer
async def test_a_commit_that_did_not_arrive_changed_nothing_and_says_so(postgres_shop: Shop) -> None:
    with wire(postgres_shop.url) as (cable, url):
        clerk = Shop("postgres", url).clerk()
        prepared = await clerk.execute("UPDATE orders SET note = 'x' WHERE id = 10")
        cable.cut = "before"
        with pytest.raises(Unavailable):
            await prepared.send()
        assert postgres_shop.run("SELECT note FROM orders WHERE id = 10") == [(None,)]
        # The next one gets a new connection.
        await (await clerk.execute("UPDATE orders SET note = 'x' WHERE id = 10")).send()
        await clerk.opened.aclose()


@pytest.mark.peer
@pytest.mark.parametrize("cut", ["before", "after"])
async def test_a_commit_that_cannot_be_asked_for_is_unknown(postgres_shop: Shop, cut: str) -> None:
    with wire(postgres_shop.url) as (cable, url):
        clerk = Shop("postgres", url).clerk()
        prepared = await clerk.execute("UPDATE orders SET note = 'x' WHERE id = 10")
        cable.cut, cable.heals = cut, False
        with pytest.raises(OutcomeUnknown, match="COMMIT"):
            await prepared.send()
        cable.heals = True
        found = await prepared.became(NOW)
        assert found is ABSENT if cut == "before" else plain(found)["count"] == 1
        await clerk.opened.aclose()


@pytest.mark.peer
async def test_a_connection_lost_before_commit_changed_nothing(postgres_shop: Shop) -> None:
    clerk = postgres_shop.clerk()
    prepared = await clerk.execute("UPDATE orders SET note = 'x' WHERE id = 10")
    postgres_shop.script(
        "CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$;"
        "CREATE TRIGGER cut BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION cut();"
    )
    with pytest.raises(Unavailable):
        await prepared.send()
    assert postgres_shop.run("SELECT note FROM orders WHERE id = 10") == [(None,)]
    await clerk.opened.aclose()


@pytest.mark.peer
async def test_an_idle_connection_that_was_cut_is_replaced(postgres_shop: Shop) -> None:
    clerk = postgres_shop.clerk()
    await clerk.rows("SELECT 1 AS n")
    postgres_shop.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = 'banksman' AND datname = current_database()"
    )
    assert await clerk.rows("SELECT 1 AS n") == [{"n": 1}]
    await clerk.opened.aclose()


# What became of it

CHANGES = [
    ("execute", {"statement": "UPDATE orders SET total = total + 1, note = NULL WHERE customer_id = 1"}),
    ("execute", {"statement": "DELETE FROM orders WHERE id = 12"}),
    ("execute", {"statement": "DELETE FROM customers WHERE id = 1"}),
    ("insert", {"table": "items", "rows": [{"order_id": 12, "line": 4, "sku": "tar"}]}),
    ("update", {"table": "orders", "key": {"id": 10}, "values": {"status": "done"}}),
    ("delete", {"table": "items", "key": {"order_id": 12, "line": 1}}),
    ("restore", {"table": "orders", "rows": [{"id": 10, "note": "was"}], "remove": [{"id": 12}]}),
]


@pytest.mark.parametrize(("name", "arguments"), CHANGES)
async def test_what_did_not_happen_is_absent_and_what_did_is_found(
    clerk: Clerk, name: str, arguments: dict[str, Any]
) -> None:
    prepared = await clerk.prepare(name, **arguments)
    assert await prepared.became(NOW) is ABSENT
    output = await prepared.send()
    assert plain(await prepared.became(NOW)) == plain(output)


async def test_what_somebody_changed_since_is_for_a_person(clerk: Clerk) -> None:
    prepared = await clerk.execute("UPDATE orders SET note = 'x' WHERE customer_id = 1")
    await prepared.send()
    clerk.shop.run("UPDATE orders SET note = 'y' WHERE id = 10")
    assert await prepared.became(NOW) is UNSURE
    clerk.shop.run("UPDATE orders SET note = NULL WHERE id = 10")
    assert await prepared.became(NOW) is UNSURE, "one row as before, one as after"


async def test_an_equal_row_with_another_number_may_be_somebody_elses(clerk: Clerk) -> None:
    prepared = await clerk.execute("INSERT INTO orders (customer_id, total, note) VALUES (2, 4.20, 'twin')")
    assert await prepared.became(NOW) is ABSENT
    clerk.shop.run("INSERT INTO orders (customer_id, total, note) VALUES (2, 4.20, 'twin')")
    assert await prepared.became(NOW) is UNSURE


async def test_a_row_without_a_key_is_absent_or_for_a_person(clerk: Clerk) -> None:
    inserted = await clerk.execute("INSERT INTO journal VALUES ('closed', 2)")
    assert await inserted.became(NOW) is ABSENT
    await inserted.send()
    assert await inserted.became(NOW) is UNSURE
    changed = await clerk.execute("UPDATE journal SET level = 3 WHERE line = 'opened'")
    assert await changed.became(NOW) is UNSURE


async def test_a_change_of_nothing_has_happened(clerk: Clerk) -> None:
    prepared = await clerk.execute("DELETE FROM orders WHERE id = 999")
    assert plain(await prepared.became(NOW))["count"] == 0


async def test_a_definition_is_found_by_the_schema(clerk: Clerk) -> None:
    prepared = await clerk.prepare("define", statement="CREATE TABLE fresh (id INT PRIMARY KEY)")
    assert await prepared.became(NOW) is ABSENT
    output = await prepared.send()
    assert plain(await prepared.became(NOW)) == plain(output)
    clerk.shop.run("ALTER TABLE fresh ADD COLUMN more INT")
    assert await prepared.became(NOW) is UNSURE
