"""From a `$metadata` document, of V4 or V2, to the service it declares.

What cannot be read is left out and listed in `Service.skipped`; a document of which nothing can be read is an error.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from xml.etree.ElementTree import Element

from banksman.errors import MalformedAnswer
from banksman_connectors.sap import vocabulary
from banksman_connectors.sap.edm import (
    EntitySet,
    EnumType,
    Property,
    Service,
    StructuredType,
    Version,
)
from banksman_connectors.sap.edmx import (
    Document,
    children,
    count,
    flag,
    label,
    local,
    named,
    parse_xml,
    sap,
    unwrap,
)
from banksman_connectors.sap.operations import functions_of
from banksman_connectors.sap.relations import Relations, with_parts
from banksman_connectors.sap.values import PRIMITIVES


def parse_metadata(content: bytes, *, closed: Collection[str] = ()) -> Service:
    """The service that a document declares.

    Args:
        closed: `Set.property` names whose values count as asserted by the service.

    Raises:
        MalformedAnswer: it is not a metadata document, or declares nothing that can be used.
    """
    document = Document(parse_xml(content))
    if local(document.root) != "Edmx" or not document.schemas:
        raise MalformedAnswer(
            f"$metadata is a <{local(document.root)[:40]}>, not an OData metadata document",
            hint="Set base_url to the root of one OData service.",
        )
    return _Reader(document).service(closed)


class _Reader:
    """One pass over a document."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.relations = Relations(document)
        self.skipped: list[str] = []
        self.enums = dict(self._enums())
        self.definitions = {
            f"{namespace}.{name}": element
            for namespace, schema in document.schemas
            for name, element in named(schema, "TypeDefinition")
        }
        self.elements = {
            f"{namespace}.{name}": element
            for namespace, schema in document.schemas
            for kind in ("EntityType", "ComplexType")
            for name, element in named(schema, kind)
        }

    def service(self, closed: Collection[str]) -> Service:
        types = {name: self._type(name, element) for name, element in self.elements.items()}
        types = {name: with_parts(found, types, self.document.version) for name, found in types.items()}
        for name, element in self._declared("EntitySet"):
            kind = self.document.resolve(element.get("EntityType", ""))
            if kind in types:
                types[kind] = _closing(types[kind], {item.removeprefix(f"{name}.") for item in closed})
        sets = {found.name: found for found in self._sets(types)}
        functions, unused = functions_of(self.document, self._parameter, self._is_known)
        return Service(
            version=self.document.version,
            sets=_bound(sets),
            types=types,
            enums=self.enums,
            functions=functions,
            skipped=(*self.skipped, *unused),
        )

    def _enums(self) -> Iterator[tuple[str, EnumType]]:
        for namespace, schema in self.document.schemas:
            for name, element in named(schema, "EnumType"):
                members = tuple(member for member, _ in named(element, "Member"))
                if members:
                    full = f"{namespace}.{name}"
                    yield full, EnumType(name=full, members=members, flags=flag(element.get("IsFlags"), False))

    def _type(self, name: str, element: Element, depth: int = 0) -> StructuredType:
        """A type with what it inherits."""
        base = self.document.resolve(element.get("BaseType", ""))
        inherited = self.elements.get(base) if depth < 8 else None
        above = self._type(base, inherited, depth + 1) if inherited is not None else None
        properties = dict(above.properties) if above else {}
        for own, child in named(element, "Property"):
            found = self._property(own, child, f"{name}/{own}")
            if found is not None:
                properties[own] = found
        references = (ref.get("Name", "") for keys in children(element, "Key") for ref in children(keys, "PropertyRef"))
        key = tuple(references) or (above.key if above else ())
        navigations = {**(above.navigations if above else {}), **self.relations.of(element)}
        for part in key:
            if part in properties:
                properties[part] = replace(properties[part], updatable=False, nullable=False)
        return StructuredType(name=name, properties=properties, navigations=navigations, key=key)

    def _property(self, name: str, element: Element, target: str) -> Property | None:
        kind, many = unwrap(element.get("Type", ""))
        kind = self.document.resolve(kind)
        facets = element
        if kind in self.definitions:
            facets = self.definitions[kind]
            kind = facets.get("UnderlyingType", "")
        if not self._is_known(kind):
            self.skipped.append(f"{target}: type {kind[:80]!r} has no plain form")
            return None
        terms = self.document.annotations(element, target)
        creatable, updatable = flag(sap(element, "creatable"), True), flag(sap(element, "updatable"), True)
        locked = vocabulary.read_only(terms)
        immutable = vocabulary.tagged(terms, "Immutable")
        computed = vocabulary.tagged(terms, "Computed") or locked or not (creatable or updatable)
        return Property(
            name=name,
            type=kind,
            collection=many,
            nullable=flag(element.get("Nullable"), True),
            max_length=count(element.get("MaxLength") or facets.get("MaxLength")),
            precision=count(element.get("Precision") or facets.get("Precision")),
            scale=_scale(element.get("Scale") or facets.get("Scale"), self.document.version),
            default=element.get("DefaultValue"),
            label=vocabulary.text(terms) or label(sap(element, "label")) or label(sap(element, "quickinfo")),
            computed=computed,
            immutable=immutable,
            defaulted=vocabulary.tagged(terms, "ComputedDefaultValue"),
            creatable=creatable and not computed,
            updatable=updatable and not computed and not immutable,
            filterable=flag(sap(element, "filterable"), True) and not many,
            required=vocabulary.field_control(terms) == "Mandatory",
            allowed=vocabulary.allowed_values(terms) if kind == "Edm.String" else (),
            day=kind == "Edm.DateTime" and sap(element, "display-format") == "Date",
        )

    def _is_known(self, kind: str) -> bool:
        return kind in PRIMITIVES or kind in self.elements or kind in self.enums

    def _parameter(self, name: str, element: Element) -> Property | None:
        return self._property(name, element, name)

    def _declared(self, kind: str) -> Iterator[tuple[str, Element]]:
        """The members of that kind of all containers."""
        for _, schema in self.document.schemas:
            for body in children(schema, "EntityContainer"):
                yield from named(body, kind)

    def _sets(self, types: Mapping[str, StructuredType]) -> Iterator[EntitySet]:
        for name, element in self._declared("EntitySet"):
            kind = types.get(self.document.resolve(element.get("EntityType", "")))
            if kind is None or not kind.key or not all(part in kind.properties for part in kind.key):
                self.skipped.append(f"{name}: no type with a readable key")
                continue
            found = self._set(name, element, kind)
            if not found.readable:
                self.skipped.append(f"{name}: its records cannot be read by themselves")
            yield found
        self.skipped += [f"{name}: singletons are not offered" for name, _ in self._declared("Singleton")]

    def _set(self, name: str, element: Element, kind: StructuredType) -> EntitySet:
        terms = self.document.annotations(element, self.document.path_in_container(name))
        v2 = self.document.version is Version.V2

        def may(term: str, permission: str, attribute: str) -> bool:
            return flag(sap(element, attribute), True) and not vocabulary.restricted(terms, term, permission)

        fixed = [item for item in children(self.elements[kind.name], "Property") if item.get("ConcurrencyMode")]
        declared = vocabulary.concurrent(terms) or any(item.get("ConcurrencyMode") == "Fixed" for item in fixed)
        searchable = flag(sap(element, "searchable"), not v2)
        return EntitySet(
            name=name,
            type=_limited(kind, terms),
            targets=self.relations.targets(name, element),
            label=vocabulary.text(terms) or label(sap(element, "label")),
            readable=may("ReadRestrictions", "Readable", "addressable"),
            creatable=may("InsertRestrictions", "Insertable", "creatable"),
            updatable=may("UpdateRestrictions", "Updatable", "updatable"),
            deletable=may("DeleteRestrictions", "Deletable", "deletable"),
            filterable=may("FilterRestrictions", "Filterable", "filterable"),
            searchable=searchable and not vocabulary.restricted(terms, "SearchRestrictions", "Searchable"),
            etag=True if declared else None,
        )


def _limited(kind: StructuredType, terms: Mapping[str, Element]) -> StructuredType:
    """The type as a set's capabilities narrow it."""
    insert, update = "InsertRestrictions", "UpdateRestrictions"
    no_insert = vocabulary.paths(terms, insert, "NonInsertableProperties")
    no_update = vocabulary.paths(terms, update, "NonUpdatableProperties")
    no_filter = vocabulary.paths(terms, "FilterRestrictions", "NonFilterableProperties")
    required = vocabulary.paths(terms, insert, "RequiredProperties")
    no_parts = vocabulary.paths(terms, insert, "NonInsertableNavigationProperties")
    properties = {
        name: replace(
            item,
            creatable=item.creatable and name not in no_insert,
            updatable=item.updatable and name not in no_update,
            filterable=item.filterable and name not in no_filter,
            required=item.required or name in required,
        )
        for name, item in kind.properties.items()
    }
    ways = {
        name: replace(way, insertable=way.insertable and name not in no_parts) for name, way in kind.navigations.items()
    }
    return replace(kind, properties=properties, navigations=ways)


def _scale(text: str | None, version: Version) -> int | None:
    """Digits after the point. V4 says 0 where nothing is said, V2 leaves it open."""
    if text is None:
        return 0 if version is Version.V4 else None
    return count(text)


def _closing(kind: StructuredType, marked: Collection[str]) -> StructuredType:
    properties = {
        name: replace(item, closed=True) if name in marked else item for name, item in kind.properties.items()
    }
    return replace(kind, properties=properties)


def _bound(sets: Mapping[str, EntitySet]) -> dict[str, EntitySet]:
    """The sets with their bindings: only those that lead to a set of the type that navigation promises."""
    found: dict[str, EntitySet] = {}
    for name, held in sets.items():
        ways = held.type.navigations
        targets = {
            way: target
            for way, target in held.targets.items()
            if way in ways and target in sets and sets[target].type.name == ways[way].target
        }
        found[name] = replace(held, targets=targets)
    owners = {
        held.targets[way.name]: held.name
        for held in found.values()
        for way in held.type.navigations.values()
        if way.contained and way.name in held.targets
    }
    return {name: replace(held, part_of=owners.get(name)) for name, held in found.items()}
