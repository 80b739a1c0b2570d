"""In a preview, later steps see what earlier ones wrote; outside of it nobody does, and nothing of it stays."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import anyio
import anyio.to_thread
import pytest

from banksman._change import CallContext, preparing
from banksman._record import fill_pending, placeholder
from banksman.errors import BanksmanError, Conflict, Rejected, Unavailable

from .shop import Clerk, Prepared, Shop

NONCE = "0123456789abcdef"


@contextmanager
def step(call: str) -> Iterator[None]:
    """As the preview prepares the step of that name."""
    with preparing(CallContext(f"run.{call}", NONCE, call=call)):
        yield


def result_of(prepared: Prepared, call: str) -> Any:
    """The output that later steps of the preview are given."""
    return fill_pending(prepared.change.result, lambda path: placeholder(NONCE, call, path))


async def count(clerk: Clerk, table: str = "orders") -> int:
    (row,) = await clerk.rows(f"SELECT count(*) AS n FROM {table}")
    return int(row["n"])


async def test_later_reads_see_earlier_writes_and_nothing_stays(clerk: Clerk) -> None:
    before = clerk.shop.everything()
    async with clerk.api.rehearsal():
        await clerk.execute("DELETE FROM orders WHERE id = 10")
        assert await count(clerk) == 2
        await clerk.execute("UPDATE orders SET note = 'x' WHERE id = 11")
        assert (await clerk.rows("SELECT note FROM orders WHERE id = 11"))[0]["note"] == "x"
        later = await clerk.execute("UPDATE orders SET note = 'y' WHERE customer_id = 1")
        assert later.before == {"rows": {"id=11": {"id": 11, "note": "x"}}}
    assert clerk.shop.everything() == before
    assert await count(clerk) == 3


async def test_outside_of_a_rehearsal_a_change_is_rolled_back_at_once(clerk: Clerk) -> None:
    await clerk.execute("DELETE FROM orders WHERE id = 10")
    assert await count(clerk) == 3


async def test_a_preview_that_fails_leaves_nothing(clerk: Clerk) -> None:
    before = clerk.shop.everything()

    async def preview() -> None:
        async with clerk.api.rehearsal():
            await clerk.execute("DELETE FROM orders WHERE id = 10")
            raise RuntimeError("another step broke")

    with pytest.raises(RuntimeError):
        await preview()
    assert clerk.shop.everything() == before


async def test_a_preview_that_is_cancelled_leaves_nothing(clerk: Clerk) -> None:
    before = clerk.shop.everything()
    with anyio.CancelScope() as scope:
        async with clerk.api.rehearsal():
            await clerk.execute("DELETE FROM orders WHERE id = 10")
            scope.cancel()
            await anyio.sleep(10)
    assert clerk.shop.everything() == before
    await (await clerk.execute("DELETE FROM orders WHERE id = 10")).send()


async def test_a_step_that_fails_takes_no_other_with_it(clerk: Clerk) -> None:
    async with clerk.api.rehearsal():
        await clerk.execute("DELETE FROM orders WHERE id = 10")
        with pytest.raises(Conflict):
            await clerk.execute("INSERT INTO customers (id, name) VALUES (9, 'Ann')")
        with pytest.raises(BanksmanError):
            await clerk.rows("SELECT nothere FROM orders")
        assert await count(clerk) == 2


async def test_reads_write_nothing_in_a_rehearsal_either(clerk: Clerk, monkeypatch: pytest.MonkeyPatch) -> None:
    from banksman_connectors.sql.actions import reading
    from banksman_connectors.sql.lexing import lex
    from banksman_connectors.sql.parsing import Query

    def fooled(sql: str, dialect: Any, production: bool) -> Query:
        return Query(lex(sql, dialect).text(), frozenset())

    async with clerk.api.rehearsal():
        await clerk.execute("DELETE FROM orders WHERE id = 10")
        with monkeypatch.context() as patch:
            patch.setattr(reading, "parse_query", fooled)
            with pytest.raises(BanksmanError):
                await clerk.rows("DELETE FROM orders RETURNING id")
        assert await count(clerk) == 2
        await clerk.execute("DELETE FROM orders WHERE id = 11")


async def test_another_run_on_the_same_connection_does_not_see_it(clerk: Clerk) -> None:
    seen: list[int] = []
    ready, looked = anyio.Event(), anyio.Event()

    async def other() -> None:
        await ready.wait()
        seen.append(await count(clerk))
        looked.set()

    async with anyio.create_task_group() as group:
        group.start_soon(other)
        async with clerk.api.rehearsal():
            await clerk.execute("DELETE FROM orders WHERE id = 10")
            ready.set()
            await looked.wait()
            seen.append(await count(clerk))
    assert seen == [3, 2]


async def test_tasks_of_a_preview_share_its_transaction_one_at_a_time(clerk: Clerk) -> None:
    found: list[int] = []

    async def look() -> None:
        found.append(await count(clerk))

    async with clerk.api.rehearsal():
        await clerk.execute("DELETE FROM orders WHERE id = 10")
        async with anyio.create_task_group() as group:
            for _ in range(8):
                group.start_soon(look)
    assert found == [2] * 8


async def test_a_rehearsal_within_one_is_the_same(clerk: Clerk) -> None:
    async with clerk.api.rehearsal():
        await clerk.execute("DELETE FROM orders WHERE id = 10")
        async with clerk.api.rehearsal():
            assert await count(clerk) == 2
        assert await count(clerk) == 2


async def test_a_call_that_is_looked_at_twice_has_its_effect_once(clerk: Clerk) -> None:
    async with clerk.api.rehearsal():
        with step("more"):
            first = await clerk.execute("UPDATE items SET quantity = quantity + 1 WHERE order_id = 12")
            again = await clerk.execute("UPDATE items SET quantity = quantity + 1 WHERE order_id = 12")
        assert first.after == again.after
        with step("other"):
            third = await clerk.execute("UPDATE items SET quantity = quantity + 1 WHERE order_id = 12")
        assert third.after["rows"]["order_id=12, line=1"]["quantity"] == 4


async def test_a_later_step_may_use_a_number_that_is_yet_to_be_drawn(clerk: Clerk) -> None:
    """The number in the rehearsal is not that of the run, so steps are shown the placeholder, and find the row all the
    same."""
    async with clerk.api.rehearsal():
        with step("add"):
            added = await clerk.prepare(
                "insert", table=clerk.shop.name("orders"), rows=[{"customer_id": 2, "total": 1}]
            )
        number = result_of(added, "add")["generated"][0]["id"]
        assert number == placeholder(NONCE, "add", "generated[0].id")
        with step("line"):
            line = await clerk.prepare(
                "insert", table=clerk.shop.name("items"), rows=[{"order_id": number, "line": 1, "sku": "pin"}]
            )
        assert line.after == {
            "rows": {
                f"order_id={number}, line=1": {"order_id": number, "line": 1, "sku": "pin", "quantity": 1},
            }
        }
        with step("touch"):
            touched = await clerk.execute("UPDATE orders SET note = 'new' WHERE id = :id", id=number)
        assert touched.before == {"rows": {f"id={number}": {"id": number, "note": None}}}
        assert touched.after == {"rows": {f"id={number}": {"id": number, "note": "new"}}}
        assert touched.change.key == number
        assert touched.change.requests[0].canonical()["parameters"] == {"id": number}
        with step("look"):
            assert await clerk.rows("SELECT note FROM orders WHERE id = :id", id=number) == [{"note": "new"}]
        with step("drop"):
            dropped = await clerk.prepare("delete", table=clerk.shop.name("orders"), key={"id": number})
        assert dropped.change.reach == 2
        assert list(dropped.before["also"][clerk.shop.name("items")]) == [f"order_id={number}, line=1"]


async def test_a_value_of_another_system_is_stored_as_what_it_waits_for(clerk: Clerk) -> None:
    token = placeholder(NONCE, "post", "id")
    with step("keep"):
        prepared = await clerk.prepare("insert", table=clerk.shop.name("journal"), rows=[{"line": token, "level": 1}])
        assert prepared.after == {"rows": {"row 1": {"line": token, "level": 1}}}
        updated = await clerk.execute("UPDATE orders SET note = :n WHERE id = 10", n=token)
        assert updated.after == {"rows": {"id=10": {"id": 10, "note": token}}}


async def test_nothing_is_looked_up_by_a_value_that_does_not_exist_yet(clerk: Clerk) -> None:
    token = placeholder(NONCE, "post", "id")
    with step("find"):
        with pytest.raises(Rejected, match="waits for a value"):
            await clerk.execute("DELETE FROM orders WHERE note = :n", n=token)
        with pytest.raises(Rejected, match="wait for values"):
            await clerk.rows("SELECT id FROM orders WHERE note = :n", n=token)


async def test_a_text_that_only_looks_like_a_placeholder_is_a_text(clerk: Clerk) -> None:
    forged = "⟦ffffffffffffffff:add:rows[0].id⟧"
    clerk.shop.run("UPDATE orders SET note = ? WHERE id = 10", forged)
    with step("find"):
        prepared = await clerk.execute("DELETE FROM orders WHERE note = :n", n=forged)
    assert list(prepared.before["rows"]) == ["id=10"]


async def test_a_definition_is_rehearsed_too(clerk: Clerk) -> None:
    async with clerk.api.rehearsal():
        await clerk.prepare("define", statement="CREATE TABLE fresh (id INT PRIMARY KEY, word VARCHAR(9))")
        await clerk.prepare("insert", table=clerk.shop.name("fresh"), rows=[{"id": 1, "word": "a"}])
        assert await clerk.rows("SELECT word FROM fresh") == [{"word": "a"}]
    with pytest.raises(Rejected):
        await clerk.rows("SELECT word FROM fresh")


async def test_a_rehearsal_that_takes_too_long_gives_its_locks_back(shop: Shop) -> None:
    clerk = shop.clerk(rehearsal_timeout=0.3)
    async with clerk.api.rehearsal():
        await clerk.execute("UPDATE orders SET note = 'x' WHERE id = 10")
        timer = clerk.api._rehearsal()._timer
        await anyio.to_thread.run_sync(timer.join, 5)
        shop.run("UPDATE orders SET note = 'theirs' WHERE id = 10")
        with pytest.raises(Unavailable, match="rehearsal_timeout"):
            await clerk.rows("SELECT 1")
        with pytest.raises(Unavailable, match="rehearsal_timeout"):
            await clerk.execute("UPDATE orders SET note = 'x' WHERE id = 10")
    assert shop.run("SELECT note FROM orders WHERE id = 10") == [("theirs",)]
    assert await count(clerk) == 3
    await clerk.opened.aclose()


async def test_reading_in_a_preview_locks_nobody_out_of_sqlite(sqlite_shop: Shop) -> None:
    clerk = sqlite_shop.clerk()
    other = sqlite3.connect(sqlite_shop.url.removeprefix("sqlite:///"), timeout=0, isolation_level=None)
    async with clerk.api.rehearsal():
        assert await count(clerk) == 3
        other.execute("INSERT INTO journal VALUES ('meanwhile', 1)")
        await clerk.execute("UPDATE orders SET note = 'x' WHERE id = 10")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("INSERT INTO journal VALUES ('too late', 1)")
    other.execute("INSERT INTO journal VALUES ('again', 1)")
    other.close()
    await clerk.opened.aclose()


async def test_an_alternative_is_looked_at_and_forgotten(clerk: Clerk) -> None:
    async with clerk.api.rehearsal():
        with preparing(CallContext("run.a~1", NONCE, call="a~1", kept=False)):
            await clerk.execute("DELETE FROM orders WHERE id = 10")
        assert await count(clerk) == 3
        with step("a"):
            await clerk.execute("DELETE FROM orders WHERE id = 11")
        assert await count(clerk) == 2
