"""Gathers the arguments of one operation, and flattens the request's body into them."""

from __future__ import annotations

import re
from typing import Any

from banksman.catalog.entry import Argument, Place
from banksman.catalog.schemas import Broken, Json, Schemas

#: Bodies with more members stay one argument.
MOST_MEMBERS = 64
#: So do bodies put together of more parts.
MOST_PARTS = 64
#: Operations with more arguments are refused.
MOST_ARGUMENTS = 1000
_UNFIT = re.compile(r"[^A-Za-z0-9_.-]+")
_NAME_LENGTH = 64

#: What a schema may hold and still be nothing but a list of members.
_SHAPELESS = frozenset({"required", "description", "title"})


class Arguments:
    """The arguments in order, and their schema. Names are unique: a second `id` becomes `id_in_body`."""

    def __init__(self) -> None:
        self.list: list[Argument] = []
        self.properties: Json = {}
        self.required: list[str] = []
        self._seen: set[tuple[str, str]] = set()

    def add(
        self,
        place: Place,
        wire: str,
        schema: Json,
        *,
        required: bool = False,
        style: str | None = None,
        explode: bool | None = None,
        media: str | None = None,
    ) -> None:
        """Add one, unless the place holds one of that name already."""
        if (place, wire) in self._seen:
            return
        self._seen.add((place, wire))
        if len(self.list) >= MOST_ARGUMENTS:
            raise Broken(f"it takes more than {MOST_ARGUMENTS:,} arguments")
        name = self._free(wire, place)
        self.list.append(Argument(name, place, wire, required, style, explode, media))
        self.properties[name] = schema
        if required:
            self.required.append(name)

    def _free(self, wire: str, place: str) -> str:
        name = _UNFIT.sub("_", wire).strip("_.-")[:_NAME_LENGTH] or place
        if name not in self.properties:
            return name
        base = f"{name[: _NAME_LENGTH - 16]}_in_{'body' if place in ('form', 'part', 'content') else place}"
        name, number = base, 2
        while name in self.properties:
            name, number = f"{base}_{number}", number + 1
        return name

    def schema(self) -> Json:
        """JSON Schema of an object of the arguments."""
        made: Json = {"type": "object", "properties": self.properties}
        if self.required:
            made["required"] = self.required
        made["additionalProperties"] = False
        return made


class Members:
    """The members of an object schema that is a plain list of members, references and `allOf` followed."""

    def __init__(self, schemas: Schemas) -> None:
        self._schemas = schemas
        self.properties: Json = {}
        self.required: set[str] = set()
        self._taken: set[int] = set()

    def take(self, raw: Any, hops: int = 12) -> bool:
        """Take the members of `raw`; False where it is more than a list of members."""
        if hops == 0:
            return False
        try:
            schema = self._schemas.follow(raw)
        except Broken:
            return False
        # Each part once: parts that refer to each other would otherwise multiply.
        if id(schema) in self._taken:
            return True
        self._taken.add(id(schema))
        if len(self._taken) > MOST_PARTS:
            return False
        if schema.get("type", "object") not in ("object", ["object"], ["object", "null"]):
            return False
        if not all(_only_requires(schema.get(key)) for key in ("anyOf", "oneOf")):
            return False
        extra = schema.get("additionalProperties")
        if (type(extra) is dict and extra) or "patternProperties" in schema or "not" in schema:
            return False
        parts = schema.get("allOf")
        for part in parts if type(parts) is list else ():
            if not self.take(part, hops - 1):
                return False
        return self._own(schema)

    def _own(self, schema: Json) -> bool:
        properties = schema.get("properties")
        if type(properties) is dict:
            for name, member in properties.items():
                if type(member) is dict and member.get("readOnly") is not True:
                    self.properties[name] = member
        required = schema.get("required")
        if type(required) is list:
            self.required |= {name for name in required if type(name) is str}
        return len(self.properties) <= MOST_MEMBERS


def _only_requires(choice: Any) -> bool:
    """Whether alternatives do no more than ask for members, so that leaving them out loses nothing else."""
    return choice is None or (
        type(choice) is list and all(type(part) is dict and part.keys() <= _SHAPELESS for part in choice)
    )


def spread(arguments: Arguments, schemas: Schemas, raw: Any, place: Place, *, required: bool) -> bool:
    """Make each member of a body an argument; False, and nothing added, where the body is not a plain object."""
    members = Members(schemas)
    if not members.take(raw) or not members.properties:
        return False
    for name, member in members.properties.items():
        arguments.add(place, name, schemas.schema(member), required=required and name in members.required)
    return True
