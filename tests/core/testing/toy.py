"""A connector as an outside author writes it, with a stateful stand-in for its system: a help desk with tickets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import httpx

from banksman import (
    ABSENT,
    PENDING,
    BoundCall,
    Change,
    Closed,
    Compensation,
    Connector,
    Effect,
    Irreversible,
    NativeKey,
    Receipt,
    Record,
    Sent,
    Unknowable,
    action,
    write,
)
from banksman.auth import Bearer, NoAuth
from banksman.errors import AccessDenied, Conflict, MalformedAnswer, NotFound
from banksman.http import ErrorTable, Fault, HttpApi, NextLink, read_json
from banksman.testing import Answer, Call, Sandbox

DOCS = "https://desk.example/docs"


class Ticket(Record):
    id: Closed[str]
    title: str
    state: Closed[str]
    owner: str | None = None


class Paid(Record):
    ticket: Closed[str]
    amount: Closed[int]
    receipt: Closed[str]


def _ticket(raw: Any) -> Ticket:
    return Ticket.model_validate({**raw, "id": raw["number"]})


@action("tickets.get", effect=Effect.READ, entity="Ticket", key=("id",), docs=DOCS)
async def get_ticket(api: HttpApi, id: str) -> Ticket:
    """One ticket."""
    return _ticket(await api.get(f"tickets/{quote(id, safe='')}"))


@action("tickets.list", effect=Effect.READ, entity="Ticket", key_fields=("id",), docs=DOCS)
async def list_tickets(api: HttpApi, state: str | None = None) -> list[Ticket]:
    """All tickets of a state."""
    return [_ticket(raw) async for raw in _all(api, state)]


def _all(api: HttpApi, state: str | None = None, marker: str | None = None) -> AsyncIterator[Any]:
    return api.pages(api.request("GET", "tickets", params={"state": state, "marker": marker}), NextLink())


def delete_again(receipt: Receipt[Any]) -> BoundCall:
    return delete_ticket.call(id=receipt.result["id"])


async def find_opened(api: HttpApi, sent: Sent[Any]) -> Any:
    found = [_ticket(raw) async for raw in _all(api, marker=sent.key)]
    return found[0] if found else ABSENT


@write("tickets.open", effect=Effect.WRITE, targets=(), undo=delete_again, reconcile=find_opened, docs=DOCS)
async def open_ticket(api: HttpApi, title: str, owner: str | None = None) -> Change[Ticket]:
    """Open a ticket."""
    fields = {"title": title, "owner": owner, "state": "open"}
    return Change(
        entity="Ticket",
        key=PENDING,
        before=None,
        after=fields,
        requests=(api.request("POST", "tickets", json={**fields, "marker": api.call_key}),),
        result={**fields, "id": PENDING},
        receive=lambda response: _ticket(read_json(response)),
    )


def write_back(receipt: Receipt[Any]) -> BoundCall:
    assert receipt.before is not None
    return update_ticket.call(id=receipt.arguments["id"], title=receipt.before["title"])


async def find_updated(api: HttpApi, sent: Sent[Any]) -> Any:
    ticket = await api.read(get_ticket, id=sent.arguments["id"])
    return ticket if sent.after and ticket.title == sent.after["title"] else ABSENT


@write("tickets.update", effect=Effect.WRITE, targets=("id",), undo=write_back, reconcile=find_updated, docs=DOCS)
async def update_ticket(api: HttpApi, id: str, title: str) -> Change[Ticket]:
    """Give a ticket another title."""
    answer = await api.fetch(api.request("GET", f"tickets/{quote(id, safe='')}"))
    before = _ticket(read_json(answer))
    request = api.request(
        "PATCH",
        f"tickets/{quote(id, safe='')}",
        json={"title": title},
        fresh_headers={"if-match": answer.headers["etag"]},
    )
    return Change(
        entity="Ticket",
        key=id,
        before=before.model_dump(),
        after={**before.model_dump(), "title": title},
        requests=(request,),
        result={**before.model_dump(), "title": title},
        receive=lambda response: _ticket(read_json(response)),
        guarded=True,
    )


def open_again(receipt: Receipt[Any]) -> BoundCall:
    assert receipt.before is not None
    return open_ticket.call(title=receipt.before["title"], owner=receipt.before["owner"])


async def find_deleted(api: HttpApi, sent: Sent[Any]) -> Any:
    try:
        await api.read(get_ticket, id=sent.arguments["id"])
    except NotFound:
        return {"id": sent.arguments["id"]}
    return ABSENT


@write(
    "tickets.delete",
    effect=Effect.DESTROY,
    targets=("id",),
    undo=Compensation(open_again, leaves="the number is another one"),
    reconcile=find_deleted,
    docs=DOCS,
)
async def delete_ticket(api: HttpApi, id: str) -> Change[dict[str, Any]]:
    """Delete a ticket."""
    before = await api.read(get_ticket, id=id)
    return Change(
        entity="Ticket",
        key=id,
        before=before.model_dump(),
        after=None,
        requests=(api.request("DELETE", f"tickets/{quote(id, safe='')}"),),
        result={"id": id},
        receive=lambda response: _gone(response, id),
    )


def _gone(response: httpx.Response, id: str) -> dict[str, Any]:
    if response.status_code != 204:
        raise MalformedAnswer("the desk does not say that the ticket is gone")
    return {"id": id}


@write(
    "tickets.pay",
    effect=Effect.SEND,
    targets=("id", "amount"),
    undo=Irreversible("the money is gone"),
    reconcile=NativeKey("Idempotency-Key"),
    docs=DOCS,
)
async def pay(api: HttpApi, id: str, amount: int) -> Change[Paid]:
    """Pay for a ticket."""
    await api.read(get_ticket, id=id)
    body = {"ticket": id, "amount": amount}
    return Change(
        entity="Payment",
        key=PENDING,
        before=None,
        after=body,
        requests=(
            api.request("POST", "payments", json=body, headers={"Idempotency-Key": api.call_key}, idempotent=True),
        ),
        result={**body, "receipt": PENDING},
        receive=lambda response: Paid.model_validate(read_json(response)),
    )


@write(
    "tickets.ring",
    effect=Effect.SEND,
    targets=("id",),
    undo=Irreversible("it was heard"),
    reconcile=Unknowable("nobody writes down who was rung"),
    docs=DOCS,
)
async def ring(api: HttpApi, id: str) -> Change[dict[str, Any]]:
    """Ring the owner of a ticket."""
    await api.read(get_ticket, id=id)
    return Change(
        entity="Ring",
        key=id,
        before=None,
        after={"rung": True},
        requests=(api.request("POST", f"tickets/{quote(id, safe='')}/ring"),),
        result={"rung": True},
        receive=read_json,
    )


def _fault(response: httpx.Response) -> Fault | None:
    body = response.json() if response.content else {}
    return (body["code"], body["why"]) if isinstance(body, dict) and "code" in body else None


desk = Connector(
    name="desk",
    title="Desk",
    docs=DOCS,
    settle=2.0,
    auth=(Bearer(), NoAuth()),
    errors=ErrorTable({"no_ticket": NotFound, "stale": Conflict, "may_not": AccessDenied}, _fault),
    actions=[get_ticket, list_tickets, open_ticket, update_ticket, delete_ticket, pay, ring],
)


class DeskSandbox(Sandbox):
    """Tickets T-1001 and up. The token `reader` may only read; a title that says `broken` is not taken as it is."""

    title = "desk"

    def __init__(self, *, token: str | None = None) -> None:
        super().__init__(token=token)
        self.tickets: dict[str, dict[str, Any]] = {}
        self.markers: dict[str, str] = {}
        self.payments: dict[str, dict[str, Any]] = {}
        self.versions: dict[str, int] = {}
        self._next = 1000
        for title, owner in (("Printer smokes", "ann@works.example"), ("Door squeaks", None), ("Lamp broke", None)):
            self._open({"title": title, "owner": owner, "state": "open"})

    def _open(self, fields: dict[str, Any]) -> dict[str, Any]:
        self._next += 1
        number = f"T-{self._next}"
        self.tickets[number] = {"number": number, **fields, "note": f"Called by {fields['owner'] or 'nobody'}"}
        self.versions[number] = 1
        return self.tickets[number]

    def authorized(self, call: Call) -> bool:
        return super().authorized(call) or call.headers.get("authorization") == "Bearer reader"

    def handle(self, call: Call) -> Answer:
        if call.method != "GET" and call.headers["authorization"] == "Bearer reader":
            return Answer(403, {"code": "may_not", "why": "readers only read"})
        parts = call.path.strip("/").split("/")
        if parts == ["api", "tickets"]:
            return self._list(call) if call.method == "GET" else self._create(call)
        if parts == ["api", "payments"]:
            return self._pay(call)
        if len(parts) >= 3 and parts[2] in self.tickets:
            return self._one(call, parts[2])
        return Answer(404, {"code": "no_ticket", "why": f"no ticket {parts[-1]}"})

    def _list(self, call: Call) -> Answer:
        marker, state = call.query.get("marker"), call.query.get("state")
        found = [t for t in self.tickets.values() if state in (None, t["state"])]
        if marker is not None:
            found = [t for t in found if self.markers.get(marker) == t["number"]]
        start = int(call.query.get("from", 0))
        page: dict[str, Any] = {"items": found[start : start + 2]}
        if start + 2 < len(found):
            query = "".join(f"&{name}={value}" for name, value in (("state", state), ("marker", marker)) if value)
            page["next"] = f"{self.url}/api/tickets?from={start + 2}{query}"
        return Answer(200, page)

    def _create(self, call: Call) -> Answer:
        fields = {name: call.json[name] for name in ("title", "owner", "state")}
        made = self._open(fields)
        self.markers[call.json["marker"]] = made["number"]
        return Answer(201, made, {"etag": 'W/"1"', "location": f"{self.url}/api/tickets/{made['number']}"})

    def _pay(self, call: Call) -> Answer:
        key = call.headers["idempotency-key"]
        self.payments.setdefault(key, {**call.json, "receipt": f"R-{len(self.payments) + 1:06d}"})
        return Answer(201, self.payments[key])

    def _one(self, call: Call, number: str) -> Answer:
        tag = f'W/"{self.versions[number]}"'
        if call.method == "DELETE":
            del self.tickets[number]
            return Answer(204)
        if call.method == "POST":
            return Answer(200, {"rung": True})
        if call.method == "PATCH":
            if call.headers.get("if-match") != tag:
                return Answer(412, {"code": "stale", "why": "somebody was quicker"})
            self.tickets[number] |= call.json
            self.versions[number] += 1
        return Answer(200, self.tickets[number], {"etag": f'W/"{self.versions[number]}"'})


SCRIPT = """
server: {name: desk sandbox, version: "1"}
keep:
  fields: [code, state, next]
  headers: [idempotency-key]
accounts:
  reader: {kind: bearer, token: "literal:reader"}
  nobody: {kind: bearer, token: "literal:no-such-token"}
cases:
  - action: tickets.get
    with: {id: T-1001}
    situations:
      not_found: {with: {id: T-9999}}
      denied: {account: nobody}
  - action: tickets.list
    with: {state: open}
    situations:
      denied: {account: nobody}
  - action: tickets.open
    with: {title: Window is stuck}
    situations:
      denied: {account: reader}
  - action: tickets.update
    with: {id: T-1001, title: Printer burns}
    situations:
      not_found: {with: {id: T-9999}}
      denied: {account: reader}
  - action: tickets.delete
    set_up:
      - {action: tickets.open, with: {title: To be deleted}, as: opened}
    with: {id: "${opened.id}"}
    situations:
      not_found: {with: {id: T-9999}}
      denied: {account: reader}
  - action: tickets.pay
    with: {id: T-1001, amount: 5}
    situations:
      not_found: {with: {id: T-9999}}
      denied: {account: reader}
  - action: tickets.ring
    with: {id: T-1001}
    situations:
      not_found: {with: {id: T-9999}}
      denied: {account: reader}
"""
EXEMPT = """
tickets.list:
  not_found: a list is never not found
tickets.open:
  not_found: it names no record
tickets.pay:
  read_back: the desk does not show payments
tickets.ring:
  read_back: nobody writes down who was rung
"""
