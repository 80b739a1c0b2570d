"""Changing several records of a set at once, all or none: one changeset in one `$batch`.

https://docs.oasis-open.org/odata/odata/v4.01/odata-v4.01-part1-protocol.html#sec_BatchRequests,
https://www.odata.org/documentation/odata-version-2-0/batch-processing/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, NotRequired

import httpx
from pydantic import Field

from banksman import ABSENT, UNSURE, Action, BoundCall, Change, Effect, Receipt, Sent
from banksman._canonical import Plain
from banksman._connector import is_verdict
from banksman.errors import ArgumentError, MalformedAnswer
from banksman_connectors.sap.actions.arguments import REQUIRED, PropertiesSchema, key_of, key_properties, shown_key
from banksman_connectors.sap.actions.reads import called
from banksman_connectors.sap.actions.update import Update, find_update, look, method, predicted, updated
from banksman_connectors.sap.actions.verbs import Verbs, unguarded
from banksman_connectors.sap.address import record_path
from banksman_connectors.sap.api import SapApi
from banksman_connectors.sap.batch import Part, answers_in
from banksman_connectors.sap.hints import list_of, object_of

#: The most records that one changeset changes: a person has to read them all.
MOST = 100


def update_many(verbs: Verbs) -> Action[..., Any]:
    """Change several records, all or none."""
    shapes, held, name = verbs.shapes, verbs.held, f"{verbs.base}.update_many"

    async def body(api: SapApi, /, **given: Any) -> Change[Any]:
        found = [await look(verbs, api, item, name) for item in given["changes"]]
        texts = [key_text(item.key) for item in found]
        if len(set(texts)) < len(texts):
            raise ArgumentError(name, ["changes: a record is there twice; put all its fields into one change"])
        due = [item for item in found if item.changed]
        parts = [_part(verbs, api, item) for item in due]
        guarded = all(item.etag is not None or held.etag is True for item in due)
        return Change(
            entity=held.name,
            key=[shown_key(item.key) for item in found],
            before={text: item.before for text, item in zip(texts, found, strict=True)},
            after={text: item.after for text, item in zip(texts, found, strict=True)},
            requests=(await api.changeset(parts),) if due else (),
            receive=lambda response: _received(verbs, found, response),
            result=[predicted(verbs, item) for item in found],
            guarded=guarded,
            notes=() if guarded else (unguarded(held),),
            reach=len(due),
            touches=(held.name, *verbs.touches(parts=False)),
        )

    def undo(receipt: Receipt[Any]) -> BoundCall:
        assert verbs.update_many is not None
        return verbs.update_many.call(changes=list((receipt.before or {}).values()))

    async def find(api: SapApi, sent: Sent[Any]) -> Any:
        return await _find(verbs, api, sent)

    return Action(
        name=name,
        effect=Effect.WRITE,
        body=body,
        targets=("changes",),
        undo=undo,
        reconcile=find,
        entity=held.name,
        docs="https://docs.oasis-open.org/odata/odata/v4.01/odata-v4.01-part1-protocol.html#sec_BatchRequests",
        given_input=PropertiesSchema({"changes": (_changes(verbs), REQUIRED)}),
        given_output=list_of(shapes.output(held.name)),
        description=f"Change several records of {called(held)} in one step: either all change or none does.",
    )


def _changes(verbs: Verbs) -> Any:
    keys = {prop.name: verbs.shapes.hint(prop, output=False) for prop in key_properties(verbs.held)}
    fields = {prop.name: NotRequired[verbs.shapes.hint(prop, output=False)] for prop in verbs.writable(new=False)}
    one = object_of("Update", {**keys, **fields}, strict=True)
    shown = Field(min_length=1, max_length=MOST, description="the key of each record, and the fields to change in it")
    return Annotated[list_of(one), shown]


def key_text(key: Mapping[str, Plain]) -> str:
    """A key as the name of a field: its values, in order."""
    return ", ".join(str(value) for value in key.values())


def _part(verbs: Verbs, api: SapApi, item: Update) -> Part:
    content, kind = api.content(verbs.held.type, item.changed)
    return Part(
        method=method(verbs.shapes.service.version),
        url=api.below(record_path(verbs.shapes, verbs.held, item.key)),
        headers={"content-type": kind, "accept": "application/json", "prefer": "return=representation"},
        content=content,
        etag=item.etag,
    )


def _received(verbs: Verbs, found: list[Update], response: httpx.Response | None) -> list[dict[str, Plain]]:
    answers = iter(answers_in(response) if response is not None else ())
    out: list[dict[str, Plain]] = []
    for item in found:
        answer = next(answers, None) if item.changed else None
        if item.changed and answer is None:
            raise MalformedAnswer("the batch's answer has fewer parts than its request")
        if answer is None:
            out.append(dict(item.record))
        else:
            out.append(updated(verbs.shapes, verbs.held, verbs.stamps(), item, answer))
    return out


async def _find(verbs: Verbs, api: SapApi, sent: Sent[Any]) -> Any:
    """What became of a changeset: its records agree, as all or none of them changed."""
    verdicts = []
    records = []
    name = f"{verbs.base}.update_many"
    for given in sent.arguments["changes"]:
        key = key_text(key_of(verbs.shapes, verbs.held, given, name))
        before = (sent.before or {}).get(key)
        if before is None:
            return UNSURE
        after = (sent.after or {}).get(key) or {}
        found = await find_update(verbs, api, given, before, sent)
        if before == after and found is ABSENT:
            # Nothing was to change here, so it says nothing about the others.
            found = await verbs.get.body(api, **key_of(verbs.shapes, verbs.held, given, name))
        elif is_verdict(found):
            verdicts.append(found)
        else:
            verdicts.append(None)
        records.append(found)
    if all(verdict is None for verdict in verdicts):
        return records
    return ABSENT if all(verdict is ABSENT for verdict in verdicts) else UNSURE
