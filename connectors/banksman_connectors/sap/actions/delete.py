"""Deleting a record, and with it its parts.

https://docs.oasis-open.org/odata/odata/v4.01/odata-v4.01-part1-protocol.html#sec_DeleteanEntity,
https://www.odata.org/documentation/odata-version-2-0/operations/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from banksman import ABSENT, Action, BoundCall, Change, Compensation, Effect, Irreversible, Receipt, Sent
from banksman._canonical import Plain
from banksman.errors import NotFound
from banksman_connectors.sap.actions.arguments import key_of, key_properties, schema_of, shown_key
from banksman_connectors.sap.actions.reads import called
from banksman_connectors.sap.actions.verbs import Verbs, stored, unguarded
from banksman_connectors.sap.address import record_path
from banksman_connectors.sap.api import SapApi
from banksman_connectors.sap.edm import StructuredType, Version
from banksman_connectors.sap.shapes import ETAG

_DOCS = {
    Version.V4: "https://docs.oasis-open.org/odata/odata/v4.01/odata-v4.01-part1-protocol.html#sec_DeleteanEntity",
    Version.V2: "https://www.odata.org/documentation/odata-version-2-0/operations/",
}


def delete(verbs: Verbs) -> Action[..., Any]:
    """Delete a record."""
    shapes, held, name = verbs.shapes, verbs.held, f"{verbs.base}.delete"

    async def body(api: SapApi, /, **given: Any) -> Change[Any]:
        await api.shapes()
        record = dict(await api.read(verbs.get, **key_of(shapes, held, given, name)))
        key = key_of(shapes, held, record, name)
        before = stored(record)
        for way, action in verbs.parts.items():
            before[way] = [stored(item) for item in await api.read(action, **key)]
        count = sum(len(before[way]) for way in verbs.parts)
        etag = record.get(ETAG)
        guarded = etag is not None or held.etag is True
        notes = () if guarded else (unguarded(held),)
        return Change(
            entity=held.name,
            key=shown_key(key),
            before=before,
            after=None,
            requests=(api.writing("DELETE", record_path(shapes, held, key), etag=etag),),
            receive=lambda _: dict(key),
            result=dict(key),
            guarded=guarded,
            notes=(*notes, f"{count} {'part goes' if count == 1 else 'parts go'} with it") if count else notes,
            reach=1 + count,
            touches=verbs.touches(parts=True),
        )

    async def find(api: SapApi, sent: Sent[Any]) -> Any:
        key = key_of(shapes, held, sent.arguments, name)
        try:
            await verbs.get.body(api, **key)
        except NotFound:
            # A service that is gone finds nothing either; this raises then.
            await api.many(held.name, {"$select": ",".join(held.type.key), "$top": "1"}, top=1, most=1_000)
            return key
        return ABSENT

    return Action(
        name=name,
        effect=Effect.DESTROY,
        body=body,
        targets=held.type.key,
        undo=_undo(verbs),
        reconcile=find,
        entity=held.name,
        docs=_DOCS[shapes.service.version],
        given_input=schema_of(shapes, key_properties(held)),
        given_output=shapes.key(held.name),
        description=f"Delete one record of {called(held)}, with its parts.",
    )


def _undo(verbs: Verbs) -> Compensation | Irreversible:
    held = verbs.held
    if not held.creatable:
        return Irreversible("the service does not let records be made, so a deleted one cannot come back")
    lost = [name for name, prop in held.type.properties.items() if not prop.creatable]
    kept_parts = verbs.insertable_parts()
    lost += [way for way in verbs.parts if way not in kept_parts]
    leaves = "a new record with the same content; what referred to the old one may not refer to it"
    if lost:
        leaves += f"; not restored: {', '.join(lost[:12])}{' and others' if len(lost) > 12 else ''}"

    def again(receipt: Receipt[Any]) -> BoundCall:
        assert verbs.create is not None
        return verbs.create.call(**_given(verbs, receipt.before or {}))

    return Compensation(again, leaves=leaves)


def _given(verbs: Verbs, before: Mapping[str, Plain]) -> dict[str, Plain]:
    """What can be given to make a record like the one that was deleted."""
    kept = _creatable(verbs.held.type, before, ())
    for way in verbs.insertable_parts():
        kind = verbs.shapes.led(verbs.held.name, way)
        implied = tuple(theirs for _, theirs in verbs.held.type.navigations[way].binds)
        kept[way] = [_creatable(kind, item, implied) for item in before.get(way, ())]
    return {name: value for name, value in kept.items() if value != []}


def _creatable(kind: StructuredType, record: Mapping[str, Plain], implied: tuple[str, ...]) -> dict[str, Plain]:
    found = {}
    for name, value in record.items():
        prop = kind.properties.get(name)
        # Leaving an empty field out is the same as giving null, but where the system would put in a default.
        if prop is None or not prop.creatable or name in implied or (value is None and prop.default is None):
            continue
        found[name] = value
    return found
