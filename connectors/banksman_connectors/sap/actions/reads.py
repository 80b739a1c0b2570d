"""Reading one record, a list, several by their keys, and the parts of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import Field

from banksman import Action, Effect
from banksman._canonical import Plain
from banksman.errors import ArgumentError, NotFound
from banksman_connectors.sap.actions.arguments import (
    REQUIRED,
    PropertiesSchema,
    key_of,
    key_properties,
    schema_of,
    waits,
)
from banksman_connectors.sap.address import record_path
from banksman_connectors.sap.answers import read_answer
from banksman_connectors.sap.api import SapApi
from banksman_connectors.sap.edm import EntitySet, Version
from banksman_connectors.sap.filters import Test, conditions, expression, filter_type, membership
from banksman_connectors.sap.hints import list_of, object_of, one_of
from banksman_connectors.sap.shapes import Shapes

#: The longest list that is read as a whole.
MOST = 10_000
#: The most records that are read by their keys at once.
MOST_KEYS = 500
_DOCS = {
    Version.V4: "https://docs.oasis-open.org/odata/odata/v4.01/odata-v4.01-part1-protocol.html#sec_RequestingData",
    Version.V2: "https://www.odata.org/documentation/odata-version-2-0/operations/",
}


def called(held: EntitySet) -> str:
    """The set's name for people: with its label, where it has another one."""
    return f"{held.name} ({held.label})" if held.label and held.label != held.name else held.name


def get(shapes: Shapes, held: EntitySet, base: str) -> Action[..., Any]:
    """One record by its key."""
    name = f"{base}.get"

    async def body(api: SapApi, /, **given: Any) -> dict[str, Plain]:
        key = key_of(shapes, held, given, name)
        if waits(key):
            raise NotFound(f"the record of {held.name} is only made by this plan")
        return shapes.record(held.type, await api.one(record_path(shapes, held, key)))

    return Action(
        name=name,
        effect=Effect.READ,
        body=body,
        targets=held.type.key,
        entity=held.name,
        key=held.type.key,
        docs=_DOCS[shapes.service.version],
        given_input=schema_of(shapes, key_properties(held)),
        given_output=shapes.output(held.name),
        description=f"One record of {called(held)}, by its key.",
    )


def list_(shapes: Shapes, held: EntitySet, base: str) -> Action[..., Any]:
    """A list of records."""
    name = f"{base}.list"
    ways = tuple(way for way in held.type.navigations if way in held.targets or held.type.navigations[way].contained)

    async def body(api: SapApi, /, **given: Any) -> list[dict[str, Plain]]:
        options = _options(shapes, held, given, name)
        raw = await api.many(held.name, options, top=given.get("top"), most=MOST)
        expanded = given.get("expand") or ()
        return [shapes.record(held.type, item, expanded=expanded) for item in raw]

    def provable(given: Mapping[str, Any]) -> Test | None:
        # Parts come and go with their whole, and whatever narrows or sorts the list is the system's to decide.
        if held.part_of or any(given.get(o) for o in ("top", "skip", "order_by", "expand", "search")):
            return None
        return membership(conditions(shapes, held, given.get("filter"), name))

    return Action(
        name=name,
        effect=Effect.READ,
        body=body,
        entity=held.name,
        key_fields=held.type.key,
        provable=provable,
        docs=_DOCS[shapes.service.version],
        given_input=PropertiesSchema(_list_arguments(held, ways)),
        given_output=list_of(shapes.output(held.name, ways)),
        description=f"The records of {called(held)} that fit a filter; all of them without one.",
    )


def _list_arguments(held: EntitySet, ways: tuple[str, ...]) -> dict[str, tuple[Any, Any]]:
    number = Annotated[int, Field(ge=0, le=MOST)]
    names = tuple(held.type.properties)
    found: dict[str, Any] = {
        "filter": filter_type(held),
        "select": Annotated[list_of(one_of(*names)) | None, Field(description="only these fields, besides the key")],
        "order_by": Annotated[list[str] | None, Field(description="fields to sort by; `-field` sorts downwards")],
        "top": Annotated[number | None, Field(description="no more than so many")],
        "skip": Annotated[number | None, Field(description="leave out so many at the start")],
    }
    if ways:
        found["expand"] = Annotated[list_of(one_of(*ways)) | None, Field(description="related records to bring along")]
    if held.searchable:
        found["search"] = Annotated[str | None, Field(description="a text to look for, in fields the system chooses")]
    return {name: (hint, None) for name, hint in found.items() if hint is not None}


def _options(shapes: Shapes, held: EntitySet, given: Mapping[str, Any], action: str) -> dict[str, str | None]:
    v2 = shapes.service.version is Version.V2
    expand, select = list(given.get("expand") or ()), list(given.get("select") or ())
    if select:
        # The key identifies the record; V2 leaves out what is expanded when it is not selected.
        select = [*dict.fromkeys([*held.type.key, *select, *(expand if v2 else ())])]
    search = given.get("search")
    return {
        "$filter": expression(shapes, conditions(shapes, held, given.get("filter"), action)),
        "$select": ",".join(select) or None,
        "$expand": ",".join(expand) or None,
        "$orderby": _order(held, given.get("order_by") or (), action),
        "$top": _number(given.get("top")),
        "$skip": _number(given.get("skip")),
        "search" if v2 else "$search": search if v2 or search is None else _phrase(search),
    }


def _number(value: int | None) -> str | None:
    return None if value is None else str(value)


def _phrase(text: str) -> str:
    """A search for exactly this text: no word in it is an operator."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _order(held: EntitySet, fields: Any, action: str) -> str | None:
    found = []
    for given in fields:
        name = given.removeprefix("-")
        if name not in held.type.properties:
            known = ", ".join(held.type.properties)
            raise ArgumentError(action, [f"order_by: no field {name[:40]!r}; there are {known}"])
        found.append(f"{name} desc" if given.startswith("-") else name)
    return ",".join(found) or None


def get_many(shapes: Shapes, held: EntitySet, base: str) -> Action[..., Any]:
    """Several records by their keys, read through `$batch`."""
    name = f"{base}.get_many"
    hints = {prop.name: shapes.hint(prop, output=False) for prop in key_properties(held)}
    one = next(iter(hints.values())) if len(hints) == 1 else object_of("Key", hints, strict=True)
    shown = Field(min_length=1, max_length=MOST_KEYS, description="the keys of the records")

    def keys_of(given: Mapping[str, Any]) -> list[dict[str, Plain]]:
        single = held.type.key[0] if len(held.type.key) == 1 else None
        return [key_of(shapes, held, {single: key} if single else key, name) for key in given["keys"]]

    async def body(api: SapApi, /, **given: Any) -> list[dict[str, Plain]]:
        paths = dict.fromkeys(record_path(shapes, held, key) for key in keys_of(given) if not waits(key))
        found: list[dict[str, Plain]] = []
        for response in await api.each(list(paths)):
            if response.status_code == 404:
                continue
            api.errors.check(response, changes=False)
            found.append(shapes.record(held.type, read_answer(response)))
        return found

    def provable(given: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], bool] | None:
        wanted = keys_of(given)
        if held.part_of or waits(wanted):
            return None
        return lambda record: {part: record.get(part) for part in held.type.key} in wanted

    return Action(
        name=name,
        effect=Effect.READ,
        body=body,
        targets=("keys",),
        entity=held.name,
        key_fields=held.type.key,
        provable=provable,
        docs="https://docs.oasis-open.org/odata/odata/v4.01/odata-v4.01-part1-protocol.html#sec_BatchRequests",
        given_input=PropertiesSchema({"keys": (Annotated[list_of(one), shown], REQUIRED)}),
        given_output=list_of(shapes.output(held.name)),
        description=f"Several records of {called(held)} by their keys; those that do not exist are left out.",
    )


def parts(shapes: Shapes, held: EntitySet, way: str, name: str) -> Action[..., Any]:
    """The parts of one record that navigation leads to."""
    kind = shapes.led(held.name, way)
    target = held.targets.get(way)

    async def body(api: SapApi, /, **given: Any) -> list[dict[str, Plain]]:
        key = key_of(shapes, held, given, name)
        if waits(key):
            return []
        raw = await api.many(f"{record_path(shapes, held, key)}/{way}", {}, top=None, most=MOST)
        found = [shapes.record(kind, item) for item in raw]
        return sorted(found, key=lambda record: [str(record.get(part)) for part in kind.key])

    return Action(
        name=name,
        effect=Effect.READ,
        body=body,
        targets=held.type.key,
        entity=target or f"{held.name}/{way}",
        key_fields=kind.key,
        docs=_DOCS[shapes.service.version],
        given_input=schema_of(shapes, key_properties(held)),
        given_output=list_of(shapes.output(target or kind.name)),
        description=f"The {way} of one record of {called(held)}, in the order of their keys.",
    )
