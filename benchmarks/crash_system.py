"""The connector and the plans of the crash benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from banksman import (
    ABSENT,
    PENDING,
    Change,
    Closed,
    Connector,
    Effect,
    Irreversible,
    Receipt,
    Record,
    Sent,
    Unknowable,
    action,
    write,
)
from banksman.catalog import Registry
from banksman.config import Config
from banksman.errors import NotFound
from banksman.plan import Runbook
from banksman.plan import build as build_plan

DOCS = "https://example.com/records"
#: Longer than the slowest write of the remote.
SETTLE = 5.0


class Note(Record):
    """One record."""

    id: Closed[int]
    text: str


@action("notes.get", effect=Effect.READ, docs=DOCS, entity="Note", key=("id",))
async def get(api: Any, id: int) -> Note:
    """One note."""
    return Note.model_validate(await api.get(f"/records/{id}"))


@action("notes.list", effect=Effect.READ, docs=DOCS, entity="Note", key_fields=("id",))
async def listed(api: Any, prefix: str) -> list[Note]:
    """The notes whose text begins with something."""
    return [Note.model_validate(one) for one in await api.get("/records", params={"prefix": prefix})]


async def _written(api: Any, sent: Sent[Any]) -> Any:
    """The natural key: the write that carries this call's marker."""
    try:
        found = await api.get("/writes", params={"marker": sent.key})
    except NotFound:
        return ABSENT
    return Note(id=found["id"], text=found["text"])


def _remove(receipt: Receipt[Note]) -> Any:
    return delete.call(id=receipt.result["id"])


def _restore(receipt: Receipt[Note]) -> Any:
    assert receipt.before is not None
    return update.call(id=receipt.before["id"], text=receipt.before["text"])


def _created(api: Any, text: str) -> Change[Note]:
    request = api.request("POST", "/records", json={"text": text, "marker": api.call_key})
    new = {"id": PENDING, "text": text}
    return Change(
        entity="Note",
        key=PENDING,
        before=None,
        after=new,
        requests=(request,),
        result=new,
        receive=lambda answer: Note.model_validate(answer.json()),
    )


@write("notes.create", effect=Effect.WRITE, targets=(), docs=DOCS, undo=_remove, reconcile=_written, entity="Note")
async def create(api: Any, text: str) -> Change[Note]:
    """Create a note."""
    return _created(api, text)


@write(
    "notes.shout",
    effect=Effect.SEND,
    targets=(),
    docs=DOCS,
    undo=_remove,
    reconcile=Unknowable("the benchmark's system does not show what was shouted"),
    entity="Note",
)
async def shout(api: Any, text: str) -> Change[Note]:
    """Create a note without a way to find it again, so that a person has to say what happened."""
    return _created(api, text)


@write(
    "notes.update",
    effect=Effect.WRITE,
    targets=("id",),
    docs=DOCS,
    undo=_restore,
    reconcile=_written,
    entity="Note",
)
async def update(api: Any, id: int, text: str) -> Change[Note]:
    """Replace the text of a note."""
    old = await api.read(get, id=id)
    request = api.request("PUT", f"/records/{id}", json={"text": text, "marker": api.call_key})
    new = {"id": old.id, "text": text}
    return Change(
        entity="Note",
        key=id,
        before={"id": old.id, "text": old.text},
        after=new,
        requests=(request,),
        result=new,
        receive=lambda answer: Note.model_validate(answer.json()),
    )


@write(
    "notes.delete",
    effect=Effect.WRITE,
    targets=("id",),
    docs=DOCS,
    undo=Irreversible("its number is not given out again"),
    reconcile=_written,
    entity="Note",
)
async def delete(api: Any, id: int) -> Change[Note]:
    """Delete a note."""
    old = await api.read(get, id=id)
    request = api.request("DELETE", f"/records/{id}", json={"marker": api.call_key})
    return Change(
        entity="Note",
        key=id,
        before={"id": old.id, "text": old.text},
        after=None,
        requests=(request,),
        result={"id": old.id, "text": old.text},
        receive=lambda answer: Note.model_validate(answer.json()),
    )


notes = Connector(
    name="notes",
    title="Notes",
    docs=DOCS,
    actions=[get, listed, create, shout, update, delete],
    settle=SETTLE,
)


def plan(*, shouts: bool) -> Runbook:
    """Writes one after the other and side by side, on records just made, and a second stage over what a list shows."""
    on = {"on": "notes:a"}
    mark = "${run.id} "
    steps: dict[str, Any] = {
        "first": {**on, "action": "notes.notes.create", "with": {"text": mark + "first"}},
        "many": {
            **on,
            "action": "notes.notes.create",
            "for_each": ["a", "b", "c", "d", "e", "f"],
            "with": {"text": mark + "many ${each}"},
        },
        "change": {
            **on,
            "action": "notes.notes.update",
            "for_each": "${many}",
            "with": {"id": "${each.id}", "text": mark + "changed ${each.id}"},
        },
        "again": {
            **on,
            "action": "notes.notes.update",
            "with": {"id": "${first.id}", "text": mark + "again"},
        },
        "third": {
            **on,
            "action": "notes.notes.update",
            "with": {"id": "${again.id}", "text": mark + "third"},
        },
        "seen": {**on, "action": "notes.notes.list", "with": {"prefix": mark + "changed"}, "after": ["change"]},
        "last": {
            **on,
            "action": "notes.notes.update",
            "for_each": "${seen}",
            "with": {"id": "${each.id}", "text": mark + "last ${each.id}"},
        },
    }
    if shouts:
        steps["shout"] = {
            **on,
            "action": "notes.notes.shout",
            "for_each": ["g", "h", "i"],
            "with": {"text": mark + "shout ${each}"},
            "after": ["first"],
        }
    return build_plan({"name": "crash", "steps": steps, "ensures": ["${length(last) == `6`}"]})


#: How many writes a finished run has made.
WRITES = 1 + 6 + 6 + 1 + 1 + 6


def config(home: Path, url: str, database: str | None, settle: float) -> Config:
    """The configuration that the driver and its workers share."""
    connection = {"base_url": url, "environment": "test", "unattended": True, "settle": settle}
    return Config(None, home, database=database, connections={"notes:a": connection}, user="crash")


def registry() -> Registry:
    """The one connector."""
    return Registry((notes,))
