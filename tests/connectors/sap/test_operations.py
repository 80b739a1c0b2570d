"""Every operation, on SAP's own server in both versions of the protocol, and on the sandbox: they behave alike."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from banksman import PENDING
from banksman.errors import ArgumentError, Conflict, NotFound, Rejected

from .buyer import Buyer

pytestmark = pytest.mark.peer

Order = Callable[..., dict[str, Any]]
FIELDS = ("id", "supplier", "plant", "currency", "netAmount", "deliveryDate", "note", "status")


# Reads


async def test_get_reads_one_record_in_plain_values(buyer: Buyer) -> None:
    record = await buyer.read("purchase_orders.get", id="4500000002")
    assert record["deliveryDate"] == "2026-03-08"
    assert isinstance(record["netAmount"], Decimal)
    assert record["createdAt"].endswith("Z")
    assert record["@odata.etag"].startswith("W/")


async def test_get_says_when_there_is_no_such_record(buyer: Buyer) -> None:
    with pytest.raises(NotFound) as caught:
        await buyer.read("purchase_orders.get", id="4599999999")
    assert (caught.value.action, caught.value.connection) == ("sap.purchase_orders.get", "sap:test")


async def test_a_record_of_two_keys_is_read_by_both(buyer: Buyer) -> None:
    item = await buyer.read("purchase_order_items.get", order="4500000002", pos="00020")
    assert (item["order"], item["pos"]) == ("4500000002", "00020")
    with pytest.raises(ArgumentError, match="pos: missing"):
        await buyer.read("purchase_order_items.get", order="4500000002")


async def test_list_follows_every_page_and_no_record_comes_twice(buyer: Buyer) -> None:
    paged = "shipments" if "shipments.list" in await buyer.actions() else "purchase_orders"
    records = await buyer.read(f"{paged}.list")
    assert len({record["id"] for record in records}) == len(records) >= 12


async def test_top_reaches_across_pages_and_no_further(buyer: Buyer) -> None:
    paged = "shipments" if "shipments.list" in await buyer.actions() else "purchase_orders"
    everything = await buyer.read(f"{paged}.list", order_by=["-id"])
    some = await buyer.read(f"{paged}.list", order_by=["-id"], top=7, skip=2)
    assert [record["id"] for record in some] == [record["id"] for record in everything][2:9]
    assert await buyer.read(f"{paged}.list", top=0) == []


async def test_select_brings_the_key_too_and_leaves_the_rest_out(buyer: Buyer) -> None:
    (record,) = await buyer.read("purchase_orders.list", filter={"id": "4500000003"}, select=["plant"])
    assert record["id"] == "4500000003"
    assert "plant" in record
    assert "supplier" not in record


async def test_expand_brings_related_records_along(buyer: Buyer) -> None:
    (record,) = await buyer.read("purchase_orders.list", filter={"id": "4500000002"}, expand=["items"], select=["id"])
    assert {item["order"] for item in record["items"]} == {"4500000002"}
    assert isinstance(record["items"][0]["quantity"], Decimal)


async def test_the_parts_of_a_record_come_in_the_order_of_their_keys(buyer: Buyer) -> None:
    items = await buyer.read("purchase_orders.items", id="4500000002")
    assert [item["pos"] for item in items] == sorted(item["pos"] for item in items)
    assert len(items) >= 2


async def test_get_many_reads_in_one_request_and_leaves_out_what_is_not_there(buyer: Buyer) -> None:
    keys = ["4500000003", "4599999999", "4500000001", "4500000003"]
    records = await buyer.read("purchase_orders.get_many", keys=keys)
    assert [record["id"] for record in records] == ["4500000003", "4500000001"]
    items = await buyer.read("purchase_order_items.get_many", keys=[{"order": "4500000002", "pos": "00010"}])
    assert [item["pos"] for item in items] == ["00010"]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"field": "deliveryDate", "op": "lt", "value": "2026-03-09"}, lambda r: r["deliveryDate"] < "2026-03-09"),
        ({"field": "netAmount", "op": "ge", "value": 9000}, lambda r: r["netAmount"] >= 9000),
        ({"field": "status", "op": "ne", "value": "open"}, lambda r: r["status"] != "open"),
        ({"field": "note", "op": "contains", "value": "gate 4"}, lambda r: "gate 4" in (r["note"] or "")),
        ({"field": "note", "op": "startswith", "value": "Deliver"}, lambda r: (r["note"] or "").startswith("Deliver")),
        ({"field": "note", "op": "endswith", "value": "order."}, lambda r: (r["note"] or "").endswith("order.")),
        ({"field": "note", "op": "eq", "value": None}, lambda r: r["note"] is None),
        ({"field": "plant", "op": "in", "value": ["1020", "2010"]}, lambda r: r["plant"] in ("1020", "2010")),
    ],
    ids=lambda value: value["op"] if isinstance(value, dict) else "",
)
async def test_a_filter_finds_what_fits_it_and_nothing_else(
    buyer: Buyer, condition: dict[str, Any], expected: Callable[[Any], bool]
) -> None:
    everything = await buyer.read("purchase_orders.list")
    found = await buyer.read("purchase_orders.list", filter=[condition])
    assert {record["id"] for record in found} == {record["id"] for record in everything if expected(record)}


HOSTILE = [
    "x' or 1 eq 1 or 'a' eq 'a",
    "' or true or '",
    "%27 or 1 eq 1",
    "') or (1 eq 1",
    "a&$top=1#",
    "\\' or 1 eq 1 --",
    "O''Brien",
    "ü+%20 &=?/;",
]


@pytest.mark.parametrize("value", HOSTILE)
async def test_a_hostile_value_is_compared_and_not_evaluated(
    buyer: Buyer, order: Order, number: str, value: str
) -> None:
    assert await buyer.read("purchase_orders.list", filter={"note": value}) == []
    await buyer.write("purchase_orders.create", **order(note=value))
    found = await buyer.read("purchase_orders.list", filter={"note": value})
    assert [record["id"] for record in found] == [number]
    assert found[0]["note"] == value
    await buyer.write("purchase_orders.delete", id=number)


@pytest.mark.parametrize("value", ["x' or '1' eq '1", "a'b", "')/items"])
async def test_a_hostile_key_names_one_record_that_is_not_there(buyer: Buyer, value: str) -> None:
    with pytest.raises(NotFound):
        await buyer.read("purchase_orders.get", id=value[:10])
    assert await buyer.read("purchase_orders.get_many", keys=[value[:10]]) == []


async def test_a_key_with_a_quote_is_written_and_read_back(buyer: Buyer, order: Order) -> None:
    key = "O'B & 1/2"
    await buyer.write("purchase_orders.create", **order(id=key, items=[]))
    assert (await buyer.read("purchase_orders.get", id=key))["id"] == key
    assert [r["id"] for r in await buyer.read("purchase_orders.get_many", keys=[key])] == [key]
    await buyer.write("purchase_orders.update", id=key, plant="1020")
    await buyer.write("purchase_orders.delete", id=key)
    with pytest.raises(NotFound):
        await buyer.read("purchase_orders.get", id=key)


# Create


async def test_a_created_record_is_what_the_preview_said_field_by_field(
    buyer: Buyer, order: Order, number: str
) -> None:
    change = await buyer.prepare("purchase_orders.create", **order())
    output = await buyer.send("purchase_orders.create", change)
    read = await buyer.read("purchase_orders.get", id=number)
    assert change.key == number
    assert change.before is None
    assert change.after is not None
    shown = {name: value for name, value in change.after.items() if value is not PENDING}
    assert {name: read[name] for name in shown if name != "items"} == {n: v for n, v in shown.items() if n != "items"}
    assert {name: output[name] for name in read} == read
    items = await buyer.read("purchase_orders.items", id=number)
    for item, predicted in zip(items, change.after["items"], strict=True):
        assert {name: item[name] for name in predicted} == predicted
    assert output["items"] == items
    await buyer.write("purchase_orders.delete", id=number)


async def test_a_create_is_taken_back_with_its_parts(buyer: Buyer, order: Order, number: str) -> None:
    given = order()
    change = await buyer.prepare("purchase_orders.create", **given)
    output = await buyer.send("purchase_orders.create", change)
    await buyer.undo("purchase_orders.create", change, output, given)
    with pytest.raises(NotFound):
        await buyer.read("purchase_orders.get", id=number)
    with pytest.raises(NotFound):
        await buyer.read("purchase_order_items.get", order=number, pos="00010")


async def test_a_key_that_exists_is_refused_before_anything_is_sent(buyer: Buyer, order: Order) -> None:
    with pytest.raises(Conflict, match="4500000001 already exists"):
        await buyer.prepare("purchase_orders.create", **order(id="4500000001"))


async def test_what_is_missing_is_said_before_anything_is_sent(buyer: Buyer) -> None:
    with pytest.raises(ArgumentError, match=r"supplier: missing.*currency: missing"):
        await buyer.prepare("purchase_orders.create", id="1", plant="1010")


async def test_a_part_with_a_wrong_value_is_named_by_its_place(buyer: Buyer, order: Order) -> None:
    items = [{"pos": "00010", "material": "x", "quantity": "1.2345", "unit": "EA"}]
    with pytest.raises(ArgumentError, match=r"items\.0\.quantity"):
        await buyer.prepare("purchase_orders.create", **order(items=items))


# Update


async def test_an_update_is_what_the_preview_said_and_only_that(buyer: Buyer, order: Order, number: str) -> None:
    before = await buyer.write("purchase_orders.create", **order(note="old"))
    fields = {"deliveryDate": "2026-05-04", "netAmount": "1000.5", "note": 'new "note"', "plant": "1010"}
    change = await buyer.prepare("purchase_orders.update", id=number, **fields)
    assert change.before == {"id": number, "deliveryDate": None, "netAmount": Decimal("524.25"), "note": "old"}
    assert change.after == {
        "id": number,
        "deliveryDate": "2026-05-04",
        "netAmount": Decimal("1000.50"),
        "note": 'new "note"',
    }
    assert change.guarded
    output = await buyer.send("purchase_orders.update", change)
    after = await buyer.read("purchase_orders.get", id=number)
    assert after == output
    assert {name for name in FIELDS if after[name] != before[name]} == {"deliveryDate", "netAmount", "note"}
    assert {name: after[name] for name in change.after} == change.after
    known = {name: value for name, value in change.result.items() if value is not PENDING}
    assert {name: after[name] for name in known} == known
    await buyer.write("purchase_orders.delete", id=number)


async def test_an_update_is_taken_back_exactly(buyer: Buyer, order: Order, number: str) -> None:
    made = await buyer.write("purchase_orders.create", **order(note="old", deliveryDate="2026-04-01"))
    given = {"id": number, "deliveryDate": None, "note": "new", "netAmount": "1"}
    change = await buyer.prepare("purchase_orders.update", **given)
    output = await buyer.send("purchase_orders.update", change)
    assert output["deliveryDate"] is None
    await buyer.undo("purchase_orders.update", change, output, given)
    again = await buyer.read("purchase_orders.get", id=number)
    assert {name: again[name] for name in FIELDS} == {name: made[name] for name in FIELDS}
    await buyer.write("purchase_orders.delete", id=number)


async def test_a_record_changed_in_between_refuses_the_update(buyer: Buyer, order: Order, number: str) -> None:
    await buyer.write("purchase_orders.create", **order())
    change = await buyer.prepare("purchase_orders.update", id=number, note="mine")
    await buyer.write("purchase_orders.update", id=number, plant="1020")
    with pytest.raises(Conflict) as caught:
        await buyer.send("purchase_orders.update", change)
    assert caught.value.status == 412
    assert (await buyer.read("purchase_orders.get", id=number))["note"] is None
    await buyer.write("purchase_orders.delete", id=number)


async def test_the_server_itself_asks_for_the_etag(buyer: Buyer, order: Order, number: str) -> None:
    """The guard is the server's, not ours: without If-Match it refuses."""
    await buyer.write("purchase_orders.create", **order())
    change = await buyer.prepare("purchase_orders.update", id=number, note="mine")
    (request,) = change.requests
    object.__setattr__(request, "fresh_headers", {})
    with pytest.raises(Conflict) as caught:
        await buyer.send("purchase_orders.update", change)
    assert caught.value.status == 428
    await buyer.write("purchase_orders.delete", id=number)


async def test_a_record_that_already_says_so_is_left_alone(buyer: Buyer) -> None:
    before = await buyer.read("purchase_orders.get", id="4500000001")
    change = await buyer.prepare("purchase_orders.update", id="4500000001", plant=before["plant"])
    assert change.requests == ()
    assert change.before == change.after
    assert await buyer.send("purchase_orders.update", change) == before


async def test_an_update_of_nothing_is_refused(buyer: Buyer) -> None:
    with pytest.raises(ArgumentError, match="at least one field"):
        await buyer.prepare("purchase_orders.update", id="4500000001")


async def test_what_the_system_computes_is_no_argument(buyer: Buyer) -> None:
    for name in ("purchase_orders.update", "purchase_orders.create"):
        action = (await buyer.actions())[name]
        assert not {"createdAt", "createdBy", "modifiedAt", "modifiedBy"} & set(action.input.names)


async def test_a_value_that_is_none_of_the_allowed_is_refused_here(buyer: Buyer) -> None:
    with pytest.raises(ArgumentError, match="status"):
        await buyer.prepare("purchase_orders.update", id="4500000001", status="gone")


async def test_a_read_only_set_has_no_writes(buyer: Buyer) -> None:
    names = [name for name in await buyer.actions() if name.startswith("suppliers.")]
    assert sorted(names) == ["suppliers.get", "suppliers.get_many", "suppliers.list"]


async def test_a_record_without_an_etag_says_that_it_is_unguarded(buyer: Buyer) -> None:
    change = await buyer.prepare("purchase_order_items.update", order="4500000002", pos="00010", quantity="12")
    assert not change.guarded
    assert "no ETag" in change.notes[0]
    assert change.after == {"order": "4500000002", "pos": "00010", "quantity": Decimal("12.000")}
    assert change.key == {"order": "4500000002", "pos": "00010"}
    assert change.touches == ("PurchaseOrders",), "the order's totals may change with its items"


# Several at once


async def test_several_records_change_together(buyer: Buyer, order: Order, number: str) -> None:
    other = f"X{number[1:]}"
    for key in (number, other):
        await buyer.write("purchase_orders.create", **order(id=key))
    changes = [{"id": number, "note": "one"}, {"id": other, "note": "two", "plant": "1020"}]
    change = await buyer.prepare("purchase_orders.update_many", changes=changes)
    assert len(change.requests) == 1
    assert change.reach == 2
    assert change.after == {number: changes[0], other: changes[1]}
    output = await buyer.send("purchase_orders.update_many", change)
    assert [record["note"] for record in output] == ["one", "two"]
    assert output[1] == await buyer.read("purchase_orders.get", id=other)
    await buyer.undo("purchase_orders.update_many", change, output, {"changes": changes})
    assert {r["note"] for r in await buyer.read("purchase_orders.get_many", keys=[number, other])} == {None}
    for key in (number, other):
        await buyer.write("purchase_orders.delete", id=key)


async def test_when_one_of_several_fails_none_changes(buyer: Buyer, order: Order, number: str) -> None:
    other = f"X{number[1:]}"
    for key in (number, other):
        await buyer.write("purchase_orders.create", **order(id=key))
    changes = [{"id": number, "note": "one"}, {"id": other, "note": "two"}]
    change = await buyer.prepare("purchase_orders.update_many", changes=changes)
    await buyer.write("purchase_orders.update", id=other, plant="1020")
    with pytest.raises(Conflict):
        await buyer.send("purchase_orders.update_many", change)
    assert (await buyer.read("purchase_orders.get", id=number))["note"] is None
    for key in (number, other):
        await buyer.write("purchase_orders.delete", id=key)


async def test_a_record_may_be_named_once_only(buyer: Buyer) -> None:
    with pytest.raises(ArgumentError, match="there twice"):
        await buyer.prepare(
            "purchase_orders.update_many",
            changes=[{"id": "4500000001", "note": "a"}, {"id": "4500000001", "plant": "1020"}],
        )


# Delete


async def test_a_delete_shows_what_goes_and_comes_back_with_its_parts(buyer: Buyer, order: Order, number: str) -> None:
    made = await buyer.write("purchase_orders.create", **order(note="kept", status="closed"))
    change = await buyer.prepare("purchase_orders.delete", id=number)
    assert change.after is None
    assert change.before is not None
    assert change.before["items"] == made["items"]
    assert change.reach == 3
    assert change.notes == ("2 parts go with it",)
    output = await buyer.send("purchase_orders.delete", change)
    assert output == {"id": number}
    with pytest.raises(NotFound):
        await buyer.read("purchase_order_items.get", order=number, pos="00010")
    again = await buyer.undo("purchase_orders.delete", change, output, {"id": number})
    assert {name: again[name] for name in FIELDS} == {name: made[name] for name in FIELDS}
    assert again["items"] == made["items"]
    await buyer.write("purchase_orders.delete", id=number)


async def test_a_delete_says_what_its_undo_cannot_restore(buyer: Buyer) -> None:
    undo = (await buyer.actions())["purchase_orders.delete"].undo
    assert "not restored: createdAt, createdBy, modifiedAt, modifiedBy" in undo.leaves


async def test_a_delete_of_a_changed_record_is_refused(buyer: Buyer, order: Order, number: str) -> None:
    await buyer.write("purchase_orders.create", **order())
    change = await buyer.prepare("purchase_orders.delete", id=number)
    await buyer.write("purchase_orders.update", id=number, plant="1020")
    with pytest.raises(Conflict):
        await buyer.send("purchase_orders.delete", change)
    await buyer.write("purchase_orders.delete", id=number)


async def test_the_system_says_what_it_does_not_take(buyer: Buyer, order: Order) -> None:
    """What no metadata says shows only when the system is asked."""
    change = await buyer.prepare("purchase_orders.create", **order())
    (request,) = change.requests
    object.__setattr__(request, "content", request.content.replace(b'"supplier"', b'"nobody"'))
    request.__dict__.pop("fingerprint", None)
    with pytest.raises(Rejected):
        await buyer.send("purchase_orders.create", change)
