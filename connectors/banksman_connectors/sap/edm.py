"""What an OData service declares of itself: sets, types, properties, navigation, functions.

The words are those of the Common Schema Definition Language
(https://docs.oasis-open.org/odata/odata-csdl-xml/v4.01/odata-csdl-xml-v4.01.html); a V2 service is brought into the
same shape (https://www.odata.org/documentation/odata-version-3-0/common-schema-definition-language-csdl/).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Version(StrEnum):
    """The protocol version of a service."""

    V2 = "2.0"
    V4 = "4.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """A field of a record.

    Attributes:
        type: `Edm.String` and the like, or the qualified name of a complex or enumeration type.
        scale: digits after the point; None: any number of them.
        default: what the system puts in when nothing is given, as it is written in the metadata.
        label: for people, from the system's own texts.
        computed: the system makes the value; giving one is pointless.
        immutable: never changes once the record is made.
        defaulted: the system makes a value where none is given.
        creatable: may be given when a record is made.
        updatable: may be changed later.
        filterable: may stand in a filter.
        required: must be given when a record is made.
        allowed: the only values there are; () where any will do.
        day: a V2 `Edm.DateTime` that means a day without a time.
        closed: the service itself asserts the values; nobody can write free text into them.
    """

    name: str
    type: str
    collection: bool = False
    nullable: bool = True
    max_length: int | None = None
    precision: int | None = None
    scale: int | None = None
    default: str | None = None
    label: str = ""
    computed: bool = False
    immutable: bool = False
    defaulted: bool = False
    creatable: bool = True
    updatable: bool = True
    filterable: bool = True
    required: bool = False
    allowed: tuple[str, ...] = ()
    day: bool = False
    closed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Navigation:
    """A way from a record to others.

    Attributes:
        target: the qualified name of the type it leads to.
        many: whether it leads to a list.
        contained: whether those records are parts of this one: made, shown and deleted with it.
        insertable: whether parts may be given when the record is made (deep insert).
        binds: `(own property, property of the target)` pairs that are equal.
    """

    name: str
    target: str
    many: bool
    contained: bool = False
    insertable: bool = True
    binds: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StructuredType:
    """A type with properties: an entity type, or a complex type, which has no key.

    Attributes:
        references: properties that hold the key of another record.
    """

    name: str
    properties: Mapping[str, Property]
    navigations: Mapping[str, Navigation] = field(default_factory=dict)
    key: tuple[str, ...] = ()

    @property
    def references(self) -> frozenset[str]:
        return frozenset(own for way in self.navigations.values() if not way.many for own, _ in way.binds)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnumType:
    """Names for numbers. `flags`: a value is a combination of names, and so no single one of them."""

    name: str
    members: tuple[str, ...]
    flags: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EntitySet:
    """A list of records of one type that the service holds.

    Attributes:
        targets: navigation -> the set its records are in.
        etag: whether records carry an ETag; None where the metadata does not say.
        part_of: the set whose records these are parts of, if they are.
    """

    name: str
    type: StructuredType
    targets: Mapping[str, str] = field(default_factory=dict)
    label: str = ""
    readable: bool = True
    creatable: bool = True
    updatable: bool = True
    deletable: bool = True
    filterable: bool = True
    searchable: bool = True
    etag: bool | None = None
    part_of: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """An operation that the service declares to be free of effects.

    Attributes:
        path: what stands in the address: the import's name, or the qualified name of a bound one.
        returns: the qualified name of the result's type.
        bound_to: the qualified name of the type of the record it is called on.
    """

    name: str
    path: str
    parameters: tuple[Property, ...]
    returns: str
    many: bool = False
    bound_to: str | None = None
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """All of it.

    Attributes:
        skipped: what was declared and is not offered, and why, one line each.
    """

    version: Version
    sets: Mapping[str, EntitySet]
    types: Mapping[str, StructuredType]
    enums: Mapping[str, EnumType] = field(default_factory=dict)
    functions: tuple[Function, ...] = ()
    skipped: tuple[str, ...] = ()
