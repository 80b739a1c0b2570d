"""Whole plans over a database: what the preview says is what happens, and what happens can be taken back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio

from banksman.catalog import Registry
from banksman.config import Config
from banksman.hub import Hub
from banksman.plan import build
from banksman_connectors.sql import connector

from .shop import Shop


def hub_of(shop: Shop, home: Path, **settings: Any) -> Hub:
    connection = {"url": shop.url, "environment": "test", "settle": 0.0, **settings}
    config = Config(None, home, connections={"sql:shop": connection}, user="ann")
    return Hub(config, registry=Registry((connector,)), durable=False)


def plan_of(**steps: Any) -> Any:
    return build({"name": "stock-taking", "connections": {"db": "sql:shop"}, "steps": steps})


async def carried_out(hub: Hub, run: str, meanwhile: Callable[[], Any] = lambda: None) -> Any:
    """Carry out a run and say yes to what it previews; `meanwhile` happens between preview and yes."""
    await hub.start(run)
    approved: set[str] = set()
    with anyio.fail_after(30):
        while not hub.state(run).is_over and hub.state(run).status != "paused":
            preview = hub.state(run).preview
            if hub.state(run).waits and preview is not None and preview.digest not in approved:
                approved.add(preview.digest)
                meanwhile()
                await hub.approve(run, preview.digest)
            await anyio.sleep(0.01)
    return hub.state(run)


async def test_a_plan_inserts_and_goes_on_with_the_number_that_was_drawn(shop: Shop, tmp_path: Path) -> None:
    before = shop.everything()
    plan = plan_of(
        order={
            "action": "sql.insert",
            "on": "db",
            "with": {"table": shop.name("orders"), "rows": [{"customer_id": 2}]},
        },
        lines={
            "action": "sql.insert",
            "on": "db",
            "with": {
                "table": shop.name("items"),
                "rows": [{"order_id": "${order.generated[0].id}", "line": 1, "sku": "pin"}],
            },
        },
        touch={
            "action": "sql.execute",
            "on": "db",
            "after": ["lines"],
            "with": {
                "statement": "UPDATE orders SET note = :n, status = 'sent' WHERE id = :id",
                "parameters": {"id": "${order.generated[0].id}", "n": "packed"},
            },
        },
    )
    async with hub_of(shop, tmp_path) as hub:
        run = await hub.create(plan)
        # Somebody takes the number that the rehearsal had drawn.
        state = await carried_out(hub, run, lambda: shop.run("INSERT INTO orders (customer_id) VALUES (3)"))
        assert state.status == "done", state
        assert len([entry for entry in hub.ledger.entries(run) if entry.kind == "run.previewed"]) == 1
        ((number,),) = shop.run("SELECT id FROM orders WHERE note = 'packed'")
        assert shop.run("SELECT sku FROM items WHERE order_id = ?", number) == [("pin",)]
        undo = await hub.plan_undo(run)
        assert (await carried_out(hub, await hub.create(undo.plan, undoes=run))).status == "done"
    shop.run("DELETE FROM orders WHERE customer_id = 3")
    assert shop.everything() == before


async def test_a_plan_over_rows_that_it_reads(shop: Shop, tmp_path: Path) -> None:
    plan = plan_of(
        late={
            "action": "sql.query",
            "on": "db",
            "with": {"statement": "SELECT id FROM orders WHERE status = :s ORDER BY id", "parameters": {"s": "open"}},
        },
        mark={
            "action": "sql.update",
            "on": "db",
            "for_each": "${late.rows}",
            "with": {"table": shop.name("orders"), "key": {"id": "${each.id}"}, "values": {"status": "late"}},
        },
    )
    async with hub_of(shop, tmp_path) as hub:
        run = await hub.create(plan)
        assert (await carried_out(hub, run)).status == "done"
    assert shop.run("SELECT count(*) FROM orders WHERE status = 'late'") == [(3,)]


async def test_a_number_that_is_read_back_is_previewed_once_it_is_there(shop: Shop, tmp_path: Path) -> None:
    """The rehearsal's number is not the run's, so what depends on it waits for a preview of its own."""
    plan = plan_of(
        order={
            "action": "sql.insert",
            "on": "db",
            "with": {"table": shop.name("orders"), "rows": [{"customer_id": 2, "note": "here"}]},
        },
        find={
            "action": "sql.query",
            "on": "db",
            "after": ["order"],
            "with": {"statement": "SELECT id FROM orders WHERE note = 'here'"},
        },
        close={
            "action": "sql.update",
            "on": "db",
            "with": {
                "table": shop.name("orders"),
                "key": {"id": "${find.rows[0].id}"},
                "values": {"status": "done"},
            },
        },
    )
    async with hub_of(shop, tmp_path) as hub:
        run = await hub.create(plan)
        seen: list[str] = []

        def meanwhile() -> None:
            seen.append("asked")
            if len(seen) == 1:
                shop.run("INSERT INTO orders (customer_id) VALUES (3)")

        assert (await carried_out(hub, run, meanwhile)).status == "done"
    assert seen == ["asked", "asked"]
    assert shop.run("SELECT status FROM orders WHERE note = 'here'") == [("done",)]


async def test_a_row_that_changed_between_preview_and_yes_stops_the_run(shop: Shop, tmp_path: Path) -> None:
    plan = plan_of(
        mark={
            "action": "sql.execute",
            "on": "db",
            "with": {"statement": "UPDATE orders SET note = 'x' WHERE status = 'open'"},
        }
    )
    async with hub_of(shop, tmp_path) as hub:
        run = await hub.create(plan)
        state = await carried_out(hub, run, lambda: shop.run("UPDATE orders SET note = 'theirs' WHERE id = 12"))
        assert state.status == "paused"
    assert shop.run("SELECT note FROM orders WHERE id = 10") == [(None,)]
