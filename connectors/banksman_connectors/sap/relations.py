"""How records belong together: navigation, which of it leads to parts, and which properties are equal on both ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from xml.etree.ElementTree import Element

from banksman_connectors.sap.edm import Navigation, StructuredType, Version
from banksman_connectors.sap.edmx import Document, children, flag, named, sap, unwrap


class Relations:
    """Reads navigation, which V4 declares in place and V2 by way of associations."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.associations = {
            f"{namespace}.{name}": element
            for namespace, schema in document.schemas
            for name, element in named(schema, "Association")
        }
        self.association_sets = [
            element
            for _, schema in document.schemas
            for body in children(schema, "EntityContainer")
            for element in children(body, "AssociationSet")
        ]

    def of(self, element: Element) -> dict[str, Navigation]:
        """The navigation that a type declares itself."""
        read = self._v4 if self.document.version is Version.V4 else self._v2
        found = (read(name, child) for name, child in named(element, "NavigationProperty"))
        return {way.name: way for way in found if way is not None}

    def _v4(self, name: str, element: Element) -> Navigation:
        kind, many = unwrap(element.get("Type", ""))
        cascades = any(child.get("Action") == "Cascade" for child in children(element, "OnDelete"))
        pairs = (
            (child.get("Property", ""), child.get("ReferencedProperty", ""))
            for child in children(element, "ReferentialConstraint")
        )
        return Navigation(
            name=name,
            target=self.document.resolve(kind),
            many=many,
            contained=many and (cascades or flag(element.get("ContainsTarget"), False)),
            binds=tuple(pairs),
        )

    def _v2(self, name: str, element: Element) -> Navigation | None:
        association = self.associations.get(self.document.resolve(element.get("Relationship", "")))
        if association is None:
            return None
        ends = {end.get("Role", ""): end for end in children(association, "End")}
        here, there = ends.get(element.get("FromRole", "")), ends.get(element.get("ToRole", ""))
        if here is None or there is None:
            return None
        many = there.get("Multiplicity") == "*"
        cascades = any(child.get("Action") == "Cascade" for child in children(here, "OnDelete"))
        creatable = flag(sap(element, "creatable"), True) and self._association_creatable(element)
        return Navigation(
            name=name,
            target=self.document.resolve(there.get("Type", "")),
            many=many,
            contained=many and cascades,
            insertable=creatable,
            binds=tuple(_constrained(association, here.get("Role", ""))),
        )

    def _association_creatable(self, element: Element) -> bool:
        wanted = self.document.resolve(element.get("Relationship", ""))
        held = (s for s in self.association_sets if self.document.resolve(s.get("Association", "")) == wanted)
        return all(flag(sap(item, "creatable"), True) for item in held)

    def targets(self, name: str, element: Element) -> dict[str, str]:
        """Navigation of a set's records -> the set that the others are in."""
        if self.document.version is Version.V4:
            bindings = children(element, "NavigationPropertyBinding")
            return {b.get("Path", ""): b.get("Target", "").rpartition("/")[2] for b in bindings}
        return dict(self._targets_v2(name, element))

    def _targets_v2(self, name: str, element: Element) -> Iterator[tuple[str, str]]:
        kind = self.document.resolve(element.get("EntityType", ""))
        for namespace, schema in self.document.schemas:
            for own, declared in named(schema, "EntityType"):
                if f"{namespace}.{own}" != kind:
                    continue
                for way, child in named(declared, "NavigationProperty"):
                    wanted = self.document.resolve(child.get("Relationship", ""))
                    for held in self.association_sets:
                        ends = {end.get("Role"): end.get("EntitySet", "") for end in children(held, "End")}
                        mine, theirs = ends.get(child.get("FromRole")), ends.get(child.get("ToRole"))
                        if self.document.resolve(held.get("Association", "")) == wanted and mine == name and theirs:
                            yield way, theirs


def _constrained(association: Element, from_role: str) -> Iterator[tuple[str, str]]:
    """The equal properties of a V2 association, seen from one end."""
    for constraint in children(association, "ReferentialConstraint"):
        sides = [*children(constraint, "Principal"), *children(constraint, "Dependent")]
        if len(sides) != 2:
            continue
        names = [[ref.get("Name", "") for ref in children(side, "PropertyRef")] for side in sides]
        here, there = names if sides[0].get("Role") == from_role else reversed(names)
        yield from zip(here, there, strict=False)


def with_parts(kind: StructuredType, types: Mapping[str, StructuredType], version: Version) -> StructuredType:
    """The type with its navigation completed: what binds it to lists, and which lists are its parts.

    V2 services rarely say what is a part. There, records count as parts that are identified by the whole's key and
    something of their own, as `PurchaseOrder, PurchaseOrderItem` is.
    """
    ways: dict[str, Navigation] = {}
    for name, way in kind.navigations.items():
        target = types.get(way.target)
        if target is None:
            continue
        binds = way.binds or (tuple(_mirrored(kind, target, way)) if way.many else ())
        owned = {theirs for own, theirs in binds if own in kind.key}
        identifies = owned < set(target.key) and {own for own, _ in binds} == set(kind.key)
        part = way.contained or (version is Version.V2 and way.many and bool(owned) and identifies)
        ways[name] = replace(way, binds=binds, contained=part)
    return replace(kind, navigations=ways)


def _mirrored(kind: StructuredType, target: StructuredType, way: Navigation) -> Iterator[tuple[str, str]]:
    """What binds a list to its owner, read from the way back; for parts, keys of the same name."""
    back = [other for other in target.navigations.values() if other.target == kind.name and not other.many]
    if len(back) == 1 and back[0].binds:
        yield from ((theirs, own) for own, theirs in back[0].binds)
    elif way.contained:
        yield from ((name, name) for name in kind.key if name in target.key)
