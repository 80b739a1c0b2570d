"""The actions of one entity set, so that a write can name its inverse and the reads it stands on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from banksman import Action
from banksman._canonical import Plain
from banksman_connectors.sap.edm import EntitySet, Property
from banksman_connectors.sap.shapes import ETAG, Shapes


@dataclass
class Verbs:
    """What can be done with the records of one set.

    Attributes:
        base: what the actions' names start with: `purchase_orders`.
        parts: navigation to parts -> the action that lists them.
    """

    shapes: Shapes
    held: EntitySet
    base: str
    get: Action[..., Any]
    parts: dict[str, Action[..., Any]] = field(default_factory=dict)
    create: Action[..., Any] | None = None
    update: Action[..., Any] | None = None
    update_many: Action[..., Any] | None = None
    delete: Action[..., Any] | None = None

    def touches(self, *, parts: bool) -> tuple[str, ...]:
        """The sets whose records may change unseen with one of this set: the whole, whose totals the system keeps;
        and the parts, when records come or go."""
        found = [self.held.targets.get(way) or f"{self.held.name}/{way}" for way in self.parts] if parts else []
        return tuple(dict.fromkeys([*found, *([self.held.part_of] if self.held.part_of else [])]))

    def writable(self, *, new: bool) -> list[Property]:
        """The properties that may be given, when a record is made or later."""
        properties = self.held.type.properties.values()
        return [prop for prop in properties if (prop.creatable if new else prop.updatable)]

    def stamps(self) -> tuple[str, ...]:
        """The properties that the system computes anew with each change."""
        return tuple(n for n, prop in self.held.type.properties.items() if prop.computed and not prop.immutable)

    def insertable_parts(self) -> tuple[str, ...]:
        """The navigation under which parts may be given when the whole is made."""
        return tuple(way for way in self.parts if self.held.type.navigations[way].insertable)


def stored(record: Mapping[str, Plain]) -> dict[str, Plain]:
    """The record without what is not a field of it."""
    return {name: value for name, value in record.items() if name != ETAG}


def unguarded(held: EntitySet) -> str:
    """The note on a write that the system cannot hold against a version."""
    return f"{held.name} has no ETag: a change by others between the last look and the write would be overwritten"
