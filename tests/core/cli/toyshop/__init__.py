"""A distribution of connectors as a third party ships it: two systems, registered by entry points alone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

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
    Receipt,
    Record,
    Sent,
    Unknowable,
    action,
    write,
)
from banksman._change import Money
from banksman.auth import Bearer
from banksman.http import HttpApi

# Tests look whether this module was imported.
if marker := os.environ.get("TOYSHOP_IMPORTED"):
    Path(marker).touch()

DOCS = "https://toyshop.example/docs"


class Note(Record):
    id: Closed[int]
    text: str
    author: str = ""


class Message(Record):
    id: Closed[int]
    channel: Closed[str]
    text: str


@action("get", effect=Effect.READ, docs=DOCS, entity="Note", key=("id",))
async def get_note(api: HttpApi, id: int) -> Note:
    """One note."""
    return Note.model_validate(await api.get(f"/notes/{id}"))


@action("list", effect=Effect.READ, docs=DOCS, entity="Note", key_fields=("id",))
async def list_notes(api: HttpApi) -> list[Note]:
    """All notes."""
    return [Note.model_validate(item) for item in await api.get("/notes")]


async def find_created(api: HttpApi, sent: Sent[Note]) -> Any:
    found = [item for item in await api.get("/notes") if item.get("marker") == sent.key]
    return Note.model_validate(found[0]) if found else ABSENT


async def find_text(api: HttpApi, sent: Sent[Note]) -> Any:
    note = await get_note(api, id=sent.arguments["id"])
    return note if note.text == sent.arguments["text"] else ABSENT


async def find_gone(api: HttpApi, sent: Sent[None]) -> Any:
    there = {item["id"] for item in await api.get("/notes")}
    return ABSENT if sent.arguments["id"] in there else {"id": sent.arguments["id"]}


def delete_again(receipt: Receipt[Note]) -> BoundCall:
    return delete_note.call(id=receipt.result["id"])


def restore_text(receipt: Receipt[Note]) -> BoundCall:
    assert receipt.before is not None
    return update_note.call(id=receipt.before["id"], text=receipt.before["text"])


@write("create", effect=Effect.WRITE, targets=(), docs=DOCS, entity="Note", undo=delete_again, reconcile=find_created)
async def create_note(api: HttpApi, text: str, author: str = "") -> Change[Note]:
    """Write a note.

    Args:
        text: What it says.
        author: Who says it.
    """
    body = {"text": text, "author": author, "marker": api.call_key}
    shown = {"text": text, "author": author}
    return Change(
        entity="Note", key=PENDING, before=None, after={"id": PENDING, **shown},
        requests=(api.request("POST", "/notes", json=body),), result={"id": PENDING, **shown},
        receive=lambda answer: Note.model_validate(answer.json()),
    )  # fmt: skip


@write("update", effect=Effect.WRITE, targets=("id",), docs=DOCS, entity="Note", undo=restore_text, reconcile=find_text)
async def update_note(api: HttpApi, id: int, text: str) -> Change[Note]:
    """Write a note anew."""
    old = (await api.read(get_note, id=id)).model_dump(warnings=False)
    new = {**old, "text": text}
    return Change(
        entity="Note", key=id, before=old, after=new, result=new,
        requests=(api.request("PUT", f"/notes/{id}", json={"text": text}),),
        receive=lambda answer: Note.model_validate(answer.json()),
    )  # fmt: skip


@write(
    "delete", effect=Effect.DESTROY, targets=("id",), docs=DOCS, entity="Note", reconcile=find_gone,
    undo=Irreversible("a note is gone for good"),
)  # fmt: skip
async def delete_note(api: HttpApi, id: int) -> Change[Any]:
    """Delete a note."""
    old = (await api.read(get_note, id=id)).model_dump(warnings=False)
    return Change(
        entity="Note", key=id, before=old, after=None, requests=(api.request("DELETE", f"/notes/{id}"),),
        result={"id": id}, receive=lambda answer: {"id": id}, guarded=True, notes=("its number is not used again",),
    )  # fmt: skip


async def probe(api: HttpApi) -> str:
    return f"{len(await api.get('/notes'))} notes"


notes = Connector(
    name="notes", title="Notes", docs=DOCS, settle=0.2, auth=(Bearer(),), probe=probe,
    actions=[get_note, list_notes, create_note, update_note, delete_note],
)  # fmt: skip


def withdraw(receipt: Receipt[Message]) -> BoundCall:
    return withdraw_message.call(id=receipt.result["id"])


@write(
    "post", effect=Effect.SEND, targets=("channel",), docs=DOCS, entity="Message",
    undo=Compensation(withdraw, leaves="who has read it has read it"), reconcile=Unknowable("there is no list"),
)  # fmt: skip
async def post_message(api: HttpApi, channel: str, text: str) -> Change[Message]:
    """Post a message."""
    shown = {"channel": channel, "text": text}
    return Change(
        entity="Message", key=PENDING, before=None, after=shown,
        requests=(api.request("POST", "/messages", json=shown),), result={"id": PENDING, **shown},
        receive=lambda answer: Message.model_validate(answer.json()), tells=(f"{channel} (3 members)",),
        costs=Money(amount=api_price(channel), currency="EUR") if channel == "#paid" else None,
    )  # fmt: skip


def api_price(channel: str) -> Any:
    from decimal import Decimal

    return Decimal("0.40")


@action("get", effect=Effect.READ, docs=DOCS, entity="Message", key=("id",))
async def get_message(api: HttpApi, id: int) -> Message:
    """One message."""
    return Message.model_validate(await api.get(f"/messages/{id}"))


@write(
    "withdraw", effect=Effect.WRITE, targets=("id",), docs=DOCS, entity="Message",
    undo=Irreversible("a message that was withdrawn cannot be put back"), reconcile=Unknowable("no list"),
)  # fmt: skip
async def withdraw_message(api: HttpApi, id: int) -> Change[Any]:
    """Withdraw a message."""
    old = (await api.read(get_message, id=id)).model_dump(warnings=False)
    return Change(
        entity="Message", key=id, before={"channel": old["channel"], "text": old["text"]}, after=None,
        requests=(api.request("DELETE", f"/messages/{id}"),), receive=lambda answer: None,
    )  # fmt: skip


chat = Connector(
    name="chat", title="Chat", docs=DOCS, settle=0.2, auth=(Bearer(),),
    actions=[get_message, post_message, withdraw_message],
)  # fmt: skip
