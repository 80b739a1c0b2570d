"""Changing fields of one record: PATCH in V4, MERGE in V2, with the record's ETag as a condition.

https://docs.oasis-open.org/odata/odata/v4.01/odata-v4.01-part1-protocol.html#sec_UpdateanEntity,
https://www.odata.org/documentation/odata-version-2-0/operations/
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from banksman import ABSENT, PENDING, UNSURE, Action, BoundCall, Change, Effect, Receipt, Sent
from banksman._canonical import Plain
from banksman.errors import ArgumentError
from banksman_connectors.sap.actions.arguments import (
    key_of,
    key_properties,
    plain_fields,
    schema_of,
    shown_key,
    waits,
)
from banksman_connectors.sap.actions.moments import SKEW, changed_at, moment
from banksman_connectors.sap.actions.reads import called
from banksman_connectors.sap.actions.verbs import Verbs, unguarded
from banksman_connectors.sap.address import record_path
from banksman_connectors.sap.answers import read_answer
from banksman_connectors.sap.api import SapApi
from banksman_connectors.sap.edm import EntitySet, Version
from banksman_connectors.sap.shapes import ETAG, Shapes, etag_of

DOCS = {
    Version.V4: "https://docs.oasis-open.org/odata/odata/v4.01/odata-v4.01-part1-protocol.html#sec_UpdateanEntity",
    Version.V2: "https://www.odata.org/documentation/odata-version-2-0/operations/",
}


@dataclass(frozen=True, slots=True)
class Update:
    """A change of one record, held against what the record is now."""

    key: Mapping[str, Plain]
    record: Mapping[str, Plain]
    fields: Mapping[str, Plain]

    @property
    def changed(self) -> dict[str, Plain]:
        """The fields that will be different."""
        return {n: v for n, v in self.fields.items() if waits(v) or n not in self.record or self.record[n] != v}

    @property
    def before(self) -> dict[str, Plain]:
        """What is shown of the record as it is."""
        return {**self.key, **{name: self.record.get(name) for name in self.changed or self.fields}}

    @property
    def after(self) -> dict[str, Plain]:
        """What is shown of the record as it will be."""
        return {**self.key, **(self.changed or self.fields)}

    @property
    def etag(self) -> str | None:
        return self.record.get(ETAG)


async def look(verbs: Verbs, api: SapApi, given: Mapping[str, Any], action: str) -> Update:
    """A change, its record read.

    Raises:
        ArgumentError: no field is given.
        NotFound: there is no such record.
    """
    held, shapes = verbs.held, verbs.shapes
    await api.shapes()
    key = key_of(shapes, held, given, action)
    fields = plain_fields(shapes, held, {n: v for n, v in given.items() if n not in key}, action)
    if not fields:
        known = ", ".join(prop.name for prop in verbs.writable(new=False))
        raise ArgumentError(action, [f"give at least one field to change; there are {known}"])
    record = dict(await api.read(verbs.get, **key))
    # The record's own spelling of the key: SAP reads `17` and answers `0000000017`.
    return Update({name: record.get(name, value) for name, value in key.items()}, record, fields)


def method(version: Version) -> str:
    """The verb that changes only what is given."""
    return "PATCH" if version is Version.V4 else "MERGE"


def update(verbs: Verbs) -> Action[..., Any]:
    """Change fields of one record."""
    shapes, held, name = verbs.shapes, verbs.held, f"{verbs.base}.update"

    async def body(api: SapApi, /, **given: Any) -> Change[Any]:
        found = await look(verbs, api, given, name)
        path = record_path(shapes, held, found.key)
        request = api.writing(method(shapes.service.version), path, held.type, found.changed, etag=found.etag)
        guarded = found.etag is not None or held.etag is True
        notes = () if guarded else (unguarded(held),)
        return Change(
            entity=held.name,
            key=shown_key(found.key),
            before=found.before,
            after=found.after,
            requests=(request,) if found.changed else (),
            receive=_received(verbs, found),
            result=predicted(verbs, found),
            guarded=guarded,
            notes=notes if found.changed else ("the record already says so; nothing is sent",),
            touches=verbs.touches(parts=False) if found.changed else (),
        )

    def undo(receipt: Receipt[Any]) -> BoundCall:
        assert verbs.update is not None
        return verbs.update.call(**dict(receipt.before or {}))

    async def find(api: SapApi, sent: Sent[Any]) -> Any:
        return await find_update(verbs, api, sent.arguments, sent.before or {}, sent)

    return Action(
        name=name,
        effect=Effect.WRITE,
        body=body,
        targets=targets(verbs, new=False),
        undo=undo,
        reconcile=find,
        entity=held.name,
        docs=DOCS[shapes.service.version],
        given_input=schema_of(shapes, key_properties(held), verbs.writable(new=False)),
        given_output=shapes.output(held.name),
        description=f"Change fields of one record of {called(held)}; what is not given stays as it is.",
    )


def targets(verbs: Verbs, *, new: bool) -> tuple[str, ...]:
    """The arguments that choose what is touched: the key, and the keys of other records."""
    kind = verbs.held.type
    given = [prop.name for prop in verbs.writable(new=new)]
    return tuple(dict.fromkeys([*(k for k in kind.key if not new or k in given), *kind.references.intersection(given)]))


def predicted(verbs: Verbs, found: Update) -> dict[str, Plain]:
    """The record after a change, as far as it can be known."""
    unknown = dict.fromkeys([*verbs.stamps(), *([ETAG] if ETAG in found.record else [])], PENDING)
    return {**found.record, **(unknown if found.changed else {}), **found.fields}


def _received(verbs: Verbs, found: Update) -> Callable[[httpx.Response | None], dict[str, Plain]]:
    def receive(response: httpx.Response | None) -> dict[str, Plain]:
        if response is None:
            return dict(found.record)
        return updated(verbs.shapes, verbs.held, verbs.stamps(), found, response)

    return receive


def updated(
    shapes: Shapes, held: EntitySet, stamps: tuple[str, ...], found: Update, response: httpx.Response
) -> dict[str, Plain]:
    """The record in the answer to a change; where the answer is empty, what is known of it."""
    if response.content.strip():
        return shapes.record(held.type, read_answer(response))
    known = {name: value for name, value in found.record.items() if name not in stamps and name != ETAG}
    etag = response.headers.get("etag")
    fresh = {ETAG: etag_of({ETAG: etag})} if etag else {}
    return {**known, **found.fields, **fresh}


async def find_update(
    verbs: Verbs, api: SapApi, given: Mapping[str, Any], before: Mapping[str, Any], sent: Sent[Any]
) -> Any:
    """The record if it says what was sent, `ABSENT` if it still says what it did, `UNSURE` otherwise."""
    held, shapes = verbs.held, verbs.shapes
    name = f"{verbs.base}.update"
    key = key_of(shapes, held, given, name)
    fields = plain_fields(shapes, held, {n: v for n, v in given.items() if n not in key and n in before}, name)
    record: Mapping[str, Plain] = await verbs.get.body(api, **key)
    if all(record.get(n) == plain_fields(shapes, held, {n: before[n]}, name)[n] for n in fields):
        return ABSENT
    if any(record.get(n) != value for n, value in fields.items()):
        return UNSURE
    stamp = changed_at(held.type)
    changed = moment(record.get(stamp.name)) if stamp else None
    # It says what was sent, but has said so since before it was: somebody else wrote the same.
    return UNSURE if changed is not None and changed < sent.since - SKEW else dict(record)
