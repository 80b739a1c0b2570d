"""Making a record, with its parts where the service takes them in the same request (deep insert).

https://docs.oasis-open.org/odata/odata/v4.01/odata-v4.01-part1-protocol.html#sec_CreateanEntity,
https://docs.oasis-open.org/odata/odata/v4.01/odata-v4.01-part1-protocol.html#sec_CreateRelatedEntitiesWhenCreatinganE,
https://www.odata.org/documentation/odata-version-2-0/operations/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import httpx
from pydantic import Field

from banksman import ABSENT, PENDING, UNSURE, Action, BoundCall, Change, Effect, Irreversible, Receipt, Sent
from banksman._canonical import Plain
from banksman.errors import Conflict, MalformedAnswer, NotFound
from banksman_connectors.sap.actions.arguments import (
    REQUIRED,
    PropertiesSchema,
    key_of,
    plain_fields,
    shown_key,
    waits,
)
from banksman_connectors.sap.actions.moments import SKEW, is_since, made_at, moment
from banksman_connectors.sap.actions.reads import called
from banksman_connectors.sap.actions.update import targets
from banksman_connectors.sap.actions.verbs import Verbs
from banksman_connectors.sap.answers import read_answer
from banksman_connectors.sap.api import SapApi
from banksman_connectors.sap.edm import Property, StructuredType, Version
from banksman_connectors.sap.filters import Condition, expression
from banksman_connectors.sap.hints import list_of
from banksman_connectors.sap.shapes import ETAG, Shapes

_DOCS = {
    Version.V4: "https://docs.oasis-open.org/odata/odata/v4.01/odata-v4.01-part1-protocol.html#sec_CreateanEntity",
    Version.V2: "https://www.odata.org/documentation/odata-version-2-0/operations/",
}
# A longer text is no key to search by, and many services refuse it in a filter.
_SEARCHED = 80


def create(verbs: Verbs) -> Action[..., Any]:
    """Make a record."""
    shapes, held, name = verbs.shapes, verbs.held, f"{verbs.base}.create"

    async def body(api: SapApi, /, **given: Any) -> Change[Any]:
        await api.shapes()
        fields = plain_fields(shapes, held, given, name)
        key = {part: fields.get(part, PENDING) for part in held.type.key}
        if PENDING not in key.values() and not waits(key):
            await _refuse_double(verbs, api, key)
        return Change(
            entity=held.name,
            key=shown_key(key),
            before=None,
            after=_after(verbs, fields),
            requests=(api.writing("POST", held.name, held.type, fields),),
            receive=lambda response: _received(verbs, fields, response),
            result=_predicted(verbs, fields),
            reach=1 + sum(len(fields[way]) for way in verbs.parts if way in fields),
            touches=verbs.touches(parts=True),
        )

    def undo(receipt: Receipt[Any]) -> BoundCall | Irreversible:
        if verbs.delete is None:
            return _KEPT
        return verbs.delete.call(**{part: receipt.result[part] for part in held.type.key})

    async def find(api: SapApi, sent: Sent[Any]) -> Any:
        return await _find(verbs, api, sent)

    return Action(
        name=name,
        effect=Effect.WRITE,
        body=body,
        targets=targets(verbs, new=True),
        undo=_KEPT if verbs.delete is None else undo,
        reconcile=find,
        entity=held.name,
        docs=_DOCS[shapes.service.version],
        given_input=PropertiesSchema(_fields(verbs)),
        given_output=shapes.output(held.name, verbs.insertable_parts()),
        description=f"Make a record of {called(held)}. A key that is not given is drawn by the system.",
    )


_KEPT = Irreversible("the service does not let its records be deleted")


def _fields(verbs: Verbs) -> dict[str, tuple[Any, Any]]:
    """The arguments: required ones first."""
    shapes = verbs.shapes
    properties = sorted(verbs.writable(new=True), key=lambda prop: not prop.required)
    found: dict[str, tuple[Any, Any]] = {
        prop.name: (shapes.hint(prop, output=False), REQUIRED if prop.required else None) for prop in properties
    }
    for way in verbs.insertable_parts():
        part = shapes.argument(verbs.held.name, way)
        shown = Field(description=f"the {way} to make with it")
        found[way] = (Annotated[list_of(part), shown], None)
    return found


async def _refuse_double(verbs: Verbs, api: SapApi, key: Mapping[str, Plain]) -> None:
    try:
        await api.read(verbs.get, **key)
    except NotFound:
        return
    raise Conflict(f"{verbs.held.name} {shown_key(key)} already exists", hint="Update it, or give another key.")


def _default(prop: Property, shapes: Shapes) -> Plain:
    """What the system puts in, as far as the metadata says."""
    try:
        return shapes.read(prop, {"true": True, "false": False}.get(str(prop.default), prop.default))
    except ValueError:
        return PENDING


def _made(shapes: Shapes, kind: StructuredType, given: Mapping[str, Plain], *, all_fields: bool) -> dict[str, Plain]:
    """One record as it will be: given, by default, or decided by the system."""
    out: dict[str, Plain] = {}
    for name, prop in kind.properties.items():
        if name in given:
            out[name] = given[name]
        elif prop.default is not None:
            out[name] = _default(prop, shapes)
        elif all_fields or prop.computed or prop.defaulted or name in kind.key:
            out[name] = PENDING
    return out


def _parts(verbs: Verbs, fields: Mapping[str, Plain], *, all_fields: bool) -> dict[str, Plain]:
    out: dict[str, Plain] = {}
    for way in verbs.parts:
        if way not in fields:
            continue
        kind = verbs.shapes.led(verbs.held.name, way)
        binds = verbs.held.type.navigations[way].binds
        implied = {theirs: fields.get(own, PENDING) for own, theirs in binds}
        made = [_made(verbs.shapes, kind, {**item, **implied}, all_fields=all_fields) for item in fields[way]]
        out[way] = sorted(made, key=lambda item: [str(item.get(part)) for part in kind.key])
    return out


def _after(verbs: Verbs, fields: Mapping[str, Plain]) -> dict[str, Plain]:
    made = _made(verbs.shapes, verbs.held.type, fields, all_fields=False)
    return {**made, **_parts(verbs, fields, all_fields=False)}


def _predicted(verbs: Verbs, fields: Mapping[str, Plain]) -> dict[str, Plain]:
    made = _made(verbs.shapes, verbs.held.type, fields, all_fields=True)
    return {**made, ETAG: PENDING, **_parts(verbs, fields, all_fields=True)}


def _received(verbs: Verbs, fields: Mapping[str, Plain], response: httpx.Response) -> dict[str, Plain]:
    given = [way for way in verbs.parts if way in fields]
    if response.content.strip():
        record = verbs.shapes.record(verbs.held.type, raw := read_answer(response))
        shown = [way for way in given if isinstance(raw.get(way), list | Mapping) and "__deferred" not in raw[way]]
        return {**record, **_sorted(verbs, verbs.shapes.record(verbs.held.type, raw, expanded=shown), shown)}
    if any(part not in fields for part in verbs.held.type.key):
        raise MalformedAnswer("the answer does not name the new record")
    return {**fields, **{way: fields[way] for way in given}}


def _sorted(verbs: Verbs, record: Mapping[str, Any], ways: list[str]) -> dict[str, Plain]:
    out: dict[str, Plain] = {}
    for way in ways:
        key = verbs.shapes.led(verbs.held.name, way).key
        out[way] = sorted(record[way], key=lambda item, key=key: [str(item.get(part)) for part in key])  # type: ignore[misc]
    return out


async def _find(verbs: Verbs, api: SapApi, sent: Sent[Any]) -> Any:
    """The record that was made, by its key, or else by what was put into it."""
    shapes, held, name = verbs.shapes, verbs.held, f"{verbs.base}.create"
    fields = plain_fields(shapes, held, sent.arguments, name)
    given = {own: value for own, value in fields.items() if own in held.type.properties}
    if any(given.get(part) is None for part in held.type.key):
        return await _search(verbs, api, given, sent)
    try:
        record = dict(await verbs.get.body(api, **key_of(shapes, held, given, name)))
    except NotFound:
        return ABSENT
    stamp = made_at(held.type)
    made = moment(record.get(stamp.name)) if stamp else None
    if any(record.get(own) != value for own, value in given.items()):
        return UNSURE
    if made is not None and made < sent.since - SKEW:
        return UNSURE
    return await _with_parts(verbs, api, record, fields)


async def _search(verbs: Verbs, api: SapApi, given: Mapping[str, Plain], sent: Sent[Any]) -> Any:
    """By what was put in: one match made since is it. A match from around that time may be somebody else's."""
    kind, shapes = verbs.held.type, verbs.shapes
    stamp = made_at(kind)
    conditions = [
        Condition(kind.properties[own], "eq", (value,))
        for own, value in given.items()
        if kind.properties[own].filterable and value is not None and not isinstance(value, list | dict)
        if not (isinstance(value, str) and len(value) > _SEARCHED)
    ]
    if stamp is not None and stamp.filterable:
        since = shapes.read(stamp, sent.since - SKEW)
        conditions.append(Condition(stamp, "ge", (since,)))
    if not conditions or not verbs.held.filterable:
        return UNSURE
    options = {"$filter": expression(shapes, tuple(conditions))}
    raw = await api.many(verbs.held.name, options, top=None, most=1_000)
    records = [shapes.record(kind, item) for item in raw]
    alike = [item for item in records if all(item.get(own) == value for own, value in given.items())]
    if not alike:
        return ABSENT
    times = [moment(item.get(stamp.name)) if stamp else None for item in alike]
    ours = [item for item, time in zip(alike, times, strict=True) if time is not None and is_since(time, sent.since)]
    old = [time for time in times if time is not None and time < sent.since - SKEW]
    if len(ours) == 1 and len(old) == len(alike) - 1:
        return await _with_parts(verbs, api, ours[0], plain_fields(shapes, verbs.held, sent.arguments, ""))
    return ABSENT if len(old) == len(alike) else UNSURE


async def _with_parts(verbs: Verbs, api: SapApi, record: dict[str, Plain], fields: Mapping[str, Plain]) -> Any:
    key = {part: record[part] for part in verbs.held.type.key}
    for way, action in verbs.parts.items():
        if way in fields:
            record[way] = await action.body(api, **key)
    return record
