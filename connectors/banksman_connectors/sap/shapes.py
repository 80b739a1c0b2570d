"""Records of one service: their types for schemas, and their way from and to JSON.

An output record is a dict of plain values under the system's own field names; a field that was not selected is not
there. `@odata.etag` is the version of the record, for V2 too.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from functools import cache
from typing import Annotated, Any, NotRequired

from pydantic import Field

from banksman import Closed
from banksman._canonical import Plain
from banksman._record import ClosedMark, Placeholder
from banksman.errors import MalformedAnswer
from banksman_connectors.sap.edm import EntitySet, Property, Service, StructuredType, Version
from banksman_connectors.sap.hints import list_of, object_of, one_of
from banksman_connectors.sap.values import PRIMITIVES, literal, needs_text, read_value, to_json

ETAG = "@odata.etag"
# Complex types may nest, even in themselves.
_DEEPEST = 4
# What may follow If-Match: a tag in quotes, without anything that ends a header.
_ETAG = re.compile(r'(?:W/)?"[\x20\x21\x23-\x7e\x80-\xff]*"')


class Shapes:
    """What the records of a service look like. Everything is worked out once per service."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.output = cache(self._output)
        self.argument = cache(self._argument)
        self.key = cache(self._key)
        self._hint = cache(self._make_hint)
        self._of_set = {held.name: held.type for held in service.sets.values()}

    # Types

    def hint(self, prop: Property, *, output: bool, depth: int = 0) -> Any:
        """The type of a property, in an output or as an argument."""
        return self._hint(prop, output, depth)

    def _make_hint(self, prop: Property, output: bool, depth: int) -> Any:
        inner = self._single(prop, output=output, depth=depth)
        if prop.collection:
            inner = list_of(inner)
        elif prop.nullable:
            inner = inner | None
        closed = output and self.is_closed(prop)
        example = [prop.allowed[0] if prop.allowed else self._example(prop)]
        described = Field(description=prop.label or None, examples=example if example != [None] else None)
        return Annotated[inner, described, ClosedMark()] if closed else Annotated[inner, described]

    def _single(self, prop: Property, *, output: bool, depth: int) -> Any:
        if prop.allowed:
            return one_of(*prop.allowed, *([""] if output else []))
        if prop.type in PRIMITIVES:
            return str if output and prop.type == "Edm.String" else PRIMITIVES[prop.type].hint(prop)
        enum = self.service.enums.get(prop.type)
        if enum is not None:
            return str if enum.flags else one_of(*enum.members)
        if depth >= _DEEPEST:
            return dict[str, Any]
        kind = self.service.types[prop.type]
        fields = {name: self.hint(item, output=output, depth=depth + 1) for name, item in kind.properties.items()}
        return object_of(_short(kind), fields, strict=not output)

    def _example(self, prop: Property) -> Plain:
        kind = PRIMITIVES.get(prop.type)
        return kind.example if kind and not prop.collection else None

    def is_closed(self, prop: Property) -> bool:
        """Whether no free text fits into a property."""
        if prop.closed or prop.allowed:
            return True
        if prop.type in self.service.enums:
            return not self.service.enums[prop.type].flags
        return prop.type in PRIMITIVES and PRIMITIVES[prop.type].closed

    def _output(self, name: str, ways: tuple[str, ...] = (), depth: int = 0) -> Any:
        """The type of a set's records, with the named navigation expanded."""
        kind = self._of_set.get(name) or self.service.types[name]
        fields = {own: self.hint(self._keyed(kind, item), output=True) for own, item in kind.properties.items()}
        fields[ETAG] = Annotated[Closed[str], Field(description="the version of the record")]
        for way in ways:
            led = kind.navigations[way]
            inner = self._output(self._target(name, way), ())
            fields[way] = list_of(inner) if led.many else inner | None
        return object_of(_short(kind), fields, strict=False)

    def _key(self, name: str) -> Any:
        """The type of a set's keys."""
        kind = self._of_set[name]
        fields = {part: self.hint(self._keyed(kind, kind.properties[part]), output=True) for part in kind.key}
        return object_of(f"{_short(kind)}Key", fields, strict=False)

    def _keyed(self, kind: StructuredType, prop: Property) -> Property:
        return replace(prop, closed=True) if prop.name in kind.key else prop

    def _target(self, name: str, way: str) -> str:
        """The set that navigation leads to, or else the type."""
        held = self.service.sets.get(name)
        bound = held.targets.get(way) if held else None
        if bound in self.service.sets:
            return str(bound)
        kind = held.type if held else self.service.types[name]
        return kind.navigations[way].target

    def led(self, name: str, way: str) -> StructuredType:
        """The type that navigation of a set's records leads to."""
        target = self._target(name, way)
        return self._of_set.get(target) or self.service.types[target]

    def parts(self, held: EntitySet) -> tuple[str, ...]:
        """The navigation that leads to parts of a set's records."""
        return tuple(way.name for way in held.type.navigations.values() if way.contained)

    def _argument(self, name: str, way: str) -> Any:
        """The type of one part, given when the whole is made."""
        owner = self.service.sets[name]
        kind = self.led(name, way)
        implied = {theirs for _, theirs in owner.type.navigations[way].binds}
        fields = {
            own: self.hint(item, output=False) if item.required else NotRequired[self.hint(item, output=False)]
            for own, item in kind.properties.items()
            if item.creatable and own not in implied
        }
        return object_of(_short(kind), fields, strict=True)

    # Values

    def read(self, prop: Property, value: Any, depth: int = 0) -> Plain:
        """The plain value of a property, from an answer or an argument.

        Raises:
            ValueError: it does not fit the property's type.
        """
        if prop.collection:
            items = value.get("results") if isinstance(value, Mapping) else value
            if value is None or isinstance(value, Placeholder):
                return value
            if not isinstance(items, list | tuple):
                raise ValueError("it is no list")
            one = replace(prop, collection=False)
            return [self.read(one, item, depth) for item in items]
        if prop.type in PRIMITIVES or value is None or isinstance(value, Placeholder):
            return read_value(prop, value)
        enum = self.service.enums.get(prop.type)
        if enum is not None:
            if not isinstance(value, str) or not (enum.flags or value in enum.members):
                raise ValueError(f"it is not one of {', '.join(enum.members[:20])}")
            return value
        if not isinstance(value, Mapping) or depth > 2 * _DEEPEST:
            raise ValueError("it is no object")
        known = self.service.types[prop.type].properties
        return {name: self.read(known[name], item, depth + 1) for name, item in value.items() if name in known}

    def to_json(self, prop: Property, value: Plain, *, exact: bool) -> Plain:
        """A plain value as it stands in a body."""
        if isinstance(value, list):
            one = replace(prop, collection=False)
            return [self.to_json(one, item, exact=exact) for item in value]
        if isinstance(value, Mapping):
            known = self.service.types[prop.type].properties
            return {name: self.to_json(known[name], item, exact=exact) for name, item in value.items()}
        if prop.type in PRIMITIVES:
            return to_json(prop, value, self.service.version, exact=exact)
        return value

    def literal(self, prop: Property, value: Plain) -> str:
        """A plain value as it stands in an address, before percent-encoding."""
        if prop.type in self.service.enums and value is not None:
            quoted = str(value).replace("'", "''")
            return f"{prop.type}'{quoted}'"
        return literal(prop, value, self.service.version)

    def body(self, kind: StructuredType, fields: Mapping[str, Plain]) -> tuple[dict[str, Plain], bool]:
        """The JSON of a record's plain fields and parts, and whether long numbers are texts in it."""
        exact = self.service.version is Version.V4 and _any(fields, needs_text)
        return self._body(kind, fields, exact), exact

    def _body(self, kind: StructuredType, fields: Mapping[str, Plain], exact: bool) -> dict[str, Plain]:
        out: dict[str, Plain] = {}
        for name, value in fields.items():
            if name in kind.navigations:
                part = self.service.types[kind.navigations[name].target]
                out[name] = [self._body(part, item, exact) for item in value]
            else:
                out[name] = self.to_json(kind.properties[name], value, exact=exact)
        return out

    def record(self, kind: StructuredType, raw: Any, *, expanded: Collection[str] = ()) -> dict[str, Plain]:
        """The record in an answer.

        Raises:
            MalformedAnswer: it does not fit the metadata; names the field.
        """
        if not isinstance(raw, Mapping):
            raise MalformedAnswer(f"a record of {kind.name} is no object")
        found: dict[str, Plain] = {}
        # The key comes first, as people look for it there.
        for name in [*kind.key, *(own for own in kind.properties if own not in kind.key)]:
            prop = kind.properties[name]
            if name not in raw:
                continue
            try:
                found[name] = self.read(self._keyed(kind, prop), raw[name])
            except ValueError as error:
                raise MalformedAnswer(f"{kind.name}.{name} does not fit the service's metadata: {error}") from None
        etag = etag_of(raw)
        if etag is not None:
            found[ETAG] = etag
        for name in expanded:
            found[name] = self._expanded(kind, name, raw.get(name))
        return found

    def _expanded(self, kind: StructuredType, name: str, raw: Any) -> Plain:
        way = kind.navigations[name]
        target = self.service.types[way.target]
        if isinstance(raw, Mapping) and "results" in raw:
            raw = raw["results"]
        if way.many:
            return [self.record(target, item) for item in raw] if isinstance(raw, list) else []
        return self.record(target, raw) if isinstance(raw, Mapping) and "__deferred" not in raw else None


def etag_of(raw: Mapping[str, Any]) -> str | None:
    """The ETag that a record carries.

    Raises:
        MalformedAnswer: it is none; it would end up in a header.
    """
    described = raw.get("__metadata")
    inner = described.get("etag") if isinstance(described, Mapping) else None
    found = raw.get(ETAG, raw.get("@etag", inner))
    if found is None:
        return None
    if not isinstance(found, str) or not _ETAG.fullmatch(found):
        raise MalformedAnswer("a record's ETag is not of the form that HTTP prescribes")
    return found


def _short(kind: StructuredType) -> str:
    return kind.name.rpartition(".")[2]


def _any(value: Plain, test: Any) -> bool:
    inner: Iterable[Any] = ()
    if isinstance(value, Mapping):
        inner = value.values()
    elif isinstance(value, list | tuple):
        inner = value
    return test(value) or any(_any(item, test) for item in inner)
